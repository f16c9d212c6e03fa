"""A report for a hospital's systems: FHIR R4 (4.0.1), one Bundle a study.

The Bundle holds a Device (the model), an Observation for every cosine and every measurement, and the DiagnosticReport
that names them. Their subject is the Device: an audit says something of a model, not of a patient, and no patient is
in it. The report is preliminary until a reader has signed this very study, then final, and amended after that.
"""

import json
import uuid
from collections.abc import Iterable
from html import escape
from typing import Any

from medaudit.figures.wording import EVIDENCE, NO_CLEARANCE, NONE_CROSSED, SIMILARITY_IS, SIMILARITY_IS_NOT, words_of
from medaudit.records import Attribution, Finding, ImageAudit, Measurement, RunRecord, StudyAudit, gravest_first
from medaudit.records.review import Answer, SignedReview, Subject, Target
from medaudit.report.plain import Json, short
from medaudit.report.review import latest
from medaudit.report.scores import limit_of, stated_thresholds

_CHECKS = "urn:medaudit:check"
_CODES = "urn:medaudit:code"
_XHTML = "http://www.w3.org/1999/xhtml"


def study_fhir(run: RunRecord, audit: StudyAudit, signed: Iterable[SignedReview] = (), digest: str = "") -> str:
    """The report of a study as a FHIR R4 Bundle of type collection; the same text for the same records.

    Parameters
    ----------
    run, audit
        What was audited.
    signed
        Signed reviews of the study.
    digest
        sha256 of the study as it is; a review that was signed upon another one does not count.

    Raises
    ------
    StoreError
        The pipeline text of ``run`` is no YAML.

    """
    counting = latest([one for one in signed if one.record_sha256 == digest])
    status = _status(counting)
    device = _resource(run, audit, "device", _device(run))
    about = {"subject": {"reference": device["fullUrl"], "display": run.model.name}, "status": status}
    observations = [
        _resource(run, audit, f"{image.record.image}/{name}", about | observation)
        for image in audit.images
        for name, observation in _observations(run, image, counting)
    ]
    report = _resource(run, audit, "report", about | _report(run, audit, observations, counting))
    bundle = {
        "resourceType": "Bundle",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": _name(run, audit, "bundle")},
        "type": "collection",
        "timestamp": run.started,
        "entry": [report, device, *observations],
    }
    return json.dumps(bundle, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _status(counting: tuple[SignedReview, ...]) -> str:
    """DiagnosticReport.status and Observation.status, which share these codes."""
    if not counting:
        return "preliminary"
    return "amended" if any(one.edition > 1 for one in counting) else "final"


def _name(run: RunRecord, audit: StudyAudit, part: str) -> str:
    seed = f"medaudit {run.pipeline_digest} {run.started} {audit.record.study} {part}"
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, seed)}"


def _resource(run: RunRecord, audit: StudyAudit, part: str, resource: Json) -> Json:
    return {"fullUrl": _name(run, audit, part), "resource": resource}


def _device(run: RunRecord) -> Json:
    model = run.model
    files = [{"type": {"text": f"sha256 of {name}"}, "value": digest} for name, digest in model.files.items()]
    return {
        "resourceType": "Device",
        "deviceName": [{"name": model.name, "type": "model-name"}],
        "type": {"text": "image-text model under audit"},
        **({"version": files} if files else {}),
        **({"note": [{"text": note} for note in model.notes]} if model.notes else {}),
    }


