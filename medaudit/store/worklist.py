"""The worklist: what can be said of every study without opening one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from medaudit.records.finding import Severity
from medaudit.store import schema


@dataclass(frozen=True, slots=True)
class StudySummary:
    """One line of the worklist.

    ``elements`` are the study's; ``image_elements`` holds, by keyword, the distinct values of its
    images, sorted. ``images`` counts images, ``prompts`` distinct sentences; ``findings`` counts by
    severity and names only the severities that occur. ``seconds`` is the wall time of the study.
    """

    study: str
    images: int
    prompts: int
    seconds: float
    elements: Mapping[str, str] = field(default_factory=dict)
    image_elements: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    findings: Mapping[Severity, int] = field(default_factory=dict)

    @property
    def worst(self) -> Severity | None:
        """The gravest severity that occurs; None without findings."""
        return max(self.findings, key=lambda severity: severity.rank, default=None)


def read_worklist(connection: sa.Connection) -> tuple[StudySummary, ...]:
    """Every study, gravest first, then by code; two queries, whatever the number of studies."""
    elements, image_elements = _elements(connection)
    summaries = [
        StudySummary(
            study=row.study,
            images=row.images,
            prompts=row.prompts,
            seconds=row.seconds,
            elements=elements.get(row.study, {}),
            image_elements={keyword: tuple(values) for keyword, values in image_elements.get(row.study, {}).items()},
            findings={severity: count for severity in Severity if (count := getattr(row, severity.name))},
        )
        for row in connection.execute(_counts())
    ]
    return tuple(sorted(summaries, key=_gravest_first))


def _gravest_first(summary: StudySummary) -> tuple[int, str]:
    return (-summary.worst.rank if summary.worst else 1, summary.study)


def _counts() -> sa.Select[*tuple[object, ...]]:
    def count(table: sa.Table, what: sa.ColumnElement[int], *where: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
        return sa.select(what).where(table.c.study == schema.study.c.study, *where).scalar_subquery()

    found = schema.finding
    return sa.select(
        schema.study.c.study,
        schema.study.c.seconds,
        count(schema.image, sa.func.count(schema.image.c.image)).label("images"),
        count(schema.attribution, sa.func.count(schema.attribution.c.prompt.distinct())).label("prompts"),
        *(
            count(found, sa.func.count(found.c.study), found.c.severity == severity.value).label(severity.name)
            for severity in Severity
        ),
    )


def _elements(connection: sa.Connection) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, list[str]]]]:
    """Elements by study, and the distinct values of its images' elements by study; one query."""
    own, images = schema.study_element, schema.image_element
    of_study = sa.select(own.c.study, own.c.position, own.c.keyword, own.c.value, sa.literal(1).label("of_study"))
    of_images = sa.select(images.c.study, sa.literal(0), images.c.keyword, images.c.value, sa.literal(0)).distinct()
    rows: Iterable[sa.Row[tuple[str, int, str, str, int]]] = connection.execute(
        sa.union_all(of_study, of_images).order_by("study", "position", "keyword", "value")
    )
    elements: dict[str, dict[str, str]] = {}
    image_elements: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        if row.of_study:
            elements.setdefault(row.study, {})[row.keyword] = row.value
        else:
            image_elements.setdefault(row.study, {}).setdefault(row.keyword, []).append(row.value)
    return elements, image_elements
