"""Whether drafts, signatures and passphrases are those that the journal tells of."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from medaudit.store.journal import Entry, sha256
from medaudit.store.review_schema import credential, draft, signed

Told = dict[tuple[object, ...], Mapping[str, Any]]


def content_faults(connection: sa.Connection, audit: str, chain: Sequence[Entry]) -> list[str]:
    """What a row says otherwise than the last entry about it, in sentences; empty where all agree."""
    drafts, signatures, passphrases = _told(chain)
    faults = _compare(
        "draft of {1} on study {0}",
        {(row.study, row.reader): row.content for row in _rows(connection, draft, audit)},
        drafts,
    )
    faults += _compare(
        "signed edition {2} of {1} on study {0}",
        {(row.study, row.reader, row.edition): row.content for row in _rows(connection, signed, audit)},
        signatures,
    )
    faults += _compare(
        "passphrase of {0}", {(row.reader,): row.hashed for row in _rows(connection, credential, audit)}, passphrases
    )
    versions = {(facts["study"], facts["reader"]): facts["version"] for facts in signatures.values()}
    for row in _rows(connection, draft, audit):
        key = (row.study, row.reader)
        told = (drafts.get(key, {}).get("version"), versions.get(key, 0))
        if (row.version, row.signed_version) != told:
            faults.append(f"draft of {row.reader} on study {row.study}: its version is not the one in the journal")
    return faults


def _told(chain: Sequence[Entry]) -> tuple[Told, Told, Told]:
    """The last entry about every draft, signature and passphrase."""
    drafts: Told = {}
    signatures: Told = {}
    passphrases: Told = {}
    for entry in chain:
        facts = entry.facts
        if facts["action"] == "draft":
            drafts[facts["study"], facts["reader"]] = facts
        elif facts["action"] == "sign":
            signatures[facts["study"], facts["reader"], facts["edition"]] = facts
        elif facts["action"] == "passphrase":
            passphrases[(facts["reader"],)] = facts
    return drafts, signatures, passphrases


def _compare(name: str, kept: Mapping[tuple[object, ...], str], told: Told) -> list[str]:
    faults = [f"{name.format(*key)} is gone, the journal tells of it" for key in told if key not in kept]
    for key, content in kept.items():
        if key not in told:
            faults.append(f"{name.format(*key)} is not in the journal")
        elif sha256(content) != told[key]["sha256"]:
            faults.append(f"{name.format(*key)} was changed: it does not give the digest in the journal")
    return faults


def _rows(connection: sa.Connection, table: sa.Table, audit: str) -> Sequence[sa.Row[Any]]:
    return connection.execute(sa.select(table).where(table.c.audit == audit)).all()
