"""What a report says in numbers, from the records alone; nothing here draws."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

import yaml

from medaudit.errors import StoreError
from medaudit.records import (
    Attribution,
    Finding,
    ImageAudit,
    Measurement,
    PromptKind,
    RunRecord,
    Severity,
    StudyAudit,
)

_GRAVITY = {Severity.WARNING: 0, Severity.CAUTION: 1, Severity.NOTE: 2}
_EXPLAINED = (PromptKind.FINDING, PromptKind.REPORT)
_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class Margins:
    """How far a similarity lies above others of the same image; None where there is nothing to compare.

    ``negated`` is over the mean of the negated prompts of the same finding, ``control`` over the
    mean of all control prompts.
    """

    negated: float | None
    control: float | None


def margins(attribution: Attribution, image: ImageAudit) -> Margins:
    """Margins of a finding prompt or a report sentence; negated and control prompts have none."""
    prompt = attribution.prompt
    if prompt.kind not in _EXPLAINED:
        return Margins(None, None)
    negated = [
        other.similarity
        for other in image.attributions
        if prompt.finding and other.prompt.kind is PromptKind.NEGATED and other.prompt.finding == prompt.finding
    ]
    control = [other.similarity for other in image.attributions if other.prompt.kind is PromptKind.CONTROL]
    return Margins(
        attribution.similarity - fmean(negated) if negated else None,
        attribution.similarity - fmean(control) if control else None,
    )


def explained(image: ImageAudit) -> tuple[Attribution, ...]:
    """The prompts that get a block of their own: findings and report sentences, in the order asked."""
    return tuple(one for one in image.attributions if one.prompt.kind in _EXPLAINED)


def first_shown(image: ImageAudit) -> Attribution | None:
    """The prompt whose map stands on the first page: the first finding prompt, else the first there is."""
    findings = (one for one in image.attributions if one.prompt.kind is PromptKind.FINDING)
    return next(findings, next(iter(image.attributions), None))


def gravest_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings by severity; those of one severity in their own order."""
    return tuple(sorted(findings, key=lambda finding: _GRAVITY[finding.severity]))


def all_findings(audit: StudyAudit) -> tuple[tuple[Finding, str], ...]:
    """Every finding with the code of its image, gravest first."""
    pairs = [(finding, image.record.image) for image in audit.images for finding in image.findings]
    return tuple(sorted(pairs, key=lambda pair: _GRAVITY[pair[0].severity]))


def lead_image(audit: StudyAudit) -> ImageAudit | None:
    """The image of the first page: the one with the gravest finding, else the first."""
    return min(
        audit.images,
        key=lambda image: min((_GRAVITY[finding.severity] for finding in image.findings), default=len(_GRAVITY)),
        default=None,
    )


def stated_thresholds(run: RunRecord) -> Mapping[str, object]:
    """The ``thresholds`` of the pipeline that was used, by ``check.quantity``.

    Raises
    ------
    StoreError
        The pipeline's text is no YAML.

    """
    try:
        pipeline = yaml.safe_load(run.pipeline_yaml)
    except yaml.YAMLError as error:
        msg = "RunRecord.pipeline_yaml: expected the YAML that was used; the text of this audit cannot be read as such"
        raise StoreError(msg) from error
    return _mapping(_mapping(pipeline).get("thresholds"))


def threshold_text(measurement: Measurement, finding: Finding | None, stated: Mapping[str, object]) -> str:
    """The threshold of a measurement: that of the finding it became, else what the pipeline states.

    Empty where neither has one: the check then only measures.
    """
    if finding is not None:
        return number(finding.threshold)
    limit = _mapping(stated.get(f"{measurement.check}.{measurement.quantity}")).get("limit")
    return number(limit) if isinstance(limit, int | float) else ""


def crossed(measurement: Measurement, image: ImageAudit) -> Finding | None:
    """The finding that a measurement became, if it crossed its threshold."""
    return next((finding for finding in image.findings if finding.measurement == measurement), None)


def methods(audit: StudyAudit) -> tuple[tuple[str, Mapping[str, str | int | float | bool]], ...]:
    """Each method with each distinct set of settings that was used, in the order of first use."""
    used: dict[tuple[str, str], tuple[str, Mapping[str, str | int | float | bool]]] = {}
    for image in audit.images:
        for one in image.attributions:
            key = (one.method, repr(sorted(one.settings.items())))
            used.setdefault(key, (one.method, one.settings))
    return tuple(used.values())


def number(value: float, decimals: int | None = None, *, signed: bool = False) -> str:
    """A number with a true minus sign; three significant digits unless ``decimals`` says how many places."""
    form = ".3g" if decimals is None else f".{decimals}f"
    return f"{value:{'+' if signed else ''}{form}}".replace("-", "\u2212")


def words_of(key: str) -> str:
    """A key of a pipeline or a DICOM keyword in words: ``prompt_control``, ``PatientSex``, ``KVP``."""
    return _WORD_BEGINS.sub(" ", key).replace("_", " ")


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
