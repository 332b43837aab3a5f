"""How a study was done, in sentences made from the database alone, and the checklist of Lindauer
and Hutter (2020, Best practices for scientific research on neural architecture search)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from nas.base.wording import often, times
from nas.results.tables import Results
from nas.runs.record import DONE, OVER, Protocol, Record
from nas.stats.looks import look_level
from nas.tree.tree import spelled


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Something about how a study was done."""

    about: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Check:
    """A practice, whether the database shows that the study kept it, and what shows it."""

    practice: str
    kept: bool
    evidence: str


def facts(results: Results) -> tuple[Fact, ...]:
    """The methods section."""
    return tuple(Fact(about=about, text=text) for about, text in _facts(results))


def _facts(results: Results) -> Iterator[tuple[str, str]]:
    if results.baseline.subject.trained:
        yield from _networks(results)
    else:
        yield (
            "Function",
            f"{results.baseline.recipe.data.name}, called with a configuration and a seed; a "
            "higher score is better. The baseline's configuration is "
            f"{results.baseline.network.values}.",
        )
    yield "Statistics", _statistics(results)
    tried = {r.candidate_id for r in results.records if r.state in OVER}
    spent = sum(row.seconds or 0.0 for row in results.trials)
    were = "was" if len(tried) == 1 else "were"
    yield (
        "Tried in all",
        f"{times(len(tried), 'variant')} {were} trained in "
        f"{times(sum(bool(r.curve) for r in results.records), 'run')}, {spent / 3600:.2f} hours "
        f"of training; {_states(results.records)}.",
    )
    for protocol in dict.fromkeys(r.protocol for r in results.records if r.protocol):
        yield "Protocol", _protocol(protocol)


def _networks(results: Results) -> Iterator[tuple[str, str]]:
    """How networks were trained and chosen."""
    study, recipe = results.study, results.baseline.recipe
    data = recipe.data
    images = "" if data.train is None else f"{data.train - data.validation:,} to train on, "
    test = "" if data.test is None else f" and {data.test:,} to test on"
    yield (
        "Data",
        f"{data.name}: {images}{data.validation:,} held out for validation by the seed{test}; "
        f"{data.classes} classes, {data.channels} x {recipe.image_size} x {recipe.image_size}.",
    )
    yield (
        "Baseline",
        f"{spelled(results.baseline.network)}, candidate {results.baseline.candidate_id}.",
    )
    yield "Recipe", f"{spelled(recipe)}."
    yield (
        "Seeds",
        "A seed is four independent streams: the split, the initial weights by parameter path, the "
        "order of the batches with augmentation, and dropout. Paired runs share all four.",
    )
    size = study.image_size or recipe.image_size
    yield (
        "Counting",
        "Mult-adds count convolutions and linear layers, without biases, for one image of "
        f"{size} pixels a side at inference, without aux heads. {_audited(results.records)}",
    )
    if study.limits:
        told = ", ".join(f"{limit:,.0f} {_words(name)}" for name, limit in study.limits.items())
        yield "Budget", f"At most {told}; a proposal above it is refused before any training."
    yield "Selection", _selection(results)


def _selection(results: Results) -> str:
    said = (
        "Candidates of the search were scored on the validation split after their last epoch, "
        "once, on one seed: exploratory. "
        if results.study.trials
        else "There was no search: nothing was selected. "
    )
    if results.looks:
        said += f"Confirmations read the test split, which has been read {often(results.looks)}. "
        return f"{said}{chosen(results)}".strip()
    return f"{said}The test split has not been read."


def chosen(results: Results) -> str:
    """Which candidates of a search were confirmed, and which is the best of them; nothing where
    none was."""
    count = len({row.candidate_id for row in results.confirmations if row.role != "baseline"})
    if not count:
        return ""
    were = "was the first" if count == 1 else f"were the first {count}"
    best = (
        "" if count == 1 else
        "; the best of them is that of the highest mean validation accuracy of the fresh runs"
    )  # fmt: skip
    return (
        f"Confirmed {were} by the search's score on the validation split{best}. The test split "
        "chooses nothing."
    )


