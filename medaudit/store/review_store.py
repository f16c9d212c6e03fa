"""ReviewStore: what readers write, in SQLite beside the audit or in PostgreSQL for several readers."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Self

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from medaudit.errors import ReviewConflictError, StoreError, UsageError
from medaudit.records.review import Meaning, Review, SignedReview
from medaudit.store import journal, passphrase
from medaudit.store.database import is_empty, refusing, revision, sqlite_engine, upgrade
from medaudit.store.journal import Entry, sha256
from medaudit.store.review_faults import content_faults
from medaudit.store.review_rows import from_review, from_signed, to_review, to_signed
from medaudit.store.review_schema import REVIEW_REVISIONS, credential, draft, signed
from medaudit.store.review_schema import journal as entry_table

_DATABASE = "reviews.sqlite"
_MIGRATIONS = "review_migrations"

# How many entries back a reader's own last one is looked for; more would be another day.
_BACK = 500


class Status(StrEnum):
    """How far a reader is with a study."""

    OPEN = "open"
    DRAFT = "draft"
    SIGNED = "signed"
    AMENDING = "being amended"


@dataclass(frozen=True, slots=True)
class Draft:
    """A review as it was last saved; ``version`` counts its changes from 1, 0 is one that was never saved."""

    review: Review
    version: int
    signed_version: int = 0

    @property
    def status(self) -> Status:
        """How far the reader is."""
        return _status(self.version, self.signed_version)


class ReviewStore:
    """The reviews of one audit. Every change goes with an entry of the journal in the same transaction.

    Parameters
    ----------
    engine
        The database; use :meth:`open`, which checks it first.
    audit
        Which audit, see :func:`medaudit.store.digest.audit_identity`.

    """

    def __init__(self, engine: sa.Engine, audit: str) -> None:
        self._engine = engine
        self.audit = audit

    @classmethod
    def open(cls, folder: Path, audit: str, database: str | None = None) -> Self:
        """Open the reviews of an audit; the tables are made if need be.

        Parameters
        ----------
        folder
            The audit folder; reviews lie in its ``reviews.sqlite`` unless a database is named.
        audit
            Which audit.
        database
            URL of a PostgreSQL database, without a password: libpq finds that in ``~/.pgpass``.

        Raises
        ------
        StoreError
            The database cannot be reached or is not one of medaudit.
        UsageError
            The URL is none of PostgreSQL, or holds a password.

        """
        engine = sqlite_engine(folder / _DATABASE) if database is None else postgresql_engine(database)
        name = _DATABASE if database is None else "the database of the reviews"
        try:
            with refusing(f"{name} cannot be opened"):
                if is_empty(engine) or revision(engine, REVIEW_REVISIONS, name) != REVIEW_REVISIONS[-1]:
                    upgrade(engine, _MIGRATIONS)
                try:
                    with engine.begin() as connection:
                        journal.begin(connection, audit)
                except IntegrityError:
                    pass  # another process made the head in the same instant
        except StoreError:
            engine.dispose()
            raise
        return cls(engine, audit)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def draft(self, study: str, reader: str) -> Draft:
        """What a reader has written on a study; an empty review of version 0 where there is none."""
        query = self._of(draft, study, reader)
        with self._reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            return Draft(Review(study, reader), 0)
        return Draft(to_review(row.content), row.version, row.signed_version)

    def save(self, review: Review, version: int) -> Draft:
        """Write a review over the version that it was made from.

        Raises
        ------
        ReviewConflictError
            The stored review is no longer of that version: nothing was written.

        """
        content = from_review(review)
        row = {"version": version + 1, "content": content}
        key = {"audit": self.audit, "study": review.study, "reader": review.reader}
        with self._writing("draft", review.reader, study=review.study, version=version + 1, sha256=sha256(content)) as (
            connection,
            _,
        ):
            written = sa.update(draft).filter_by(**key, version=version).values(row)
            if connection.execute(written).rowcount == 0:
                if version or connection.execute(sa.select(draft.c.version).filter_by(**key)).first():
                    raise ReviewConflictError(_changed_elsewhere(review.study))
                connection.execute(sa.insert(draft), {**key, **row, "signed_version": 0})
        return self.draft(review.study, review.reader)

    def sign(
        self,
        study: str,
        reader: str,
        version: int,
        *,
        printed_name: str,
        meaning: Meaning,
        record_sha256: str,
        credential_kind: str,
        amendment: str = "",
    ) -> tuple[SignedReview, Entry]:
        """Sign a saved review as it stands; the caller has asked for the credential again.

        Parameters
        ----------
        study, reader
            Whose review of what.
        version
            The version that the reader sees.
        printed_name, meaning
            Stand under the signature.
        record_sha256
            Digest of the audited study, see :meth:`medaudit.store.audit_store.AuditStore.study_digest`.
        credential_kind
            What was entered again: ``passphrase`` or ``login``.
        amendment
            Why an earlier signed edition is amended; required from the second on.

        Returns
        -------
        The signed review, and its entry in the journal, whose digest is the new head.

        Raises
        ------
        ReviewConflictError
            The review was changed since.
        UsageError
            There is nothing new to sign, no printed name, or no reason for an amendment.

        """
        now = self.draft(study, reader)
        edition = len(self.signed(study, reader)) + 1
        _check_signing(now, version, edition, printed_name, amendment)
        result = SignedReview(now.review, edition, printed_name.strip(), meaning, _now(), record_sha256, amendment)
        content = from_signed(result)
        facts = {"edition": edition, "version": version, "record": record_sha256, "credential": credential_kind}
        with self._writing("sign", reader, study=study, sha256=sha256(content), **facts) as (connection, entry):
            key = {"audit": self.audit, "study": study, "reader": reader}
            same = sa.update(draft).filter_by(**key, version=version).values(signed_version=version)
            if connection.execute(same).rowcount == 0:
                raise ReviewConflictError(_changed_elsewhere(study))
            connection.execute(sa.insert(signed), {**key, "edition": edition, "content": content})
        return result, entry

    def signed(self, study: str | None = None, reader: str | None = None) -> tuple[SignedReview, ...]:
        """Every signed edition, of one study or reader where given; by study, reader and edition."""
        query = self._of(signed, study, reader).order_by(signed.c.study, signed.c.reader, signed.c.edition)
        with self._reading() as connection:
            return tuple(to_signed(row.content) for row in connection.execute(query))

    def statuses(self, reader: str) -> Mapping[str, Status]:
        """How far a reader is, for every study that was begun."""
        query = sa.select(draft.c.study, draft.c.version, draft.c.signed_version).filter_by(
            audit=self.audit, reader=reader
        )
        with self._reading() as connection:
            return {row.study: _status(row.version, row.signed_version) for row in connection.execute(query)}

    def last_study(self, reader: str) -> str | None:
        """The study that a reader wrote on last; None where there is none."""
        query = sa.select(entry_table.c.content).filter_by(audit=self.audit)
        query = query.order_by(entry_table.c.number.desc()).limit(_BACK)
        with self._reading() as connection:
            told = [json.loads(content) for content in connection.execute(query).scalars()]
        return next((facts["study"] for facts in told if facts["reader"] == reader and "study" in facts), None)

    def set_passphrase(self, reader: str, text: str) -> None:
        """Keep the hash of a reader's passphrase in place of an earlier one."""
        stored = passphrase.hashed(text)
        key = {"audit": self.audit, "reader": reader}
        with self._writing("passphrase", reader, sha256=sha256(stored)) as (connection, _):
            connection.execute(sa.delete(credential).filter_by(**key))
            connection.execute(sa.insert(credential), {**key, "hashed": stored})

    def has_passphrase(self, reader: str) -> bool:
        """Whether a reader has one."""
        return self._hashed(reader) is not None

    def is_passphrase(self, reader: str, text: str) -> bool:
        """Whether this is the reader's passphrase; a refusal goes into the journal."""
        stored = self._hashed(reader)
        if stored is not None and passphrase.is_passphrase(text, stored):
            return True
        with self._writing("refused", reader):
            return False

    def journal(self) -> tuple[Entry, ...]:
        """The whole journal, oldest entry first."""
        with self._reading() as connection:
            return journal.entries(connection, self.audit)

    def head(self) -> tuple[int, str]:
        """Number and digest of the journal's last entry."""
        with self._reading() as connection:
            return journal.stated_head(connection, self.audit)

    def faults(self, kept: tuple[str, ...] = ()) -> list[str]:
        """What does not agree in the journal and in what it tells of, in sentences; empty where all does.

        ``kept`` are heads that were kept elsewhere. Rows are held against the journal only where its chain holds.
        """
        with self._reading() as connection:
            chain = journal.entries(connection, self.audit)
            faults = journal.chain_faults(self.audit, chain, journal.stated_head(connection, self.audit), kept)
            return faults or content_faults(connection, self.audit, chain)

    def _hashed(self, reader: str) -> str | None:
        with self._reading() as connection:
            query = sa.select(credential.c.hashed).filter_by(audit=self.audit, reader=reader)
            return connection.execute(query).scalar_one_or_none()

    def _of(self, table: sa.Table, study: str | None, reader: str | None) -> sa.Select[*tuple[object, ...]]:
        key = {"audit": self.audit, "study": study, "reader": reader}
        return sa.select(table).filter_by(**{name: value for name, value in key.items() if value is not None})

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with refusing("reviews cannot be read"), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _writing(self, action: str, reader: str, **facts: object) -> Iterator[tuple[sa.Connection, Entry]]:
        """A transaction that begins with its entry in the journal."""
        with refusing("the review cannot be written"), self._engine.begin() as connection:
            told = {"action": action, "reader": reader, "at": _now(), **facts}
            yield connection, journal.append(connection, self.audit, told)


