"""The first page: what was audited, the verdict, the first map, and every score. Sixty seconds of reading."""

from reportlab.lib.colors import Color
from reportlab.platypus import Flowable, Spacer, Table

from medaudit.figures.orientation import NOT_STATED, edge_letters
from medaudit.figures.wording import (
    NO_CLEARANCE,
    NONE_CROSSED,
    count_of,
    leading_first,
    margin,
    number,
    words_of,
)
from medaudit.records import Attribution, Finding, ImageAudit
from medaudit.report.canvas import Bookmark
from medaudit.report.contents import Contents, Figures
from medaudit.report.pictures import ColourBar, Picture, half
from medaudit.report.scores import all_findings, first_shown
from medaudit.report.strip import CosineStrip
from medaudit.report.style import INK, LETTER_ROOM, SEVERITY_INK, Style
from medaudit.report.tables import columns, facts, panel, rows_table

FINDINGS_ON_PAGE = 3
ELEMENTS_ON_PAGE = 8
_PAGE_REST = 476.0  # points of an A4 first page that are not its pictures: two findings and eight prompts
_STRIP = 84.0
# Characters that the first page repeats of texts which stand in full further on.
_QUOTE, _CLAIM, _VALUE = 110, 420, 72


def summary(contents: Contents) -> list[Flowable]:
    """The flowables of the first page; its table of scores may run on."""
    about = about_model(contents)
    story = [*_title(contents), Spacer(0, 6), verdict(contents), *about]
    if contents.lead is None:
        return [*story, Spacer(0, 8), contents.style.text("This study has no audited image.")]
    image, figures = contents.lead
    if len(contents.audit.images) > 1:
        story += [Spacer(0, 8), contents.style.text(contents.image_name(image), "block")]
    taken = sum(flowable.wrap(contents.style.width, contents.style.height)[1] for flowable in about)
    story += [Spacer(0, 10), pictures(contents.style, image, figures, first_shown(image), taken)]
    story += notes(contents.style, image)
    return [*story, Spacer(0, 8), *scores(contents.style, image)]


def _title(contents: Contents) -> list[Flowable]:
    style, record, run = contents.style, contents.audit.record, contents.run
    prompts = sorted({len(image.attributions) for image in contents.audit.images})
    items = [
        ("Model", cut(run.model.name, _VALUE)),
        ("Pipeline", cut(run.pipeline_name, _VALUE)),
        ("Images", str(len(contents.audit.images))),
        ("Prompts per image", " or ".join(map(str, prompts)) or "none"),
        *(
            (words_of(keyword), cut(value, _VALUE))
            for keyword, value in leading_first(record.elements)[:ELEMENTS_ON_PAGE]
        ),
    ]
    return [
        Bookmark("Summary", "summary"),
        style.text("Audit of an image-text model on one study", "overline"),
        style.text(f"Study {record.study}", "title"),
        Spacer(0, 5),
        facts(style, items),
    ]


def verdict(contents: Contents) -> Table:
    """At most three findings in plain words with their numbers, or that there is none and what that means."""
    style = contents.style
    found = all_findings(contents.audit)
    measured = sum(len(image.measurements) for image in contents.audit.images)
    if not found:
        return panel(_nothing_found(style, measured), style.width, style.accent)
    counts = f"{count_of(len(found), 'finding')} in {count_of(measured, 'measurement')}"
    content: list[Flowable] = [style.text(counts, "verdict")]
    for finding, code in found[:FINDINGS_ON_PAGE]:
        where = f"image {code}" if len(contents.audit.images) > 1 else ""
        content.append(_finding_line(style, finding, where))
    if len(found) > FINDINGS_ON_PAGE:
        rest = len(found) - FINDINGS_ON_PAGE
        content.append(style.text(f"{rest} more under Measurements.", "caption"))
    return panel(content, style.width, SEVERITY_INK[found[0][0].severity])


def _nothing_found(style: Style, measured: int) -> list[Flowable]:
    if measured == 0:
        return [
            style.text("No measurement was made.", "verdict"),
            style.text("The pipeline ran no check on this study, so this report holds no verdict.", "body"),
        ]
    measurements = "The one measurement" if measured == 1 else f"All {measured} measurements"
    return [
        style.text(NONE_CROSSED, "verdict"),
        style.text(
            f"{NO_CLEARANCE} {measurements} of this pipeline stayed within the limits that the pipeline "
            "sets; nothing follows for what was not measured, for other studies, or for the patient.",
            "body",
        ),
    ]


def about_model(contents: Contents) -> list[Flowable]:
    """The notes on the model, in the light of which everything else is read; nothing without notes."""
    style, notes = contents.style, contents.run.model.notes
    if not notes:
        return []
    text = style.rich([("About this model  ", INK), (cut(" \u00b7 ".join(notes), _CLAIM), None)], "body")
    return [Spacer(0, 6), panel([text], style.width, INK)]


