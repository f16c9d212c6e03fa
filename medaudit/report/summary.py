"""The first page: what was audited, the verdict, the first map, and every score. Sixty seconds of reading."""

from reportlab.lib.colors import Color
from reportlab.platypus import Flowable, Spacer, Table

from medaudit.figures.orientation import edge_letters
from medaudit.figures.wording import leading_first, sentences
from medaudit.records import Attribution, Finding, ImageAudit
from medaudit.report.canvas import Bookmark
from medaudit.report.catalogue import Catalogue
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
        return [*story, Spacer(0, 8), contents.style.text(contents.style.words.say("study.no_image"))]
    image, figures = contents.lead
    if len(contents.audit.images) > 1:
        story += [Spacer(0, 8), contents.style.text(contents.image_name(image), "block")]
    taken = sum(flowable.wrap(contents.style.width, contents.style.height)[1] for flowable in about)
    story += [Spacer(0, 10), pictures(contents.style, image, figures, first_shown(image), taken)]
    story += notes(contents.style, image)
    return [*story, Spacer(0, 8), *scores(contents.style, image)]


def _title(contents: Contents) -> list[Flowable]:
    style, record, run = contents.style, contents.audit.record, contents.run
    words = style.words
    prompts = sorted({len(image.attributions) for image in contents.audit.images})
    items = [
        (words.say("cohort.fact.model"), cut(run.model.name, _VALUE)),
        (words.say("cohort.fact.pipeline"), cut(run.pipeline_name, _VALUE)),
        (words.say("cohort.fact.images"), str(len(contents.audit.images))),
        (words.say("study.prompts"), words.say("study.or").join(map(str, prompts)) or words.say("study.none")),
        *(
            (words.name(keyword), cut(value, _VALUE))
            for keyword, value in leading_first(record.elements)[:ELEMENTS_ON_PAGE]
        ),
    ]
    return [
        Bookmark(words.say("cohort.summary"), "summary"),
        style.text(words.say("study.overline"), "overline"),
        style.text(words.say("study.title", code=record.study), "title"),
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
    counts = style.words.say(
        "study.verdict",
        findings=style.words.count(len(found), "finding"),
        measurements=style.words.count(measured, "measurement"),
    )
    content: list[Flowable] = [style.text(counts, "verdict")]
    for finding, code in found[:FINDINGS_ON_PAGE]:
        where = style.words.say("study.image", code=code) if len(contents.audit.images) > 1 else ""
        content.append(_finding_line(style, finding, where))
    if len(found) > FINDINGS_ON_PAGE:
        rest = len(found) - FINDINGS_ON_PAGE
        content.append(style.text(style.words.say("study.more", n=rest), "caption"))
    return panel(content, style.width, SEVERITY_INK[found[0][0].severity])


def _nothing_found(style: Style, measured: int) -> list[Flowable]:
    say = style.words.say
    if measured == 0:
        return [
            style.text(say("cohort.verdict.unmeasured"), "verdict"),
            style.text(say("study.unmeasured"), "body"),
        ]
    measurements = say("study.within.one") if measured == 1 else say("study.within.many", n=measured)
    return [
        style.text(say("cohort.verdict.none"), "verdict"),
        style.text(say("study.within", measurements=measurements), "body"),
    ]


def about_model(contents: Contents) -> list[Flowable]:
    """The notes on the model, in the light of which everything else is read; nothing without notes."""
    style, notes = contents.style, contents.run.model.notes
    if not notes:
        return []
    text = style.rich([(f"{style.words.say('cohort.about')}  ", INK), (cut(sentences(notes), _CLAIM), None)], "body")
    return [Spacer(0, 6), panel([text], style.width, INK)]


def _finding_line(style: Style, finding: Finding, where: str) -> Table:
    ink: Color = SEVERITY_INK[finding.severity]
    lines = [
        style.text(cut(style.words.told(finding, "claim"), _CLAIM), "lead"),
        style.text(finding_number(style.words, finding) + (f" \u00b7 {where}" if where else ""), "caption"),
    ]
    label = style.rich([(style.words.severity(finding.severity), ink)], "body")
    # Baselines of two sizes meet only if the smaller one starts a little lower.
    commands = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        *((f"{side}PADDING", (0, 0), (-1, -1), 0) for side in ("LEFT", "RIGHT", "TOP", "BOTTOM")),
        ("TOPPADDING", (0, 0), (0, 0), 0.8),
    ]
    return Table([[label, lines]], [58, style.width - 58 - 28], style=commands, hAlign="LEFT")


