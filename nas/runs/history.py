"""The runs of a study so far, with what each step asks of them kept beside: no step goes through
all of them."""

from __future__ import annotations

from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from statistics import fmean

from nas.runs.failures import FAILURES_IN_A_ROW, SAME_FAILURES, cause
from nas.runs.record import OVER, REFUSED, Key, Record, Role, State


class History(Mapping[int, Record]):
    """Runs by their numbers; a run changes when it is kept again.

    counts: how many by role and state. running: the numbers of those. failures: the causes, by how
    often. failed: how many failed since one was over. refused: how many candidates were refused in
    a row, up to the last. best: the highest score of a complete run, by role. free: the next
    number.
    """

    def __init__(self, records: Iterable[tuple[int, Record]] = ()) -> None:
        self.counts: Counter[tuple[Role, State]] = Counter()
        self.running: set[int] = set()
        self.failures: Counter[str] = Counter()
        self.failed = 0
        self.best: dict[Role, float] = {}
        self.free = 0
        self.refused = 0
        self._records: dict[int, Record] = {}
        self._alike: dict[Key, list[int]] = defaultdict(list)
        self._reached: dict[int, list[float]] = defaultdict(list)
        self._means: dict[int, list[float]] = defaultdict(list)
        for number, record in records:
            self.keep(number, record)

    def __getitem__(self, number: int) -> Record:
        return self._records[number]

    def __iter__(self) -> Iterator[int]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def keep(self, number: int, record: Record) -> None:
        """Adds a run, or changes it: its state and its curve."""
        before = self._records.get(number)
        self._records[number] = record
        self.free = max(self.free, number + 1)
        if before is None:
            self._alike[record.key].append(number)
            if record.role == "candidate":
                self.refused = self.refused + 1 if record.state in REFUSED else 0
        else:
            self.counts[before.role, before.state] -= 1
        self.counts[record.role, record.state] += 1
        if record.state == "running":
            self.running.add(number)
        else:
            self.running.discard(number)
        if before is None or before.state != record.state:
            self._entered(record)
        if record.role in ("candidate", "reference"):
            known = before.curve if before else ()
            if record.curve[: len(known)] != known:
                for epoch in known:
                    self._reached[epoch.epoch].remove(epoch.accuracy)
                known = ()
            for epoch in record.curve[len(known) :]:
                insort(self._reached[epoch.epoch], epoch.accuracy)

    def alike(self, key: Key) -> list[Record]:
        """The same run's records, oldest first."""
        return [self._records[number] for number in self._alike.get(key, ())]

    def endless(self, reason: str | None) -> str | None:
        """Why nothing more is run after a failure; None when it is one of few."""
        if self.failures[cause(reason)] >= SAME_FAILURES:
            return f"{SAME_FAILURES} trials failed alike: {reason}"
        if self.failed >= FAILURES_IN_A_ROW:
            return f"{FAILURES_IN_A_ROW} trials in a row failed, the last: {reason}"
        return None

    def count(self, role: Role, states: Iterable[State]) -> int:
        """How many runs have this role and one of these states."""
        return sum(self.counts[role, state] for state in states)

    def reached(self, epoch: int) -> list[float]:
        """The accuracies of a search's runs at an epoch, the lowest first."""
        return self._reached[epoch]

    def means(self, epoch: int) -> list[float]:
        """The mean accuracies of a search's complete runs up to an epoch, the lowest first."""
        return self._means[epoch]

    def _entered(self, record: Record) -> None:
        if record.state == "failed":
            self.failures[cause(record.reason)] += 1
            self.failed += 1
        elif record.state in OVER:
            self.failed = 0
        if record.state != "complete":
            return
        if record.score is not None:
            self.best[record.role] = max(record.score, self.best.get(record.role, record.score))
        if record.role in ("candidate", "reference"):
            accuracies = [epoch.accuracy for epoch in record.curve]
            for at in range(1, len(accuracies) + 1):
                insort(self._means[at], fmean(accuracies[:at]))
