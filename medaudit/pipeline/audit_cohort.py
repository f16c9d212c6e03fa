"""All studies of an audit together: the store's rows -> a case -> measurements and findings -> the store."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from statistics import fmean
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from medaudit.audit.cohort.case import CohortCase, Sentence, Told, Values
from medaudit.audit.cohort.differences import GROUPED
from medaudit.audit.cohort.judge import judge_cohort
from medaudit.audit.verdict import Threshold
from medaudit.errors import PipelineError
from medaudit.pipeline.load import load_pipeline
from medaudit.pipeline.spec import PipelineSpec
from medaudit.records import Assertion, CohortAudit, Measurement, Prompt, PromptKind
from medaudit.store.audit_store import AuditStore
from medaudit.store.cohort_rows import CohortMaterial
from medaudit.store.placed import CohortRows
from medaudit.yamlfile import read_yaml

Key = TypeVar("Key", bound=Hashable)
Kind = TypeVar("Kind", bound=tuple[str, ...])

MAP = "map"
"""Source of the observation that says how concentrated the map of a prompt is."""


def compare_studies(folder: Path, pipeline: str | None = None) -> CohortAudit:
    """Compare the studies of an audit folder again.

    Parameters
    ----------
    folder
        Of the audit.
    pipeline
        Whose ``cohort`` and ``thresholds`` count: a shipped one by name, or a file. By default the audit's own.

    Raises
    ------
    StoreError
        The folder holds no audit, or it cannot be read or written.
    PipelineError
        The pipeline cannot be read.

    """
    with AuditStore.open(folder) as store:
        if pipeline is not None:
            return audit_cohort(store, load_pipeline(pipeline).spec)
        own = store.run()
        text = own.pipeline_yaml
        return audit_cohort(store, read_yaml(Path(f"{own.pipeline_name}.yaml"), text, PipelineSpec, PipelineError))


def audit_cohort(store: AuditStore, spec: PipelineSpec) -> CohortAudit:
    """Measure over all finished studies what no single one can show, and keep it in the store."""
    found = judge_cohort(cohort_case(store, spec), thresholds_of(spec))
    store.save_cohort_audit(found)
    return found


def thresholds_of(spec: PipelineSpec) -> dict[str, Threshold]:
    """The pipeline's thresholds as the checks take them: of single studies, and of all together."""
    return {key: Threshold(item.limit, item.severity) for key, item in spec.thresholds.items()}


def cohort_case(store: AuditStore, spec: PipelineSpec) -> CohortCase:
    """What the checks across studies ask, from the store alone."""
    rows, material = store.cohort(), store.cohort_material()
    studies = tuple(sorted({one.study for one in rows.scores}))
    place = {study: index for index, study in enumerate(studies)}
    return CohortCase(
        studies=studies,
        scores=_scores(rows, place),
        told=_told(material, place),
        elements={keyword: _element(store, keyword, place) for keyword in GROUPED},
        concentration=_concentration(rows, material, place),
        measured=_means(
            (
                (one.study, (measured.check, measured.quantity, measured.subject, measured.against), measured.value)
                for one in rows.measurements
                for measured in (one.measurement,)
            ),
            place,
        ),
        flagged=_flagged(rows, place, lambda one: (one.check, one.quantity)),
        raised=_flagged(rows, place, lambda one: (one.check, one.quantity, one.subject)),
        images=_images(material, place),
        sentences=_sentences(material, place),
        smallest=spec.cohort.smallest,
        level=spec.cohort.level,
    )


def _means(values: Iterable[tuple[str, Key, float]], place: Mapping[str, int]) -> dict[Key, Values]:
    """Values (study, key, value) as one value a study and key: the mean over its images."""
    found: dict[Key, dict[str, list[float]]] = {}
    for study, key, value in values:
        found.setdefault(key, {}).setdefault(study, []).append(value)
    means = {}
    for key, studies in found.items():
        means[key] = np.full(len(place), np.nan)
        for study, seen in studies.items():
            if study in place:
                means[key][place[study]] = fmean(seen)
    return means


def _scores(rows: CohortRows, place: Mapping[str, int]) -> dict[Prompt, Values]:
    """Each finding prompt's cosine less the mean of the image's control prompts, the mean over a study's images."""
    controls: dict[tuple[str, str], list[float]] = {}
    for one in rows.scores:
        if one.prompt.kind is PromptKind.CONTROL:
            controls.setdefault((one.study, one.image), []).append(one.similarity)
    zero = [0.0]
    return _means(
        (
            (one.study, one.prompt, one.similarity - fmean(controls.get((one.study, one.image), zero)))
            for one in rows.scores
            if one.prompt.kind is PromptKind.FINDING
        ),
        place,
    )


def _told(material: CohortMaterial, place: Mapping[str, int]) -> tuple[Told, ...]:
    """By study: what its report says, and what is to be seen on any of its images."""
    found: dict[tuple[str, str], Values] = {}
    for one in material.observations:
        seen = one.observation
        if seen.source == MAP or one.study not in place:
            continue
        values = found.setdefault((seen.source, seen.name), np.full(len(place), np.nan))
        values[place[one.study]] = np.nanmax([values[place[one.study]], seen.value])
    return tuple(Told(source, name, found[source, name]) for source, name in sorted(found))


def _concentration(rows: CohortRows, material: CohortMaterial, place: Mapping[str, int]) -> dict[Prompt, Values]:
    prompts = {one.prompt.text: one.prompt for one in rows.scores if one.prompt.kind is PromptKind.FINDING}
    return _means(
        (
            (one.study, prompts[one.observation.name], one.observation.value)
            for one in material.observations
            if one.observation.source == MAP and one.observation.name in prompts
        ),
        place,
    )


def _flagged(rows: CohortRows, place: Mapping[str, int], kind_of: Callable[[Measurement], Kind]) -> dict[Kind, Values]:
    """By kind of finding that any study has: 1 where a study has it, 0 where it was only measured."""
    raised = [(one.study, kind_of(one.finding.measurement)) for one in rows.findings]
    found = {kind: np.full(len(place), np.nan) for kind in sorted({kind for _, kind in raised})}
    for measured in rows.measurements:
        kind = kind_of(measured.measurement)
        if kind in found and measured.study in place:
            found[kind][place[measured.study]] = 0.0
    for study, kind in raised:
        found[kind][place[study]] = 1.0
    return found


def _element(store: AuditStore, keyword: str, place: Mapping[str, int]) -> tuple[str, ...]:
    values = store.element(keyword)
    return tuple(values.get(study, "") for study in place)


def _images(material: CohortMaterial, place: Mapping[str, int]) -> NDArray[np.float32] | None:
    by_study = material.study_embeddings()
    if not by_study:
        return None
    images = np.full((len(place), len(next(iter(by_study.values())))), np.nan, dtype=np.float32)
    for study, embedding in by_study.items():
        if study in place:
            images[place[study]] = embedding
    return images


def _sentences(material: CohortMaterial, place: Mapping[str, int]) -> tuple[Sentence, ...]:
    """Those that affirm something, each once a study: what is denied fits nearly every image."""
    found = {
        (one.study, one.text): one.embedding
        for one in material.sentences
        if one.assertion is Assertion.AFFIRMED and one.study in place
    }
    return tuple(Sentence(place[study], text, embedding) for (study, text), embedding in found.items())
