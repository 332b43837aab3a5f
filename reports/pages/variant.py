"""A variant: what exactly it is, against the canonical network."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from nas.base.wording import times
from nas.experiment.cost import cost
from nas.experiment.experiment import Experiment
from nas.networks.googlenet import GoogLeNet
from nas.networks.names import short
from nas.results.classes import ClassRow
from nas.results.flow import GradientRow, gradients
from nas.results.rows import CandidateRow, ModuleRow, TrialRow
from nas.runs.record import DONE
from nas.tree.rebuild import python
from nas.tree.tree import to_json
from reports import words
from reports.case import Case
from reports.figures import variant as drawn
from reports.page import (
    COUNT,
    PERCENT,
    Column,
    Figure,
    Listing,
    Page,
    Part,
    Section,
    Table,
    duration,
    fixed,
    signed,
)
from reports.pages import differences


def variant(case: Case, row: CandidateRow) -> Page:
    """The page of a variant."""
    experiment = case.results.experiment(row.candidate_id)
    parts = case.modules[row.candidate_id]
    runs = [
        each for each in case.results.trials
        if each.candidate_id == row.candidate_id and each.role != "control"
    ]  # fmt: skip
    return Page(
        path=case.variant(row.candidate_id) or "",
        kind="variant",
        title=row.name,
        heading=row.name,
        headline=" ".join(_headline(case, row, experiment, parts, runs)),
        above=case.above("study"),
        tabs=case.tabs,
        sections=tuple(_sections(case, row, experiment, parts, runs)),
        facts=(
            f"study {case.results.study.full_name}",
            f"candidate {row.candidate_id}",
            f"network {runs[0].network_id}",
            f"data set {experiment.recipe.data.name}",
        ),
    )


def _headline(
    case: Case,
    row: CandidateRow,
    experiment: Experiment,
    parts: tuple[ModuleRow, ...],
    runs: list[TrialRow],
) -> Iterator[str]:
    """What it scores and costs, how it stands to the baseline, and what it is."""
    results, change = case.results, sum(part.change for part in parts)
    said = f"{row.mean:.2f} %"
    if row.n > 1:
        said += f" ({row.low:.2f} to {row.high:.2f} over {row.n} seeds{_left_out(row, runs)})"
    else:
        said += " on one seed" + (", exploratory" if row.exploratory else "")
    against = "as many as" if change == 0 else f"{signed(change)} against"
    yield (
        f"{said}; {row.mult_adds:,} mult-adds, {against} the study's baseline; "
        f"{row.params:,} parameters."
    )
    for effect in results.effects:
        tried = effect.role == "change" and effect.n
        if tried and effect.candidate_id == row.candidate_id:
            yield f"As the change “{effect.name}”, {words.effect(effect)}."
    for fresh in results.confirmations:
        if fresh.candidate_id == row.candidate_id and fresh.role != "baseline" and fresh.n:
            crops = f" over {fresh.crops} crops" if fresh.crops > 1 else ""
            yield (
                f"On the test split{crops} {fresh.mean:.2f} %, {words.standing(results, fresh)}."
            )
    far = differences.from_the_paper(experiment)
    if far:
        yield f"Differs from the paper's GoogLeNet in {differences.summed(far)}."


def _left_out(row: CandidateRow, runs: Sequence[TrialRow]) -> str:
    """Whether the mean leaves out the run by which a search chose the network."""
    roles = {run.role for run in runs}
    chosen = row.n > 1 and {"candidate", "confirmation"} <= roles
    return ", without the run by which the search chose it" if chosen else ""


def _sections(
    case: Case,
    row: CandidateRow,
    experiment: Experiment,
    parts: tuple[ModuleRow, ...],
    runs: list[TrialRow],
) -> Iterator[Section]:
    leaves = differences.settings(case.results.differences(row.candidate_id))
    yield Section(
        name="changes",
        title="What changed",
        finding=(
            f"Differs from the study's baseline in {differences.summed(leaves)}."
            if leaves
            else "No difference: this is the study's baseline itself."
        ),
        parts=differences.table(
            "differences", "Against the study's baseline", "baseline", leaves, experiment
        ),
    )
    if isinstance(experiment.network, GoogLeNet):
        far = differences.from_the_paper(experiment)
        yield Section(
            name="canonical",
            title="Against the paper's GoogLeNet",
            finding=(
                f"Differs from table 1 of the paper in {differences.summed(far)}."
                if far
                else "No difference: this is the network of the paper's table 1."
            ),
            parts=differences.table(
                "canonical", "Against table 1 of the paper", "paper", far, experiment
            ),
        )
    yield _modules(case, row, experiment, parts)
    depth = _flow(case, row, experiment)
    if depth:
        yield _gradients(case, depth)
    if case.classes[row.candidate_id]:
        yield _classes(case, case.classes[row.candidate_id])
    yield _seeds(case, row, runs)
    yield _spec(case, row, experiment)


def _spec(case: Case, row: CandidateRow, experiment: Experiment) -> Section:
    same = case.results.baseline_id == row.candidate_id
    program = f"{python(experiment)}\nassert experiment.candidate_id == {row.candidate_id!r}\n"
    return Section(
        name="spec",
        title="The whole of it",
        finding="The experiment as data and as a program that makes it again"
        + ("; it is the baseline." if same else "."),
        parts=(
            Listing(name="json", label="As JSON", text=json.dumps(to_json(experiment), indent=1)),
            Listing(name="python", label="As Python", text=program),
        ),
        note=f"As weights, ONNX and plain torch: nas export {case.results.study.name}:{row.number}",
    )


def _modules(
    case: Case, row: CandidateRow, experiment: Experiment, parts: tuple[ModuleRow, ...]
) -> Section:
    total = _total(parts)
    table = Table(
        name="modules",
        label="What each module costs",
        columns=(
            Column(name="module", title="module", words=True),
            Column(name="canonical_mult_adds", title="baseline's mult-adds", write=COUNT),
            Column(name="variant_mult_adds", title="mult-adds", write=COUNT),
            Column(name="change", title="change", write=signed),
            Column(name="direct", title="direct", write=signed),
            Column(name="propagated", title="propagated", write=signed),
            Column(name="canonical_params", title="baseline's parameters", write=COUNT),
            Column(name="variant_params", title="parameters", write=COUNT),
        ),
        rows=(*parts, total),
        key=lambda row: row.module,
        mark=lambda row: "total" if row is total else "",
        file=case.file("modules.csv"),
        stored=sum(map(len, case.modules.values())),
    )
    icicle = Figure(
        name="icicle",
        plot=drawn.icicle(cost(experiment, case.results.study.image_size, "layer").rows),
        caption="Where the mult-adds are: the network, its modules, their branches, their layers. "
        "Click a part to open it.",
        files=(case.file("layers.csv"),),
    )
    return Section(
        name="modules",
        title="Branch widths and mult-adds by module",
        finding=_moved(parts, total.change),
        parts=(*_widths(case, row, parts), table, icicle),
    )


def _moved(parts: tuple[ModuleRow, ...], change: int) -> str:
    """In which modules mult-adds are gained or saved."""
    moved = [part for part in parts if part.change]
    if not moved:
        return "No module costs more or less than in the study's baseline."
    direct = ", ".join(short(part.module) for part in moved if part.direct)
    passed = ", ".join(short(part.module) for part in moved if part.propagated)
    return (
        f"Mult-adds change by {signed(change)}: directly in {direct or 'none'}, by a changed input "
        f"in {passed or 'none'}."
    )


def _widths(case: Case, row: CandidateRow, parts: tuple[ModuleRow, ...]) -> tuple[Part, ...]:
    """The widths of the branches; nothing where no module has any."""
    channels = case.widths[row.candidate_id]
    if not channels:
        return ()
    figure = Figure(
        name="widths",
        plot=drawn.widths(channels, parts),
        caption="Above: output channels of each branch, the baseline's bar beside this network's "
        "(hatched). Below: the change in mult-adds, direct where the module's own layers changed, "
        "propagated where the map that it reads did.",
        files=(case.file("widths.csv"), case.file("modules.csv")),
    )
    table = Table(
        name="widths",
        label="Output channels of each branch",
        columns=(
            Column(name="module", title="module", words=True),
            Column(name="branch", title="branch", words=True),
            Column(name="canonical", title="baseline's", write=COUNT),
            Column(name="variant", title="this network's", write=COUNT),
        ),
        rows=channels,
        key=lambda row: f"{row.module}-{row.branch}",
        file=case.file("widths.csv"),
        stored=sum(map(len, case.widths.values())),
        folded=True,
    )
    return figure, table


def _total(parts: tuple[ModuleRow, ...]) -> ModuleRow:
    def add(name: str) -> int:
        return sum(getattr(part, name) for part in parts)

    return ModuleRow(
        module="total",
        canonical_mult_adds=add("canonical_mult_adds"),
        variant_mult_adds=add("variant_mult_adds"),
        canonical_params=add("canonical_params"),
        variant_params=add("variant_params"),
        direct=add("direct"),
        propagated=add("propagated"),
        direct_params=add("direct_params"),
        propagated_params=add("propagated_params"),
    )


def _flow(case: Case, row: CandidateRow, experiment: Experiment) -> tuple[GradientRow, ...]:
    """The gradients of this network, of the baseline, and of the baseline with or without its aux
    heads where the study has that."""
    results = case.results
    own = gradients("this network", experiment, results.records, row.candidate_id)
    if not own:
        return ()
    others: dict[str, str] = {}
    if row.role != "baseline":
        others["baseline"] = results.baseline_id
    for other in case.shown:
        if set(results.differences(other.candidate_id)) == {"network.aux_after"}:
            heads = results.experiment(other.candidate_id).network.aux_after
            name = "aux heads at " + " and ".join(heads) if heads else "without aux heads"
            if other.candidate_id != row.candidate_id and len(others) < 4:
                others[f"baseline, {name}"] = other.candidate_id
    found = own
    for name, key in others.items():
        found += gradients(name, results.experiment(key), results.records, key)
    return found


def _gradients(case: Case, rows: tuple[GradientRow, ...]) -> Section:
    own = [row for row in rows if row.network == rows[0].network]
    ratio = own[0].mean / own[-1].mean if own[-1].mean else 0.0
    return Section(
        name="gradients",
        title="Gradient by depth",
        finding=f"In the last epoch the gradient that reaches {own[0].module} is {ratio:.2g} times "
        f"that of {own[-1].module}.",
        parts=(
            Figure(
                name="gradients",
                plot=drawn.gradients(rows),
                caption="Mean norm of each module's gradient over the last epoch, before clipping; "
                "bars reach from the least to the greatest run.",
                files=(case.file("gradients.csv"),),
            ),
            Table(
                name="gradients",
                label="Gradient norm by module",
                columns=(
                    Column(name="network", title="network", words=True),
                    Column(name="module", title="module", words=True),
                    Column(name="depth", title="depth"),
                    Column(name="n", title="runs"),
                    Column(name="mean", title="mean norm", write=fixed(".4g")),
                    Column(
                        name="interval", title="range", write=fixed(".4g"), ends=("low", "high")
                    ),
                ),
                rows=rows,
                key=lambda row: f"{row.network}-{row.module}",
                file=case.file("gradients.csv"),
                stored=sum(map(len, case.gradients.values())),
                folded=True,
            ),
        ),
    )


def _classes(case: Case, rows: tuple[ClassRow, ...]) -> Section:
    scored = [row for row in rows if row.runs]
    balanced = sum(row.accuracy for row in scored) / len(scored)
    worst = min(scored, key=lambda row: row.accuracy)
    unseen = [row.name for row in rows if not row.runs]
    more = f" and {len(unseen) - 5} more" if len(unseen) > 5 else ""
    return Section(
        name="classes",
        title="Accuracy by class",
        finding=f"Balanced accuracy, the mean of the classes' own, is {balanced:.2f} %; the worst "
        f"class is {worst.name} with {worst.accuracy:.2f} %."
        + (f" No image validates {', '.join(unseen[:5])}{more}." if unseen else ""),
        parts=(
            Table(
                name="classes",
                label="Validation accuracy of each class",
                columns=(
                    Column(name="label", title="label"),
                    Column(name="name", title="class", words=True),
                    Column(name="runs", title="runs"),
                    Column(name="images", title="images", write=COUNT),
                    Column(name="accuracy", title="accuracy, %", write=PERCENT),
                ),
                rows=rows,
                key=lambda row: str(row.label),
                file=case.file("classes.csv"),
                stored=sum(map(len, case.classes.values())),
                folded=len(rows) > 20,
            ),
        ),
    )


def _seeds(case: Case, row: CandidateRow, runs: list[TrialRow]) -> Section:
    own = [run for run in runs if run.score is not None and run.state in DONE]
    tried, left = {run.seed for run in own}, _left_out(row, runs)
    base = [
        run for run in case.results.trials
        if row.role != "baseline" and run.candidate_id == case.results.baseline_id
        and run.seed in tried and run.score is not None
    ]  # fmt: skip
    figure = Figure(
        name="seeds",
        plot=drawn.seeds(own, base),
        caption="Validation accuracy on each seed"
        + (", beside the baseline on the same seeds." if base else "."),
        files=(case.file("trials.csv"),),
    )
    return Section(
        name="seeds",
        title="Runs",
        finding=f"{times(len(runs), 'run')}, {len(own)} of them to the end"
        + (f"; the mean above is over {row.n} of them{left}." if left else "."),
        parts=(
            *([figure] if own else []),
            Table(
                name="runs",
                label="Runs of this network",
                columns=(
                    Column(name="number", title="trial"),
                    Column(name="role", title="role", words=True),
                    Column(name="seed", title="seed"),
                    Column(name="state", title="state", words=True),
                    Column(name="epochs", title="epochs"),
                    Column(name="score", title="accuracy, %", write=PERCENT),
                    Column(name="test", title="test, %", write=PERCENT),
                    Column(name="seconds", title="training", write=duration),
                ),
                rows=runs,
                key=lambda run: str(run.number),
                file=case.file("trials.csv"),
                stored=len(case.results.trials),
            ),
        ),
    )
