"""The report of a cohort as one HTML file that loads nothing."""

from html import escape

from medaudit.figures.neighbours import NEAREST, kind_of, with_kind
from medaudit.figures.wording import NOTHING
from medaudit.records import CohortFinding
from medaudit.report import html_parts as part
from medaudit.report.charts import Axis, axis_over
from medaudit.report.cohort import GROUPED, Cohort
from medaudit.report.layout import Layout
from medaudit.report.statistics import Spread, mean_interval, share_interval, spread
from medaudit.report.style import Style

_STRIP = 220.0

# Nothing is loaded and nothing runs, whatever a header or a prompt holds.


def cohort_html(cohort: Cohort, layout: Layout) -> str:
    """The report of a cohort; the same text for the same records.

    Raises
    ------
    StoreError
        The pipeline text of the run is no YAML.

    """
    style = Style(layout)
    say, words = style.words.say, style.words
    studies = words.count(len(cohort.studies), "study")
    about = [
        (say("cohort.fact.model"), cohort.run.model.name),
        (say("cohort.fact.pipeline"), cohort.run.pipeline_name),
        (say("cohort.fact.started"), cohort.run.started),
    ]
    about += [
        (say(f"flow.fate.{one.fate.value}", files=words.count(one.files, "file")), one.reason)
        for one in cohort.exclusions
    ]
    title = say("cohort.title", studies=studies, images=words.count(cohort.images, "image"))
    body = [
        part.title(say("cohort.overline"), title),
        part.pairs(about),
        _cohort_across(style, cohort),
        _cohort_findings(style, cohort),
        _cohort_prompts(style, cohort),
        _cohort_groups(style, cohort),
        part.limits(style, "limits.cohort"),
        f"<h2>{escape(say('studies'))}</h2>",
        part.rows(
            [say("studies.study"), say("studies.images"), say("studies.findings")],
            [
                [
                    part.link(study.study, cohort.documents),
                    part.number(str(study.images)),
                    escape(", ".join(f"{n} {say(f'severity.{one.value}')}" for one, n in study.findings.items()))
                    or NOTHING,
                ]
                for study in cohort.studies
            ],
        ),
    ]
    return part.page(style, say("cohort.document", studies=studies), body)


def _cohort_across(style: Style, cohort: Cohort) -> str:
    """Findings over all studies, and every comparison that counts; the others stand in the JSON and CSV forms."""
    words, found = style.words, cohort.across
    if found is None:
        return ""
    say = words.say
    body = [f"<h2>{escape(say('across'))}</h2>"]
    how = say("across.how", studies=words.count(found.studies, "study"))
    body += [f"<p class=soft>{escape(text)}</p>" for text in (how, *found.notes)]
    for one in found.findings:
        links = " ".join(part.link(code, cohort.documents) for code in one.measurement.examples)
        severity = words.severity(one.severity)
        shown = f"<p class=soft>{escape(say('across.examples'))} {links}</p>" if links else ""
        body.append(
            f"<div class=panel><b>{escape(severity)}</b> {escape(one.claim)}<p class=soft>{escape(one.limits)}</p>"
            f"<p>{escape(one.advice)}</p>{shown}</div>{_cohort_neighbours(style, cohort, one)}"
        )
    rows = [
        [
            escape(words.quantity(one.check, one.quantity)),
            escape(one.against),
            escape(one.subject),
            part.number(f"{one.count} / {one.others}" if one.others else str(one.count)),
            part.number(f"{words.number(one.value)} {part.interval(style, one.ends)}"),
            part.number(NOTHING if one.q is None else f"{one.q:.1g}"),
        ]
        for one in found.measurements
        if one.q is None or one.q < found.level
    ]
    keys = ("checks", "across.against", "checks.prompt", "across.studies", "checks.value", "across.q")
    return "".join(body) + (part.rows([say(key) for key in keys], rows) if rows else "")


def _cohort_neighbours(style: Style, cohort: Cohort, finding: CohortFinding) -> str:
    """Of a group of studies that look alike, each with those nearest to it."""
    kind, say = kind_of(finding.measurement), style.words.say
    if kind is None:
        return ""
    rows = [
        [
            part.link(one.study, cohort.documents),
            *(
                " ".join(part.link(code, cohort.documents) for code in codes) or NOTHING
                for codes in one.nearest_by(kind)
            ),
        ]
        for one in with_kind(cohort.neighbours, kind)
    ]
    head = [say(f"neighbours.{key}") for key in ("study", "with", "without")]
    return f"<p class=soft>{escape(say('neighbours.how', n=NEAREST))}</p>{part.rows(head, rows)}" if rows else ""


