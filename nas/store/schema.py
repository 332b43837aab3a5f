"""Our own tables, beside Optuna's in the same database.

A table or a column may come later: a database of before gets it when it is opened, so what is added
may be null, and an older program reads on without it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SCHEMA = 1

ASKED = (
    "role", "change", "kind", "candidate_id", "network_id", "decisions", "epochs", "mult_adds",
    "params", "params_aux", "activations",
)  # fmt: skip
LATER = ("crops", "mult_adds_fvcore", "test", "predictions", "weights", "exhausted")
"""What Optuna's user attributes hold of every run, and of some, by the names of a Record."""


class Base(DeclarativeBase):
    """The base of our tables."""


class SchemaRow(Base):
    """The one row that says which version of these tables the database has."""

    __tablename__ = "nas_schema"
    version: Mapped[int] = mapped_column(Integer, primary_key=True)


class StudyRow(Base):
    """What was asked: a StudyRecord as JSON."""

    __tablename__ = "nas_studies"
    full_name: Mapped[str] = mapped_column(String(200), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), index=True)
    created: Mapped[float] = mapped_column(Float(53))
    spec: Mapped[str] = mapped_column(Text)


class EpochRow(Base):
    """One epoch of one run; what was not finite is null."""

    __tablename__ = "nas_epochs"
    full_name: Mapped[str] = mapped_column(ForeignKey(StudyRow.full_name), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    epoch: Mapped[int] = mapped_column(Integer, primary_key=True)
    train_loss: Mapped[float | None] = mapped_column(Float(53))
    train_accuracy: Mapped[float | None] = mapped_column(Float(53))
    loss: Mapped[float | None] = mapped_column(Float(53))
    accuracy: Mapped[float | None] = mapped_column(Float(53))
    lr: Mapped[float | None] = mapped_column(Float(53))
    seconds: Mapped[float | None] = mapped_column(Float(53))
    images_per_second: Mapped[float | None] = mapped_column(Float(53))
    aux_losses: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    gradients: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class CandidateRow(Base):
    """A tree that was proposed, once, whatever runs and studies it is of: the experiment as JSON
    under its fingerprint, and what each of its layers costs."""

    __tablename__ = "nas_candidates"
    tree: Mapped[str] = mapped_column(String(16), primary_key=True)
    candidate_id: Mapped[str] = mapped_column(String(16), index=True)
    experiment: Mapped[str] = mapped_column(Text)
    layers: Mapped[str] = mapped_column(Text)


class RunRow(Base):
    """How a run was made: how often it was given to a worker, by which driver at last (the
    incarnation of its lease, the git revision of its folder), and where."""

    __tablename__ = "nas_runs"
    full_name: Mapped[str] = mapped_column(ForeignKey(StudyRow.full_name), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    attempts: Mapped[int] = mapped_column(Integer)
    incarnation: Mapped[int] = mapped_column(Integer)
    revision: Mapped[str | None] = mapped_column(String(200))
    host: Mapped[str | None] = mapped_column(String(200))
    device: Mapped[str | None] = mapped_column(String(200))
    versions: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class LeaseRow(Base):
    """Who drives a study, and when it was last heard of (seconds since 1970, by the clock of the
    database). Each driver has the next incarnation; a row without a process is free. `stop` is what
    somebody asks of the driver: "drain" or "now"."""

    __tablename__ = "nas_drivers"
    full_name: Mapped[str] = mapped_column(String(200), primary_key=True)
    incarnation: Mapped[int] = mapped_column(Integer)
    host: Mapped[str] = mapped_column(String(200))
    process: Mapped[int | None] = mapped_column(Integer)
    renewed: Mapped[float] = mapped_column(Float(53))
    stop: Mapped[str | None] = mapped_column(String(10))
