"""The lease: one driver a study at a time, held in the database and renewed while it runs.

Each driver has an incarnation, a number that the next one raises. It is looked up inside the commit
of every transaction on the holder's engine, Optuna's included, so that a driver that was stopped,
and comes back after another took over, writes nothing more.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, Literal, cast

from sqlalchemy import Connection, Engine, event, func, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from nas.base.errors import StudyHeld
from nas.store.schema import LeaseRow

RENEWED_EVERY = 2.0
EXPIRES_AFTER = 60.0
"""Seconds. A driver on this machine whose process is gone has let go at once."""
MOST = 2**31 - 1
"""The highest number that a process can have."""


Stop = Literal["drain", "now"]
"""How a driver is asked to stop: when the trials under way are over, or at once."""


class Lease:
    """The right to drive a study, from `take` to `release`; `stop` is what was asked of the driver
    when the lease was last renewed."""

    def __init__(self, engine: Engine, full_name: str) -> None:
        self.engine, self.full_name = engine, full_name
        self.incarnation = 0
        self.stop: Stop | None = None

    def take(self) -> None:
        """Takes the lease, or raises StudyHeld when another driver is alive."""
        own = {"host": socket.gethostname(), "process": os.getpid()}
        with self.engine.begin() as connection:
            known, now = _row(connection, self.full_name), _now(connection)
            if known is not None and alive(known, now):
                raise StudyHeld(held_by(known, now) + "; wait until it ends, or stop it first")
        before = known.incarnation if known else 0
        self.incarnation = before + 1 if _is_number(before) else 1
        own |= {"incarnation": self.incarnation, "renewed": now, "stop": None}
        # Whoever changes the row that was seen, or makes the first one, has it; the other has not.
        try:
            with self.engine.begin() as connection:
                if known is None:
                    first = insert(LeaseRow).values(full_name=self.full_name, **own)
                    connection.execute(first)
                elif not _changed(connection, self.full_name, before, **own):
                    raise StudyHeld(f"another driver took {self.full_name} at the same time")
        except IntegrityError:
            raise StudyHeld(f"another driver took {self.full_name} at the same time") from None
        event.listen(self.engine, "commit", self.require)

    def require(self, connection: Connection) -> None:
        """Raises StudyHeld, and so undoes the transaction, when another driver has taken over."""
        held = select(LeaseRow.incarnation).where(LeaseRow.full_name == self.full_name)
        # A server's row is locked until the commit, so that no other takes over in between; a
        # SQLite file that is written has one writer anyway.
        if connection.scalar(held.with_for_update(read=True)) != self.incarnation:
            raise StudyHeld(
                f"another driver took {self.full_name} over while this one was not heard of for "
                f"{EXPIRES_AFTER:g} seconds; it goes on there"
            )

    def renew(self) -> None:
        """Says that this driver is alive, and hears what is asked of it."""
        with self.engine.begin() as connection:
            now = _now(connection)
            _changed(connection, self.full_name, self.incarnation, renewed=now)
            row = _row(connection, self.full_name)
        self.stop = cast("Stop | None", row and row.stop)

    def release(self) -> None:
        """Gives the lease back, if it is still this driver's."""
        try:
            with self.engine.begin() as connection:
                _changed(connection, self.full_name, self.incarnation, process=None)
        finally:
            event.remove(self.engine, "commit", self.require)


@contextmanager
def hold(engine: Engine, full_name: str) -> Generator[Lease]:
    """Holds a study's lease, renewed by a thread, until the block ends."""
    lease = Lease(engine, full_name)
    lease.take()
    done = threading.Event()

    def renew() -> None:
        while not done.wait(RENEWED_EVERY):
            # A database that is away, or a lease that is lost, is the writer's to report.
            with suppress(SQLAlchemyError, StudyHeld):
                lease.renew()

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        done.set()
        thread.join()
        with suppress(SQLAlchemyError, StudyHeld):
            lease.release()


def driver(engine: Engine, full_name: str) -> str | None:
    """Who runs a study now, in words; None when nobody does."""
    with engine.begin() as connection:
        row, now = _row(connection, full_name), _now(connection)
    return held_by(row, now) if row is not None and alive(row, now) else None


def ask_to_stop(engine: Engine, full_name: str, how: Stop) -> str | None:
    """Asks the driver of a study to stop, wherever it is; who it is, None when there is none."""
    with engine.begin() as connection:
        row, now = _row(connection, full_name), _now(connection)
        if row is None or not alive(row, now):
            return None
        _changed(connection, full_name, row.incarnation, stop=how)
    return held_by(row, now)


def held_by(row: LeaseRow, now: float) -> str:
    """The holder of a lease, in words."""
    where = f"process {row.process} on {row.host}"
    return f"{row.full_name} is being run by {where}, heard of {now - row.renewed:.0f} s ago"


def alive(row: LeaseRow, now: float) -> bool:
    """Whether the holder of a lease may still be at work; not one whose row is damaged: no process
    has its number, or it is heard of in time to come."""
    process: Any = row.process
    if not _is_number(process) or not 0 < process <= MOST:
        return False
    if not _is_number(row.renewed) or not abs(now - row.renewed) <= EXPIRES_AFTER:
        return False
    if row.host != socket.gethostname():
        return True
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _now(connection: Connection) -> float:
    """Seconds since 1970 by the database's clock: those of two drivers may differ."""
    if connection.dialect.name == "sqlite":
        return time.time()
    clock = select(func.extract("epoch", func.clock_timestamp()))
    return float(connection.scalar(clock) or 0)


def _row(connection: Connection, full_name: str) -> LeaseRow | None:
    table = LeaseRow.__table__
    found = connection.execute(select(table).where(LeaseRow.full_name == full_name)).first()
    return LeaseRow(**found._mapping) if found else None


def _changed(connection: Connection, full_name: str, incarnation: int, /, **values: object) -> bool:
    """Changes the row of an incarnation; whether it is still there."""
    own = (LeaseRow.full_name == full_name, LeaseRow.incarnation == incarnation)
    changed = connection.execute(
        update(LeaseRow).where(*own).values(**values).returning(LeaseRow.full_name)
    )
    return changed.first() is not None
