"""HTML and Markdown of a page. The one place where text from DICOM or a pipeline meets markup: all of it is escaped."""

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape

import numpy as np

from medaudit.figures.colour import ColourScale
from medaudit.figures.curves import ENGLISH, HOW_TO_READ, NO_CURVE, Colours, CosineAxis, curve_chart, svg
from medaudit.figures.wording import (
    NO_CLEARANCE,
    NONE_CROSSED,
    NOTHING,
    SIMILARITY_IS,
    SIMILARITY_IS_NOT,
    margin,
    moment,
    number,
    sentences,
    words_of,
)
from medaudit.figures.words import Colour, shade_words, tint
from medaudit.records import (
    Attribution,
    CohortFinding,
    FileRecord,
    Finding,
    ImageAudit,
    PromptKind,
    RunRecord,
    Severity,
    TokenRelevance,
    gravest_first,
)
from medaudit.records.review import SignedReview
from medaudit.store.review_store import Status
from medaudit.viewer.panels import FATES, KINDS, NOTHING_CROSSED, Score

WORD_JOINER = "\u2060"

SIMILARITY = f"{SIMILARITY_IS} {SIMILARITY_IS_NOT}"
"""What stands below every similarity."""

NO_FINDING = f"{NONE_CROSSED} {NO_CLEARANCE}"
"""What stands in the place of findings where there are none."""

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_ADDRESS = re.compile(r"https?:|www|@|:(?=\w+:)", re.IGNORECASE)
_BAR_STOPS = 12
_CHART = (300.0, 170.0)


def markdown(text: str) -> str:
    """Text that Markdown shows as it is: every ASCII punctuation mark escaped, line breaks as spaces.

    For widget labels, which Streamlit reads as Markdown: unescaped, a prompt could load a picture. What
    begins like an address is parted by an invisible word joiner, since GitHub's Markdown makes links of
    addresses whether escaped or not.
    """
    parted = _ADDRESS.sub(lambda found: found.group() + WORD_JOINER, " ".join(text.split()))
    return _PUNCTUATION.sub(r"\\\1", parted)


def chip(severity: Severity | None) -> str:
    """A severity in a word and a colour."""
    name = severity.value if severity else NOTHING_CROSSED
    return f'<span class="ma-chip ma-{severity.value if severity else "clear"}">{escape(name)}</span>'


def line(text: str, kind: str = "ma-line") -> str:
    """One paragraph."""
    return f'<p class="{kind}">{escape(text)}</p>'


def heading(text: str, sub: str = "") -> str:
    """A page's heading with a line under it."""
    below = f'<p class="ma-line">{escape(sub)}</p>' if sub else ""
    return f'<h1 class="ma-h1">{escape(text)}</h1>{below}'


def section(text: str) -> str:
    """The heading of a part of a page."""
    return f'<h2 class="ma-h2">{escape(text)}</h2>'


def tallies(counts: Iterable[tuple[int, str, str]]) -> str:
    """Numbers with their nouns and a colour class each, in a row."""
    cells = "".join(
        f'<div class="ma-tally ma-{escape(kind)}"><b>{count}</b><span>{escape(noun)}</span></div>'
        for count, noun, kind in counts
    )
    return f'<div class="ma-tallies">{cells}</div>'


def colour_bar(scale: ColourScale, sentence: str, paper: Colour) -> str:
    """A colour bar over paper with ticks in the scale's quantity, and what the scale is."""
    steps = [scale.maximum_nats * step / (_BAR_STOPS - 1) for step in range(_BAR_STOPS)]
    colours = [tint(np.asarray(step), scale, paper) for step in steps]
    stops = ", ".join(f"rgb({r} {g} {b})" for r, g, b in (colour.tolist() for colour in colours))
    ticks = "".join(f"<span>{escape(label)}</span>" for label in scale.tick_labels())
    return (
        f'<div class="ma-bar"><div style="background: linear-gradient(to right, {stops})"></div>'
        f'<div class="ma-ticks">{ticks}</div><p>{escape(sentence)}</p></div>'
    )


