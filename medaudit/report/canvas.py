"""The page around the content: frame, header, footer, outline and document properties."""

from collections.abc import Callable, Mapping
from io import BytesIO

from reportlab import rl_config
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, PageTemplate, Spacer

from medaudit.report.attachments import attach
from medaudit.report.fonts import REGULAR, SEMIBOLD, draw_text, printable, text_width
from medaudit.report.style import BOTTOM, INK, MARGIN, RULE, SOFT, TOP, Style

# Streams as they are: base-85 text, reportlab's default, is a quarter larger and half of the time of a report.
rl_config.useA85 = 0

_SMALL = 7.0
_HAIR = 0.5
_LOGO = (110.0, 26.0)  # points at most; between the header's rule and the edge that printers leave blank


class Bookmark(Flowable):  # type: ignore[misc]  # reportlab has no types
    """An entry of the document's outline, and the room above what follows, unless that begins a page."""

    keepWithNext = 1  # noqa: N815  # reportlab's name

    def __init__(self, title: str, key: str, level: int = 0, space: float = 0) -> None:
        super().__init__()
        self.spaceBefore = space
        self._entry = (printable(title), key, level)

    def draw(self) -> None:
        """Set the bookmark here."""
        title, key, level = self._entry
        self.canv.bookmarkHorizontal(key, 0, 14)
        self.canv.addOutlineEntry(title, key, level=level, closed=level > 0)


def build_pdf(
    story: Callable[[], list[Flowable]],
    style: Style,
    *,
    title: str,
    subject: str,
    running: str,
    attachments: Mapping[str, bytes] | None = None,
) -> bytes:
    """Set a story into pages; the same bytes for the same story.

    Parameters
    ----------
    story
        Makes the flowables; called twice, because the first pass only counts the pages.
    style
        Page size and colours.
    title, subject
        Document properties.
    running
        What the header of every page after the first says on its left.
    attachments
        Files that lie in the PDF, by name.

    Returns
    -------
    The PDF file.

    """
    texts = (title, subject, running)
    _, pages = _build(story(), style, texts, None, {})
    document, _ = _build(story(), style, texts, pages, attachments or {})
    return document


def _build(
    story: list[Flowable],
    style: Style,
    texts: tuple[str, str, str],
    pages: int | None,
    attachments: Mapping[str, bytes],
) -> tuple[bytes, int]:
    title, subject, running = (printable(text) for text in texts)
    stream = BytesIO()
    template = BaseDocTemplate(
        stream,
        pagesize=style.page,
        title=title,
        author="medaudit",
        subject=subject,
        creator="medaudit",
        lang=style.layout.language,
        invariant=1,
        pageCompression=1,
        displayDocTitle=True,
    )
    width, height = style.page
    frame = Frame(
        MARGIN, BOTTOM, width - 2 * MARGIN, height - TOP - BOTTOM,
        leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0, id="content",
    )  # fmt: skip

    def decorate(canvas: Canvas, _: BaseDocTemplate) -> None:
        _header(canvas, style, running)
        _footer(canvas, style, pages)
        if canvas.getPageNumber() == 1:
            attach(canvas, attachments)

    template.addPageTemplates(PageTemplate("page", [frame], onPage=decorate))
    template.build(story)
    return stream.getvalue(), int(template.page)


def section(style: Style, title: str, key: str) -> list[Flowable]:
    """The heading of a section, with its place in the outline."""
    return [Bookmark(title, key, space=20), style.text(title, "section"), Tied(0, 5)]


class Tied(Spacer):  # type: ignore[misc]  # reportlab has no types
    """Room that is never left alone at the foot of a page."""

    keepWithNext = 1  # noqa: N815  # reportlab's name


def _header(canvas: Canvas, style: Style, running: str) -> None:
    width, height = style.page
    baseline = height - 34
    canvas.saveState()
    canvas.setFillColor(style.accent)
    canvas.setFont(SEMIBOLD, _SMALL)
    left = "medaudit"
    canvas.drawString(MARGIN, baseline, left)
    canvas.setFillColor(SOFT)
    if canvas.getPageNumber() > 1:
        offset = text_width(left, SEMIBOLD, _SMALL) + 8
        draw_text(canvas, (MARGIN + offset, baseline), _fitted(running, style.width * 0.55), REGULAR, _SMALL)
    institution = _fitted(printable(style.layout.institution), style.width * 0.32)
    right = width - MARGIN - _logo(canvas, style, baseline) - text_width(institution, REGULAR, _SMALL)
    draw_text(canvas, (right, baseline), institution, REGULAR, _SMALL)
    canvas.setStrokeColor(RULE)
    canvas.setLineWidth(_HAIR)
    canvas.line(MARGIN, baseline - 7, width - MARGIN, baseline - 7)
    canvas.restoreState()


def _logo(canvas: Canvas, style: Style, baseline: float) -> float:
    """Draw the institution's mark at the right edge; returns the width that it takes from the line of the header."""
    logo = style.layout.logo
    if logo is None:
        return 0.0
    wide, high = logo.fitted(*_LOGO)
    canvas.drawImage(logo.reader, style.page[0] - MARGIN - wide, baseline - 3, wide, high, mask="auto")
    return wide + 6


def _footer(canvas: Canvas, style: Style, pages: int | None) -> None:
    width, _ = style.page
    baseline = 32
    canvas.saveState()
    canvas.setStrokeColor(RULE)
    canvas.setLineWidth(_HAIR)
    canvas.line(MARGIN, baseline + 12, width - MARGIN, baseline + 12)
    number = canvas.getPageNumber()
    page, sentence = style.words.say("page.of", page=number, pages=pages or number), style.words.say("footer")
    room = style.width - text_width(page, REGULAR, _SMALL) - 12
    # The sentence stands on every page whole: in a language that needs more words, in smaller letters.
    size = min(_SMALL, _SMALL * room / text_width(sentence, REGULAR, _SMALL))
    canvas.setFillColor(SOFT)
    draw_text(canvas, (MARGIN, baseline), sentence, REGULAR, size)
    canvas.setFont(REGULAR, _SMALL)
    canvas.setFillColor(INK)
    canvas.drawRightString(width - MARGIN, baseline, page)
    canvas.restoreState()


def _fitted(text: str, width: float) -> str:
    """Text cut to a width, with an ellipsis where something was cut."""
    if text_width(text, REGULAR, _SMALL) <= width:
        return text
    while text and text_width(f"{text}\u2026", REGULAR, _SMALL) > width:
        text = text[:-1]
    return f"{text}\u2026"
