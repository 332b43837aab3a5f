"""What a page says first: findings in sentences, made from the rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from nas.price import PriceRow
from nas.rows import CandidateRow, ConfirmationRow, EffectRow
from nas.tables import Results
from reports.page import POINTS, duration, times

VERDICTS = ("better", "worse", "equivalent", "inconclusive")


def headline(results: Results) -> str:
    """The study's finding in one or two sentences."""
    made = [verdicts(results.effects, results.study.margin)]
    best = results.best
    if results.confirmations:
        made.append(_confirmed(results.confirmations))
    elif best is not None:
        made.append(
            f"The search's best candidate scored {best.mean:.2f} % at {best.mult_adds:,} mult-adds "
            "on one seed: exploratory, not confirmed."
        )
    return " ".join(filter(None, made)) or why(results)


def verdicts(effects: Sequence[EffectRow], margin: float | None) -> str:
    """How many changes hurt, help, and so on."""
    changes = tested(effects)
    if not any(row.n for row in changes):
        return ""
    said = Counter(row.verdict for row in changes)
    parts = [
        _verb(said["worse"], "hurts", "hurt"),
        _verb(said["better"], "helps", "help"),
        _verb(said["inconclusive"], "is inconclusive", "are inconclusive"),
    ]
    if margin is not None:
        within = _verb(said["equivalent"], "is equivalent", "are equivalent")
        parts.insert(2, f"{within} within ±{margin:g} points")
    untested = len(changes) - sum(said[name] for name in VERDICTS)
    if untested:
        parts.append(_verb(untested, "has no verdict", "have no verdict"))
    least = min(row.n for row in changes)
    return f"Of {times(len(changes), 'change')} {', '.join(parts)}, at n = {least} paired seeds."


def why(results: Results) -> str:
    """Why there is no finding."""
    states = Counter(record.state for record in results.records)
    if not states:
        return f"No run has been stored yet: `nas run {results.study.name}` makes them."
    if set(states) == {"failed"}:
        reasons = Counter(record.reason for record in results.records)
        reason = reasons.most_common(1)[0][0] or "no reason was stored"
        return f"No run has finished: all {states['failed']} failed, most with {reason}"
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


def _confirmed(rows: Sequence[ConfirmationRow]) -> str:
    base, *others = rows
    said = f"On the test split the baseline scores {base.mean:.2f} %"
    if others and others[0].name != "baseline":
        first = others[0]
        said += (
            f" and the search's best candidate {first.mean:.2f} %, {POINTS(first.delta)} points"
            + ("" if math.isnan(first.low) else f" ({POINTS(first.low)} to {POINTS(first.high)})")
            + f": {first.verdict}"
        )
    return f"{said}, at n = {base.n} fresh seeds."


def tested(effects: Sequence[EffectRow]) -> list[EffectRow]:
    """The contrasts that carry a verdict; in a design that tests nothing, every change."""
    changes = [row for row in effects if row.verdict not in ("baseline", "control")]
    return [row for row in changes if row.primary] or changes


def worst(effects: Sequence[EffectRow]) -> str:
    """Which change hurt most, which helped, and how sure that is."""
    rows = sorted((row for row in tested(effects) if row.n), key=lambda row: row.delta)
    if not rows:
        return "No change has a finished pair of runs yet."
    first, last = rows[0], rows[-1]
    kind = "largest loss" if first.delta < 0 else "smallest gain"
    said = f"The {kind} is “{first.name}”, {_effect(first)}."
    if len(rows) > 1:
        kind = "largest gain" if last.delta > 0 else "smallest loss"
        said += f" The {kind} is “{last.name}”, {_effect(last)}."
    chance = next((row for row in effects if row.verdict == "control" and row.n), None)
    if chance:
        said += f" Chance alone, the baseline on other seeds, does {_effect(chance, False)}."
    return said


def _effect(row: EffectRow, verdict: bool = True) -> str:
    ends = "" if math.isnan(row.low) else f" ({POINTS(row.low)} to {POINTS(row.high)})"
    said = f"{POINTS(row.delta)} points{ends}"
    if verdict and row.wins is not None:
        said += f", ahead on {row.wins} of {row.n} seeds: {row.verdict}"
    return said


