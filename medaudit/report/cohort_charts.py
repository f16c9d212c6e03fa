"""The sections of a cohort's report that are charts: findings, prompts, checks, groups."""

from collections import Counter
from collections.abc import Sequence

from reportlab.platypus import CondPageBreak, Flowable, Spacer

from medaudit.figures.wording import NOTHING
from medaudit.records import PromptKind
from medaudit.report.charts import Axis, AxisHead, IntervalRow, ShareRow, SpreadRow, axis_over
from medaudit.report.cohort import GROUPED, Group, Raised
from medaudit.report.cohort_pages import Pages, kind_label, limit_texts
from medaudit.report.layout import CohortSection
from medaudit.report.statistics import RESAMPLES, Interval, mean_interval, share_interval, spread
from medaudit.report.style import SEVERITY_INK, SOFT
from medaudit.report.tables import Cell, panel, rows_table

_STRIP = 132.0  # points of a chart's column
_GAP = 8.0  # right padding of a cell
_ROOM = 130.0  # points that a block needs at the foot of a page to begin there


def findings(pages: Pages) -> list[Flowable]:
    """Every kind of finding, ranked, with its prompts."""
    style = pages.style
    story = [
        *pages.section(CohortSection.FINDINGS, pages.say("findings")),
        style.text(pages.say("findings.how"), "caption"),
    ]
    for kind in pages.cohort.kinds:
        story += [CondPageBreak(2 * _ROOM), Spacer(0, 10), _card(pages, kind), Spacer(0, 4), _by_prompt(pages, kind)]
    return story


def _card(pages: Pages, kind: Raised) -> Flowable:
    style, words = pages.style, pages.style.words
    ink = SEVERITY_INK[kind.severity]
    finding = kind.found[0].finding
    quantity = words.quantity(kind.check, kind.quantity)
    claim = words.either(f"kind.{kind.check}.{kind.quantity}", "")
    counts = pages.say(
        "findings.counts",
        limit=words.number(kind.threshold),
        crossed=len(kind.found),
        measured=len(kind.measured),
        hit=kind.studies,
        studies=words.count(len(pages.cohort.studies), "study"),
    )
    parts = (("findings.limits", "limits", finding.limits), ("findings.advice", "advice", finding.advice))
    content: list[Flowable] = [
        style.rich([(f"{words.severity(kind.severity)} \u00b7 {quantity}", ink)], "small"),
        *([style.text(claim, "strong")] if claim else []),
        style.text(counts, "caption"),
        *(
            style.rich([(f"{pages.say(label)}  ", ink), (_told(pages, kind, name, text), None)], "small")
            for label, name, text in parts
            if text
        ),
    ]
    return panel(content, style.width, ink)


def _told(pages: Pages, kind: Raised, name: str, stored: str) -> str:
    """A sentence of a finding in the report's language, or as it was stored."""
    return pages.style.words.either(f"told.{kind.check}.{kind.quantity}.{name}", stored)


def _by_prompt(pages: Pages, kind: Raised) -> Flowable:
    style, words = pages.style, pages.style.words
    ink = SEVERITY_INK[kind.severity]
    rows = [
        (
            one.subject or NOTHING,
            f"{len(one.found)} / {len(one.measured)}",
            ShareRow(share_interval(len(one.found), len(one.measured)), _STRIP - _GAP, ink),
            words.number(spread(one.measured).median),
            pages.study_links(one.furthest),
        )
        for one in pages.cohort.by_prompt(kind)
    ]
    head: list[Cell] = [
        pages.say("findings.prompt"),
        pages.say("findings.share"),
        AxisHead(Axis(0, 1, _STRIP - _GAP), (words.percent(0), words.percent(1))),
        pages.say("findings.median"),
        pages.say("findings.furthest"),
    ]
    fixed = (48.0, _STRIP, 48.0, 96.0)
    return rows_table(style, head, rows, (style.width - sum(fixed), *fixed), figures=(1, 3))


def prompts(pages: Pages) -> list[Flowable]:
    """Scores by prompt, then margins by finding prompt."""
    style = pages.style
    return [
        *pages.section(CohortSection.PROMPTS, pages.say("prompts")),
        style.text(pages.say("prompts.how"), "caption"),
        Spacer(0, 4),
        _score_table(pages),
        *_margins(pages),
    ]


