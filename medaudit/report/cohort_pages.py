"""The sections of a cohort's report, each a list of flowables; a section without content is an empty list."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from reportlab.lib.colors import Color
from reportlab.platypus import CondPageBreak, Flowable, KeepTogether, Paragraph, Spacer

from medaudit.figures.wording import NOTHING, leading_first, sentences
from medaudit.records import FileFate, PromptKind, Severity
from medaudit.report.canvas import Bookmark, section
from medaudit.report.charts import Flow
from medaudit.report.cohort import INVENTORY, Cohort, Raised
from medaudit.report.layout import CohortSection
from medaudit.report.scores import limit_of, stated_thresholds
from medaudit.report.statistics import RESAMPLES
from medaudit.report.style import INK, SEVERITY_INK, Style, hexadecimal
from medaudit.report.tables import Cell, facts, pairs_table, panel, rows_table
from medaudit.store.worklist import StudySummary

KINDS_ON_PAGE = 3
REASONS_SHOWN = 40
VALUES_SHOWN = 12
_ROOM = 190.0  # points that a section needs at the foot of a page to begin there
_NOTES = 420  # characters of the notes on the model on the first page

# What is no image at all leaves first; then what the pipeline or a failure left out.
_FIRST_OUT = (FileFate.NOT_DICOM, FileFate.NOT_AN_IMAGE, FileFate.DUPLICATE)
_THEN_OUT = (FileFate.NOT_CHOSEN, FileFate.FAILED, FileFate.PENDING)


@dataclass(frozen=True, slots=True)
class Pages:
    """What every section draws from."""

    cohort: Cohort
    style: Style

    def section(self, key: CohortSection, title: str) -> list[Flowable]:
        """The heading of a section."""
        return [CondPageBreak(_ROOM), *section(self.style, title, str(key))]

    def say(self, key: str, **values: object) -> str:
        """A text of the report's language."""
        return self.style.words.say(key, **values)

    def study_link(self, code: str) -> str:
        """Markup of a study's code; it opens the study's report where that lies beside this one."""
        if code not in self.cohort.documents:
            return self.style.markup(code)
        colour = hexadecimal(self.style.accent)
        return f"<a href={quoteattr(f'pdf:{code}.pdf')} color={quoteattr(colour)}>{self.style.markup(code)}</a>"

    def study_links(self, codes: Iterable[str]) -> Paragraph:
        """Codes below each other."""
        return self.style.marked("<br/>".join(map(self.study_link, codes)), "small")


def summary(pages: Pages) -> list[Flowable]:
    """The first page: what was audited, the verdict, the way of the files."""
    cohort, style, words = pages.cohort, pages.style, pages.style.words
    run = cohort.run
    title = pages.say(
        "cohort.title",
        studies=words.count(len(cohort.studies), "study"),
        images=words.count(cohort.images, "image"),
    )
    items = [
        (pages.say("cohort.fact.model"), run.model.name),
        (pages.say("cohort.fact.pipeline"), run.pipeline_name),
        (pages.say("cohort.fact.prompts"), str(len(cohort.prompts))),
        (pages.say("cohort.fact.measurements"), str(len(cohort.rows.measurements))),
        (pages.say("cohort.fact.started"), run.started),
        (
            pages.say("cohort.fact.identifiers"),
            pages.say(f"cohort.fact.identifiers.{'kept' if run.keeps_identifiers else 'codes'}"),
        ),
    ]
    story: list[Flowable] = [
        Bookmark(pages.say("cohort.summary"), "summary"),
        style.text(pages.say("cohort.overline"), "overline"),
        style.text(title, "title"),
        Spacer(0, 5),
        facts(style, items, across=3),
        *_across(pages),
        Spacer(0, 6),
        _verdict(pages),
    ]
    if run.model.notes:
        notes = sentences(run.model.notes)
        shown = notes if len(notes) <= _NOTES else f"{notes[: _NOTES - 1].rstrip()}\u2026"
        text = style.rich([(f"{pages.say('cohort.about')}  ", INK), (shown, None)], "body")
        story += [Spacer(0, 6), panel([text], style.width, INK)]
    return [*story, *_way_of_the_files(pages), *_contents(pages)]