def _cohort_findings(style: Style, cohort: Cohort) -> str:
    words = style.words
    if not cohort.kinds:
        which = "cohort.verdict.none" if cohort.rows.measurements else "cohort.verdict.unmeasured"
        return f"<div class=panel><b>{escape(words.say(which))}</b><br>{escape(words.say(f'{which}.meaning'))}</div>"
    rows = [
        [
            escape(words.say(f"severity.{one.severity.value}")),
            escape(words.quantity(one.check, one.quantity)),
            escape(one.subject),
            part.number(f"{len(one.found)} / {len(one.measured)}"),
            part.number(part.interval(style, share_interval(len(one.found), len(one.measured)).ends)),
            " ".join(part.link(code, cohort.documents) for code in one.furthest),
        ]
        for kind in cohort.kinds
        for one in cohort.by_prompt(kind)
    ]
    head = [
        words.say(key)
        for key in (
            "findings.severity", "checks", "findings.prompt", "findings.share", "prompts.interval", "findings.furthest",
        )
    ]  # fmt: skip
    return f"<h2>{escape(words.say('findings'))}</h2>{part.rows(head, rows)}"


def _cohort_prompts(style: Style, cohort: Cohort) -> str:
    words = style.words
    if not cohort.prompts:
        return ""
    axis = axis_over([value for values in cohort.prompts.values() for value in values], _STRIP)
    rows = [
        [
            escape(prompt.text),
            escape(words.say(f"prompts.kind.{prompt.kind.value}")),
            part.number(str(len(values))),
            _svg(spread(values), axis, style.layout.accent),
            part.number(words.number(mean_interval(values).value, 3)),
            part.number(part.interval(style, mean_interval(values).ends)),
        ]
        for prompt, values in cohort.prompts.items()
    ]
    ends = words.say("prompts.axis", low=words.number(axis.low, 2), high=words.number(axis.high, 2))
    head = [
        words.say("prompts.prompt"), words.say("prompts.kind"), words.say("prompts.images"), ends,
        words.say("prompts.mean"), words.say("prompts.interval"),
    ]  # fmt: skip
    how = f"<p class=soft>{escape(words.say('prompts.how'))}</p>"
    return f"<h2>{escape(words.say('prompts'))}</h2>{how}{part.rows(head, rows)}"


def _cohort_groups(style: Style, cohort: Cohort) -> str:
    words, smallest = style.words, style.layout.smallest_group
    rows = [
        [
            escape(words.name(keyword)),
            escape(one.name),
            escape(one.prompt),
            part.number(str(one.mean.count)),
            part.number(f"{words.number(one.mean.value, 3)} {part.interval(style, one.mean.ends)}"),
            part.number(
                f"{words.number(one.difference.value, 3, signed=True)} {part.interval(style, one.difference.ends)}"
            ),
        ]
        for keyword in GROUPED
        for one in cohort.groups(keyword, smallest)
    ]
    heading = f"<h2>{escape(words.say('groups'))}</h2>"
    if not rows:
        return f"{heading}<p>{escape(words.say('groups.none', n=smallest))}</p>"
    count = words.say(f"groups.comparisons.{'one' if len(rows) == 1 else 'many'}", n=len(rows))
    caution = f"<div class=panel>{escape(words.say('groups.caution', comparisons=count))}</div>"
    head = [
        words.say(key)
        for key in (
            "inventory.element", "groups.group", "checks.prompt", "groups.studies", "groups.mean", "groups.difference",
        )
    ]  # fmt: skip
    return heading + caution + part.rows(head, rows)


def _svg(one: Spread, axis: Axis, colour: str) -> str:
    low, lower, median, upper, high = (axis.place(x) for x in (one.low, one.lower, one.median, one.upper, one.high))
    dots = "".join(
        f'<circle cx="{axis.place(x):.1f}" cy="8" r="2.2" fill="#fff" stroke="{colour}"/>' for x in one.points
    )
    return (
        f'<svg width="{axis.width:.0f}" height="16" role="img">'
        f'<path d="M0 8H{axis.width:.0f}" stroke="#d5dade"/>'
        f'<path d="M{low:.1f} 8H{high:.1f}" stroke="{colour}" stroke-width="1.5"/>'
        f'<rect x="{lower:.1f}" y="4" width="{upper - lower:.1f}" height="8" fill="{colour}" fill-opacity=".35"/>{dots}'
        f'<path d="M{median:.1f} 2V14" stroke="#16191d" stroke-width="2"/></svg>'
    )
