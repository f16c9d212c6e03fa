"""The journal: an append-only chain of hashes over everything that was done to reviews.

An entry's digest is SHA-256 over the digest before it and its own content, so that a change, a deletion or another
order breaks every later digest. Who can write the database can also write a whole new chain: the last digest, the
head, is printed with every signature so that it can be kept where no one can change it (on paper, in another system).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from medaudit.store.review_schema import head, journal

_SHORT = 12


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its number from 1, the digest before it, its content as canonical JSON, and its own digest."""

    number: int
    previous: str
    content: str
    digest: str

    @property
    def facts(self) -> Mapping[str, Any]:
        """The content as a mapping."""
        facts: Mapping[str, Any] = json.loads(self.content)
        return facts


def canonical(value: object) -> str:
    """JSON with sorted keys and no spaces: the same text for the same value. NaN is refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256(text: str) -> str:
    """Hexadecimal SHA-256 of UTF-8 text."""
    return hashlib.sha256(text.encode()).hexdigest()


def first_link(audit: str) -> str:
    """What stands before the first entry: it ties a chain to its audit."""
    return sha256(f"medaudit journal 1 of {audit}")


def linked(previous: str, number: int, content: str) -> str:
    """Digest of an entry."""
    return sha256(f"{previous}\n{number}\n{content}")


def begin(connection: sa.Connection, audit: str) -> None:
    """Make the head of an audit's chain; raises IntegrityError where another process was quicker."""
    if connection.execute(sa.select(head.c.number).where(head.c.audit == audit)).first() is None:
        connection.execute(sa.insert(head), {"audit": audit, "number": 0, "digest": first_link(audit)})


def append(connection: sa.Connection, audit: str, facts: Mapping[str, object]) -> Entry:
    """Add an entry; the first thing that a transaction does, since it makes other writers wait.

    The change of the head comes before any read: PostgreSQL locks its row, SQLite the database, so two writers
    append one after the other and none works on what is out of date.
    """
    of_audit = head.c.audit == audit
    connection.execute(sa.update(head).where(of_audit).values(number=head.c.number + 1))
    number, previous = connection.execute(sa.select(head.c.number, head.c.digest).where(of_audit)).one()
    content = canonical(facts)
    entry = Entry(number, previous, content, linked(previous, number, content))
    row = {"audit": audit, "number": number, "previous": previous, "content": content, "digest": entry.digest}
    connection.execute(sa.insert(journal), row)
    connection.execute(sa.update(head).where(of_audit).values(digest=entry.digest))
    return entry


def entries(connection: sa.Connection, audit: str) -> tuple[Entry, ...]:
    """The whole chain, oldest first."""
    query = sa.select(journal).where(journal.c.audit == audit).order_by(journal.c.number)
    return tuple(Entry(row.number, row.previous, row.content, row.digest) for row in connection.execute(query))


def stated_head(connection: sa.Connection, audit: str) -> tuple[int, str]:
    """Number and digest of the last entry as the head states them; ``(0, first link)`` of an empty journal."""
    found = connection.execute(sa.select(head.c.number, head.c.digest).where(head.c.audit == audit)).first()
    return (found.number, found.digest) if found else (0, first_link(audit))


def chain_faults(audit: str, chain: Sequence[Entry], stated: tuple[int, str], kept: Iterable[str] = ()) -> list[str]:
    """What is wrong with a chain, in sentences; empty where nothing is.

    Parameters
    ----------
    audit
        Which audit the chain is of.
    chain
        The entries, by number.
    stated
        Number and digest of the last entry, as the head states them.
    kept
        Heads that were kept elsewhere: each must be the digest of an entry.

    """
    faults, previous = [], first_link(audit)
    for expected, entry in enumerate(chain, 1):
        if entry.number != expected:
            faults.append(f"entry {expected} is missing: entry {entry.number} stands in its place")
            break
        if entry.previous != previous:
            faults.append(
                f"entry {entry.number} does not follow the entry before it: one was changed, moved or removed"
            )
        if linked(entry.previous, entry.number, entry.content) != entry.digest:
            faults.append(f"entry {entry.number} was changed: its content does not give its digest")
        previous = entry.digest
    last = (chain[-1].number, chain[-1].digest) if chain else (0, first_link(audit))
    if last != stated:
        faults.append(
            f"the journal ends at entry {last[0]}, its head states entry {stated[0]}: the end was cut or changed"
        )
    digests = {entry.digest for entry in chain}
    faults += [
        f"no entry has the head {digest[:_SHORT]}… that was kept: the end was cut, or the chain was written anew"
        for digest in kept
        if digest not in digests
    ]
    return faults