def _score_table(pages: Pages) -> Flowable:
    cohort, style = pages.cohort, pages.style
    every = [value for values in (*cohort.prompts.values(), cohort.sentences) for value in values]
    axis = axis_over(every, _STRIP - _GAP)
    rows = []
    in_order = sorted(cohort.prompts, key=lambda prompt: _beside_its_negation(pages, prompt.finding))
    listed = [(prompt.text, prompt.kind, cohort.prompts[prompt]) for prompt in in_order]
    if cohort.sentences:
        text = pages.say("prompts.reports", n=len(cohort.sentences))
        listed.append((text, PromptKind.REPORT, cohort.sentences))
    for text, kind, values in listed:
        colour = style.accent if kind.is_compared else SOFT
        rows.append(
            (
                text,
                kind_label(pages, kind),
                str(len(values)),
                SpreadRow(spread(values), axis, colour),
                *_estimate(pages, mean_interval(values)),
            )
        )
    head: list[Cell] = [
        pages.say("prompts.prompt"),
        pages.say("prompts.kind"),
        pages.say("prompts.images"),
        _axis_head(pages, axis),
        pages.say("prompts.mean"),
        pages.say("prompts.interval"),
    ]
    fixed = (48.0, 40.0, _STRIP, 42.0, 84.0)
    return rows_table(style, head, rows, (style.width - sum(fixed), *fixed), figures=(2, 4, 5))


def _beside_its_negation(pages: Pages, finding: str) -> int:
    """The place of a prompt's finding, so that its negation stands below it; prompts of no finding come last."""
    order = [prompt.finding for prompt in pages.cohort.prompts]
    return order.index(finding) if finding else len(order)


def _margins(pages: Pages) -> list[Flowable]:
    cohort, style = pages.cohort, pages.style
    listed = [
        (prompt.text, f"margins.{kind.value}", tuple(values.values()))
        for prompt in cohort.finding_prompts
        for kind in (PromptKind.NEGATED, PromptKind.CONTROL)
        if (values := cohort.margins(prompt, kind))
    ]
    if not listed:
        return []
    axis = axis_over([value for _, _, values in listed for value in values], _STRIP - _GAP, mark=0.0)
    rows = [
        (
            text,
            pages.say(over),
            SpreadRow(spread(values), axis, style.accent if over == "margins.negated" else SOFT),
            *_estimate(pages, mean_interval(values)),
            style.words.percent(sum(value > 0 for value in values) / len(values)),
        )
        for text, over, values in listed
    ]
    head: list[Cell] = [
        pages.say("prompts.prompt"),
        pages.say("margins.over"),
        _axis_head(pages, axis),
        pages.say("prompts.mean"),
        pages.say("prompts.interval"),
        pages.say("margins.above"),
    ]
    fixed = (62.0, _STRIP, 42.0, 84.0, 42.0)
    return [
        CondPageBreak(_ROOM),
        Spacer(0, 14),
        style.text(pages.say("margins"), "block"),
        style.text(pages.say("margins.how"), "caption"),
        Spacer(0, 4),
        rows_table(style, head, rows, (style.width - sum(fixed), *fixed), figures=(3, 4, 5)),
    ]


def checks(pages: Pages) -> list[Flowable]:
    """Every measurement against its threshold."""
    style, words = pages.style, pages.style.words
    story = [
        *pages.section(CohortSection.CHECKS, pages.say("checks")),
        style.text(pages.say("checks.how"), "caption"),
    ]
    limits = limit_texts(pages)
    crossed = {(kind.check, kind.quantity): {one.subject: len(one.found) for one in pages.cohort.by_prompt(kind)}
               for kind in pages.cohort.kinds}  # fmt: skip
    for key, subjects in pages.cohort.measured.items():
        limit = limits.get(key)
        says = pages.say("checks.unlimited") if limit is None else pages.say("checks.limit", limit=words.number(limit))
        axis = axis_over([value for values in subjects.values() for value in values], _STRIP - _GAP, mark=limit)
        rows = [
            (
                subject or NOTHING,
                str(len(values)),
                SpreadRow(spread(values), axis, style.accent),
                words.number(spread(values).median),
                NOTHING if limit is None else str(crossed.get(key, {}).get(subject, 0)),
            )
            for subject, values in subjects.items()
        ]
        head: list[Cell] = [
            pages.say("checks.prompt"),
            pages.say("checks.count"),
            _axis_head(pages, axis),
            pages.say("checks.median"),
            pages.say("checks.beyond"),
        ]
        fixed = (52.0, _STRIP, 52.0, 48.0)
        story += [
            CondPageBreak(_ROOM),
            Spacer(0, 10),
            style.text(f"{words.quantity(*key)} \u00b7 {says}", "block"),
            rows_table(style, head, rows, (style.width - sum(fixed), *fixed), figures=(1, 3, 4)),
        ]
    return story


