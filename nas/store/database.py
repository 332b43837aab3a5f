"""The database behind a URL: opened, its tables made, and its errors in words for the user."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy import (
    Engine,
    MetaData,
    Table,
    create_engine,
    event,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from nas.base.errors import StorageError
from nas.store.schema import SCHEMA, Base, SchemaRow

OPTUNAS, LAST = ("version_info", "alembic_version"), "trial_user_attributes"
"""Tables of Optuna's whose names do not begin like the others', and one that shows it is there."""
MAKING = 5
"""Attempts to make the tables of a new database."""
LET_GO = "-c idle_in_transaction_session_timeout=60s"
"""A server undoes what a driver had begun when it was stopped, so that another can take over."""

WAYS_OUT = {
    "unable to open": "its folder must exist, and both must be yours to write",
    "readonly": "make it writable, or give another --storage",
    "read-only": "make it writable, or give another --storage",
    "disk is full": "free some space, and the same command goes on",
    "no space": "free some space, and the same command goes on",
    "locked": "another program holds it; wait, and the same command goes on",
    "malformed": "it is damaged: restore it from a copy, or give another --storage",
    "not a database": "give another --storage",
    "does not exist": "make it (`createdb NAME`), or give another --storage",
    "refused": "start the server, or give another --storage",
    "authentication": "put the password into ~/.pgpass",
}
"""What a database's own words mean for the user."""


@contextmanager
def connect(url: str) -> Generator[RDBStorage]:
    """Opens a database, a new one if need be; StorageError when it is, or gets, out of reach, or
    is not one of ours."""
    try:
        storage = _open(url)
    except (SQLAlchemyError, StorageInternalError, RuntimeError, ImportError) as error:
        raise out_of_reach(url, error) from error
    try:
        yield storage
    except (SQLAlchemyError, StorageInternalError) as error:
        raise out_of_reach(url, error) from error
    finally:
        storage.remove_session()
        storage.engine.dispose()


def out_of_reach(url: str, error: Exception) -> StorageError:
    """The StorageError that says what a database's error means, without the URL's password."""
    cause: BaseException = error
    while not isinstance(cause, DBAPIError) and cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, DBAPIError) and cause.orig is not None:
        cause = cause.orig
    said = (str(cause).splitlines() or [type(cause).__name__])[0]
    hint = next((hint for words, hint in WAYS_OUT.items() if words in said.lower()), None)
    way_out = f"; {hint}" if hint else ""
    return StorageError(f"the database {shown(url)} is out of reach: {said}{way_out}")


def shown(url: str) -> str:
    """A database's URL without its password."""
    return make_url(url).set(query={}).render_as_string(hide_password=True)


def exists(url: str) -> bool:
    """Whether our tables are at a URL; StorageError where it is out of reach or foreign."""
    parts = make_url(url)
    file = parts.get_backend_name() == "sqlite" and not parts.query and parts.database
    if file and not Path(file).exists():
        return False
    try:
        return _ours(url)
    except (SQLAlchemyError, ImportError) as error:
        raise out_of_reach(url, error) from error


def _open(url: str) -> RDBStorage:
    _ours(url)
    for attempt in range(MAKING):
        try:
            return _made(url)
        except (SQLAlchemyError, RuntimeError):
            # Two that make the tables of a new database at once: one of them finds them made.
            if attempt == MAKING - 1:
                raise
            time.sleep(0.2 * (attempt + 1))
    raise AssertionError


def _made(url: str) -> RDBStorage:
    server = make_url(url).get_backend_name() == "postgresql"
    storage = RDBStorage(url, {"connect_args": {"options": LET_GO}} if server else None)
    if storage.engine.dialect.name == "sqlite":
        event.listen(storage.engine, "connect", _tune_sqlite)
        storage.engine.dispose()
    Base.metadata.create_all(storage.engine)
    _widen(storage.engine)
    with Session(storage.engine) as session, session.begin():
        if session.scalar(select(SchemaRow.version)) is None:
            session.add(SchemaRow(version=SCHEMA))
    return storage


def _widen(engine: Engine) -> None:
    """Gives the tables of a database of before the columns that came later."""
    for table in Base.metadata.sorted_tables:
        have = {column["name"] for column in inspect(engine).get_columns(table.name)}
        for column in table.columns:
            if column.name not in have:
                kind = column.type.compile(engine.dialect)
                added = text(f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}")
                with engine.begin() as connection:
                    connection.execute(added)


def _ours(url: str) -> bool:
    """Whether a database has our tables; StorageError, before anything is written, where it is
    another program's or of another version."""
    engine = create_engine(url)
    try:
        tables = _tables(engine)
        for attempt in range(MAKING):
            if LAST in tables or not tables or not all(map(_is_optunas, tables)):
                break
            # Another process is making the tables just now.
            time.sleep(0.2 * (attempt + 1))
            tables = _tables(engine)
        if SchemaRow.__tablename__ in tables:
            with Session(engine) as session:
                found = session.scalar(select(SchemaRow.version))
            if found not in (None, SCHEMA):
                raise StorageError(
                    f"the database {shown(url)} has schema {found}, this version reads {SCHEMA}; "
                    "use the version that wrote it, or another --storage"
                )
            return True
        if tables and LAST not in tables and not _half_made(engine, tables):
            some = ", ".join(sorted(tables)[:3])
            raise StorageError(
                f"the database {shown(url)} is another program's: it has the tables {some}; "
                "nothing was written; give another --storage"
            )
        return False
    finally:
        engine.dispose()


def _half_made(engine: Engine, tables: set[str]) -> bool:
    """Whether somebody was killed while making these tables: all are Optuna's, and empty."""
    if not all(map(_is_optunas, tables)):
        return False
    with engine.connect() as connection:
        asked = select(text("1")).limit(1)
        filled = (asked.select_from(Table(name, MetaData())) for name in tables - {*OPTUNAS})
        return not any(connection.scalar(rows) for rows in filled)


def _tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def _is_optunas(table: str) -> bool:
    return table.startswith(("studies", "study_", "trial")) or table in OPTUNAS


def _tune_sqlite(connection: Any, _: Any) -> None:
    # Write-ahead logging: readers never wait for the writer, and a killed process loses nothing.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA busy_timeout=30000")