def _report(
    run: RunRecord, audit: StudyAudit, observations: Iterable[Json], counting: tuple[SignedReview, ...]
) -> Json:
    findings = gravest_first(finding for image in audit.images for finding in image.findings)
    said = [f"{finding.severity.value}: {finding.claim}" for finding in findings] or [f"{NONE_CROSSED} {NO_CLEARANCE}"]
    stated = [f"{SIMILARITY_IS} {SIMILARITY_IS_NOT}", EVIDENCE]
    lines = "".join(f"<p>{escape(line)}</p>" for line in (*said, *stated))
    conclusion = "\n".join(one.review.conclusion for one in counting if one.review.conclusion)
    return {
        "resourceType": "DiagnosticReport",
        "text": {"status": "generated", "div": f'<div xmlns="{_XHTML}">{lines}</div>'},
        "identifier": [{"system": _CODES, "value": audit.record.study}],
        "category": [{"text": "model audit"}],
        "code": {"text": "Audit of an image-text model on one study"},
        "effectiveDateTime": run.started,
        **({"issued": _instant(max(one.signed_at for one in counting))} if counting else {}),
        **({"resultsInterpreter": [{"display": one.printed_name} for one in counting]} if counting else {}),
        "result": [{"reference": one["fullUrl"]} for one in observations],
        **({"conclusion": conclusion} if conclusion else {}),
    }


def _instant(stated: str) -> str:
    """A time of the journal, which is UTC, with its zone said."""
    return stated if stated.endswith(("Z", "+00:00")) else f"{stated}Z"


def _observations(run: RunRecord, image: ImageAudit, counting: tuple[SignedReview, ...]) -> Iterable[tuple[str, Json]]:
    stated = stated_thresholds(run)
    found = {finding.measurement: (place, finding) for place, finding in enumerate(image.findings)}
    for place, attribution in enumerate(image.attributions):
        target = Target(image.record.image, Subject.MAP, place)
        yield f"cosine/{place}", _cosine(image, attribution) | _notes(counting, target)
    for place, measurement in enumerate(image.measurements):
        at, finding = found.get(measurement, (None, None))
        limit = limit_of(stated, measurement.check, measurement.quantity) if finding is None else finding.threshold
        notes = {} if at is None else _notes(counting, Target(image.record.image, Subject.FINDING, at))
        yield f"measurement/{place}", _measured(image, measurement, finding, limit) | notes


def _cosine(image: ImageAudit, one: Attribution) -> Json:
    margins = image.margins(one)
    parts = (("margin to negated prompts", margins.negated), ("margin to control prompts", margins.control))
    components = [{"code": {"text": name}, **_value(value)} for name, value in parts if value is not None]
    return {
        **_head(image, "cosine", f"cosine similarity to \u201c{one.prompt.text}\u201d ({one.prompt.kind.value})"),
        "method": {"text": one.method},
        **_value(one.similarity),
        **({"component": components} if components else {}),
    }


def _measured(image: ImageAudit, one: Measurement, finding: Finding | None, limit: float | None) -> Json:
    against = f" against \u201c{one.against}\u201d" if one.against else ""
    text = f"{words_of(one.check)}, {words_of(one.quantity)}: \u201c{one.subject}\u201d{against}"
    raised = {} if finding is None else {"interpretation": [{"text": f"{finding.severity.value}: {finding.claim}"}]}
    threshold = {} if limit is None else {"referenceRange": [{"text": f"threshold {limit:g}"}]}
    return {**_head(image, f"{one.check}.{one.quantity}", text), **_value(one.value), **raised, **threshold}


def _head(image: ImageAudit, code: str, text: str) -> Json:
    return {
        "resourceType": "Observation",
        "identifier": [{"system": _CODES, "value": image.record.image}],
        "code": {"coding": [{"system": _CHECKS, "code": code}], "text": text},
    }


def _value(value: float) -> Json:
    return {"valueQuantity": {"value": short(value), "system": "http://unitsofmeasure.org", "code": "1"}}


def _notes(counting: tuple[SignedReview, ...], target: Target) -> Json:
    """What each reader who signed said of a target."""
    notes: list[dict[str, Any]] = [
        {"authorString": one.printed_name, "text": _said(answer)}
        for one in counting
        for answer in one.review.answers
        if answer.target == target and answer.decision is not None
    ]
    return {"note": notes} if notes else {}


def _said(answer: Answer) -> str:
    parts = (answer.decision, answer.reason, answer.text)
    return "; ".join(str(part) for part in parts if part)