def groups(pages: Pages) -> list[Flowable]:
    """Scores of groups of studies, element by element."""
    cohort, style = pages.cohort, pages.style
    smallest = style.layout.smallest_group
    story = pages.section(CohortSection.GROUPS, pages.say("groups"))
    found = {keyword: groups for keyword in GROUPED if (groups := cohort.groups(keyword, smallest))}
    if not found:
        return [*story, style.text(pages.say("groups.none", n=smallest))]
    score = pages.say("groups.score.control" if cohort.has_controls else "groups.score.similarity")
    count = sum(map(len, found.values()))
    comparisons = style.words.say(f"groups.comparisons.{'one' if count == 1 else 'many'}", n=count)
    story += [
        panel([style.text(pages.say("groups.caution", comparisons=comparisons))], style.width, style.accent),
        Spacer(0, 6),
        style.text(
            f"{pages.say('groups.how', score=score, resamples=RESAMPLES)} {pages.say('groups.smallest', n=smallest)}",
            "caption",
        ),
    ]
    axis = axis_over([end for groups in found.values() for one in groups for end in _extent(one.mean)], _STRIP - _GAP)
    for keyword, listed in found.items():
        story += [
            CondPageBreak(_ROOM),
            Spacer(0, 10),
            style.text(style.words.name(keyword), "block"),
            _group_table(pages, listed, axis),
        ]
    return story


def _group_table(pages: Pages, listed: Sequence[Group], axis: Axis) -> Flowable:
    style = pages.style
    rows = []
    earlier = ""
    names = names_of_prompts(pages)
    for one in listed:
        mean, _ = _estimate(pages, one.mean)
        differs = one.difference.excludes(0.0)
        difference, ends = _estimate(pages, one.difference, signed=True)
        rows.append(
            (
                "" if one.prompt == earlier else names.get(one.prompt, one.prompt),
                one.name,
                str(one.mean.count),
                IntervalRow(one.mean, axis, style.accent, filled=differs),
                mean,
                f"{difference} {ends}",
            )
        )
        earlier = one.prompt
    head: list[Cell] = [
        pages.say("checks.prompt"),
        pages.say("groups.group"),
        pages.say("groups.studies"),
        _axis_head(pages, axis),
        pages.say("groups.mean"),
        pages.say("groups.difference"),
    ]
    fixed = (76.0, 40.0, _STRIP, 42.0, 104.0)
    return rows_table(style, head, rows, (style.width - sum(fixed), *fixed), figures=(2, 4, 5))


def names_of_prompts(pages: Pages) -> dict[str, str]:
    """The finding of each finding prompt, where it has no other prompt of its own."""
    asked = Counter(prompt.finding for prompt in pages.cohort.finding_prompts)
    return {prompt.text: prompt.finding for prompt in pages.cohort.finding_prompts if asked[prompt.finding] == 1}


def _extent(interval: Interval) -> tuple[float, ...]:
    return (interval.value, *(interval.ends or ()))


def _estimate(pages: Pages, interval: Interval, *, signed: bool = False) -> tuple[str, str]:
    words = pages.style.words
    value = words.number(interval.value, 3, signed=signed)
    if interval.ends is None:
        return value, NOTHING
    low, high = (words.number(end, 3, signed=signed) for end in interval.ends)
    return value, f"[{low}; {high}]"


def _axis_head(pages: Pages, axis: Axis) -> AxisHead:
    words = pages.style.words
    mark = "" if axis.mark is None else words.number(axis.mark)
    return AxisHead(axis, (words.number(axis.low, 2), words.number(axis.high, 2)), mark)
