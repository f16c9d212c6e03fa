"""The digest of an audit: equal for two runs that found the same, however they went."""

import hashlib
import json
from pathlib import Path

import sqlalchemy as sa

from medaudit.records.provenance import RunRecord
from medaudit.store import schema
from medaudit.store.arrays import array_path, read_arrays

# What differs between two runs that found the same: when, and how long.
_TIMES = {("run", "started"), ("study", "seconds")}


def audit_digest(connection: sa.Connection, folder: Path) -> str:
    """sha256 of every row but its times, and of every array.

    Rows are hashed as JSON with sorted keys, by table and key in code point order, so neither the order of writing
    nor the database's collation matters. Arrays enter by the fingerprint in their row, each held against its file.

    Raises
    ------
    StoreError
        An array file is missing or damaged.

    """
    digest = hashlib.sha256()
    for table in sorted(schema.metadata.tables.values(), key=lambda table: table.name):
        names = sorted(column.name for column in table.c if (table.name, column.name) not in _TIMES)
        keys = [column.name for column in table.primary_key]
        rows = connection.execute(sa.select(table)).mappings().all()
        for row in sorted(rows, key=lambda row: tuple(row[key] for key in keys)):
            line = json.dumps([table.name, {name: row[name] for name in names}], sort_keys=True)
            digest.update(line.encode() + b"\n")
            if table is schema.image:
                study, image = row["study"], row["image"]
                read_arrays(array_path(folder, study, image), row["arrays_sha256"], study, image)
    return digest.hexdigest()


def study_digest(connection: sa.Connection, study: str) -> str:
    """sha256 of one study's rows but its times, array fingerprints included: what a signature is bound to.

    A value that is its column's default is left out, so the digest outlives an upgrade of the schema, which gives
    every column that it adds a default. The array files themselves are held against their fingerprints on reading.
    """
    digest = hashlib.sha256()
    for table in sorted(schema.metadata.tables.values(), key=lambda table: table.name):
        if "study" not in table.c or table is schema.file:
            continue
        keys = [column.name for column in table.primary_key]
        rows = connection.execute(sa.select(table).where(table.c.study == study)).mappings().all()
        for row in sorted(rows, key=lambda row: tuple(row[key] for key in keys)):
            values = {
                column.name: row[column.name]
                for column in table.c
                if (table.name, column.name) not in _TIMES and row[column.name] != _default(column)
            }
            digest.update(json.dumps([table.name, values], sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def _default(column: sa.Column[object]) -> object:
    stated = column.server_default
    return stated.arg if isinstance(stated, sa.DefaultClause) else None


def audit_identity(run: RunRecord) -> str:
    """32 hexadecimal digits that tell an audit from any other, also where its folder is moved or it is resumed."""
    told = [run.started, run.pipeline_digest, dict(run.model.files), str(run.seed)]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]
