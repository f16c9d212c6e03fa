"""One place that makes engines, and the life of a schema: create, check, upgrade.

Checking a version is one query; Alembic (0.4 s to import) is loaded only to create or upgrade.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from medaudit.errors import StoreError
from medaudit.store.schema import REVISIONS

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

# Long enough for a reader to wait out the transaction of one study.
_BUSY_SECONDS = 30


def sqlite_engine(path: Path) -> sa.Engine:
    """Engine on an SQLite file: WAL, foreign keys on, real transactions, no parameters in error messages."""
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        connect_args={"timeout": _BUSY_SECONDS},
        json_serializer=partial(json.dumps, allow_nan=False),
        hide_parameters=True,
    )
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: "DBAPIConnection", _record: "ConnectionPoolEntry") -> None:
    # The driver's own transactions leave out schema changes and reads; _begin opens every one instead.
    connection.isolation_level = None
    # SQLite's own lower() knows ASCII alone.
    connection.create_function("casefold", 1, str.casefold, deterministic=True)
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA journal_mode = WAL")
    # FULL: a study that was reported as finished survives a power cut, and a study takes seconds anyway.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Turn a failure of the database or the disk into a StoreError that says what could not be done."""
    try:
        yield
    except SQLAlchemyError as error:
        # The driver's words alone: they name tables and conditions, never the values of a row.
        reason = getattr(error, "orig", None) or type(error).__name__
        msg = f"{what}: {type(error).__name__}: {reason}"
        raise StoreError(msg) from error
    except OSError as error:
        msg = f"{what}: {error.strerror or type(error).__name__}"
        raise StoreError(msg) from error
    except UnicodeEncodeError as error:
        msg = f"{what}: a text holds a character that is no Unicode (U+{ord(error.object[error.start]):04X})"
        raise StoreError(msg) from error


def revision(engine: sa.Engine, known: Sequence[str] = REVISIONS, name: str = "audit.sqlite") -> str:
    """Which of the ``known`` revisions a database has; StoreError where it is not one that this medaudit knows."""
    with engine.begin() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            msg = f"{name} is a database, but not one of medaudit; choose another folder"
            raise StoreError(msg)
        found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one()
    if found not in known:
        msg = (
            f"{name} has schema {found}, this medaudit knows up to {known[-1]}: "
            "it was made by a newer medaudit; install that version to open it"
        )
        raise StoreError(msg)
    return str(found)


def is_empty(engine: sa.Engine) -> bool:
    """Whether a database holds no table at all."""
    with engine.begin() as connection:
        return not sa.inspect(connection).get_table_names()


def upgrade(engine: sa.Engine, migrations: str = "migrations") -> None:
    """Bring a database, an empty one included, to the newest schema; in one transaction.

    ``migrations`` is the folder of the scripts beside this module.
    """
    from alembic import command  # noqa: PLC0415 - 0.4 s that only creating and upgrading pay
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / migrations))
    with engine.begin() as connection:
        attributes: dict[str, Any] = config.attributes
        attributes["connection"] = connection
        command.upgrade(config, "head")