def _statistics(results: Results) -> str:
    if not results.study.arms:
        return "No change was tested; there is no p-value."
    if results.study.design == "streams":
        return (
            "Nothing was tested; there is no p-value. Each row is the baseline with one stream of "
            "its seed varying alone, or held, and its standard deviation over the seeds."
        )
    margin, subject = results.study.margin, results.baseline.subject
    within = "" if margin is None else f"±{margin:g} {subject.points}".strip()
    equal = (
        "The study named no margin, so nothing is called equivalent."
        if margin is None
        else f"Equivalent: two one-sided t-tests against {within}, Holm over the family."
    )
    if results.study.margin_later is not None:
        equal += f" A margin of ±{results.study.margin_later:g} was set later and judges nothing."
    tested = (
        "All arms that have a factor less all others, seed by seed; Student's t intervals at 95 % "
        "and t-tests, whose noise is that of all factors' differences over the seeds, with Holm's "
        "correction over the factors."
        if results.study.design == "factorial"
        else "Paired differences on the same seeds, Student's t intervals at 95 %, a paired t-test "
        "with Holm's correction over the changes of the table."
    )
    if len(looks := results.study.looks) > 1:
        said = " and ".join(map(str, looks))
        tested += f" Looks were planned at {said} seeds, each at a level of {look_level(looks):g}."
    return (
        f"{tested} Scores are {subject.of}. {equal} The A/A row is the baseline against itself on "
        "other seeds."
    )


def _audited(records: tuple[Record, ...]) -> str:
    counted = [record for record in records if record.mult_adds_fvcore is not None]
    same = sum(record.mult_adds_fvcore == record.mult_adds for record in counted)
    if not counted:
        return "No run has been counted by fvcore yet."
    return f"fvcore counted {len(counted)} of the built networks too; {same} agree to the unit."


def _protocol(protocol: Protocol) -> str:
    return (
        f"{protocol.settings('cpu')}; split {protocol.split or 'unnamed'}, evaluation "
        f"{protocol.evaluation or 'unnamed'}, trainer version {protocol.training_version}, data "
        f"SHA-256 {protocol.data_sha256[:16]}."
    )


def _states(records: tuple[Record, ...]) -> str:
    states = Counter(record.state for record in records)
    return ", ".join(f"{count} {state}" for state, count in states.items()) or "no run"


def _words(name: str) -> str:
    return {"mult_adds": "mult-adds", "params": "parameters"}.get(name, name.replace("_", " "))


def checklist(results: Results) -> tuple[Check, ...]:
    """The practices that a database can show, each with what it shows."""
    records, study = results.records, results.study
    done = [record for record in records if record.state in DONE]
    confirmed = {r.protocol for r in done if r.protocol and r.role == "confirmation"}
    compared = {r.protocol for r in done if r.protocol and r.role != "confirmation"}
    seeds = [row.n for row in results.effects] + [row.n for row in results.confirmations]
    reference = sum(r.role in ("reference", "baseline") for r in done)
    kept = [record for record in done if record.weights]
    changes = [row for row in results.effects if row.role == "change"]
    timed = sum(bool(record.curve) for record in done)
    proposed = sum(record.role == "candidate" for record in records)
    random = min(study.startup, proposed)
    said = [
        ("The search space and the recipe are given in full", bool(records),
         "every run's experiment is stored as JSON and as Python"),
        ("The same data, splits and evaluation for all methods",
         len(compared) == 1 and len(confirmed) < 2,
         f"protocols among the finished runs: {len(compared | confirmed)}; "
         f"{len(compared)} of what is compared, {len(confirmed)} of the confirmations"),
        ("The same recipe for the baseline and the candidates", reference > 0,
         f"{times(reference, 'run')} of the baseline under the study's own recipe"),
        ("Several seeds, and their number told", bool(seeds) and min(seeds) > 1,
         f"n from {min(seeds)} to {max(seeds)}" if seeds else "no ablation and no confirmation"),
        ("What was selected is confirmed on data that selected nothing", results.looks > 0,
         f"{times(results.looks, 'reading')} of the test split"),
        ("Ablations", any(row.n > 1 for row in changes),
         times(len({row.change for row in changes}), "change") if study.arms else "none was run"),
        ("A comparison with random search", random == proposed > 0,
         f"all {proposed} proposals were random" if random == proposed > 0 else
         f"the first {random} of {proposed} proposals were random, the sampler's start: no search "
         "of its own"),
        ("Intervals and corrections for many comparisons", any(r.n > 1 for r in results.effects),
         "Student's t, Holm" if study.arms else "no comparison was made"),
        ("Cost is told beside accuracy", all(record.mult_adds for record in done) and bool(done),
         "mult-adds and parameters of every run"),
        ("The time of the whole search is told", timed > 0, f"seconds of {times(timed, 'run')}"),
        ("Failures are told", bool(records),
         f"{sum(r.state == 'failed' for r in records)} failed, "
         f"{sum(r.state == 'diverged' for r in records)} diverged"),
        ("Trained weights are kept", bool(done) and len(kept) == len(done),
         f"of {len(kept)} of {len(done)} finished runs"),
    ]  # fmt: skip
    return tuple(
        Check(practice=practice, kept=met, evidence=evidence) for practice, met, evidence in said
    )
