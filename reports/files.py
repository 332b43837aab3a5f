"""A study's rows as files: CSV, and the ablation as a LaTeX table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nas.base.wording import cell
from nas.experiment.cost import cost
from nas.results.contrasts import seed_columns
from nas.results.flow import pace
from nas.results.price import prices
from nas.results.rows import (
    CONFIRMATION_COLUMNS,
    EFFECT_COLUMNS,
    MODULE_COLUMNS,
    EffectRow,
    SeedRow,
)
from nas.results.search import distribution, early, progress, slices, spent, timeline
from nas.results.tables import frame, trials
from reports.case import Case
from reports.measure import ACCURACY, Measure, amount

if TYPE_CHECKING:
    from pandas import DataFrame

SLICES = ("decision", "label", "n", "mean", "best")
LAYERS = ("name", "mult_adds", "params", "params_aux", "activations")
GRADIENTS = ("module", "depth", "n", "mean", "low", "high")
SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip


def files(case: Case) -> dict[str, str]:
    """Every data file of a study by its name."""
    results = case.results
    made = {
        "trials.csv": _text(trials(results)),
        "candidates.csv": csv(results.candidates),
        "curves.csv": csv(results.curves),
    }
    if results.curves:
        made["pace.csv"] = csv(pace(results.records))
    if case.shown:
        made |= _variants(case)
    if results.effects:
        made["prices.csv"] = csv(prices(results))
        made |= compared(results.effects, results.seeds, case.measure)
    if results.decompositions:
        made["decomposition.csv"] = csv(results.decompositions)
    if results.interactions:
        made["interactions.csv"] = csv(results.interactions)
    if results.confirmations:
        made["confirmation.csv"] = csv(results.confirmations, CONFIRMATION_COLUMNS)
    records = results.records
    searched: dict[str, Sequence[Any]] = {
        "progress.csv": progress(records),
        "distribution.csv": distribution(records),
        "budget.csv": spent(records),
        "early.csv": early(records),
        "slices.csv": slices(records),
        "importance.csv": case.importance,
        "timeline.csv": timeline(records),
    }
    for name, rows in searched.items():
        if rows:
            made[name] = csv(rows, SLICES if name == "slices.csv" else None)
    return made


def _variants(case: Case) -> dict[str, str]:
    """What the pages of the variants show, as files."""
    size = case.results.study.image_size
    found = {row.candidate_id: case.results.experiment(row.candidate_id) for row in case.shown}
    parts = {
        "modules.csv": _stacked(case, case.modules, MODULE_COLUMNS),
        "widths.csv": _stacked(case, case.widths),
        "layers.csv": _stacked(
            case, {key: cost(each, size, "layer").rows for key, each in found.items()}, LAYERS
        ),
        "gradients.csv": _stacked(case, case.gradients, GRADIENTS),
        "classes.csv": _stacked(case, case.classes),
    }
    return {name: text for name, text in parts.items() if text}


def _stacked(
    case: Case, rows: Mapping[str, Sequence[Any]], columns: Sequence[str] | None = None
) -> str:
    """The rows of each variant under its id and its name; nothing where none has any."""
    import pandas as pd

    tables: list[pd.DataFrame] = []
    for row in case.shown:
        if rows[row.candidate_id]:
            tables.append(frame(rows[row.candidate_id], columns))
            tables[-1].insert(0, "candidate_id", row.candidate_id)
            tables[-1].insert(1, "candidate", row.name)
    return _text(pd.concat(tables)) if tables else ""


def compared(
    effects: Sequence[EffectRow], pairs: Sequence[SeedRow], measure: Measure = ACCURACY
) -> dict[str, str]:
    """A table of effects as files."""
    return {
        "ablation.csv": csv(effects, EFFECT_COLUMNS),
        "ablation.tex": latex(effects, measure),
        "seeds.csv": csv(pairs, seed_columns(pairs)),
    }


def csv(rows: Sequence[Any], columns: Sequence[str] | None = None) -> str:
    """Rows as CSV, unrounded."""
    return _text(frame(rows, columns))


def _text(table: DataFrame) -> str:
    """A table as CSV, whose text no spreadsheet runs."""
    import pandas as pd

    for name in table.select_dtypes(exclude=["number", "bool"]):
        table[name] = pd.Series(map(cell, table[name]), table.index, dtype=object)
    return table.rename(columns=cell).to_csv(index=False)


def latex(effects: Sequence[EffectRow], measure: Measure = ACCURACY) -> str:
    """The ablation as a table for the booktabs package; bold where the verdict is better or worse.

    Accuracies in percent, differences in percentage points, or as the measure has them.
    """
    score, difference = f".{measure.decimals}f", f"+.{measure.decimals}f"
    lines = [
        r"\begin{tabular}{lrrrrrlr}",
        r"\toprule",
        r"change & $n$ & mean $\pm$ sd & $\Delta$ & 95\,\% interval & $p$ (Holm) & verdict & "
        rf"{_escaped(measure.cost)} \\",
        r"\midrule",
    ]
    for row in effects:
        bold = row.verdict in ("better", "worse")
        cells = [
            _escaped(row.name),
            str(row.n),
            _joined(r" $\pm$ ", _number(row.mean, score), _number(row.sd, score)),
            _bold(_number(row.delta, difference), bold),
            _joined(" to ", _number(row.low, difference), _number(row.high, difference)),
            _number(row.p_holm, ".3g"),
            _bold(row.verdict, bold),
            amount(row.mult_adds).replace(",", r"\,") if row.mult_adds else "",
        ]
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _escaped(text: str) -> str:
    return "".join(SPECIAL.get(letter, letter) for letter in " ".join(text.split()))


def _number(value: float, spec: str) -> str:
    return "" if math.isnan(value) else f"${value:{spec}}$"


def _joined(word: str, *parts: str) -> str:
    return word.join(part for part in parts if part)


def _bold(text: str, bold: bool) -> str:
    return rf"\textbf{{{text}}}" if bold and text else text
