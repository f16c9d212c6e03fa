"""Reviews on SQLite and on PostgreSQL: the same tests."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from medaudit.errors import ReviewConflictError, StoreError, UsageError
from medaudit.records.review import Answer, Decision, Meaning, Reason, Region, Review, Subject, Target
from medaudit.store import passphrase, review_schema
from medaudit.store.review_store import ReviewStore, Status

AUDIT = "a" * 32
RECORD = "b" * 64
TARGET = Target("image-1", Subject.FINDING, 0)


def review(text="", decision=Decision.AGREE, reader="reader", study="one"):
    answer = Answer(TARGET, decision, Reason.DEVICE, text)
    region = Region("image-1", ((1.5, 2.0), (1.5, 9.0), (7.25, 9.0)))
    return Review(study, reader, (answer,), (region,), "Grüße; 'quoted' \"both\" <script>")


@pytest.fixture(scope="module")
def server():
    """URL of a PostgreSQL that lives as long as this module, on a socket of its own."""
    if not (shutil.which("initdb") and shutil.which("pg_ctl")):
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        if not found:
            pytest.skip("no initdb on this machine: PostgreSQL is not installed")
        binaries = found[-1]
    else:
        binaries = Path(shutil.which("initdb")).parent
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    # PostgreSQL refuses to run as root.
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if user:
        shutil.chown(folder, "postgres")
    control = [*user, str(binaries / "pg_ctl"), "-D", str(folder / "data"), "-w"]
    quiet = {"stdout": subprocess.DEVNULL, "cwd": "/tmp"}  # noqa: S108 - postgres cannot read ours
    made = [str(binaries / "initdb"), "-D", str(folder / "data"), "-U", "reader", "-A", "trust", "--no-sync"]
    subprocess.run([*user, *made], check=True, **quiet)
    options = f"-c listen_addresses='' -c fsync=off -k {folder}"
    subprocess.run([*control, "-o", options, "-l", str(folder / "log"), "start"], check=True, **quiet)
    try:
        yield f"postgresql://reader@/postgres?host={folder}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, **quiet)
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request):
    """None for SQLite, else the URL of an empty PostgreSQL database."""
    if request.param == "sqlite":
        return None
    server = request.getfixturevalue("server")
    engine = sa.create_engine(server.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("DROP DATABASE IF EXISTS reviews"))
        connection.execute(sa.text("CREATE DATABASE reviews"))
    engine.dispose()
    return server.replace("/postgres?", "/reviews?")


@pytest.fixture
def opened(tmp_path, database):
    """Opens the same reviews again, as another process would."""
    with contextlib.ExitStack() as stack:
        yield lambda audit=AUDIT: stack.enter_context(ReviewStore.open(tmp_path, audit, database))


@pytest.fixture
def store(opened):
    return opened()


def sign(store, version, **other):
    given = {"printed_name": "Dr A. Reader", "meaning": Meaning.REVIEW, "record_sha256": RECORD}
    return store.sign("one", "reader", version, credential_kind="passphrase", **given | other)


def test_nothing_yet(store):
    begun = store.draft("one", "reader")
    assert (begun.review, begun.version, begun.status) == (Review("one", "reader"), 0, Status.OPEN)
    assert store.signed() == ()
    assert store.journal() == ()
    assert store.faults() == []


def test_a_draft_reads_back_equal_from_another_process(store, opened):
    saved = store.save(review("Ä, 日本"), 0)
    assert saved.version == 1
    assert saved.status is Status.DRAFT
    assert opened().draft("one", "reader") == saved
    assert saved.review == review("Ä, 日本")
    assert opened("c" * 32).draft("one", "reader").version == 0


def test_a_second_writer_is_told_and_nothing_is_lost(store, opened):
    store.save(review("first"), 0)
    other = opened()
    other.save(review("second"), 1)
    before = store.head()
    for version in (0, 1, 7):
        with pytest.raises(ReviewConflictError, match="changed in another window"):
            store.save(review("third"), version)
    assert store.head() == before
    assert store.draft("one", "reader").review == review("second")
    assert store.faults() == []


def test_writers_at_once_keep_one_chain(store, opened):
    errors = []

    def write(name):
        try:
            mine = opened()
            for version in range(5):
                mine.save(review(str(version), reader=name), version)
        except Exception as error:  # noqa: BLE001 - a thread's error would be lost
            errors.append(error)

    writers = [threading.Thread(target=write, args=(name,)) for name in ("first", "second", "third")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert errors == []
    assert [entry.number for entry in store.journal()] == list(range(1, 16))
    assert store.faults() == []


def test_sign_amend_and_read_every_edition(store):
    store.save(review(), 0)
    first, entry = sign(store, 1)
    assert (first.edition, first.printed_name, first.record_sha256) == (1, "Dr A. Reader", RECORD)
    assert first.signed_at.endswith("+00:00")
    assert store.head() == (entry.number, entry.digest)
    assert store.statuses("reader") == {"one": Status.SIGNED}
    assert store.save(review("more"), 1).status is Status.AMENDING
    with pytest.raises(UsageError, match="a reason, since this amends"):
        sign(store, 2)
    second, _ = sign(store, 2, amendment="a device was overlooked")
    assert store.signed("one") == (first, second)
    assert first.review == review()
    assert store.statuses("reader") == {"one": Status.SIGNED}
    assert store.faults((entry.digest,)) == []


def test_what_cannot_be_signed(store):
    with pytest.raises(UsageError, match="nothing was written"):
        sign(store, 0)
    store.save(review(), 0)
    with pytest.raises(ReviewConflictError):
        sign(store, 2)
    with pytest.raises(UsageError, match="printed name"):
        sign(store, 1, printed_name=" ")
    sign(store, 1)
    with pytest.raises(UsageError, match="nothing was written"):
        sign(store, 1)
    assert len(store.signed()) == 1


def test_passphrase(store):
    assert not store.has_passphrase("reader")
    with pytest.raises(UsageError, match="8 characters or more; got 5"):
        store.set_passphrase("reader", "short")
    store.set_passphrase("reader", "the first one")
    store.set_passphrase("reader", "correct horse")
    assert store.is_passphrase("reader", "correct horse")
    assert not store.is_passphrase("reader", "the first one")
    assert not store.is_passphrase("another", "correct horse")
    assert [entry.facts["action"] for entry in store.journal()] == ["passphrase", "passphrase", "refused", "refused"]
    assert store.faults() == []
    with store._engine.begin() as connection:
        (kept,) = connection.execute(sa.select(review_schema.credential.c.hashed)).scalars()
    assert "horse" not in kept
    assert kept != passphrase.hashed("correct horse")


def test_the_journal_keeps_no_words(store):
    store.save(review("a name that should not be here"), 0)
    assert "name" not in store.journal()[0].content


def test_migrations_lead_to_the_schema(store):
    with store._engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, review_schema.metadata) == []
    config = Config()
    config.set_main_option("script_location", "medaudit.store:review_migrations")
    found = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(found)) == review_schema.REVIEW_REVISIONS


def test_newer_schema_is_refused(store, opened):
    with store._engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'r9999'"))
    with pytest.raises(StoreError, match="schema r9999, this medaudit knows up to r0001"):
        opened()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://reader:secret@host/db", "in ~/.pgpass|into ~/.pgpass"),
        ("mysql://reader@host/db", "got one of mysql"),
        ("not a url", "expected postgresql://USER@HOST/NAME"),
    ],
)
def test_urls(tmp_path, url, said):
    with pytest.raises(UsageError, match=said) as caught:
        ReviewStore.open(tmp_path, AUDIT, url)
    assert "secret" not in str(caught.value)


def test_a_server_that_does_not_answer(tmp_path):
    with pytest.raises(StoreError, match="the database of the reviews cannot be opened"):
        ReviewStore.open(tmp_path, AUDIT, f"postgresql://reader@/none?host={tmp_path}")
    assert list(tmp_path.iterdir()) == []
