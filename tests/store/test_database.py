import subprocess
import sys

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from medaudit.errors import StoreError
from medaudit.store import database, schema
from medaudit.store.audit_store import AuditStore


def set_revision(store, revision):
    with store._engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :new"), {"new": revision})


def test_migrations_lead_to_the_schema(store):
    with store._engine.begin() as connection:
        assert (
            compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), schema.metadata) == []
        )


def test_revisions_are_those_of_the_migrations():
    config = Config()
    config.set_main_option("script_location", "medaudit.store:migrations")
    scripts = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(scripts)) == schema.REVISIONS


def test_newer_schema_is_refused(store):
    set_revision(store, "9999")
    with pytest.raises(StoreError, match=r"schema 9999, this medaudit knows up to .*newer medaudit; install"):
        AuditStore.open(store.folder)


def test_older_schema_is_upgraded(store, monkeypatch):
    asked = []
    monkeypatch.setattr(schema, "REVISIONS", (*schema.REVISIONS, "9999"))
    monkeypatch.setattr("medaudit.store.audit_store.upgrade", asked.append)
    AuditStore.open(store.folder).close()
    assert len(asked) == 1


def test_an_audit_of_the_first_schema_is_upgraded_and_read(store, build):
    audit = build.study("one")
    store.save_study(audit, [])
    with store._engine.begin() as connection:
        quantities = ("image_quantity", "image_residual", "text_quantity", "text_residual")
        for name in ("section", "assertion", *quantities, "embedding"):
            connection.execute(sa.text(f"ALTER TABLE attribution DROP COLUMN {name}"))
        connection.execute(sa.text("ALTER TABLE image DROP COLUMN embedding"))
        for name in ("observation", "cohort_finding", "cohort_measurement", "cohort", "curve"):
            connection.execute(sa.text(f"DROP TABLE {name}"))
    set_revision(store, "0001")
    store.close()
    with AuditStore.open(store.folder) as upgraded:
        assert upgraded.study("one").images[0].curves == ()
        read = upgraded.study("one").images[0].attributions
        assert [one.prompt for one in read] == [one.prompt for one in audit.images[0].attributions]
        assert all((one.prompt.section, one.prompt.assertion) == ("", None) for one in read)


def test_upgrade_is_one_transaction(tmp_path, monkeypatch):
    engine = database.sqlite_engine(tmp_path / "half.sqlite")

    def stop(connection, _cursor, statement, *_rest):
        if "CREATE TABLE measurement" in statement:
            raise KeyboardInterrupt

    sa.event.listen(engine, "before_cursor_execute", stop)
    with pytest.raises(KeyboardInterrupt):
        database.upgrade(engine)
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()


def test_a_foreign_database_is_refused(tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'audit.sqlite'}")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE patients (name TEXT)"))
    engine.dispose()
    with pytest.raises(StoreError, match="not one of medaudit"):
        AuditStore.open(tmp_path)


def test_opening_loads_neither_alembic_nor_a_model_library(store):
    code = (
        "import sys, pathlib; from medaudit.store.audit_store import AuditStore;"
        "AuditStore.open(pathlib.Path(sys.argv[1])).run();"
        "print({'alembic', 'torch', 'monai', 'pydicom', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, store.folder], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
