"""The lease: one driver a study at a time, held in the database and renewed while it runs."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from nas.errors import StudyHeld
from nas.schema import LeaseRow

RENEWED_EVERY = 10.0
EXPIRES_AFTER = 60.0
"""Seconds. A driver on this machine whose process is gone has let go at once."""


class Lease:
    """The right to drive a study; `check` raises StudyHeld once another driver has taken it."""

    def __init__(self, engine: Engine, full_name: str) -> None:
        self.engine, self.full_name = engine, full_name
        self.token = uuid.uuid4().hex
        self.lost = threading.Event()

    def take(self) -> None:
        """Takes the lease, or raises StudyHeld when another driver is alive."""
        own = {
            "token": self.token,
            "host": socket.gethostname(),
            "process": os.getpid(),
            "renewed": time.time(),
        }
        with Session(self.engine) as session, session.begin():
            known = session.get(LeaseRow, self.full_name)
            if known is not None and alive(known):
                raise StudyHeld(held_by(known) + "; wait until it ends, or stop it first")
            seen = known.token if known else None
        # Whoever changes the row that was seen, or makes the first one, has it; the other has not.
        try:
            with Session(self.engine) as session, session.begin():
                if seen is None:
                    session.add(LeaseRow(full_name=self.full_name, **own))
                else:
                    changed = session.execute(
                        update(LeaseRow)
                        .where(LeaseRow.full_name == self.full_name, LeaseRow.token == seen)
                        .values(**own)
                        .returning(LeaseRow.token)
                    )
                    if changed.first() is None:
                        raise StudyHeld(f"another driver took {self.full_name} at the same time")
        except IntegrityError:
            raise StudyHeld(f"another driver took {self.full_name} at the same time") from None

    def check(self) -> None:
        """Raises StudyHeld when another driver has taken the study over."""
        if self.lost.is_set():
            raise StudyHeld(
                f"another driver took {self.full_name} over while this one was not heard of for "
                f"{EXPIRES_AFTER:g} seconds; it goes on there"
            )

    def renew(self) -> None:
        """Says that this driver is alive."""
        with Session(self.engine) as session, session.begin():
            changed = session.execute(
                update(LeaseRow)
                .where(LeaseRow.full_name == self.full_name, LeaseRow.token == self.token)
                .values(renewed=time.time())
                .returning(LeaseRow.token)
            )
            if changed.first() is None:
                self.lost.set()

    def release(self) -> None:
        """Gives the lease back, if it is still this driver's."""
        with Session(self.engine) as session, session.begin():
            session.execute(
                delete(LeaseRow).where(
                    LeaseRow.full_name == self.full_name, LeaseRow.token == self.token
                )
            )


@contextmanager
def hold(engine: Engine, full_name: str) -> Generator[Lease]:
    """Holds a study's lease, renewed by a thread, until the block ends."""
    lease = Lease(engine, full_name)
    lease.take()
    done = threading.Event()

    def renew() -> None:
        while not done.wait(RENEWED_EVERY):
            # A database that is away for a moment is the writer's to report.
            with suppress(SQLAlchemyError):
                lease.renew()

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        done.set()
        thread.join()
        with suppress(SQLAlchemyError):
            lease.release()


def driver(engine: Engine, full_name: str) -> str | None:
    """Who runs a study now, in words; None when nobody does."""
    with Session(engine) as session:
        row = session.scalar(select(LeaseRow).where(LeaseRow.full_name == full_name))
        return held_by(row) if row is not None and alive(row) else None


def held_by(row: LeaseRow) -> str:
    """The holder of a lease, in words."""
    ago = max(0, time.time() - row.renewed)
    where = f"process {row.process} on {row.host}"
    return f"{row.full_name} is being run by {where}, heard of {ago:.0f} s ago"


def alive(row: LeaseRow) -> bool:
    """Whether the holder of a lease may still be at work."""
    if time.time() - row.renewed > EXPIRES_AFTER:
        return False
    if row.host != socket.gethostname():
        return True
    try:
        os.kill(row.process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