def _across(pages: Pages) -> list[Flowable]:
    """The weightiest finding over all studies, if there is one: it says more than many of single studies."""
    found = pages.cohort.across
    if found is None or not found.findings:
        return []
    style, words = pages.style, pages.style.words
    first, rest = found.findings[0], len(found.findings) - 1
    ink, label = SEVERITY_INK[first.severity], words.severity(first.severity)
    content: list[Flowable] = [
        style.text(pages.say("across.verdict", studies=words.count(found.studies, "study")), "verdict"),
        style.rich([(f"{label}  ", ink), (first.claim, None)], "lead"),
    ]
    if rest:
        content.append(
            style.text(pages.say(f"across.verdict.more.{'one' if rest == 1 else 'many'}", n=rest), "caption")
        )
    return [Spacer(0, 6), panel(content, style.width, ink)]


def _verdict(pages: Pages) -> Flowable:
    cohort, style, words = pages.cohort, pages.style, pages.style.words
    if not cohort.rows.findings:
        which = "cohort.verdict.none" if cohort.rows.measurements else "cohort.verdict.unmeasured"
        content: list[Flowable] = [style.text(pages.say(which), "verdict"), style.text(pages.say(f"{which}.meaning"))]
        return panel(content, style.width, style.accent)
    headline = pages.say(
        "cohort.verdict",
        findings=words.count(len(cohort.rows.findings), "finding"),
        measurements=words.count(len(cohort.rows.measurements), "measurement"),
        hit=len({one.study for one in cohort.rows.findings}),
        studies=words.count(len(cohort.studies), "study"),
    )
    content = [style.text(headline, "verdict")]
    for kind in cohort.kinds[:KINDS_ON_PAGE]:
        ink = SEVERITY_INK[kind.severity]
        label = words.severity(kind.severity)
        content.append(style.rich([(f"{label}  ", ink), (_claim(pages, kind), None)], "lead"))
        content.append(style.text(_numbers(pages, kind), "caption"))
    if len(cohort.kinds) > KINDS_ON_PAGE:
        content.append(style.text(pages.say("cohort.verdict.more", n=len(cohort.kinds) - KINDS_ON_PAGE), "caption"))
    return panel(content, style.width, SEVERITY_INK[cohort.kinds[0].severity])


def _claim(pages: Pages, kind: Raised) -> str:
    words = pages.style.words
    return words.either(f"kind.{kind.check}.{kind.quantity}", words.quantity(kind.check, kind.quantity))


def _numbers(pages: Pages, kind: Raised, key: str = "cohort.verdict.numbers") -> str:
    words = pages.style.words
    return pages.say(
        key,
        quantity=words.quantity(kind.check, kind.quantity),
        limit=words.number(kind.threshold),
        crossed=len(kind.found),
        measured=len(kind.measured),
        hit=kind.studies,
        studies=words.count(len(pages.cohort.studies), "study"),
    )


def _way_of_the_files(pages: Pages) -> list[Flowable]:
    cohort, words = pages.cohort, pages.style.words
    total = sum(cohort.fates.values())
    if total == 0:
        return []

    def leaving(fates: Sequence[FileFate]) -> tuple[int, list[str]]:
        texts = [
            pages.say(f"flow.fate.{fate.value}", files=words.count(cohort.fates[fate], "file"))
            for fate in fates
            if cohort.fates.get(fate)
        ]
        return sum(cohort.fates.get(fate, 0) for fate in fates), texts

    first, first_texts = leaving(_FIRST_OUT)
    then, then_texts = leaving(_THEN_OUT)
    used = pages.say(
        "flow.used",
        images=words.count(cohort.fates.get(FileFate.AUDITED, 0), "file"),
        texts=words.count(cohort.fates.get(FileFate.TEXT, 0), "file"),
    )
    audited = pages.say(
        "flow.audited",
        images=words.count(cohort.images, "image"),
        studies=words.count(len(cohort.studies), "study"),
    )
    steps = [(pages.say("flow.found", files=words.count(total, "file")), first_texts)]
    if first:
        steps.append((pages.say("flow.candidates", files=words.count(total - first, "file")), then_texts))
    elif then:
        steps[0] = (steps[0][0], then_texts)
    return [Spacer(0, 14), Flow(pages.style, [*steps, (used, []), (audited, [])])]


