"""What a report of all studies reads: every score, measurement and finding with its place, and no array."""

from dataclasses import dataclass

import sqlalchemy as sa

from medaudit.records.finding import Finding, Measurement
from medaudit.records.relevance import Prompt, PromptKind
from medaudit.store import rows, schema


@dataclass(frozen=True, slots=True)
class PlacedScore:
    """The cosine of one prompt on one image."""

    study: str
    image: str
    prompt: Prompt
    similarity: float


@dataclass(frozen=True, slots=True)
class PlacedMeasurement:
    """One measurement and the image it was made on."""

    study: str
    image: str
    measurement: Measurement


@dataclass(frozen=True, slots=True)
class PlacedFinding:
    """One finding and the image it was raised on."""

    study: str
    image: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class CohortRows:
    """Every row of an audit, by study, then in the order of the study's images."""

    scores: tuple[PlacedScore, ...]
    measurements: tuple[PlacedMeasurement, ...]
    findings: tuple[PlacedFinding, ...]


def read_cohort(connection: sa.Connection) -> CohortRows:
    """Three queries, whatever the number of studies."""
    scores = connection.execute(_ordered(schema.attribution, "prompt", "kind", "finding", "similarity")).mappings()
    measured = connection.execute(_ordered(schema.measurement)).mappings()
    found = connection.execute(_ordered(schema.finding)).mappings()
    return CohortRows(
        scores=tuple(
            PlacedScore(
                row["study"],
                row["image"],
                Prompt(row["prompt"], PromptKind(row["kind"]), row["finding"]),
                row["similarity"],
            )
            for row in scores
        ),
        measurements=tuple(PlacedMeasurement(row["study"], row["image"], rows.to_measurement(row)) for row in measured),
        findings=tuple(PlacedFinding(row["study"], row["image"], rows.to_finding(row)) for row in found),
    )


def _ordered(table: sa.Table, *names: str) -> sa.Select[*tuple[object, ...]]:
    """Rows of a table of images, or some of its columns, in the order of the studies and their images."""
    wanted = [table.c[name] for name in ("study", "image", *names)] if names else list(table.c)
    image = schema.image
    return (
        sa.select(*wanted)
        .join(image, sa.and_(image.c.study == table.c.study, image.c.image == table.c.image))
        .order_by(table.c.study, image.c.position, table.c.position)
    )
