"""A study as the site sees it: its results, where its pages are, which variants have one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nas.results.classes import ClassRow, classes
from nas.results.flow import GradientRow, gradients
from nas.results.rows import CandidateRow, ImportanceRow, ModuleRow, WidthRow
from nas.results.search import importance
from nas.results.tables import Results, modules, pareto, widths
from nas.tree.tree import fingerprint
from reports.measure import Measure, measure_of
from reports.page import FOOTER, Page

EXPLORED = 16
"""Explored candidates that get a page of their own; the best ones."""
TABS = {
    "index": "Overview", "ablation": "Ablation", "search": "Search", "compare": "Compare",
    "trials": "Trials", "methods": "Methods",
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A study's results with their places in the site."""

    results: Results

    @cached_property
    def slug(self) -> str:
        return plain(self.results.study.full_name.replace("@", "-"))

    def page(self, name: str) -> str:
        """The path of one of the study's pages."""
        return f"studies/{self.slug}/{name}.html"

    def tab(self, kind: str, heading: str, **more: Any) -> Page:
        """One of the study's pages, at its place among the others."""
        return Page(
            path=self.page(kind),
            kind=kind,
            title=TABS[kind],
            heading=heading,
            above=self.above("study"),
            tabs=self.tabs,
            footer=self.footer,
            **more,
        )

    def file(self, name: str) -> str:
        """The path of one of the study's data files."""
        return f"data/{self.slug}/{name}"

    @cached_property
    def measure(self) -> Measure:
        """What the study's scores are called and how they are written."""
        return measure_of(self.results)

    @property
    def networks(self) -> bool:
        """Whether networks were trained; what a function is called with has no cost."""
        return self.results.baseline.subject.trained

    @property
    def footer(self) -> str:
        """What the numbers of a page are."""
        own = "Scores and their differences are in the units of the function that gave them."
        return FOOTER if self.networks else own

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The pages that the study has."""
        searched = any(row.role == "candidate" for row in self.results.trials)
        has = {
            "ablation": bool(self.results.study.arms),
            "search": searched or self.results.study.trials > 0,
            "compare": len(self.shown) > 1,
        }
        return tuple(kind for kind in TABS if has.get(kind, True))

    @property
    def tabs(self) -> tuple[tuple[str, str], ...]:
        return tuple((TABS[kind], self.page(kind)) for kind in self.kinds)

    def above(self, *names: str) -> tuple[tuple[str, str], ...]:
        """The way from the catalogue to a page of the study."""
        study = (self.results.study.name, self.page("index"))
        return (("Studies", "index.html"), study)[: 1 + len(names)]

    @cached_property
    def scored(self) -> tuple[CandidateRow, ...]:
        """The candidates with a score: the baseline, the changes, the confirmed, the explored; the
        best of each first."""
        rows = [row for row in self.results.candidates if row.n]
        sign = 1 if self.results.baseline.subject.higher_is_better else -1
        return tuple(sorted(rows, key=lambda row: _order(row, sign)))

    @cached_property
    def shown(self) -> tuple[CandidateRow, ...]:
        """The candidates that have a page: all with several seeds, those of the ablation, the
        front, and the best explored; of a function none, whose page would say nothing."""
        if not self.networks:
            return ()
        best = {row.candidate_id for row in self.results.explored[:EXPLORED]}
        best |= {row.candidate_id for row in pareto(self.scored)}
        return tuple(
            row for row in self.scored if row.role != "candidate" or row.candidate_id in best
            or not row.exploratory
        )  # fmt: skip

    @cached_property
    def _paths(self) -> dict[str, str]:
        ids = [row.candidate_id for row in self.shown]
        return {key: f"studies/{self.slug}/v/{plain(key)}.html" for key in ids}

    def variant(self, candidate_id: str) -> str | None:
        """The path of a candidate's page, where it has one."""
        return self._paths.get(candidate_id)

    @cached_property
    def modules(self) -> dict[str, tuple[ModuleRow, ...]]:
        """What each module of a shown candidate costs, beside the baseline's."""
        results = self.results
        return {
            row.candidate_id: modules(
                results.baseline, results.experiment(row.candidate_id), results.study.image_size
            )
            for row in self.shown
        }

    @cached_property
    def widths(self) -> dict[str, tuple[WidthRow, ...]]:
        """The output channels of each branch of a shown candidate, beside the baseline's."""
        results = self.results
        return {
            row.candidate_id: widths(results.baseline, results.experiment(row.candidate_id))
            for row in self.shown
        }

    @cached_property
    def classes(self) -> dict[str, tuple[ClassRow, ...]]:
        """How well a shown candidate tells each class."""
        results = self.results
        return {
            row.candidate_id: classes(
                results.experiment(row.candidate_id).recipe.data,
                [
                    run
                    for run in results.records
                    if run.candidate_id == row.candidate_id and run.role != "control"
                ],
                results.folder,
            )
            for row in self.shown
        }

    @cached_property
    def gradients(self) -> dict[str, tuple[GradientRow, ...]]:
        """The gradients that reach the modules of a shown candidate."""
        results = self.results
        return {
            row.candidate_id: gradients(
                row.name, results.experiment(row.candidate_id), results.records, row.candidate_id
            )
            for row in self.shown
        }

    @cached_property
    def importance(self) -> tuple[ImportanceRow, ...]:
        """How much each decision of the search moved the scores."""
        return importance(self.results.records, self.results.study.startup)

    @cached_property
    def baseline(self) -> CandidateRow | None:
        return next((row for row in self.scored if row.role == "baseline"), None)

    @property
    def limit(self) -> float | None:
        """The budget's mult-adds."""
        return self.results.study.limits.get("mult_adds")


def plain(name: str) -> str:
    """A name as a file's: as it is where it is plain, its fingerprint otherwise. Capitals are not
    plain: many a file system takes two names that differ by case for one."""
    simple = len(name) <= 120 and name.replace("-", "").replace("_", "").isalnum()
    return name if simple and name.isascii() and name == name.lower() else fingerprint(name)


def _order(row: CandidateRow, sign: int) -> tuple[int, bool, float]:
    place = {"baseline": 0, "change": 1, "candidate": 2}[row.role]
    return (place, row.exploratory, -sign * row.mean)