def _contents(pages: Pages) -> list[Flowable]:
    """Links to the sections that follow."""
    style = pages.style
    colour = hexadecimal(style.accent)
    links = [
        f'<a href="#{key}" color="{colour}">{style.markup(pages.say(_TITLES[key]))}</a>'
        for key in style.layout.cohort_sections
        if key in _TITLES and has_content(pages, key)
    ]
    if not links:
        return []
    return [
        Spacer(0, 14),
        style.text(pages.say("cohort.contents"), "caption"),
        style.marked(" &nbsp;\u00b7&nbsp; ".join(links), "body"),
    ]


_TITLES = {
    CohortSection.INVENTORY: "inventory",
    CohortSection.FINDINGS: "findings",
    CohortSection.ACROSS: "across",
    CohortSection.PROMPTS: "prompts",
    CohortSection.CHECKS: "checks",
    CohortSection.GROUPS: "groups",
    CohortSection.LIMITS: "limits",
    CohortSection.METHOD: "method",
    CohortSection.CROSSWALK: "crosswalk",
    CohortSection.STUDIES: "studies",
}


def has_content(pages: Pages, key: CohortSection) -> bool:
    """Whether the store holds anything for a section; without, it is left out whole."""
    cohort = pages.cohort
    wanted = {
        CohortSection.INVENTORY: bool(cohort.studies or cohort.exclusions),
        CohortSection.FINDINGS: bool(cohort.rows.findings),
        CohortSection.ACROSS: cohort.across is not None,
        CohortSection.PROMPTS: bool(cohort.rows.scores),
        CohortSection.CHECKS: bool(cohort.rows.measurements),
        CohortSection.GROUPS: bool(cohort.finding_prompts),
        CohortSection.READERS: bool(cohort.signed),
        CohortSection.STUDIES: bool(cohort.studies),
    }
    return wanted.get(key, True)


def inventory(pages: Pages) -> list[Flowable]:
    """Reasons of exclusion, and what the headers say."""
    cohort, style = pages.cohort, pages.style
    story = pages.section(CohortSection.INVENTORY, pages.say("inventory"))
    if cohort.exclusions:
        shown = cohort.exclusions[:REASONS_SHOWN]
        rows = [
            (pages.say(f"flow.fate.{one.fate.value}", files=style.words.count(one.files, "file")), one.reason)
            for one in shown
        ]
        rest = sum(one.files for one in cohort.exclusions[REASONS_SHOWN:])
        if rest:
            rows.append((style.words.count(rest, "file"), pages.say("inventory.others")))
        story += [
            style.text(pages.say("inventory.excluded"), "block"),
            rows_table(
                style,
                (pages.say("inventory.files"), pages.say("inventory.reason")),
                rows,
                (190, style.width - 190),
                figures=(),
            ),
            Spacer(0, 12),
        ]
    rows_of_elements = [row for keyword in (*INVENTORY, "ManufacturerModelName") if (row := _element(pages, keyword))]
    if rows_of_elements:
        head = tuple(pages.say(f"inventory.{name}") for name in ("element", "values", "missing"))
        story += [
            style.text(pages.say("inventory.elements"), "block"),
            style.text(pages.say("inventory.elements.how"), "caption"),
            Spacer(0, 4),
            rows_table(style, head, rows_of_elements, (110, style.width - 170, 60), figures=(2,)),
        ]
    return story


def _element(pages: Pages, keyword: str) -> tuple[str, str, str] | None:
    counts = pages.cohort.counts_of(keyword)
    if not counts:
        return None
    listed = list(counts.items())
    texts = [f"{value} {count}" for value, count in listed[:VALUES_SHOWN]]
    if len(listed) > VALUES_SHOWN:
        texts.append(f"\u2026 {sum(count for _, count in listed[VALUES_SHOWN:])}")
    missing = len(pages.cohort.studies) - len(pages.cohort.values_of(keyword))
    return pages.style.words.name(keyword), " \u00b7 ".join(texts), str(missing) if missing else NOTHING


def limits(pages: Pages) -> list[Flowable]:
    """What this does not show."""
    style = pages.style
    content: list[Flowable] = []
    for line in style.words.lines("limits.cohort"):
        name, why = line.split("|")
        content.append(style.rich([(f"{name} ", style.accent), (why, None)], "body"))
    heading = pages.section(CohortSection.LIMITS, pages.say("limits"))
    return [*heading[:1], KeepTogether([*heading[1:], panel(content, style.width, style.accent)])]


