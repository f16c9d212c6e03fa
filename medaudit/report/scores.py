"""What a report shows of the records, and in which order; nothing here draws."""

from collections.abc import Iterable, Mapping
from functools import partial

import yaml

from medaudit.errors import StoreError
from medaudit.records import (
    Attribution,
    Finding,
    ImageAudit,
    Measurement,
    PromptKind,
    RunRecord,
    StudyAudit,
    gravest_first,
)


def explained(image: ImageAudit) -> tuple[Attribution, ...]:
    """The prompts that get a block of their own: findings and report sentences, in the order asked."""
    return tuple(one for one in image.attributions if one.prompt.kind.is_compared)


def first_shown(image: ImageAudit) -> Attribution | None:
    """The prompt whose map stands on the first page.

    The finding prompt that the gravest finding is about; where there is none, the one that lies furthest above its
    negation (or the controls), so that the page shows what the model sees; else the first prompt there is.
    """
    asked = {one.prompt.text: one for one in image.attributions if one.prompt.kind is PromptKind.FINDING}
    told = (asked[one.measurement.subject] for one in gravest_first(image.findings) if one.measurement.subject in asked)
    return next(told, max(asked.values(), key=partial(_margin, image), default=next(iter(image.attributions), None)))


def _margin(image: ImageAudit, one: Attribution) -> float:
    margins = image.margins(one)
    return next((value for value in (margins.negated, margins.control) if value is not None), one.similarity)


def all_findings(audit: StudyAudit) -> tuple[tuple[Finding, str], ...]:
    """Every finding with the code of its image, gravest first."""
    pairs = [(finding, image.record.image) for image in audit.images for finding in image.findings]
    return tuple(sorted(pairs, key=lambda pair: -pair[0].severity.rank))


def lead_image(audit: StudyAudit) -> ImageAudit | None:
    """The image of the first page: the one with the gravest finding, else the first."""
    return max(
        audit.images,
        key=lambda image: max((finding.severity.rank for finding in image.findings), default=-1),
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


def threshold_of(measurement: Measurement, finding: Finding | None, stated: Mapping[str, object]) -> float | None:
    """The threshold of a measurement: that of the finding it became, else what the pipeline states.

    None where neither has one: the check then only measures.
    """
    if finding is not None:
        return finding.threshold
    return limit_of(stated, measurement.check, measurement.quantity)


def limit_of(stated: Mapping[str, object], check: str, quantity: str) -> float | None:
    """The limit that the pipeline states for a quantity, if it states one."""
    limit = _mapping(stated.get(f"{check}.{quantity}")).get("limit")
    return float(limit) if isinstance(limit, int | float) else None


def crossed(measurement: Measurement, image: ImageAudit) -> Finding | None:
    """The finding that a measurement became, if it crossed its threshold."""
    return next((finding for finding in image.findings if finding.measurement == measurement), None)


def methods(
    attributions: Iterable[Attribution],
) -> tuple[tuple[str, Mapping[str, str | int | float | bool]], ...]:
    """Each method with each distinct set of settings that was used, in the order of first use."""
    used: dict[tuple[str, str], tuple[str, Mapping[str, str | int | float | bool]]] = {}
    for one in attributions:
        used.setdefault((one.method, repr(sorted(one.settings.items()))), (one.method, one.settings))
    return tuple(used.values())


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
