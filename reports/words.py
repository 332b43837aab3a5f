"""What a page says first: findings in sentences, made from the rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from scipy import special

from nas.base.wording import times
from nas.results.rows import ConfirmationRow, EffectRow
from nas.results.tables import Results
from nas.runs.counted import said
from reports.measure import ACCURACY, Measure, measure_of
from reports.page import POINTS, fixed, p_value

VERDICTS = ("better", "worse", "equivalent", "inconclusive")
VARIES, HELD = " varies", " is held"
"""How the names of arms end that vary one stream of the seed alone, or hold it."""


def headline(results: Results) -> str:
    """The study's finding in one or two sentences."""
    effects, measure = results.effects, measure_of(results)
    made = [
        verdicts(effects, results.study.margin, measure) or spreads(effects, measure),
        best(results),
    ]
    return " ".join(filter(None, made)) or why(results)


def best(results: Results) -> str:
    """Which network is the best that the search found within the budget, and how it stands to the
    baseline."""
    row, first = results.confirmed, results.best
    if row is not None:
        return (
            f"The best network that the search found within the budget, by the validation split, "
            f"is {row.name}: {row.mean:.2f} % on the test split at {row.mult_adds:,} mult-adds, "
            f"{standing(results, row)}."
        )
    made = ""
    if first is not None:
        made = (
            f"The best network that the search found within the budget is {first.name} so far: "
            f"{first.mean:.2f} % at {first.mult_adds:,} mult-adds on one seed: exploratory, not "
            "confirmed. "
        )
    if results.confirmations:
        base = results.confirmations[0]
        made += f"On the test split the baseline scores {base.mean:.2f} %"
        made += f"{_between(results, base)}, at n = {times(base.n, 'seed')}."
    return made.strip()


def _between(results: Results, row: ConfirmationRow) -> str:
    """The worst and the best test score of a confirmed network, where it has several."""
    scores = [
        record.test for record in results.records
        if record.test is not None and record.candidate_id == row.candidate_id
        and (record.epochs, record.crops or 1) == (row.epochs, row.crops)
    ]  # fmt: skip
    return f" on average, from {min(scores):.2f} to {max(scores):.2f} %" if len(scores) > 1 else ""


def standing(results: Results, row: ConfirmationRow) -> str:
    """How a confirmed network stands to the baseline that was trained and scored as it was."""
    said = {
        "better": "better than", "worse": "worse than", "equivalent": "equivalent to",
    }.get(row.verdict, "not shown better than")  # fmt: skip
    scores = [
        f"'s {each.mean:.2f} %" for each in results.confirmations
        if each.role == "baseline" and (each.epochs, each.crops) == (row.epochs, row.crops)
    ]  # fmt: skip
    return f"{said} the baseline{''.join(scores)} ({_pair(row)}, n = {times(row.n, 'fresh seed')})"


def _pair(row: ConfirmationRow) -> str:
    """A difference in points, with its interval over seeds, and over seeds and images."""
    said = f"{POINTS(row.delta)} points"
    if not math.isnan(row.low):
        said += f", {POINTS(row.low)} to {POINTS(row.high)}"
    if not math.isnan(row.low_two_way):
        said += f", with images {POINTS(row.low_two_way)} to {POINTS(row.high_two_way)}"
    return said


def verdicts(
    effects: Sequence[EffectRow], margin: float | None, measure: Measure = ACCURACY
) -> str:
    """How many changes hurt, help, and so on."""
    changes = tested(effects)
    if not any(row.n for row in changes):
        return ""
    said = Counter(row.verdict for row in changes if row.n)
    parts = [
        _verb(said["worse"], "hurts", "hurt") + _named(changes, "worse"),
        _verb(said["better"], "helps", "help") + _named(changes, "better"),
        _verb(said["inconclusive"], "is inconclusive", "are inconclusive"),
    ]
    if margin is not None:
        within = _verb(said["equivalent"], "is equivalent", "are equivalent")
        parts.insert(2, f"{within} within {measure.within(margin)}")
    missing = sum(not row.n for row in changes)
    untested = len(changes) - missing - sum(said[name] for name in VERDICTS)
    if untested:
        parts.append(_verb(untested, "has no verdict", "have no verdict"))
    if missing:
        parts.append(_verb(missing, "has not run", "have not run"))
    pairs = sorted({row.n for row in changes if row.n})
    n = (f"{pairs[0]} to " if len(pairs) > 1 else "") + times(pairs[-1], "paired seed")
    way = f" A lower {measure.score} is better." if measure.lower else ""
    return f"Of {times(len(changes), 'change')} {', '.join(parts)}, at n = {n}.{way}"


def _named(changes: Sequence[EffectRow], verdict: str) -> str:
    """The one change with this verdict; nothing where it is none, or one of several."""
    rows = [row for row in changes if row.n and row.verdict == verdict]
    return f" (“{rows[0].name}”)" if len(rows) == 1 else ""


