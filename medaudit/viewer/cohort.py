"""The cohort page's numbers and files, from the records alone. Nothing here draws."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import Any

from medaudit.figures.spreadsheet import cell
from medaudit.records import PromptKind, Severity
from medaudit.records.review import SignedReview
from medaudit.store.placed import PlacedFinding, PlacedScore


def finding_counts(findings: Iterable[PlacedFinding]) -> Mapping[tuple[str, str, Severity], int]:
    """How many studies have which finding (check, quantity, severity), most first."""
    studies = {
        (one.finding.measurement.check, one.finding.measurement.quantity, one.finding.severity, one.study)
        for one in findings
    }
    counts = Counter(key[:3] for key in studies)
    return dict(sorted(counts.items(), key=lambda item: (-item[0][2].rank, -item[1], item[0][:2])))


def score_values(scores: Iterable[PlacedScore], groups: Mapping[str, str] | None) -> list[dict[str, Any]]:
    """Values for a chart: prompt, similarity and subgroup of everything but controls and report sentences."""
    return [
        {
            "prompt": one.prompt.text,
            "similarity": one.similarity,
            "group": "all" if groups is None else groups.get(one.study, "not stated"),
        }
        for one in scores
        if one.prompt.kind in (PromptKind.FINDING, PromptKind.NEGATED)
    ]


def score_chart(values: Sequence[Mapping[str, Any]], colours: Sequence[str], ink: str) -> dict[str, Any]:
    """A Vega-Lite chart: the distribution of similarities by prompt, one box a subgroup; ``ink`` is that of text."""
    groups = sorted({one["group"] for one in values})
    return {
        "mark": {"type": "boxplot", "extent": "min-max", "size": 10, "rule": {"color": "#8b98a1"}},
        "encoding": {
            "y": {"field": "prompt", "type": "nominal", "title": None, "axis": {"labelLimit": 420, "labelColor": ink}},
            "x": {
                "field": "similarity",
                "type": "quantitative",
                "title": "cosine similarity",
                "axis": {"labelColor": ink, "titleColor": ink},
                "scale": {"zero": False},
            },
            "yOffset": {"field": "group", "type": "nominal"},
            "color": {
                "field": "group",
                "type": "nominal",
                "title": None,
                "scale": {"domain": groups, "range": list(colours)},
                "legend": {"orient": "top"} if len(groups) > 1 else None,
            },
        },
        "height": {"step": 18},
    }


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV file in UTF-8 with a byte order mark, as spreadsheets want it; no cell is taken for a formula."""
    stream = StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(header)
    writer.writerows([cell(value) for value in row] for row in rows)
    return stream.getvalue().encode("utf-8-sig")


def scores_csv(scores: Iterable[PlacedScore]) -> bytes:
    """Every similarity, by codes alone."""
    rows = (
        (one.study, one.image, one.prompt.kind.value, one.prompt.finding, one.prompt.text, one.similarity)
        for one in scores
    )
    return csv_text(("study", "image", "kind", "finding", "prompt", "cosine_similarity"), rows)


def findings_csv(findings: Iterable[PlacedFinding]) -> bytes:
    """Every finding, by codes alone."""
    rows = (_finding_row(one) for one in findings)
    return csv_text(("study", "image", "check", "quantity", "severity", "value", "threshold", "prompt"), rows)


def _finding_row(one: PlacedFinding) -> Sequence[object]:
    measured = one.finding.measurement
    return (
        one.study,
        one.image,
        measured.check,
        measured.quantity,
        one.finding.severity.value,
        measured.value,
        one.finding.threshold,
        measured.subject,
    )


def reviews_csv(signed: Iterable[SignedReview]) -> bytes:
    """Every signed decision; who signed is in it, nobody else."""
    rows = (
        (
            one.review.study,
            one.review.reader,
            one.edition,
            one.printed_name,
            one.signed_at,
            one.meaning.value,
            answer.target.image,
            answer.target.subject.value,
            answer.target.position + 1,
            answer.decision.value if answer.decision else "",
            answer.reason.value if answer.reason else "",
            answer.text,
            one.review.conclusion,
        )
        for one in signed
        for answer in one.review.answers
    )
    header = "study reader edition printed_name signed_at meaning image subject number decision reason text conclusion"
    return csv_text(header.split(), rows)
