"""The one type family of a report, embedded, and the text that it can set."""

from pathlib import Path
from unicodedata import category, normalize

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

REGULAR = "NotoSans-Regular"
SEMIBOLD = "NotoSans-SemiBold"

_FOLDER = Path(__file__).parent / "fonts"


def register_fonts() -> None:
    """Make both cuts known to reportlab; calling it again changes nothing."""
    known = pdfmetrics.getRegisteredFontNames()
    for name in (REGULAR, SEMIBOLD):
        if name not in known:
            pdfmetrics.registerFont(TTFont(name, _FOLDER / f"{name}.ttf"))


def printable(text: str) -> str:
    """Text as the report's fonts can set it.

    White space becomes single spaces and control characters go; a character without a glyph is
    written as its code point, ``[U+4E2D]``, so that it is never lost or shown as an empty box.
    """
    register_fonts()
    glyphs = pdfmetrics.getFont(REGULAR).face.charToGlyph
    characters = []
    for character in " ".join(normalize("NFC", text).split()):
        if category(character) in ("Cc", "Cf"):
            continue
        if ord(character) in glyphs:
            characters.append(character)
        else:
            characters.append(f"[U+{ord(character):04X}]")
    return "".join(characters)


def text_width(text: str, font: str, size: float) -> float:
    """Width in points of text that :func:`printable` has passed."""
    return float(pdfmetrics.stringWidth(text, font, size))