def method(pages: Pages) -> list[Flowable]:
    """How the numbers came about, and which run and model they are of."""
    cohort, style, words = pages.cohort, pages.style, pages.style.words
    numbers = {"resamples": RESAMPLES, "smallest": style.layout.smallest_group}
    story = pages.section(CohortSection.METHOD, pages.say("method"))
    notes = [(line.split("|")[0], line.split("|")[1].format(**numbers)) for line in words.lines("method.cohort")]
    story += _pairs(style, notes)
    run = cohort.run
    pairs = [
        (pages.say("cohort.fact.pipeline"), run.pipeline_name),
        (pages.say("method.digest"), run.pipeline_digest),
        (pages.say("method.seed"), str(run.seed)),
        (pages.say("cohort.fact.started"), run.started),
        (pages.say("cohort.fact.model"), f"{run.model.name} ({run.model.family})"),
        *((pages.say("method.files", name=name), digest) for name, digest in run.model.files.items()),
    ]
    story += [Spacer(0, 10), style.text(pages.say("method.run"), "block"), *_pairs(style, pairs)]
    software = [*run.environment.items(), *run.versions.items()]
    return [*story, Spacer(0, 8), facts(style, software)] if software else story


def _pairs(style: Style, pairs: Iterable[tuple[str, str]]) -> list[Flowable]:
    table = pairs_table(style, pairs, style.width, 122.0)
    return [] if table is None else [table]


def crosswalk(pages: Pages) -> list[Flowable]:
    """What the audit contributes to published frameworks, and what needs a person."""
    style = pages.style
    head = tuple(pages.say(f"crosswalk.{name}") for name in ("source", "asks", "here", "person"))
    rows: list[tuple[Cell, ...]] = []
    earlier = ""
    for line in style.words.lines("crosswalk"):
        source, *cells = line.split("|")
        rows.append((style.text("" if source == earlier else source, "head"), *cells))
        earlier = source
    widths = (82.0, 138.0, 148.0)
    return [
        *pages.section(CohortSection.CROSSWALK, pages.say("crosswalk")),
        style.text(pages.say("crosswalk.how"), "caption"),
        Spacer(0, 4),
        rows_table(style, head, rows, (*widths, style.width - sum(widths)), figures=()),
    ]


def studies(pages: Pages) -> list[Flowable]:
    """Every study with its findings, linked to its own report."""
    cohort, style = pages.cohort, pages.style
    head = tuple(pages.say(f"studies.{name}") for name in ("study", "images", "about", "findings"))
    rows = [
        (
            style.marked(pages.study_link(study.study), "small"),
            str(study.images),
            _about(study),
            _findings_of(style, study.findings.items()),
        )
        for study in cohort.studies
    ]
    widths = (104.0, 40.0, 110.0)
    return [
        *pages.section(CohortSection.STUDIES, pages.say("studies")),
        style.text(pages.say("studies.how"), "caption"),
        Spacer(0, 4),
        rows_table(style, head, rows, (widths[0], widths[1], style.width - sum(widths), widths[2]), figures=(1,)),
    ]


def _about(study: StudySummary) -> str:
    keywords = ("Modality", "BodyPartExamined", "ViewPosition", "PatientSex", "AgeBand", "StudyYear")
    elements = {key: ", ".join(values) for key, values in study.image_elements.items()} | dict(study.elements)
    shown = [value for key, value in leading_first(elements) if key in keywords]
    return " \u00b7 ".join(shown) or NOTHING


def _findings_of(style: Style, counts: Iterable[tuple[Severity, int]]) -> Flowable:
    parts: list[tuple[str, Color | None]] = []
    for severity, count in sorted(counts, key=lambda item: -item[0].rank):
        name = style.words.say(f"severity.{severity.value}")
        parts.append((f"{count} {name}  ", SEVERITY_INK[severity]))
    return style.rich(parts or [(NOTHING, None)], "small")


def limit_texts(pages: Pages) -> dict[tuple[str, str], float]:
    """The thresholds that the pipeline states, by check and quantity."""
    stated = stated_thresholds(pages.cohort.run)
    return {key: limit for key in pages.cohort.measured if (limit := limit_of(stated, *key)) is not None}


def kind_label(pages: Pages, kind: PromptKind) -> str:
    """The kind of a prompt in words."""
    return pages.say(f"prompts.kind.{kind.value}")
