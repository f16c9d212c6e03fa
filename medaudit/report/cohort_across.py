"""What only all studies together show: findings with the studies that show them best, and every comparison."""

from collections.abc import Sequence
from typing import Final

from reportlab.platypus import CondPageBreak, Flowable, Spacer, Table

from medaudit.figures.colour import ColourScale
from medaudit.figures.neighbours import NEAREST, kind_of, with_kind
from medaudit.figures.wording import NOTHING
from medaudit.records import CohortFinding, CohortMeasurement
from medaudit.records.cohort import SHARED_OF
from medaudit.report.catalogue import Catalogue
from medaudit.report.charts import Axis, AxisHead, IntervalRow, axis_over
from medaudit.report.cohort import Exemplar
from medaudit.report.cohort_charts import names_of_prompts
from medaudit.report.cohort_pages import Pages
from medaudit.report.layout import CohortSection
from medaudit.report.pictures import Picture, map_raster
from medaudit.report.statistics import Interval
from medaudit.report.style import SEVERITY_INK
from medaudit.report.tables import Cell, panel, rows_table

ROWS_SHOWN: Final = 12
"""Rows of a comparison, those least due to chance first; all of them stand in the JSON and CSV forms."""

NEIGHBOURS_SHOWN: Final = 8
"""Studies of a group that are shown with those nearest to them, first where most of these have the finding too."""

_SMALLEST = 0.001
_STRIP = 118.0
_GAP = 8.0
_PICTURE = 150.0  # points, the longer side of an exemplar
_ROOM = 130.0
_CODE = 86.0  # points of a study's code
_FIRST = 420.0  # points that the heading needs with the first card and its pictures


def across(pages: Pages) -> list[Flowable]:
    """Findings over all studies, then a table for each thing that was compared."""
    found = pages.cohort.across
    if found is None:
        return []
    style = pages.style
    story: list[Flowable] = [
        CondPageBreak(_FIRST if found.findings else _ROOM),
        *pages.section(CohortSection.ACROSS, pages.say("across")),
        style.text(pages.say("across.how", studies=style.words.count(found.studies, "study")), "caption"),
        *(style.text(note, "caption") for note in found.notes),
    ]
    for place, finding in enumerate(found.findings):
        # The first card stays with the heading above it, and each with its pictures.
        pictures = _pictures(pages, finding)
        story += [
            *([CondPageBreak(_FIRST if pictures else 2 * _ROOM)] if place else []),
            Spacer(0, 10),
            _card(pages, finding),
            *pictures,
            *_neighbours(pages, finding.measurement),
        ]
    kinds = dict.fromkeys((one.check, one.quantity) for one in found.measurements)
    for kind in kinds:
        rows = [one for one in found.measurements if (one.check, one.quantity) == kind]
        story += [CondPageBreak(_ROOM), Spacer(0, 12), *_comparison(pages, kind, rows, found.level)]
    return story


def _card(pages: Pages, finding: CohortFinding) -> Flowable:
    style, ink = pages.style, SEVERITY_INK[finding.severity]
    measured = finding.measurement
    label = style.words.quantity(measured.check, measured.quantity)
    content: list[Flowable] = [
        style.rich([(f"{style.words.severity(finding.severity)} \u00b7 {label}", ink)], "small"),
        style.text(finding.claim, "strong"),
        style.rich([(f"{pages.say('findings.limits')}  ", ink), (finding.limits, None)], "small"),
        style.rich([(f"{pages.say('findings.advice')}  ", ink), (finding.advice, None)], "small"),
    ]
    if measured.examples:
        links = " \u00b7 ".join(map(pages.study_link, measured.examples))
        content.append(style.marked(f"{style.markup(pages.say('across.examples'))} {links}", "small"))
    return panel(content, style.width, ink)


def _pictures(pages: Pages, finding: CohortFinding) -> list[Flowable]:
    """The prompt's map on the studies that show the finding best, on one scale."""
    shown = pages.cohort.exemplars.get((finding.measurement.subject, finding.measurement.against), ())
    if not shown:
        return []
    style = pages.style
    scale = ColourScale.for_maps([one.attribution.image for one in shown])
    cells = [_exemplar(pages, one, scale) for one in shown]
    table = Table([cells], [style.width / len(cells)] * len(cells), hAlign="LEFT")
    table.setStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)])
    return [
        Spacer(0, 6),
        table,
        style.text(pages.say("map.colours", scale=style.words.scale(scale, "token")), "caption"),
    ]