def _finding_line(style: Style, finding: Finding, where: str) -> Table:
    ink: Color = SEVERITY_INK[finding.severity]
    lines = [
        style.text(cut(finding.claim, _CLAIM), "lead"),
        style.text(finding_number(finding) + (f" \u00b7 {where}" if where else ""), "caption"),
    ]
    label = style.rich([(finding.severity.value.capitalize(), ink)], "body")
    # Baselines of two sizes meet only if the smaller one starts a little lower.
    commands = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        *((f"{side}PADDING", (0, 0), (-1, -1), 0) for side in ("LEFT", "RIGHT", "TOP", "BOTTOM")),
        ("TOPPADDING", (0, 0), (0, 0), 0.8),
    ]
    return Table([[label, lines]], [58, style.width - 58 - 28], style=commands, hAlign="LEFT")


def finding_number(finding: Finding, quote: int = _QUOTE) -> str:
    """The measurement behind a finding, and the prompts it is about where the claim does not name them."""
    measurement = finding.measurement
    name = f"{words_of(measurement.check)}, {words_of(measurement.quantity)}"
    value = f"{number(measurement.value)} (threshold {number(finding.threshold)})"
    parts = [f"{name} {value}"]
    if measurement.subject not in finding.claim:
        parts.append(quoted(measurement.subject, quote))
        if measurement.against:
            parts.append(f"against {quoted(measurement.against, quote)}")
    return " \u00b7 ".join(parts)


def quoted(text: str, longest: int) -> str:
    """A prompt in quotation marks, cut to a length; nothing of nothing."""
    return f"\u201c{cut(text, longest)}\u201d" if text else ""


def cut(text: str, longest: int) -> str:
    """Text of at most ``longest`` characters, with an ellipsis where something was cut."""
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}\u2026"


def pictures(
    style: Style, image: ImageAudit, figures: Figures, attribution: Attribution | None, taken: float = 0.0
) -> Flowable:
    """The image beside a prompt's map, with what their edges and colours mean.

    ``taken`` are the points of the page's height that go to something else than usual.
    """
    height = style.height - _PAGE_REST - taken
    says = ["The image as the model\u2019s preprocessing received it."]
    if not edge_letters(image.record.patient_orientation).known:
        says.append(f"No letters: {NOT_STATED}.")
    if not image.grid_map.sees_everything():
        says.append("Dashed: where the model\u2019s field of view ends.")
    left: list[Flowable] = [
        Picture(figures.source, image.record, style.column, height),
        Spacer(0, 5),
        style.text(" ".join(says), "below"),
    ]
    if attribution is None:
        return columns(left, [style.text("No prompt was asked of this image.", "body")], style)
    prompt = f"{quoted(attribution.prompt.text, _QUOTE)} \u00b7 cosine {number(attribution.similarity, 3)}"
    right = [
        *map_and_bar(style, image, figures, attribution, height),
        style.text(prompt, "belowink"),
    ]
    right.append(style.text(map_caption(image, attribution, figures), "below"))
    return columns(left, right, style)


def map_and_bar(
    style: Style, image: ImageAudit, figures: Figures, attribution: Attribution, height: float
) -> list[Flowable]:
    """A prompt's map over its colour bar, which is as wide as the picture."""
    picture = Picture(figures.map_of(image, attribution), image.record, style.column, height)
    ramp, level = figures.scale.bar(256), half(figures.scale)
    bar = ColourBar(ramp, figures.scale, picture.bar_width, indent=LETTER_ROOM, mark=level)
    return [picture, Spacer(0, 5), bar]


def notes(style: Style, image: ImageAudit) -> list[Flowable]:
    """What a reader must know of this image."""
    return [style.text(f"Note: {note}", "caption") for note in image.record.notes]


def map_caption(image: ImageAudit, attribution: Attribution, figures: Figures) -> str:
    """What the colours, the line and the hatching of a map mean."""
    level = half(figures.scale)
    reached = float(attribution.image.nats.max())
    line = (
        f"Line: {number(level)} nats." if reached > level else f"No token reaches the line\u2019s {number(level)} nats."
    )
    says = [f"Colours: {figures.scale.sentence()}.", line]
    lowest = float(attribution.image.nats.min())
    if lowest < 0:
        says.append(f"Negative relevance, down to {number(lowest)} nats, is not coloured.")
    if not image.grid_map.sees_everything():
        says.append("Hatched: not seen by the model.")
    return " ".join(says)


def scores(style: Style, image: ImageAudit) -> list[Flowable]:
    """Every prompt of an image with its cosine and its margins."""
    if not image.attributions:
        return []
    similarities = [one.similarity for one in image.attributions]
    ends = (min(0.0, *similarities), max(similarities))
    rows = []
    for one in image.attributions:
        margins = image.margins(one)
        rows.append(
            (
                one.prompt.text,
                one.prompt.kind.value,
                number(one.similarity, 3),
                CosineStrip(one.similarity, ends, one.prompt.kind, style.accent, _STRIP),
                margin(margins.negated),
                margin(margins.control),
            )
        )
    axis = f"from {number(ends[0], 2)} to {number(ends[1], 2)}"
    fixed = (46.0, 42.0, _STRIP + 8, 62.0, 62.0)
    head = ("Prompt", "Kind", "Cosine", axis, "Margin to negated", "Margin to control")
    return [rows_table(style, head, rows, (style.width - sum(fixed), *fixed), figures=(2, 4, 5))]
