"""A report for programs: JSON by the published schema ``reports/schema/report.schema.json``, and one flat CSV."""

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from medaudit.figures.neighbours import Kind, Neighbours, commonest
from medaudit.figures.orientation import edge_letters
from medaudit.figures.spreadsheet import cell
from medaudit.records import (
    Attribution,
    CohortAudit,
    FaithfulnessCurve,
    Finding,
    ImageAudit,
    Measurement,
    PromptKind,
    RunRecord,
    StudyAudit,
)
from medaudit.report.cohort import GROUPED, Cohort, Raised
from medaudit.report.layout import Layout
from medaudit.report.scores import limit_of, methods, stated_thresholds
from medaudit.report.statistics import Interval, mean_interval, share_interval, spread

VERSION = 1
"""Of the JSON; a change that a reader of version 1 would trip over makes it 2."""

COLUMNS = (
    "study", "image", "row", "prompt", "kind", "finding", "check", "quantity", "against", "value", "threshold",
    "severity",
)  # fmt: skip
"""Of the CSV, one number a line.

``row`` is score, margin to negated, margin to control, measurement, finding, across studies, corrected p or neighbour
(a near study ``against`` this one).
"""

_DIGITS = 7  # significant, as many as float32 has

Json = dict[str, Any]


def study_json(run: RunRecord, audit: StudyAudit) -> str:
    """The report of a study; relevance by token and by word included, pixels not."""
    document = {
        **_head("study", run),
        "study": {"code": audit.record.study, "elements": dict(audit.record.elements)},
        "images": [_image(image) for image in audit.images],
    }
    return _text(document)


def provenance_json(run: RunRecord, audit: StudyAudit) -> str:
    """What is needed to repeat the audit of a study: the JSON of its report less every result."""
    results = ("prompts", "measurements", "findings", "curves")
    images = [
        {key: value for key, value in _image(image).items() if key not in results}
        | {"prompts": [{"text": one.prompt.text, "kind": one.prompt.kind.value} for one in image.attributions]}
        | {"methods": [{"method": name, "settings": dict(settings)} for name, settings in methods(image.attributions)]}
        for image in audit.images
    ]
    study = {"code": audit.record.study, "elements": dict(audit.record.elements)}
    return _text({**_head("provenance", run), "pipeline_yaml": run.pipeline_yaml, "study": study, "images": images})


def cohort_json(cohort: Cohort, layout: Layout) -> str:
    """The report of a cohort: counts, distributions, ranked findings, groups of studies."""
    smallest = layout.smallest_group
    document = {
        **_head("cohort", cohort.run),
        "files": {fate.value: count for fate, count in sorted(cohort.fates.items())},
        "exclusions": [asdict(one) | {"fate": one.fate.value} for one in cohort.exclusions],
        "studies": [
            {
                "code": study.study,
                "images": study.images,
                "elements": dict(study.elements),
                "findings": {severity.value: count for severity, count in study.findings.items()},
            }
            for study in cohort.studies
        ],
        "prompts": [
            {
                "text": prompt.text,
                "kind": prompt.kind.value,
                "finding": prompt.finding,
                "cosine": _distribution(values),
                "margins": {
                    kind.value: _distribution(tuple(margins.values()))
                    for kind in (PromptKind.NEGATED, PromptKind.CONTROL)
                    if prompt.kind is PromptKind.FINDING and (margins := cohort.margins(prompt, kind))
                },
            }
            for prompt, values in cohort.prompts.items()
        ],
        "measurements": [
            {"check": check, "quantity": quantity, "prompt": subject, "distribution": _distribution(values)}
            for (check, quantity), subjects in cohort.measured.items()
            for subject, values in subjects.items()
        ],
        "findings": [_raised(cohort, kind) for kind in cohort.kinds],
        "across": _across(cohort.across),
        "neighbours": _neighbours(cohort.neighbours),
        "groups": {
            "smallest": smallest,
            "score": "margin to control" if cohort.has_controls else "cosine",
            "rows": [
                {
                    "element": keyword,
                    "value": one.name,
                    "prompt": one.prompt,
                    "mean": _interval(one.mean),
                    "difference": _interval(one.difference),
                }
                for keyword in GROUPED
                for one in cohort.groups(keyword, smallest)
            ],
        },
    }
    return _text(document)