def _neighbours(pages: Pages, measured: CohortMeasurement) -> list[Flowable]:
    """Of a group of studies that look alike, each with those nearest to it; nothing of another measurement."""
    kind, style = kind_of(measured), pages.style
    found = with_kind(pages.cohort.neighbours, kind) if kind is not None else []
    if kind is None or not found:
        return []
    rows = [
        (style.marked(pages.study_link(one.study), "small"), *(_links(pages, codes) for codes in one.nearest_by(kind)))
        for one in found[:NEIGHBOURS_SHOWN]
    ]
    head = [pages.say(f"neighbours.{key}") for key in ("study", "with", "without")]
    rest = (style.width - _CODE) / 2
    story: list[Flowable] = [
        Spacer(0, 6),
        style.text(pages.say("neighbours.how", n=NEAREST), "caption"),
        rows_table(style, head, rows, (_CODE, rest, rest), figures=()),
    ]
    if len(found) > len(rows):
        story.append(style.text(pages.say("neighbours.rest", n=len(found) - len(rows)), "caption"))
    return story


def _links(pages: Pages, codes: Sequence[str]) -> Flowable:
    return pages.style.marked(" \u00b7 ".join(map(pages.study_link, codes)) or NOTHING, "small")


def _exemplar(pages: Pages, one: Exemplar, scale: ColourScale) -> list[Flowable]:
    style = pages.style
    raster = map_raster(one.image, one.attribution, scale, style.layout.map_opacity)
    room = (min(_PICTURE, style.width / 3 - _GAP), _PICTURE)
    return [
        Picture(raster, one.image.record, room, style.words),
        style.marked(pages.study_link(one.image.record.study), "small"),
    ]


def _comparison(pages: Pages, kind: tuple[str, str], rows: Sequence[CohortMeasurement], level: float) -> list[Flowable]:
    style, words = pages.style, pages.style.words
    ordered = sorted(rows, key=lambda one: (one.q if one.q is not None else 1.0, -abs(one.value), one.against))
    shown = ordered[:ROWS_SHOWN]
    axis = axis_over([end for one in shown for end in (one.value, *(one.ends or ()))], _STRIP - _GAP)
    with_interval = any(one.ends for one in shown)
    body = [_row(pages, one, axis, level, with_interval=with_interval) for one in shown]
    strip: list[Cell] = [_axis_head(pages, axis)] if with_interval else []
    head: list[Cell] = [
        pages.say("across.against"),
        pages.say("checks.prompt"),
        pages.say("across.studies"),
        *strip,
        pages.say("checks.value"),
        pages.say("across.q"),
    ]
    fixed = [62.0, *([_STRIP] if with_interval else []), 44.0, 50.0]
    names = (style.width - sum(fixed)) / 2
    last = len(head) - 1
    story: list[Flowable] = [
        style.text(words.quantity(*kind), "block"),
        style.text(pages.say(f"across.meaning.{kind[0]}.{kind[1]}"), "caption"),
        Spacer(0, 4),
        rows_table(style, head, body, (names, names, *fixed), figures=(2, last - 1, last)),
    ]
    if len(ordered) > len(shown):
        story.append(style.text(pages.say("across.rest", n=len(ordered) - len(shown)), "caption"))
    return story


def _row(pages: Pages, one: CohortMeasurement, axis: Axis, level: float, *, with_interval: bool) -> list[Cell]:
    words = pages.style.words
    strip: list[Cell] = []
    if with_interval:
        counted = one.q is None or one.q < level
        interval = Interval(one.count, one.value, one.ends)
        strip = [IntervalRow(interval, axis, pages.style.accent, filled=counted)]
    counts = f"{one.count} / {one.others}" if one.others else str(one.count)
    names = (against_in_words(words, one.against), names_of_prompts(pages).get(one.subject, one.subject) or NOTHING)
    return [*names, counts, *strip, words.number(one.value), chance(pages, one.q)]


def against_in_words(words: Catalogue, against: str) -> str:
    """``PatientSex = F`` as ``patient sex: F``, a check and its quantity by their name; anything else as it is."""
    feature, of, kind = against.partition(SHARED_OF)
    if of:
        return f"{against_in_words(words, feature)}{of}{against_in_words(words, kind)}"
    keyword, equals, value = against.partition(" = ")
    if equals:
        return f"{words.name(keyword)}: {value}"
    check, _, quantity = against.replace(" ", "_").partition(",_")
    return words.either(f"quantity.{check}.{quantity}", against)


def chance(pages: Pages, q: float | None) -> str:
    """A corrected p as a reader wants it: three decimals, or that it is smaller than they can show."""
    if q is None:
        return NOTHING
    return pages.style.words.number(q, 3) if q >= _SMALLEST else f"< {pages.style.words.number(_SMALLEST, 3)}"


def _axis_head(pages: Pages, axis: Axis) -> AxisHead:
    words = pages.style.words
    return AxisHead(axis, (words.number(axis.low, 2), words.number(axis.high, 2)), "")