def shaded_words(text: TokenRelevance, scale: ColourScale, paper: Colour) -> str:
    """The sentence with its words shaded by their nats, each with its number below it."""
    words = "".join(
        f'<span class="ma-word"><span style="background: rgb{word.rgb}; color: rgb{word.ink}">'
        f"{escape(word.word)}</span><small>{escape(number(word.value, 2))}</small></span>"
        for word in shade_words(text, scale, paper)
    )
    return f'<p class="ma-words">{words}</p>' if words else line("The method gives no relevance of words here.")


def curve_charts(audit: ImageAudit, attribution: Attribution, colours: Colours) -> str:
    """The faithfulness curves of a prompt as two pictures, on the axis of all prompts of the image; '' without."""
    found = audit.curves_of(attribution)
    if not found:
        missing = audit.curves and attribution.prompt.kind is PromptKind.FINDING
        return line(NO_CURVE, "ma-note") if missing else ""
    axis = CosineAxis.over(audit.curves)
    charts = (curve_chart(one, axis, _CHART) for one in found)
    pictures = "".join(
        f'<img src="data:image/svg+xml;base64,{b64encode(svg(chart, colours).encode()).decode()}" '
        f'alt="{escape(chart.alternative)}"/>'
        for chart in charts
    )
    areas = "".join(line(f"{ENGLISH.walks[one.walk]}. {ENGLISH.stated_areas(one)}", "ma-small") for one in found)
    return f'<div class="ma-charts">{pictures}</div>{areas}{line(HOW_TO_READ, "ma-small")}'


def score_panel(score: Score) -> str:
    """The similarity of one prompt, its margins, and what the number is not."""
    margins = [("over its negation", score.margins.negated), ("over the mean control", score.margins.control)]
    cells = "".join(
        f"<div><b>{escape(margin(value))}</b><span>{escape(name)}</span></div>"
        for name, value in margins
        if value is not None
    )
    return (
        f'<div class="ma-score"><div class="ma-first"><b>{escape(number(score.similarity, 3))}</b>'
        f"<span>cosine similarity</span></div>{cells}</div>{line(SIMILARITY, 'ma-small')}"
    )


def score_table(rows: Sequence[Score], chosen: int) -> str:
    """Every prompt with its similarity on one axis, and its margins; the chosen one is marked."""
    if not rows:
        return line("No prompt was asked of this image.")
    values = [row.similarity for row in rows]
    low, high = min(values), max(values)
    body = "".join(_score_row(row, low, high, chosen=row.position == chosen) for row in rows)
    ends = f"{escape(number(low, 3))}<span></span>{escape(number(high, 3))}"
    return (
        '<table class="ma-table ma-scores"><thead><tr><th>Prompt</th><th>Kind</th><th class="ma-num">Cosine</th>'
        f'<th><div class="ma-axis">{ends}</div></th><th class="ma-num">Over its negation</th>'
        f'<th class="ma-num">Over mean control</th></tr></thead><tbody>{body}</tbody></table>'
        + line(SIMILARITY, "ma-small")
    )


def _score_row(row: Score, low: float, high: float, *, chosen: bool) -> str:
    place = 100 * (row.similarity - low) / (high - low) if high > low else 50.0
    cells = [margin(value) for value in (row.margins.negated, row.margins.control)]
    return (
        f'<tr class="{"ma-chosen" if chosen else ""}"><td>{escape(row.text)}</td>'
        f'<td class="ma-soft">{escape(KINDS[row.kind])}</td>'
        f'<td class="ma-num">{escape(number(row.similarity, 3))}</td>'
        f'<td><div class="ma-track"><i class="ma-{row.kind.value}" style="left: {place:.1f}%"></i></div></td>'
        + "".join(f'<td class="ma-num">{escape(cell)}</td>' for cell in cells)
        + "</tr>"
    )


