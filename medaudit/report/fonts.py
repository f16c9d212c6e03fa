"""The type of a report, embedded: one family for Latin, Greek and Cyrillic, and what stands in for other scripts."""

from functools import lru_cache
from pathlib import Path
from unicodedata import category, normalize
from xml.sax.saxutils import escape

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from medaudit.report.shaping import drawn

REGULAR = "NotoSans-Regular"
SEMIBOLD = "NotoSans-SemiBold"
OTHER_SCRIPTS = ("NotoSansArabic-Regular", "DroidSansFallback-Regular")
"""Arabic; Han, kana and hangul. Tried in this order for a character that the family lacks."""

_FOLDER = Path(__file__).parent / "fonts"


def register_fonts() -> None:
    """Make both cuts known to reportlab; calling it again changes nothing."""
    for name in (REGULAR, SEMIBOLD):
        _register(name)


def _register(name: str) -> None:
    if name not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont(name, _FOLDER / f"{name}.ttf"))


def printable(text: str) -> str:
    """Text as the report's fonts can set it, in the order in which it is drawn.

    White space becomes single spaces and control characters go; a character without a glyph is
    written as its code point, ``[U+1F600]``, so that it is never lost or shown as an empty box.
    """
    plain = " ".join(normalize("NFC", text).split())
    shown = drawn("".join(one for one in plain if category(one) not in ("Cc", "Cf")))
    return "".join(one if font_of(one) else f"[U+{ord(one):04X}]" for one in shown)


@lru_cache(maxsize=8192)
def font_of(character: str) -> str:
    """The font that has a character, :data:`REGULAR` for the family; empty where none has."""
    for name in (REGULAR, *OTHER_SCRIPTS):
        _register(name)  # the fonts of other scripts are read only where one is needed
        if ord(character) in pdfmetrics.getFont(name).face.charToGlyph:
            return name
    return ""


def runs(text: str, font: str) -> list[tuple[str, str]]:
    """Stretches of text that :func:`printable` has passed, each with its font: ``font`` or one of another script."""
    if text.isascii():
        return [(font, text)] if text else []
    found: list[tuple[str, str]] = []
    for character in text:
        name = font_of(character)
        name = font if name in (REGULAR, "") else name
        if found and (found[-1][0] == name or character == " "):
            found[-1] = (found[-1][0], found[-1][1] + character)
        else:
            found.append((name, character))
    return found


def markup(text: str, font: str = REGULAR) -> str:
    """Markup of a paragraph in ``font`` for text that :func:`printable` has passed; nothing in it is read as such."""
    return "".join(
        escape(part) if name == font else f'<font name="{name}">{escape(part)}</font>'
        for name, part in runs(text, font)
    )


def text_width(text: str, font: str, size: float) -> float:
    """Width in points of text that :func:`printable` has passed."""
    return float(sum(pdfmetrics.stringWidth(part, name, size) for name, part in runs(text, font)))


def draw_text(canvas: Canvas, place: tuple[float, float], text: str, font: str, size: float) -> None:
    """Draw text that :func:`printable` has passed, in the canvas's fill colour; ``place`` is its left end."""
    left, baseline = place
    for name, part in runs(text, font):
        canvas.setFont(name, size)
        canvas.drawString(left, baseline, part)
        left += float(pdfmetrics.stringWidth(part, name, size))