def postgresql_engine(url: str) -> sa.Engine:
    """Engine on PostgreSQL by psycopg; the URL is never repeated in a message."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        msg = "--database: expected postgresql://USER@HOST/NAME"
        raise UsageError(msg) from error
    if parsed.get_backend_name() != "postgresql":
        msg = f"--database: expected postgresql://USER@HOST/NAME; got one of {parsed.get_backend_name()}"
        raise UsageError(msg)
    if parsed.password is not None:
        msg = (
            "--database: the URL holds a password, and every user of this machine can read a command line; "
            "leave it out and put it into ~/.pgpass, where PostgreSQL's own programs look for it"
        )
        raise UsageError(msg)
    try:
        return sa.create_engine(parsed.set(drivername="postgresql+psycopg"), hide_parameters=True, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        msg = "--database needs the extra postgresql: pip install 'medaudit[postgresql]'"
        raise UsageError(msg) from error


def _status(version: int, signed_version: int) -> Status:
    if not version:
        return Status.OPEN
    if not signed_version:
        return Status.DRAFT
    return Status.SIGNED if version == signed_version else Status.AMENDING


def _check_signing(now: Draft, version: int, edition: int, printed_name: str, amendment: str) -> None:
    if now.version != version:
        raise ReviewConflictError(_changed_elsewhere(now.review.study))
    problem = None
    if now.status in (Status.OPEN, Status.SIGNED):
        problem = "nothing was written since the last signature; change the review, then sign"
    elif not printed_name.strip():
        problem = "expected the printed name of who signs; got an empty one"
    elif edition > 1 and not amendment.strip():
        problem = "expected a reason, since this amends a signed review; got an empty one"
    if problem:
        msg = f"signature on study {now.review.study}: {problem}"
        raise UsageError(msg)


def _changed_elsewhere(study: str) -> str:
    return (
        f"your review of study {study} was changed in another window since this one read it; "
        "nothing was overwritten: choose which of the two to keep"
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
