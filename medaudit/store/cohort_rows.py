"""What the checks across studies read of the store, and what they leave there."""

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from medaudit.records.cohort import CohortAudit, CohortFinding, CohortMeasurement, Observation
from medaudit.records.finding import Severity
from medaudit.records.relevance import Assertion, PromptKind
from medaudit.store import schema

Embedding = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class PlacedObservation:
    """One observation and the image that it is about."""

    study: str
    image: str
    observation: Observation


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedSentence:
    """A report sentence of an image, how it stands to what it names, and its embedding (E,)."""

    study: str
    text: str
    assertion: Assertion | None
    embedding: Embedding


@dataclass(frozen=True, slots=True, eq=False)
class CohortMaterial:
    """Observations and embeddings of all images; ``images`` are (study, embedding)."""

    observations: tuple[PlacedObservation, ...]
    images: tuple[tuple[str, Embedding], ...]
    sentences: tuple[EmbeddedSentence, ...]

    def study_embeddings(self) -> dict[str, Embedding]:
        """Mean embedding of each study's images, of the studies that have any."""
        by_study: dict[str, list[Embedding]] = {}
        for study, embedding in self.images:
            by_study.setdefault(study, []).append(embedding)
        return {study: np.mean(embeddings, axis=0) for study, embeddings in by_study.items()}


def as_text(embedding: Embedding | None) -> str:
    """Base64 of little-endian float32; JSON of as many digits would be three times as long. '' for none."""
    return "" if embedding is None else base64.b64encode(embedding.astype("<f4").tobytes()).decode()


def as_embedding(text: str) -> Embedding | None:
    """Back from :func:`as_text`."""
    return np.frombuffer(base64.b64decode(text), dtype="<f4").astype(np.float32) if text else None


def read_material(connection: sa.Connection) -> CohortMaterial:
    """Three queries, whatever the number of studies."""
    observed, image, attribution = schema.observation, schema.image, schema.attribution
    seen = connection.execute(sa.select(observed).order_by(observed.c.study, observed.c.image, observed.c.position))
    images = connection.execute(
        sa.select(image.c.study, image.c.embedding)
        .where(image.c.embedding != "")
        .order_by(image.c.study, image.c.position)
    )
    sentences = connection.execute(
        sa.select(attribution.c.study, attribution.c.prompt, attribution.c.assertion, attribution.c.embedding)
        .where(attribution.c.kind == PromptKind.REPORT.value, attribution.c.embedding != "")
        .order_by(attribution.c.study, attribution.c.image, attribution.c.position)
    )
    return CohortMaterial(
        tuple(PlacedObservation(row.study, row.image, Observation(row.source, row.name, row.value)) for row in seen),
        tuple((row.study, _embedding(row.embedding)) for row in images),
        tuple(
            EmbeddedSentence(
                row.study,
                row.prompt,
                Assertion(row.assertion) if row.assertion else None,
                _embedding(row.embedding),
            )
            for row in sentences
        ),
    )


def _embedding(text: str) -> Embedding:
    found = as_embedding(text)
    return np.zeros(0, np.float32) if found is None else found


def write_cohort_audit(connection: sa.Connection, audit: CohortAudit) -> None:
    """In the place of an earlier one."""
    for table in (schema.cohort_finding, schema.cohort_measurement, schema.cohort):
        connection.execute(sa.delete(table))
    connection.execute(
        sa.insert(schema.cohort),
        {"position": 0, "studies": audit.studies, "level": float(audit.level), "notes": list(audit.notes)},
    )
    places = {one: place for place, one in enumerate(audit.measurements)}
    if audit.measurements:
        connection.execute(
            sa.insert(schema.cohort_measurement), [_from_measurement(one, place) for one, place in places.items()]
        )
    if audit.findings:
        connection.execute(
            sa.insert(schema.cohort_finding),
            [
                {
                    "position": place,
                    "measurement": places[one.measurement],
                    "threshold": float(one.threshold),
                    "severity": one.severity.value,
                    "claim": one.claim,
                    "limits": one.limits,
                    "advice": one.advice,
                }
                for place, one in enumerate(audit.findings)
            ],
        )


def _from_measurement(one: CohortMeasurement, place: int) -> Mapping[str, object]:
    row = asdict(one)
    low, high = row.pop("ends") or (None, None)
    row |= {"position": place, "check_name": row.pop("check"), "members": row.pop("count"), "low": low, "high": high}
    row["examples"] = list(one.examples)
    return row


def read_cohort_audit(connection: sa.Connection) -> CohortAudit | None:
    """The last one that was written; None where none was."""
    head = connection.execute(sa.select(schema.cohort)).first()
    if head is None:
        return None
    table = schema.cohort_measurement
    measured = {
        row.position: CohortMeasurement(
            check=row.check_name,
            quantity=row.quantity,
            value=row.value,
            subject=row.subject,
            against=row.against,
            count=row.members,
            others=row.others,
            ends=None if row.low is None else (row.low, row.high),
            p=row.p,
            q=row.q,
            examples=tuple(row.examples),
        )
        for row in connection.execute(sa.select(table).order_by(table.c.position))
    }
    found = connection.execute(sa.select(schema.cohort_finding).order_by(schema.cohort_finding.c.position))
    return CohortAudit(
        studies=head.studies,
        level=head.level,
        measurements=tuple(measured.values()),
        findings=tuple(
            CohortFinding(
                measured[row.measurement],
                row.threshold,
                Severity(row.severity),
                row.claim,
                row.limits,
                row.advice,
            )
            for row in found
        ),
        notes=tuple(head.notes),
    )
