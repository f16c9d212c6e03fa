"""The tables of an audit, in types that SQLite and PostgreSQL share.

Keys are the codes of the records and positions counted from 0: no row carries a number that depends on
the order of writing. Whatever a query asks for (scores, severities, element values) is a column; what
only travels along (settings, words, geometry) is JSON; pixels and relevance lie in the array files.
"""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

REVISIONS = ("0001", "0002", "0003", "0004", "0005")
"""Every schema that ever was, oldest first; the last is the one below. See migrations/versions."""


class WholeNumber(TypeDecorator[int]):
    """An integer of any size, as decimal text: a seed of 64 unsigned bits overflows every BIGINT."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Integer -> decimal text."""
        return None if value is None else str(int(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Decimal text -> integer."""
        return None if value is None else int(value)


class FileName(TypeDecorator[str]):
    """A file name, which need not be valid Unicode: a name in Latin-1 reaches Python with surrogates."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        """Text, surrogates included -> bytes."""
        return None if value is None else value.encode("utf-8", "surrogatepass")

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Bytes -> the same text."""
        return None if value is None else value.decode("utf-8", "surrogatepass")


metadata = MetaData()


def _key(name: str) -> Column[str]:
    return Column(name, String, primary_key=True)


def _place() -> Column[int]:
    return Column("position", Integer, primary_key=True, autoincrement=False)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _number(name: str) -> Column[float]:
    return Column(name, Float, nullable=False)


def _json(name: str) -> Column[object]:
    return Column(name, JSON, nullable=False)


def _of_study() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["study"], ["study.study"], ondelete="CASCADE")


def _of_image() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["study", "image"], ["image.study", "image.image"], ondelete="CASCADE")


run = Table(
    "run",
    metadata,
    _place(),
    _text("pipeline_name"),
    _text("pipeline_yaml"),
    _text("pipeline_digest"),
    _text("report_layout"),
    _json("model"),
    Column("seed", WholeNumber, nullable=False),
    Column("keeps_identifiers", Boolean, nullable=False),
    _text("started"),
    _json("versions"),
    _json("environment"),
)

study = Table("study", metadata, _key("study"), _number("seconds"))

study_element = Table(
    "study_element",
    metadata,
    _key("study"),
    _key("keyword"),
    Column("position", Integer, nullable=False),
    _text("value"),
    _of_study(),
)

image = Table(
    "image",
    metadata,
    _key("study"),
    _key("image"),
    Column("position", Integer, nullable=False),
    _text("series"),
    Column("frame", Integer, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("columns", Integer, nullable=False),
    _text("transfer_syntax"),
    _text("decoder"),
    _text("display"),
    _text("pixel_sha256"),
    Column("row_direction", Text),
    Column("column_direction", Text),
    Column("pixel_spacing_row", Float),
    Column("pixel_spacing_column", Float),
    Column("imager_pixel_spacing_row", Float),
    Column("imager_pixel_spacing_column", Float),
    _json("notes"),
    _json("grid_map"),
    _number("slope"),
    _number("intercept"),
    Column("window_center", Float),
    Column("window_width", Float),
    Column("inverted", Boolean, nullable=False),
    _text("arrays_sha256"),
    Column("embedding", Text, nullable=False, server_default=""),
    _of_study(),
)

image_element = Table(
    "image_element",
    metadata,
    _key("study"),
    _key("image"),
    _key("keyword"),
    Column("position", Integer, nullable=False),
    _text("value"),
    _of_image(),
)

attribution = Table(
    "attribution",
    metadata,
    _key("study"),
    _key("image"),
    _place(),
    _text("prompt"),
    Column("kind", String, nullable=False),
    _text("finding"),
    Column("section", Text, nullable=False, server_default=""),
    Column("assertion", Text, nullable=False, server_default=""),
    _number("similarity"),
    _text("method"),
    _json("settings"),
    _json("grid_map"),
    _json("tokens"),
    _json("words"),
    _json("word_of_token"),
    _number("image_capacity_nats"),
    Column("image_seed", WholeNumber, nullable=False),
    _number("text_capacity_nats"),
    Column("text_seed", WholeNumber, nullable=False),
    Column("image_quantity", String, nullable=False, server_default="nats"),
    Column("image_residual", Float),
    Column("text_quantity", String, nullable=False, server_default="nats"),
    Column("text_residual", Float),
    Column("embedding", Text, nullable=False, server_default=""),
    _of_image(),
)

observation = Table(
    "observation",
    metadata,
    _key("study"),
    _key("image"),
    _place(),
    Column("source", String, nullable=False),
    _text("name"),
    _number("value"),
    _of_image(),
)

measurement = Table(
    "measurement",
    metadata,
    _key("study"),
    _key("image"),
    _place(),
    _text("check_name"),
    _text("quantity"),
    _number("value"),
    _text("subject"),
    _text("against"),
    _of_image(),
)

finding = Table(
    "finding",
    metadata,
    _key("study"),
    _key("image"),
    _place(),
    _text("check_name"),
    _text("quantity"),
    _number("value"),
    _text("subject"),
    _text("against"),
    _number("threshold"),
    Column("severity", String, nullable=False),
    _text("claim"),
    _text("limits"),
    _text("advice"),
    _of_image(),
)

curve = Table(
    "curve",
    metadata,
    _key("study"),
    _key("image"),
    _place(),
    _text("subject"),
    Column("walk", String, nullable=False),
    _json("share"),
    _json("own"),
    _json("random"),
    _json("constant"),
    _json("centre"),
    _of_image(),
)

# What was measured over all studies together: made anew whenever the audit goes on.
cohort = Table(
    "cohort", metadata, _place(), Column("studies", Integer, nullable=False), _number("level"), _json("notes")
)

cohort_measurement = Table(
    "cohort_measurement",
    metadata,
    _place(),
    Column("check_name", String, nullable=False),
    Column("quantity", String, nullable=False),
    _number("value"),
    _text("subject"),
    _text("against"),
    Column("members", Integer, nullable=False),
    Column("others", Integer, nullable=False),
    Column("low", Float),
    Column("high", Float),
    Column("p", Float),
    Column("q", Float),
    _json("examples"),
)

cohort_finding = Table(
    "cohort_finding",
    metadata,
    _place(),
    Column("measurement", Integer, nullable=False),
    _number("threshold"),
    Column("severity", String, nullable=False),
    _text("claim"),
    _text("limits"),
    _text("advice"),
    ForeignKeyConstraint(["measurement"], ["cohort_measurement.position"], ondelete="CASCADE"),
)

# ``study`` is no foreign key: a file may belong to a study that failed and has no row.
file = Table(
    "file",
    metadata,
    _key("code"),
    Column("path", FileName, nullable=False),
    Column("fate", String, nullable=False),
    _text("reason"),
    Column("study", String, nullable=False),
    _text("stage"),
    _text("error"),
    Index("file_by_study", "study"),
)