def study_csv(run: RunRecord, audit: StudyAudit) -> str:
    """Every number of a study's report in lines of :data:`COLUMNS`."""
    stated = stated_thresholds(run)
    lines: list[Sequence[object]] = []
    for image in audit.images:
        key = (image.record.study, image.record.image)
        for one in image.attributions:
            prompt = (one.prompt.text, one.prompt.kind.value, one.prompt.finding)
            margins = image.margins(one)
            lines.append((*key, "score", *prompt, "", "cosine", "", short(one.similarity), "", ""))
            for name, value in (("negated", margins.negated), ("control", margins.control)):
                if value is not None:
                    lines.append((*key, f"margin to {name}", *prompt, "", "cosine", "", short(value), "", ""))
        lines += [_measurement_line(key, one, limit_of(stated, one.check, one.quantity)) for one in image.measurements]
        lines += [_finding_line(key, one) for one in image.findings]
    return _csv(lines)


def cohort_csv(cohort: Cohort) -> str:
    """Every score, measurement and finding of all studies in lines of :data:`COLUMNS`."""
    stated = stated_thresholds(cohort.run)
    lines: list[Sequence[object]] = []
    for score in cohort.rows.scores:
        prompt = (score.prompt.text, score.prompt.kind.value, score.prompt.finding)
        value = short(score.similarity)
        lines.append((score.study, score.image, "score", *prompt, "", "cosine", "", value, "", ""))
    for placed in cohort.rows.measurements:
        one = placed.measurement
        lines.append(_measurement_line((placed.study, placed.image), one, limit_of(stated, one.check, one.quantity)))
    lines += [_finding_line((one.study, one.image), one.finding) for one in cohort.rows.findings]
    for row in cohort.across.measurements if cohort.across else ():
        names = (row.subject, "", "", row.check, row.quantity, row.against)
        lines.append(("", "", "across studies", *names, short(row.value), "", ""))
        if row.q is not None:
            lines.append(("", "", "corrected p", *names, short(row.q), "", ""))
    for study in cohort.neighbours:
        for near in study.nearest:
            values = (("cosine", short(near.cosine)), ("findings in common", len(near.kinds)))
            lines += [
                (study.study, "", "neighbour", "", "", "", "", what, near.study, value, "", "")
                for what, value in values
            ]
    return _csv(lines)


def _across(found: CohortAudit | None) -> Json | None:
    if found is None:
        return None
    places = {one: place for place, one in enumerate(found.measurements)}
    return {
        "studies": found.studies,
        "level": found.level,
        "notes": list(found.notes),
        "measurements": [
            {
                "check": one.check,
                "quantity": one.quantity,
                "prompt": one.subject,
                "against": one.against,
                "studies": one.count,
                "others": one.others,
                "value": one.value,
                "interval": list(one.ends) if one.ends else None,
                "p": one.p,
                "corrected_p": one.q,
                "examples": list(one.examples),
            }
            for one in found.measurements
        ],
        "findings": [
            {
                "measurement": places[one.measurement],
                "severity": one.severity.value,
                "threshold": one.threshold,
                "claim": one.claim,
                "limits": one.limits,
                "advice": one.advice,
            }
            for one in found.findings
        ],
    }


def _neighbours(found: Sequence[Neighbours]) -> Json:
    """Kinds of findings that two studies or more have, and of each study its own and those of the nearest, by place."""
    kinds = commonest(found)
    places = {kind: place for place, kind in enumerate(kinds)}

    def in_places(one: frozenset[Kind]) -> list[int]:
        return sorted(places[kind] for kind in one & places.keys())

    return {
        "kinds": [
            {"check": check, "quantity": quantity, "prompt": prompt, "studies": count}
            for (check, quantity, prompt), count in kinds.items()
        ],
        "studies": [
            {
                "study": one.study,
                "kinds": in_places(one.kinds),
                "nearest": [
                    {"study": near.study, "cosine": short(near.cosine), "kinds": in_places(near.kinds)}
                    for near in one.nearest
                ],
            }
            for one in found
        ],
    }


def _head(kind: str, run: RunRecord) -> Json:
    return {
        "format": "medaudit-report",
        "version": VERSION,
        "kind": kind,
        "statement": "A cosine is neither a probability nor an accuracy; a map is evidence about the model, "
        "not about the patient; a difference between groups is a disparity, which without labels is not bias.",
        "run": {
            "pipeline": run.pipeline_name,
            "pipeline_digest": run.pipeline_digest,
            "seed": run.seed,
            "started": run.started,
            "keeps_identifiers": run.keeps_identifiers,
            "versions": dict(run.versions),
            "environment": dict(run.environment),
            "model": {
                "name": run.model.name,
                "family": run.model.family,
                "files": dict(run.model.files),
                "input_size": list(run.model.input_size),
                "grid": list(run.model.grid),
                "score": run.model.score,
                "licence": run.model.licence,
                "notes": list(run.model.notes),
            },
        },
    }


