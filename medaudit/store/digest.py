"""The digest of an audit: equal for two runs that found the same, however they went."""

import hashlib
import json
from pathlib import Path

import sqlalchemy as sa

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
