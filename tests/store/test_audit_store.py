import dataclasses

import pytest
import sqlalchemy as sa

from medaudit.errors import StoreError
from medaudit.records import FileFate, FileRecord, Severity, StudyAudit, StudyRecord
from medaudit.store import audit_store as module
from medaudit.store.audit_store import AuditStore


def pragma(store, name):
    with store._engine.connect() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


def test_sqlite_guards_the_rows(store):
    assert pragma(store, "foreign_keys") == 1
    assert pragma(store, "journal_mode") == "wal"
    assert pragma(store, "synchronous") == 2  # FULL


def test_foreign_keys_are_enforced(store):
    orphan = {"study": "nobody", "keyword": "Modality", "position": 0, "value": "CR"}
    with pytest.raises(sa.exc.IntegrityError), store._engine.begin() as connection:
        connection.execute(sa.insert(module.schema.study_element), orphan)


def test_create_twice_is_refused(store, build):
    with pytest.raises(StoreError, match=r"already holds an audit.*--resume.*another folder"):
        AuditStore.create(store.folder, build.run())


def test_create_leaves_nothing_half_made(tmp_path, build, monkeypatch):
    full = sa.exc.OperationalError("", {}, Exception("disk full"))

    def fail(_engine):
        raise full

    with monkeypatch.context() as patch:
        patch.setattr(module, "upgrade", fail)
        with pytest.raises(StoreError, match="disk full"):
            AuditStore.create(tmp_path, build.run())
    assert not AuditStore.exists(tmp_path)
    with AuditStore.create(tmp_path, build.run()) as store:
        assert store.run() == build.run()
    assert [path.name for path in tmp_path.iterdir()] == ["audit.sqlite"]


def test_open_without_an_audit(tmp_path):
    with pytest.raises(StoreError, match=r"holds no audit \(audit.sqlite is missing\)"):
        AuditStore.open(tmp_path)


def test_open_something_else(tmp_path):
    (tmp_path / "audit.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match="file is not a database"):
        AuditStore.open(tmp_path)


def test_finished_and_study_codes(filled):
    assert filled.finished() == {"calm", "grave", "bland"}
    with pytest.raises(StoreError, match="no study nobody"):
        filled.study("nobody")
    with pytest.raises(StoreError, match="no image image-9 in study calm"):
        filled.image("calm", "image-9")


def test_a_result_is_written_once(filled, build):
    before = filled.digest()
    with pytest.raises(StoreError, match="study calm is in this audit already"):
        filled.save_study(build.study("calm", images=1), ())
    assert filled.digest() == before


def test_images_must_belong_to_the_study(store, build):
    image = build.image("other", "image-0")
    for images in ((image,), (build.image("mine", "same"), build.image("mine", "same"))):
        with pytest.raises(StoreError, match="expected images of this study, each with a code of its own"):
            store.save_study(StudyAudit(StudyRecord("mine"), images), ())
    assert store.finished() == frozenset()


@pytest.mark.parametrize("code", ["../out", "a/b", "", ".hidden", "a\\b", "C:", "x" * 129])
def test_codes_that_are_no_file_names(store, build, code):
    with pytest.raises(StoreError, match="expected 1 to 128 characters"):
        store.save_study(build.study(code), ())
    assert store.finished() == frozenset()


def test_a_study_that_cannot_be_written_leaves_no_rows(store, build):
    audit = build.study("S1")
    broken = dataclasses.replace(audit.images[1].attributions[0], settings={"beta": float("nan")})
    image = dataclasses.replace(audit.images[1], attributions=(broken,))
    with pytest.raises(StoreError, match="study S1 cannot be written"):
        store.save_study(dataclasses.replace(audit, images=(audit.images[0], image)), build.files("S1"))
    assert store.finished() == frozenset()
    assert store.files() == ()
    store.save_study(audit, build.files("S1"))
    assert store.finished() == {"S1"}


def test_files_replace_by_code(store):
    store.save_files([FileRecord("f2", "b", FileFate.FAILED, "why"), FileRecord("f1", "a", FileFate.AUDITED)])
    store.save_files([FileRecord("f2", "b", FileFate.AUDITED)])
    assert [(file.code, file.fate) for file in store.files()] == [("f1", FileFate.AUDITED), ("f2", FileFate.AUDITED)]
    assert store.files(FileFate.FAILED) == ()


def test_lost_arrays_are_named_and_audited_again(filled, build, equal):
    (filled.folder / "arrays/calm/image-1.npz").unlink()
    with pytest.raises(StoreError, match=r"study calm, image image-1: .* is missing; .*--resume"):
        filled.study("calm")
    with pytest.raises(StoreError, match="missing"):
        filled.digest()
    assert filled.finished() == {"grave", "bland"}
    filled.save_study(build.study("calm"), build.files("calm"))
    assert equal(filled.study("calm"), build.study("calm"))


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut short", None])
def test_damaged_arrays(filled, damage):
    path = filled.folder / "arrays/calm/image-1.npz"
    other = filled.folder / "arrays/calm/image-0.npz"
    path.write_bytes(other.read_bytes() if damage is None else damage)
    with pytest.raises(StoreError, match=r"study calm, image image-1: .*delete that file .*--resume"):
        filled.image("calm", "image-1")
    assert filled.image("calm", "image-0").record.image == "image-0"


def test_errors_tell_no_values(store):
    name = "DOE^JANE.dcm"
    with pytest.raises(StoreError) as raised:
        store.save_files([FileRecord("f1", name, FileFate.FAILED, None)])  # type: ignore[arg-type]
    assert "NOT NULL constraint failed: file.reason" in str(raised.value)
    assert name not in str(raised.value)
    assert name not in str(raised.value.__cause__)


def test_a_reader_sees_what_another_process_wrote(store, build):
    with AuditStore.open(store.folder) as reader:
        assert reader.worklist() == ()
        store.save_study(build.study("S1", findings=(Severity.NOTE,)), ())
        assert reader.finished() == {"S1"}
        assert reader.study("S1").record == build.study("S1").record