def _image(image: ImageAudit) -> Json:
    record = image.record
    return {
        "code": record.image,
        "series": record.series,
        "frame": record.frame,
        "rows": record.rows,
        "columns": record.columns,
        "elements": dict(record.elements),
        "transfer_syntax": record.transfer_syntax,
        "decoder": record.decoder,
        "display": record.display,
        "pixel_sha256": record.pixel_sha256,
        "edges": edge_letters(record.patient_orientation).sentence(),
        "pixel_spacing": list(record.pixel_spacing) if record.pixel_spacing else None,
        "imager_pixel_spacing": list(record.imager_pixel_spacing) if record.imager_pixel_spacing else None,
        "seen": [short(edge) for edge in image.grid_map.seen],
        "notes": list(record.notes),
        "prompts": [_attribution(image, one) for one in image.attributions],
        "measurements": [asdict(one) | {"value": short(one.value)} for one in image.measurements],
        "findings": [_finding(one) for one in image.findings],
        "curves": [_curve(one) for one in image.curves],
    }


def _curve(one: FaithfulnessCurve) -> Json:
    lines = {"share": one.share, **one.lines}
    return {
        "prompt": one.subject,
        "walk": one.walk.value,
        **{name: [short(value) for value in line] for name, line in lines.items()},
    }


def _attribution(image: ImageAudit, one: Attribution) -> Json:
    margins = image.margins(one)
    return {
        "text": one.prompt.text,
        "kind": one.prompt.kind.value,
        "finding": one.prompt.finding,
        "cosine": short(one.similarity),
        "margin_to_negated": None if margins.negated is None else short(margins.negated),
        "margin_to_control": None if margins.control is None else short(margins.control),
        "method": one.method,
        "settings": dict(one.settings),
        "unit": one.image.quantity.value,
        "map": [[short(value) for value in row] for row in one.image.values.tolist()],
        "words": [
            {"word": word, "relevance": short(value)}
            for word, value in zip(one.text.words, one.text.by_word().tolist(), strict=True)
        ],
        "loss": {
            "image": [short(value) for value in one.image_trace.loss],
            "text": [short(value) for value in one.text_trace.loss],
        },
    }


def _finding(one: Finding) -> Json:
    return {
        **asdict(one.measurement),
        "value": short(one.measurement.value),
        "threshold": short(one.threshold),
        "severity": one.severity.value,
        "claim": one.claim,
        "limits": one.limits,
        "advice": one.advice,
    }


def _raised(cohort: Cohort, kind: Raised) -> Json:
    return {
        "check": kind.check,
        "quantity": kind.quantity,
        "severity": kind.severity.value,
        "threshold": short(kind.threshold),
        "share": _interval(share_interval(len(kind.found), len(kind.measured))),
        "studies": kind.studies,
        "prompts": [
            {
                "prompt": one.subject,
                "share": _interval(share_interval(len(one.found), len(one.measured))),
                "furthest": list(one.furthest),
            }
            for one in cohort.by_prompt(kind)
        ],
    }


def _distribution(values: Sequence[float]) -> Json:
    one = spread(values, few=0)
    quantiles = (one.low, one.lower, one.median, one.upper, one.high)
    return {
        "count": one.count,
        "quantiles": dict(zip(("p5", "p25", "p50", "p75", "p95"), map(short, quantiles), strict=True)),
        "mean": _interval(mean_interval(values)),
    }


def _interval(one: Interval) -> Json:
    ends = None if one.ends is None else [short(end) for end in one.ends]
    return {"count": one.count, "value": short(one.value), "interval": ends}


def _measurement_line(key: tuple[str, str], one: Measurement, limit: float | None) -> Sequence[object]:
    what = (one.check, one.quantity, one.against, short(one.value))
    return (*key, "measurement", one.subject, "", "", *what, "" if limit is None else limit, "")


def _finding_line(key: tuple[str, str], finding: Finding) -> Sequence[object]:
    one = finding.measurement
    what = (one.check, one.quantity, one.against, short(one.value), short(finding.threshold), finding.severity.value)
    return (*key, "finding", one.subject, "", "", *what)


def short(value: float) -> float | None:
    """A number with the digits that float32 has; None for what is not finite, which JSON cannot say."""
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def _text(document: Json) -> str:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _csv(lines: Iterable[Sequence[object]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([[cell(value) for value in line] for line in lines])
    return stream.getvalue()