def finding_number(words: Catalogue, finding: Finding, quote: int = _QUOTE) -> str:
    """The measurement behind a finding, and the prompts it is about where the claim does not name them."""
    measurement = finding.measurement
    name = words.quantity(measurement.check, measurement.quantity)
    limit = words.say("checks.limit", limit=words.number(finding.threshold))
    parts = [f"{name} {words.number(measurement.value)} ({limit})"]
    if measurement.subject not in words.told(finding, "claim"):
        parts.append(quoted(measurement.subject, quote))
        if measurement.against:
            parts.append(words.say("study.against", what=quoted(measurement.against, quote)))
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
    words = style.words
    says = [words.say("picture.source")]
    if not edge_letters(image.record.patient_orientation).known:
        says.append(words.say("picture.no_letters"))
    if not image.grid_map.sees_everything():
        says.append(words.say("picture.dashed"))
    left: list[Flowable] = [
        Picture(figures.source, image.record, (style.column, height), words),
        Spacer(0, 5),
        style.text(" ".join(says), "below"),
    ]
    if attribution is None:
        return columns(left, [style.text(words.say("study.no_prompt"), "body")], style)
    cosine = words.say("picture.cosine", value=words.number(attribution.similarity, 3))
    prompt = f"{quoted(attribution.prompt.text, _QUOTE)} \u00b7 {cosine}"
    right = [
        *map_and_bar(style, image, figures, attribution, height),
        style.text(prompt, "belowink"),
    ]
    right.append(style.text(map_caption(words, image, attribution, figures), "below"))
    return columns(left, right, style)


def map_and_bar(
    style: Style, image: ImageAudit, figures: Figures, attribution: Attribution, height: float
) -> list[Flowable]:
    """A prompt's map over its colour bar, which is as wide as the picture."""
    picture = Picture(figures.map_of(image, attribution), image.record, (style.column, height), style.words)
    ramp, level = figures.scale.bar(256), half(figures.scale)
    bar = ColourBar(ramp, figures.scale, style.words, picture.bar_width, indent=LETTER_ROOM, mark=level)
    return [picture, Spacer(0, 5), bar]


def notes(style: Style, image: ImageAudit) -> list[Flowable]:
    """What a reader must know of this image."""
    said = [style.text(style.words.say("study.note", note=note), "caption") for note in image.record.notes]
    return [Spacer(0, 6), *said] if said else []


def map_caption(words: Catalogue, image: ImageAudit, attribution: Attribution, figures: Figures) -> str:
    """What the colours, the line and the hatching of a map mean."""
    level = half(figures.scale)
    reached = float(attribution.image.values.max())
    unit = figures.scale.quantity.value
    line = words.say("map.line" if reached > level else "map.no_line", level=words.number(level), unit=unit)
    says = [words.say("map.colours", scale=words.scale(figures.scale, "token")), line]
    lowest = float(attribution.image.values.min())
    if lowest < 0:
        says.append(words.say("map.negative", lowest=words.number(lowest), unit=unit))
    if not image.grid_map.sees_everything():
        says.append(words.say("map.hatched"))
    return " ".join(says)


def scores(style: Style, image: ImageAudit) -> list[Flowable]:
    """Every prompt of an image with its cosine and its margins."""
    if not image.attributions:
        return []
    similarities = [one.similarity for one in image.attributions]
    ends = (min(0.0, *similarities), max(similarities))
    words = style.words
    rows = []
    for one in image.attributions:
        margins = image.margins(one)
        rows.append(
            (
                one.prompt.text,
                words.say(f"prompts.kind.{one.prompt.kind.value}"),
                words.number(one.similarity, 3),
                CosineStrip(one.similarity, ends, one.prompt.kind, style.accent, _STRIP),
                words.margin(margins.negated),
                words.margin(margins.control),
            )
        )
    axis = words.say("scores.axis", low=words.number(ends[0], 2), high=words.number(ends[1], 2))
    fixed = (46.0, 42.0, _STRIP + 8, 62.0, 62.0)
    head = (
        words.say("prompts.prompt"),
        words.say("prompts.kind"),
        words.say("prompts.cosine"),
        axis,
        words.say("scores.negated"),
        words.say("scores.control"),
    )
    return [rows_table(style, head, rows, (style.width - sum(fixed), *fixed), figures=(2, 4, 5))]
