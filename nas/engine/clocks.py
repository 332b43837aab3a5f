"""How long a run has been at its worker, and how long nothing was heard of it."""

from __future__ import annotations

import time
from collections.abc import Iterable

from nas.runs.record import Epoch

QUIET, AT_LEAST = 20, 600.0
"""A worker is quiet after so many times the longest epoch so far, and at least so many seconds."""


class Clocks:
    """The runs at the workers by their numbers; `limit` is how many seconds one may take."""

    def __init__(self, limit: float | None) -> None:
        self.limit = limit
        self._given: dict[int, float] = {}
        self._heard: dict[int, float] = {}
        self._longest = 0.0

    def give(self, number: int) -> None:
        """A worker has the run from now on."""
        self._given[number] = self._heard[number] = time.monotonic()

    def hear(self, number: int, epochs: Iterable[Epoch]) -> None:
        """Its worker told these epochs."""
        self._heard[number] = time.monotonic()
        self._longest = max([self._longest, *(epoch.seconds for epoch in epochs)])

    def over(self, number: int, by: float = 0.0) -> bool:
        """Whether it has been at its worker for so many seconds more than the limit."""
        return bool(self.limit) and time.monotonic() - self._given[number] > (self.limit or 0) + by

    def quiet(self, number: int) -> float | None:
        """For how many seconds nothing was heard of it, once that is long."""
        since = time.monotonic() - self._heard[number]
        return since if since > max(AT_LEAST, QUIET * self._longest) else None