def finding_cards(findings: Iterable[Finding]) -> str:
    """Findings, gravest first: claim, number against threshold, what it does not show, advice.

    Those of one check that say the same of themselves share a card.
    """
    cards: dict[tuple[Severity, str, str], list[Finding]] = {}
    for finding in gravest_first(findings):
        cards.setdefault((finding.severity, finding.limits, finding.advice), []).append(finding)
    return "".join(_finding_card(*same, alike) for same, alike in cards.items())


def _finding_card(severity: Severity, limits: str, advice: str, findings: Sequence[Finding]) -> str:
    claims = "".join(
        f'<p class="ma-claim">{escape(one.claim)}</p><p class="ma-measured">{escape(_measured(one))}</p>'
        for one in findings
    )
    parts = [("What this does not show", limits), ("What to do", advice)]
    more = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in parts if text)
    return f'<article class="ma-card ma-edge-{severity.value}">{chip(severity)}{claims}<dl>{more}</dl></article>'


def cohort_card(finding: CohortFinding) -> str:
    """A finding over all studies: claim, what it does not show, advice."""
    parts = [("What this does not show", finding.limits), ("What to do", finding.advice)]
    more = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in parts)
    claim = f'<p class="ma-claim">{escape(finding.claim)}</p>'
    return (
        f'<article class="ma-card ma-edge-{finding.severity.value}">{chip(finding.severity)}{claim}'
        f"<dl>{more}</dl></article>"
    )


def _measured(finding: Finding) -> str:
    one = finding.measurement
    against = f" against “{one.against}”" if one.against else ""
    return (
        f"{words_of(one.check)}, {words_of(one.quantity)}: {number(one.value)} "
        f"(threshold {number(finding.threshold)}) for “{one.subject}”{against}"
    )


def measurement_table(audit: ImageAudit) -> str:
    """Every measurement of an image, with the threshold of the finding that it became."""
    crossed = {finding.measurement: finding for finding in audit.findings}
    body = "".join(
        f"<tr><td>{escape(words_of(one.check))}</td><td>{escape(words_of(one.quantity))}</td>"
        f"<td>{escape(one.subject)}</td><td>{escape(one.against or NOTHING)}</td>"
        f'<td class="ma-num">{escape(number(one.value))}</td>'
        + (
            f'<td class="ma-num">{escape(number(crossed[one].threshold))}</td><td>{chip(crossed[one].severity)}</td>'
            if one in crossed
            else f'<td class="ma-num">{NOTHING}</td><td class="ma-soft">not crossed</td>'
        )
        + "</tr>"
        for one in audit.measurements
    )
    if not body:
        return line("No measurement was made on this image.")
    return (
        '<table class="ma-table"><thead><tr><th>Check</th><th>Quantity</th><th>Prompt</th><th>Against</th>'
        f'<th class="ma-num">Value</th><th class="ma-num">Threshold</th><th></th></tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def facts(terms: Mapping[str, str]) -> str:
    """A list of terms; empty ones are left out."""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in terms.items() if value)
    return f'<dl class="ma-facts">{rows}</dl>'


def file_table(files: Iterable[FileRecord]) -> str:
    """Files by code with what became of them. Never their path: a site's file name may name a patient."""
    body = "".join(
        f'<tr><td class="ma-code">{escape(file.code)}</td><td class="ma-code">{escape(file.study or NOTHING)}</td>'
        f"<td>{escape(FATES[file.fate])}</td><td>{escape(file.stage or NOTHING)}</td>"
        f'<td class="ma-code">{escape(file.error or NOTHING)}</td><td>{escape(file.reason or NOTHING)}</td></tr>'
        for file in files
    )
    return (
        '<table class="ma-table"><thead><tr><th>File</th><th>Study</th><th>Fate</th><th>Stage</th><th>Error</th>'
        f"<th>Reason</th></tr></thead><tbody>{body}</tbody></table>"
    )