def spreads(effects: Sequence[EffectRow], measure: Measure = ACCURACY) -> str:
    """How widely the score spreads by the streams of a seed, where the ablation is of these; else
    nothing."""
    base, alone, held = _streams(effects)
    if base is None or not alone:
        return ""

    def ends(rows: Sequence[EffectRow], before: str, after: str) -> str:
        said = dict.fromkeys(
            f"{measure.write(row.sd)} ({row.change.removeprefix(before).removesuffix(after)})"
            for row in (rows[0], rows[-1])
        )
        return " to ".join(said)

    n = min(row.n for row in (base, *alone, *held))
    low, high = (math.sqrt((n - 1) / special.chdtri(n - 1, tail)) for tail in (0.025, 0.975))
    said = f"The score's standard deviation is {ends(alone, 'only ', VARIES)} {measure.points}"
    said = f"{said.rstrip()} where one stream of the seed varies alone, {measure.write(base.sd)} "
    said += "where all vary"
    said += f", {ends(held, '', HELD)} where one is held" if held else ""
    said += f". At n = {n} seeds each is known to {fixed('+.0f')(100 * low - 100)} to "
    said += f"{fixed('+.0f')(100 * high - 100)} %"
    if len(alone) > 1 and alone[-1].sd * low <= alone[0].sd * high:
        said += ": no stream is shown to spread the score more than another"
    return f"{said}."


def streams(effects: Sequence[EffectRow]) -> tuple[str, str]:
    """The standard deviations of the streams alone, where `spreads` says something, and what to
    know of them."""
    base, alone, _ = _streams(effects)
    ends = dict.fromkeys(f"{row.sd:.2f}" for row in (alone[0], alone[-1]))
    detail = "points, the standard deviation of the score where one stream of the seed varies alone"
    return " to ".join(ends), f"{detail}; {base.sd if base else math.nan:.2f} where all vary"


def _streams(
    effects: Sequence[EffectRow],
) -> tuple[EffectRow | None, list[EffectRow], list[EffectRow]]:
    """The baseline, the rows of one stream alone and those of one held, the narrowest first."""
    rows = sorted((row for row in effects if row.n > 1), key=lambda row: row.sd)
    controls = [row for row in rows if row.role == "control"]
    return (
        next((row for row in rows if row.role == "baseline"), None),
        [row for row in controls if row.change.endswith(VARIES)],
        [row for row in controls if row.change.endswith(HELD)],
    )


def why(results: Results) -> str:
    """Why there is no finding."""
    states = Counter(record.state for record in results.records)
    if not states:
        return f"No run has been stored yet: `nas run {results.study.name}` makes them."
    if set(states) == {"failed"}:
        reasons = Counter(record.reason for record in results.records)
        reason = reasons.most_common(1)[0][0] or "no reason was stored"
        most = "most with" if len(reasons) > 1 else "with"
        return f"No run has finished: {_all(states['failed'])} failed, {most} {reason}"
    if set(states) <= {"infeasible", "duplicate"}:
        return (
            f"No run has finished: the budget refused {_all(states.total())} of the proposals "
            "before any training."
        )
    if any(row.role == "baseline" and row.n for row in results.candidates):
        return "Only the baseline has run so far, so there is nothing to compare it with."
    return "No run has finished yet."


def _all(count: int) -> str:
    return "the only one" if count == 1 else f"all {count}"


def tested(effects: Sequence[EffectRow]) -> list[EffectRow]:
    """The contrasts that carry a verdict; in a design that tests nothing, every change."""
    changes = [row for row in effects if row.role == "change"]
    return [row for row in changes if row.primary] or changes


def worst(effects: Sequence[EffectRow], measure: Measure = ACCURACY) -> str:
    """Which change hurt most, which helped, and how sure that is."""
    known = [row for row in tested(effects) if row.n]
    rows = sorted(known, key=lambda row: measure.gain(row.delta))
    if not rows:
        return spreads(effects, measure) or "No change has a finished pair of runs yet."
    first, last = rows[0], rows[-1]
    loss, gain = ("worsening", "improvement") if measure.lower else ("loss", "gain")
    kind = f"largest {loss}" if measure.gain(first.delta) < 0 else f"smallest {gain}"
    said = f"The {kind} is “{first.name}”, {effect(first, measure)}."
    if len(rows) > 1:
        kind = f"largest {gain}" if measure.gain(last.delta) > 0 else f"smallest {loss}"
        said += f" The {kind} is “{last.name}”, {effect(last, measure)}."
    chance = next((row for row in effects if row.role == "control" and row.n), None)
    if chance:
        said += (
            f" Chance alone, the baseline on other seeds, does {effect(chance, measure, False)}."
        )
    return said