def sure(rows: Sequence[PriceRow], effects: Sequence[EffectRow]) -> str:
    """What these seeds can show, and what more would take."""
    known = [row.visible for row in tested(effects) if math.isfinite(row.visible)]
    if not known:
        return "Two finished pairs of runs or more say what these seeds can show."
    typical = sorted(known)[len(known) // 2]
    open_ = {(row.change, row.kind) for row in effects if row.verdict == "inconclusive"}
    said = (
        f"At 80 % power these seeds show a difference of about {typical:.2f} points or more, for "
        "the middle one of the changes, if the spread is what they show."
    )
    if not open_:
        return f"{said} No verdict is open."
    asked = [row for row in rows if (row.change, row.kind) in open_]
    within = [row for row in asked if row.needed is not None and row.hours is not None]
    if not within:
        return (
            f"{said} {_verb(len(asked), 'change is', 'changes are')} inconclusive; the differences "
            "seen are so small that 200 seeds would not show them."
        )
    least = min(within, key=lambda row: row.needed or 0)
    return (
        f"{said} {_verb(len(asked), 'change is', 'changes are')} inconclusive; the nearest to a "
        f"verdict, “{least.change}”, would need {least.needed} seeds, "
        f"{duration(3600 * (least.hours or 0))} of training more, if its difference is as large "
        "as it looks."
    )


def saving(effects: Sequence[EffectRow]) -> str:
    """Which changes save mult-adds without a loss that was shown."""
    base = next((row for row in effects if row.verdict == "baseline"), None)
    rows = [row for row in tested(effects) if row.n]
    if base is None or not rows or not base.mult_adds:
        return ""
    cheaper = [row for row in rows if row.mult_adds and row.mult_adds < base.mult_adds]
    kept = [row for row in cheaper if row.verdict in ("better", "equivalent")]
    said = f"{len(cheaper)} of {times(len(rows), 'change')} {'is' if len(cheaper) == 1 else 'are'} "
    said += "cheaper than the baseline"
    if kept:
        most = min(kept, key=lambda row: row.mult_adds or 0)
        share = 100 * (1 - (most.mult_adds or 0) / base.mult_adds)
        return f"{said}; “{most.name}” saves {share:.1f} % and is {most.verdict}."
    return f"{said}; none of them is shown to be better or equivalent."


def frontier(rows: Sequence[CandidateRow], best: CandidateRow | None) -> str:
    """What the frontier shows, and the best network within the budget."""
    refused = sum(not row.feasible and not row.n for row in rows)
    explored = sum(row.exploratory and row.n > 0 for row in rows)
    several = sum(row.n > 1 for row in rows)
    within = [r for r in rows if r.role == "candidate" and r.n > 1 and r.feasible]
    said = ""
    if within:
        top = max(within, key=lambda row: row.mean)
        said = (
            f"The best confirmed network within the budget is {top.name}: {top.mean:.2f} % on the "
            f"validation split ({top.low:.2f} to {top.high:.2f}, n = {top.n}) at "
            f"{top.mult_adds:,} mult-adds. "
        )
    elif best is not None:
        said = (
            f"The best network within the budget so far is {best.name}, {best.mean:.2f} % on one "
            f"seed at {best.mult_adds:,} mult-adds; it is not confirmed. "
        )
    parts = [
        f"{explored} explored on one seed (hollow)",
        f"{several} run on several seeds (filled, with 95 % intervals)",
    ]
    if refused:
        parts.append(f"{refused} refused by the budget before any training (crosses, below)")
    return f"{said}Candidates: {', '.join(parts)}."


def cheapest(results: Results) -> tuple[str, str]:
    """The cheapest change that is shown to be equivalent, and what to know of it."""
    rows = [row for row in results.effects if row.verdict == "equivalent"]
    if not results.study.arms:
        return "–", "no ablation"
    if results.study.margin is None:
        return "–", "none claimed: the study names no margin"
    if not rows:
        return "–", f"none shown within ±{results.study.margin:g} points"
    row = min(rows, key=lambda row: row.mult_adds or 0)
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
        made.append(f"{times(len(short), 'row')} of the ablation lack planned seeds.")
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
