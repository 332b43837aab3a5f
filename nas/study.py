"""Study: what is asked, and what a notebook or a script does with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.plan.study import StudySpec

if TYPE_CHECKING:
    from pandas import DataFrame

    from nas.engine.driver import Outcome
    from nas.results.tables import Results


@dataclass(frozen=True, kw_only=True)
class Study(StudySpec):
    """What is asked, of which space, within which budget, and how it is answered.

    `storage` is everywhere the database's URL (default: the file under $NAS_HOME). The tables raise
    nas.base.errors.NothingToReport where it has no run of the study.
    """

    def run(
        self, storage: str | None = None, *, address: str | None = None, local: bool = False
    ) -> Outcome:
        """Runs the plan, or goes on with it, as `nas run` does.

        `address` is a running Ray cluster's; `local` runs in this process, one trial at a time.
        Raises ValueError for a plan that cannot be met, and nas.base.errors.NasError.
        """
        return drive(self, storage, address=address, local=local)

    def confirm(
        self,
        top: int | None = None,
        seeds: int | None = None,
        storage: str | None = None,
        *,
        address: str | None = None,
        local: bool = False,
    ) -> DataFrame:
        """Confirms the `top` best of the finished search on fresh seeds and the test split, as `nas
        confirm` does, and gives the table of `confirmations`.

        Without numbers it takes those of the study's Confirmation, or else 3 and 5. Raises as `run`
        does, and ValueError for a search that is not finished.
        """
        wanted = self.confirming(top, seeds)
        drive(wanted, storage, only=wanted.confirmation, address=address, local=local)
        return wanted.confirmations(storage)

    def report(self, storage: str | None = None, folder: Path | None = None) -> Path:
        """Writes the report into a folder (default: $NAS_HOME/site), beside the other studies that
        it has already; the path of its first page.

        Raises ValueError where the folder holds something else.
        """
        from nas.base.paths import default_url, home
        from reports.site import build

        url = storage or default_url()
        return build([self.results(storage)], folder or home() / "site", url)

    def effects(self, storage: str | None = None) -> DataFrame:
        """The ablation table, a row a change: mean and sd in percent, delta with its 95 % interval
        in percentage points, p, p after Holm, seeds won, verdict, cost."""
        from nas.results.rows import EFFECT_COLUMNS
        from nas.results.tables import frame

        return frame(self.results(storage).effects, EFFECT_COLUMNS)

    def interactions(self, storage: str | None = None) -> DataFrame:
        """What two changes do together more than apart, a row a pair: both - first - second +
        baseline in percentage points, with its 95 % interval, p, p after Holm and verdict; empty
        for a design that makes no two changes at once."""
        from nas.results.rows import InteractionRow
        from nas.results.tables import frame, names

        return frame(self.results(storage).interactions, names(InteractionRow))

    def seeds(self, storage: str | None = None) -> DataFrame:
        """Every replicate of the ablation, a row each: its seed and which streams of it vary, its
        score and the baseline's in percent, their difference in percentage points."""
        from nas.results.rows import SeedRow
        from nas.results.tables import frame, names

        return frame(self.results(storage).seeds, names(SeedRow))

    def frontier(self, storage: str | None = None) -> DataFrame:
        """Every candidate that has a score, cheapest first: mean in percent with its interval, its
        cost, and whether it is on the front of those with several seeds."""
        from nas.results.rows import FrontierRow
        from nas.results.tables import frame, names

        return frame(self.results(storage).frontier, names(FrontierRow))

    def importance(self, storage: str | None = None) -> DataFrame:
        """Which decisions moved the scores of the search's random start, as the report has it:
        permutation importance in shares of R^2, NaN where the model's own R^2 is below 0.3.

        Raises NothingToReport where the study has no Search, too.
        """
        from nas.base.errors import NothingToReport
        from nas.results.rows import ImportanceRow
        from nas.results.search import importance
        from nas.results.tables import frame, names

        if self.search is None:
            raise NothingToReport(f"{self.name} has no Search: nothing was drawn at random")
        rows = importance(self.results(storage).records, self.search.sampler.startup)
        return frame(rows, names(ImportanceRow))

    def confirmations(self, storage: str | None = None) -> DataFrame:
        """The confirmed, a row each: mean and sd on the test split in percent, the search's score
        and the drop from it, delta to the baseline with its 95 % interval in percentage points."""
        from nas.results.rows import CONFIRMATION_COLUMNS
        from nas.results.tables import frame

        return frame(self.results(storage).confirmations, CONFIRMATION_COLUMNS)

    def trials(self, storage: str | None = None) -> DataFrame:
        """Every run, a row each: role, state, seed, score in percent, cost, seconds, and a column a
        decision by its name, None where the run does not decide it."""
        from nas.results import tables

        return tables.trials(self.results(storage))

    def curves(self, storage: str | None = None) -> DataFrame:
        """Every epoch of every run, a row each: losses in nats, accuracies in percent, the gradient
        norm of each module before clipping."""
        from nas.results import tables

        return tables.curves(self.results(storage).records)

    def results(self, storage: str | None = None) -> Results:
        """The study's runs, as every table and page is made of them."""
        from nas.base.errors import NothingToReport
        from nas.base.paths import default_url
        from nas.results import stored
        from nas.store.database import connect, exists
        from nas.store.reading import stored_name

        url = storage or default_url()
        if exists(url):
            with connect(url) as database:
                if name := stored_name(database, self.full_names):
                    return stored.read(database, name)
        raise NothingToReport(f"no runs of {self.full_name} in this database: study.run() first")


def drive(study: StudySpec, storage: str | None, **how: Any) -> Outcome:
    """Runs a study, with its progress on stderr, or in a notebook's cell."""
    from nas.engine.driver import run
    from nas.engine.progress import Reporter

    with Reporter() as reporter:
        return run(study, storage, watch=reporter, notice=reporter.notice, **how)