def effect(row: EffectRow, measure: Measure = ACCURACY, verdict: bool = True) -> str:
    """A difference with its interval, the seeds won and its verdict."""
    low, high = map(measure.write_difference, (row.low, row.high))
    said = measure.said(row.delta) + ("" if math.isnan(row.low) else f" ({low} to {high})")
    if verdict and row.wins is not None:
        said += f", ahead on {row.wins} of {row.n} seeds: {row.verdict}"
        if row.verdict == "inconclusive" and row.low * row.high > 0:
            said += f", after correction p = {p_value(row.p_holm)}"
    return said


def saving(effects: Sequence[EffectRow]) -> str:
    """Which changes save mult-adds without a loss that was shown."""
    base = next((row for row in effects if row.role == "baseline"), None)
    rows = [row for row in tested(effects) if row.n]
    if base is None or not rows or not base.mult_adds:
        return ""
    cheaper = [row for row in rows if row.mult_adds and row.mult_adds < base.mult_adds]
    kept = [row for row in cheaper if row.verdict in ("better", "equivalent")]
    if not cheaper:
        return "No change is cheaper than the baseline."
    one = len(cheaper) == 1
    said = f"{len(cheaper)} of {times(len(rows), 'change')} {'is' if one else 'are'} "
    said += "cheaper than the baseline"
    if kept:
        most = min(kept, key=lambda row: row.mult_adds or 0)
        share = 100 * (1 - (most.mult_adds or 0) / base.mult_adds)
        return f"{said}; “{most.name}” saves {share:.1f} % and is {most.verdict}."
    return f"{said}; {'it is not' if one else 'none of them is'} shown to be better or equivalent."


def frontier(results: Results) -> str:
    """What the frontier shows, and the best network within the budget."""
    rows, top = results.candidates, results.confirmed
    refused = sum(not row.feasible and not row.n for row in rows)
    explored = sum(row.exploratory and row.n > 0 for row in rows)
    several = sum(row.n > 1 for row in rows)
    drawn = [row for row in rows if top and row.candidate_id == top.candidate_id and row.n > 1]
    said = f"{best(results)} "
    for row in drawn:
        said = (
            f"The best that the search found within the budget, {row.name}, scores "
            f"{row.mean:.2f} % on the validation split, which is drawn here ({row.low:.2f} to "
            f"{row.high:.2f}, n = {row.n}). "
        )
    parts = [
        f"{explored} explored on one seed (hollow)",
        f"{several} run on several seeds (filled, with 95 % intervals)",
    ]
    if refused:
        parts.append(f"{refused} refused by the budget before any training (crosses, below)")
    return f"{said.lstrip()}Candidates: {', '.join(parts)}."


def cheapest(results: Results) -> tuple[str, str]:
    """The cheapest change that is shown to be equivalent, and what to know of it."""
    effects, margin = results.effects, results.study.margin
    rows = [row for row in effects if row.verdict == "equivalent"]
    if not results.study.arms:
        return "–", "no ablation"
    if margin is None:
        return "–", "none claimed: the study names no margin"
    if not rows:
        return "–", f"none shown within ±{margin:g} points"
    base = next((row.mult_adds for row in effects if row.role == "baseline"), None) or 0
    row = min(rows, key=lambda row: row.mult_adds or 0)
    if (row.mult_adds or 0) >= base:
        return "–", "none equivalent is cheaper than the baseline"
    return row.name, f"{row.mult_adds or 0:,} mult-adds, {POINTS(row.delta)} points"


def warnings(results: Results) -> list[str]:
    """What a reader should know before believing a number."""
    states = Counter(record.state for record in results.records)
    made: list[str] = []
    if states["failed"]:
        made.append(f"{times(states['failed'], 'run')} failed; the reasons are among the trials.")
    if states["diverged"]:
        made.append(f"{times(states['diverged'], 'run')} diverged; they count as they ended.")
    if states["exceeded"]:
        made.append(f"{times(states['exceeded'], 'run')} took more time or memory than allowed.")
    chance = sum(row.at_chance for row in results.effects)
    if chance:
        made.append(f"{times(chance, 'run')} of the ablation scored no better than guessing.")
    if states["running"]:
        made.append(f"{times(states['running'], 'run')} had not ended when this was written.")
    short = [row for row in results.effects if 0 < row.n < row.planned]
    if short:
        lack = "lacks" if len(short) == 1 else "lack"
        made.append(f"{times(len(short), 'row')} of the ablation {lack} planned seeds.")
    if results.left_out:
        made.append(f"{said(results.left_out)}.")
    compared = [r for r in results.records if r.state == "complete" and r.role != "confirmation"]
    protocols = {record.protocol for record in compared if record.protocol}
    if len(protocols) > 1:
        made.append(
            f"The runs were made under {len(protocols)} protocols; only runs under the same one "
            "are compared."
        )
    return made


def _verb(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"
