import dataclasses

import numpy as np
import pytest
import sqlalchemy as sa

from medaudit.records import FileFate, FileRecord, ReadingCopy
from medaudit.store import schema
from medaudit.store.audit_store import AuditStore

# One value of another kind for every column type, to change a row by.
OTHER = {"VARCHAR": "other", "TEXT": "other", "FLOAT": 0.123, "INTEGER": 77, "BOOLEAN": None, "JSON": ["other"]}
REFERRED_TO = {
    ("study", "study"),
    ("image", "image"),
    ("cohort_measurement", "position"),
}  # their foreign keys forbid the change
TIMES = {("run", "started"), ("study", "seconds")}
CHANGEABLE = [
    (table.name, column.name)
    for table in schema.metadata.sorted_tables
    for column in table.c
    if not column.foreign_keys and column.name != "arrays_sha256" and (table.name, column.name) not in REFERRED_TO
]


def write(folder, build, codes, run=None):
    with AuditStore.create(folder, run or build.run()) as store:
        for code in codes:
            store.save_study(build.study(code, seconds=float(np.random.default_rng().uniform(1, 9))), build.files(code))
        return store.digest()


def test_order_and_times_do_not_matter(tmp_path, build):
    one = write(tmp_path / "one", build, ["a", "b", "c"])
    other = write(tmp_path / "other", build, ["c", "a", "b"], build.run(started="2031-12-31T23:59:59+00:00"))
    assert one == other


def test_digest_is_of_this_content_alone(tmp_path, build):
    digests = {write(tmp_path / "ab", build, ["a", "b"]), write(tmp_path / "a", build, ["a"])}
    assert len(digests) == 2
    assert all(len(digest) == 64 for digest in digests)


@pytest.mark.parametrize(("table", "column"), CHANGEABLE)
def test_every_column_counts_but_the_times(filled, table, column):
    before = filled.digest()
    found = schema.metadata.tables[table]
    kind = found.c[column].type
    with filled._engine.begin() as connection:
        key = connection.execute(sa.select(*found.primary_key).limit(1)).one()
        old = connection.execute(sa.select(found.c[column]).limit(1)).scalar_one()
        if isinstance(kind, schema.WholeNumber):
            new = old + 1
        elif isinstance(kind, schema.FileName):
            new = "other"
        else:
            new = (not old) if isinstance(kind, sa.Boolean) else OTHER[str(kind)]
        where = [name == value for name, value in zip(found.primary_key, key, strict=True)]
        connection.execute(sa.update(found).where(*where).values({column: new}))
    assert (filled.digest() == before) == ((table, column) in TIMES)


def test_one_pixel_counts(tmp_path, build):
    def digest(folder, audit):
        with AuditStore.create(folder, build.run()) as store:
            store.save_study(audit, ())
            return store.digest()

    audit = build.study("a", images=1)
    shown = audit.images[0].reading_copy.shown.copy()
    shown[3, 4] ^= 1
    image = dataclasses.replace(audit.images[0], reading_copy=ReadingCopy(shown))
    kept = dataclasses.replace(audit.images[0], reading_copy=ReadingCopy(audit.images[0].reading_copy.shown))
    one, other = (
        digest(tmp_path / name, dataclasses.replace(audit, images=(changed,)))
        for name, changed in (("one", kept), ("other", image))
    )
    assert one != other


def test_files_count(filled):
    before = filled.digest()
    filled.save_files([FileRecord("new", "new.dcm", FileFate.NOT_DICOM)])
    assert filled.digest() != before
