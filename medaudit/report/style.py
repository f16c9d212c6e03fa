"""Measures, colours and paragraph styles of a report: one grid, one type family, one accent."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4, LETTER
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import Paragraph

from medaudit.records import Severity
from medaudit.report.catalogue import Catalogue, find_catalogue
from medaudit.report.fonts import REGULAR, SEMIBOLD, markup, printable, register_fonts, text_width
from medaudit.report.layout import Layout

MARGIN = 50.0
"""Points left and right of everything on a page."""

TOP, BOTTOM = 58.0, 58.0
"""Points above and below the frame of the content; header and footer lie within them."""

GUTTER = 18.0
"""Points between two columns."""

LETTER_ROOM = 12.0
"""Points around a picture for the letters of its edges; what stands below it keeps its left edge."""

INK = HexColor("#16191d")
SOFT = HexColor("#5b646e")
RULE = HexColor("#d5dade")
PANEL = HexColor("#f4f6f7")

SEVERITY_INK = {
    Severity.WARNING: HexColor("#a3231a"),
    Severity.CAUTION: HexColor("#8a5a00"),
    Severity.NOTE: HexColor("#47525d"),
}


@dataclass(frozen=True)
class Style:
    """What a layout makes of the page."""

    layout: Layout

    @property
    def page(self) -> tuple[float, float]:
        """(width, height) in points."""
        width, height = A4 if self.layout.page_size == "A4" else LETTER
        return float(width), float(height)

    @property
    def width(self) -> float:
        """Width of the content in points."""
        return self.page[0] - 2 * MARGIN

    @property
    def height(self) -> float:
        """Height of the content of a page in points."""
        return self.page[1] - TOP - BOTTOM

    @property
    def column(self) -> float:
        """Width of one of two columns in points."""
        return (self.width - GUTTER) / 2

    @cached_property
    def words(self) -> Catalogue:
        """The texts of the layout's language."""
        return find_catalogue(self.layout.language)

    @cached_property
    def accent(self) -> Color:
        """The one colour besides black and greys."""
        return HexColor(self.layout.accent)

    @cached_property
    def paragraphs(self) -> dict[str, ParagraphStyle]:
        """The paragraph styles by name."""
        register_fonts()
        body = ParagraphStyle("body", fontName=REGULAR, fontSize=8.8, leading=12.6, textColor=INK, splitLongWords=1)
        small = ParagraphStyle("small", body, fontSize=7.4, leading=10.2)
        return {
            "body": body,
            "lead": ParagraphStyle("lead", body, fontSize=9.6, leading=13.6),
            "strong": ParagraphStyle("strong", body, fontName=SEMIBOLD),
            "small": small,
            "caption": ParagraphStyle("caption", small, textColor=SOFT),
            "below": ParagraphStyle("below", small, textColor=SOFT, leftIndent=LETTER_ROOM),
            "belowink": ParagraphStyle("belowink", small, leftIndent=LETTER_ROOM),
            "head": ParagraphStyle("head", small, fontName=SEMIBOLD, textColor=SOFT),
            "headright": ParagraphStyle("headright", small, fontName=SEMIBOLD, textColor=SOFT, alignment=TA_RIGHT),
            "figure": ParagraphStyle("figure", small, alignment=TA_RIGHT),
            "overline": ParagraphStyle("overline", small, fontName=SEMIBOLD, textColor=self.accent),
            "title": ParagraphStyle("title", body, fontName=SEMIBOLD, fontSize=20, leading=25),
            "section": ParagraphStyle("section", body, fontName=SEMIBOLD, fontSize=13.5, leading=18, keepWithNext=1),
            "block": ParagraphStyle("block", body, fontName=SEMIBOLD, fontSize=10.2, leading=14, keepWithNext=1),
            "verdict": ParagraphStyle("verdict", body, fontName=SEMIBOLD, fontSize=12, leading=16),
        }

    def text(self, text: str, name: str = "body") -> Paragraph:
        """Plain text as a paragraph: nothing in it is markup."""
        paragraph = self.paragraphs[name]
        return Paragraph(markup(printable(text), paragraph.fontName), paragraph)

    def markup(self, text: str) -> str:
        """Plain text as markup: nothing in it is read as such."""
        return markup(printable(text))

    def marked(self, put_together: str, name: str = "body") -> Paragraph:
        """A paragraph of markup that was put together from :meth:`markup`."""
        return Paragraph(put_together, self.paragraphs[name])

    def value(self, text: str, width: float) -> Paragraph:
        r"""Small plain text in lines of ``width`` points that end after a backslash rather than within a word.

        A backslash parts the values of one DICOM element (PS3.5 6.4), as in ``ORIGINAL\PRIMARY``.
        """
        paragraph = self.paragraphs["small"]
        lines = [""]
        for part in re.split(r"(?<=\\)", printable(text)):
            if lines[-1] and text_width(lines[-1] + part, paragraph.fontName, paragraph.fontSize) > width:
                lines.append("")
            lines[-1] += part
        return Paragraph("<br/>".join(map(markup, lines)), paragraph)

    def rich(self, parts: Iterable[tuple[str, Color | None]], name: str = "body") -> Paragraph:
        """A paragraph of plain texts, each in a colour of its own or the style's; those are semi-bold."""
        own = self.paragraphs[name].fontName
        parts_marked = "".join(
            markup(printable_run(text), own)
            if colour is None
            else f'<font name="{SEMIBOLD}" color="{hexadecimal(colour)}">{markup(printable_run(text), SEMIBOLD)}</font>'
            for text, colour in parts
        )
        return Paragraph(parts_marked, self.paragraphs[name])


def hexadecimal(colour: Color) -> str:
    """A colour as ``#rrggbb``."""
    return f"#{colour.hexval()[2:]}"


def printable_run(text: str) -> str:
    """As :func:`printable`, keeping one space at either end, where a run meets the next."""
    before = " " if text[:1].isspace() else ""
    after = " " if text[-1:].isspace() else ""
    return f"{before}{printable(text)}{after}"
