"""Our own tables, beside Optuna's in the same database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SCHEMA = 1


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
    """One epoch of one run; what was not finite is null. The last two columns came later: a
    database of before gets them when it is opened, and an older program reads on without them."""

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


class LeaseRow(Base):
    """Who drives a study at present, and when it was last heard of (seconds since 1970)."""

    __tablename__ = "nas_leases"
    full_name: Mapped[str] = mapped_column(String(200), primary_key=True)
    token: Mapped[str] = mapped_column(String(32))
    host: Mapped[str] = mapped_column(String(200))
    process: Mapped[int] = mapped_column(Integer)
    renewed: Mapped[float] = mapped_column(Float(53))
