"""The worklist: what can be said of every study without opening one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from medaudit.records.finding import Severity
from medaudit.records.relevance import PromptKind
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


class Order(StrEnum):
    """Ways to sort the worklist."""

    GRAVEST = "gravest first"
    CODE = "study code"
    FINDINGS = "most findings"
    SLOWEST = "slowest"
    HIGHEST = "highest score"
    LOWEST = "lowest score"


@dataclass(frozen=True, slots=True)
class Search:
    """Which studies, in which order; what is empty keeps all.

    ``words`` must all occur in the code or in an element's value, in any case. ``severities`` are of the gravest
    finding (None: no finding); ``finding`` is ``check.quantity`` of one; ``elements`` are values by keyword, of the
    study or one of its images. The score is the highest similarity of ``prompt`` on any image, or that of any finding
    prompt.
    """

    words: str = ""
    severities: frozenset[Severity | None] = frozenset()
    finding: str = ""
    prompt: str = ""
    elements: Mapping[str, str] = field(default_factory=dict)
    order: Order = Order.GRAVEST


@dataclass(frozen=True, slots=True)
class Facets:
    """What a worklist can be narrowed by: prompts, findings as ``check.quantity``, and values by keyword."""

    prompts: tuple[str, ...]
    findings: tuple[str, ...]
    elements: Mapping[str, tuple[str, ...]]


def find_studies(connection: sa.Connection, search: Search) -> tuple[str, ...]:
    """Codes of the studies that a search keeps, in its order; one query."""
    code = schema.study.c.study
    worst = _of_study(sa.func.max(_RANK), schema.finding.c.study)
    query = sa.select(code).order_by(*_ordering(search, worst), code)
    for word in search.words.casefold().split():
        holds = [sa.func.casefold(code).contains(word, autoescape=True)]
        for table in (schema.study_element, schema.image_element):
            found = sa.select(table.c.study).where(sa.func.casefold(table.c.value).contains(word, autoescape=True))
            holds.append(code.in_(found))
        query = query.where(sa.or_(*holds))
    if search.severities:
        ranks = [severity.rank if severity else -1 for severity in search.severities]
        query = query.where(sa.func.coalesce(worst, -1).in_(ranks))
    if search.finding:
        check, _, quantity = search.finding.partition(".")
        named = (schema.finding.c.check_name == check, schema.finding.c.quantity == quantity)
        query = query.where(code.in_(sa.select(schema.finding.c.study).where(*named)))
    if search.prompt:
        asked = sa.select(schema.attribution.c.study).where(schema.attribution.c.prompt == search.prompt)
        query = query.where(code.in_(asked))
    for keyword, value in search.elements.items():
        tables = (schema.study_element, schema.image_element)
        query = query.where(
            sa.or_(
                *(
                    code.in_(sa.select(one.c.study).where(one.c.keyword == keyword, one.c.value == value))
                    for one in tables
                )
            )
        )
    return tuple(connection.execute(query).scalars())


_RANK = sa.case({severity.value: severity.rank for severity in Severity}, value=schema.finding.c.severity)


def _of_study(
    what: sa.ColumnElement[Any], study: sa.Column[str], *where: sa.ColumnElement[bool]
) -> sa.ScalarSelect[Any]:
    return sa.select(what).where(study == schema.study.c.study, *where).scalar_subquery()


def _ordering(search: Search, worst: sa.ScalarSelect[Any]) -> tuple[sa.ColumnElement[Any], ...]:
    asked = schema.attribution.c
    which = asked.prompt == search.prompt if search.prompt else asked.kind == PromptKind.FINDING.value
    score = _of_study(sa.func.max(asked.similarity), asked.study, which)
    count = _of_study(sa.func.count(schema.finding.c.position), schema.finding.c.study)
    return {
        Order.GRAVEST: (sa.func.coalesce(worst, -1).desc(),),
        Order.CODE: (),
        Order.FINDINGS: (count.desc(),),
        Order.SLOWEST: (schema.study.c.seconds.desc(),),
        Order.HIGHEST: (score.desc().nulls_last(),),
        Order.LOWEST: (score.asc().nulls_last(),),
    }[search.order]


def read_facets(connection: sa.Connection) -> Facets:
    """Everything that a search can be narrowed by, in alphabetical order."""
    prompts = connection.execute(sa.select(schema.attribution.c.prompt).distinct().order_by("prompt")).scalars()
    found = schema.finding.c
    findings = connection.execute(
        sa.select(found.check_name, found.quantity).distinct().order_by("check_name", "quantity")
    )
    of_study = sa.select(schema.study_element.c.keyword, schema.study_element.c.value)
    of_image = sa.select(schema.image_element.c.keyword, schema.image_element.c.value)
    elements: dict[str, list[str]] = {}
    for row in connection.execute(sa.union(of_study, of_image).order_by("keyword", "value")):
        elements.setdefault(row.keyword, []).append(row.value)
    return Facets(
        tuple(prompts),
        tuple(f"{row.check_name}.{row.quantity}" for row in findings),
        {keyword: tuple(values) for keyword, values in elements.items()},
    )


def read_element(connection: sa.Connection, keyword: str) -> Mapping[str, str]:
    """The value of an element by study: the study's own, else that of its first image."""
    values: dict[str, str] = {}
    own, image = schema.study_element.c, schema.image_element.c
    of_image = sa.select(image.study, image.value).where(image.keyword == keyword).order_by(image.study, image.image)
    for row in connection.execute(of_image):
        values.setdefault(row.study, row.value)
    for row in connection.execute(sa.select(own.study, own.value).where(own.keyword == keyword)):
        values[row.study] = row.value
    return values


def count_severities(connection: sa.Connection) -> Mapping[Severity | None, int]:
    """How many studies have which gravest severity, gravest first, then None; zeros included."""
    worst = sa.select(sa.func.max(_RANK).label("rank")).group_by(schema.finding.c.study).subquery()
    ranks = connection.execute(sa.select(worst.c.rank, sa.func.count()).group_by(worst.c.rank))
    by_rank = {row[0]: row[1] for row in ranks}
    counts: dict[Severity | None, int] = {one: by_rank.get(one.rank, 0) for one in reversed(Severity)}
    studies = connection.execute(sa.select(sa.func.count()).select_from(schema.study)).scalar_one()
    return counts | {None: studies - sum(counts.values())}


def read_worklist(connection: sa.Connection, codes: Sequence[str] | None = None) -> tuple[StudySummary, ...]:
    """Studies in short; two queries, whatever their number.

    Those of the codes in the order of the codes, or every study, gravest first, then by code.
    """
    elements, image_elements = _elements(connection, codes)
    counts = _counts() if codes is None else _counts().where(schema.study.c.study.in_(codes))
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
        for row in connection.execute(counts)
    ]
    if codes is None:
        return tuple(sorted(summaries, key=_gravest_first))
    place = {code: index for index, code in enumerate(codes)}
    return tuple(sorted(summaries, key=lambda one: place[one.study]))


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


def _elements(
    connection: sa.Connection, codes: Sequence[str] | None
) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, list[str]]]]:
    """Elements by study, and the distinct values of its images' elements by study; one query."""
    own, images = schema.study_element, schema.image_element
    of_study = sa.select(own.c.study, own.c.position, own.c.keyword, own.c.value, sa.literal(1).label("of_study"))
    of_images = sa.select(images.c.study, sa.literal(0), images.c.keyword, images.c.value, sa.literal(0)).distinct()
    if codes is not None:
        of_study, of_images = of_study.where(own.c.study.in_(codes)), of_images.where(images.c.study.in_(codes))
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
