"""The tables of the reviews, in types that SQLite and PostgreSQL share; a database of their own.

Apart from the audit: an audit is never written by who reads it, and one PostgreSQL serves the readers of several
audits, told apart by ``audit`` (see :func:`medaudit.store.digest.audit_identity`). No row of ``signed`` and
``journal`` is ever changed; ``content`` is canonical JSON, whose SHA-256 the journal keeps.
"""

from sqlalchemy import Column, Integer, MetaData, String, Table, Text

REVIEW_REVISIONS = ("r0001",)
"""Every schema of reviews that ever was, oldest first. See review_migrations/versions."""

metadata = MetaData()


def _key(name: str) -> Column[str]:
    return Column(name, String, primary_key=True)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _count(name: str, *, key: bool = False) -> Column[int]:
    return Column(name, Integer, primary_key=key, autoincrement=False, nullable=False)


draft = Table(
    "draft",
    metadata,
    _key("audit"),
    _key("study"),
    _key("reader"),
    _count("version"),
    _count("signed_version"),
    _text("content"),
)
"""What a reader has written so far. ``version`` counts its changes; ``signed_version`` is the one last signed, or 0."""

signed = Table(
    "signed", metadata, _key("audit"), _key("study"), _key("reader"), _count("edition", key=True), _text("content")
)

credential = Table("credential", metadata, _key("audit"), _key("reader"), _text("hashed"))

journal = Table(
    "journal", metadata, _key("audit"), _count("number", key=True), _text("previous"), _text("content"), _text("digest")
)

head = Table("journal_head", metadata, _key("audit"), _count("number"), _text("digest"))
"""The end of the chain. Whoever appends changes this row first, so two writers wait for each other."""