def brand(run: RunRecord) -> str:
    """The name, and which model was audited with which pipeline."""
    what = f"{run.model.name} · {run.pipeline_name}"
    return f'<div class="ma-brand"><b>medaudit</b><span>{escape(what)}</span></div>'


def study_title(study: str, elements: str, place: int | None, of: int) -> str:
    """The code of a study, its place in the worklist, and its elements."""
    where = f"{place + 1} of {of}" if place is not None else ""
    return (
        f'<div class="ma-title"><div><b>{escape(study)}</b><span>{escape(where)}</span></div>'
        f"<p>{escape(elements)}</p></div>"
    )


def about_model(notes: Iterable[str]) -> str:
    """What is known of the model, in one slim line: everything on the page is read in the light of it."""
    return f'<p class="ma-about"><b>About this model</b> {escape(sentences(notes))}</p>'


def verdict(findings: Sequence[Finding]) -> str:
    """The gravest finding in its own words, and how many follow below."""
    gravest = next(iter(gravest_first(findings)), None)
    if gravest is None:
        return f'<div class="ma-verdict">{chip(None)}<span>{escape(NO_FINDING)}</span></div>'
    more = f"<span>and {len(findings) - 1} more below</span>" if len(findings) > 1 else ""
    return f'<div class="ma-verdict">{chip(gravest.severity)}<b>{escape(gravest.claim)}</b>{more}</div>'


def status_line(status: Status, version: int) -> str:
    """How far the reader is, and that it is saved."""
    saved = {
        Status.OPEN: "Nothing decided yet.",
        Status.DRAFT: f"Draft, saved ({version}).",
        Status.SIGNED: "Signed.",
        Status.AMENDING: f"Changed since it was signed; saved ({version}), not signed.",
    }
    return f'<p class="ma-small" role="status">{escape(saved[status])}</p>'


def target_card(name: str) -> str:
    """What the decision is about."""
    return f'<article class="ma-card ma-target"><p class="ma-claim">{escape(name)}</p></article>'


def signed_list(signed: Iterable[SignedReview]) -> str:
    """Signatures with what was decided under them."""
    return "".join(_signed_card(one) for one in signed)


def _signed_card(one: SignedReview) -> str:
    decided = [answer for answer in one.review.answers if answer.decision]
    several = len({answer.target.image for answer in decided}) > 1
    rows = "".join(
        f"<dt>{escape(answer.target.subject.value)} {answer.target.position + 1}"
        + (f" on {escape(answer.target.image)}</dt>" if several else "</dt>")
        + f"<dd>{escape(answer.decision.value if answer.decision else NOTHING)}"
        + (f": {escape(answer.reason.value)}" if answer.reason else "")
        + (f". {escape(answer.text)}" if answer.text else "")
        + "</dd>"
        for answer in decided
    )
    signature = f"{one.printed_name}, {moment(one.signed_at)}, {one.meaning.value}"
    head = f"{signature}; edition {one.edition} by {one.review.reader}"
    why = f"Amended: {one.amendment}" if one.amendment else ""
    return (
        f'<article class="ma-card ma-signed"><p class="ma-claim">{escape(head)}</p>'
        + (line(why, "ma-small") if why else "")
        + (line(one.review.conclusion) if one.review.conclusion else "")
        + f"<dl>{rows}</dl>{line(f'Record {one.record_sha256[:16]}…', 'ma-small')}</article>"
    )


def plain_table(header: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """A table of text; every column after the first ``words`` is of numbers."""
    heads = "".join(f"<th{_numeric(place - words)}>{escape(name)}</th>" for place, name in enumerate(header))
    body = "".join(
        "<tr>"
        + "".join(f"<td{_numeric(place - words)}>{escape(cell)}</td>" for place, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f'<table class="ma-table"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'


def _numeric(place: int) -> str:
    return ' class="ma-num"' if place >= 0 else ""
