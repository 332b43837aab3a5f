"""Record: one run as the database has it; and what makes two runs comparable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields
from typing import Any, Literal, cast

from nas.base.paths import is_full_name, is_name
from nas.base.wording import times
from nas.experiment.experiment import Experiment
from nas.experiment.recipe import Fidelity
from nas.runs.scores import Crops
from nas.tree.domain import Label
from nas.tree.tree import Node

State = Literal[
    "running", "complete", "stopped", "infeasible", "duplicate", "diverged", "exceeded", "failed"
]  # fmt: skip
"""running: under way or to be taken up again. complete: trained to its last epoch. stopped: early,
by the scheduler. infeasible, duplicate: refused before training. diverged: the loss became NaN.
exceeded: out of memory, or over a trial's time limit. failed: an error, named in the reason."""

OVER: tuple[State, ...] = ("complete", "stopped", "diverged", "exceeded")
"""How a run ends that was trained, and so is one of those that the plan asks for."""
DONE: tuple[State, ...] = ("complete", "diverged")
"""States of a run that was trained to its end, or to that of its loss: its score counts."""
REFUSED: tuple[State, ...] = ("infeasible", "duplicate")

ArmRole = Literal["baseline", "change", "control"]
Role = Literal["reference", "candidate", "confirmation", "pilot", "tuning"] | ArmRole
"""reference: the baseline of a search. candidate: a point that a search proposed. The arms of an
ablation: baseline, change, and control, which is the baseline again on other seeds (A/A). tuning:
an arm at one of the learning rates that it may have. confirmation: the baseline or a search's best
candidate, scored on the test split. pilot: a random candidate, run to see how much its seed moves
its score."""


@dataclass(frozen=True, kw_only=True)
class Seeds(Node):
    """Independent random streams: the train/validation split, the initial weights (by parameter
    path), the order of the batches with their augmentation, and dropout."""

    split: int
    init: int
    order: int
    dropout: int


def seeds(seed: int | Seeds) -> Seeds:
    """The streams of a seed; an integer means all alike."""
    if isinstance(seed, Seeds):
        return seed
    return Seeds(split=seed, init=seed, order=seed, dropout=seed)


def spelled(many: Iterable[Seeds]) -> str:
    """Seeds as they are written: the integer where all streams of one are alike.

    >>> spelled([seeds(3), Seeds(split=0, init=3, order=3, dropout=3)])
    '[3, Seeds(split=0, init=3, order=3, dropout=3)]'
    """
    return str([each.init if each == seeds(each.init) else each for each in many])


def varying(many: Sequence[Seeds]) -> tuple[str, tuple[int | str, ...]]:
    """The streams that tell some seeds apart, and each seed's number in them, or its numbers.

    >>> varying([seeds(3), seeds(4)])
    ('all', (3, 4))
    >>> varying([Seeds(split=n, init=0, order=n, dropout=n) for n in (3, 4)])
    ('split/order/dropout', (3, 4))
    >>> varying([Seeds(split=n // 2, init=n % 2, order=0, dropout=0) for n in range(3)])
    ('split/init', ('0/0', '0/1', '1/0'))
    """
    streams = [field.name for field in fields(Seeds)]
    apart = [name for name in streams if len({getattr(seed, name) for seed in many}) > 1] or streams
    numbers = [[getattr(seed, name) for name in apart] for seed in many]
    if any(len(set(own)) > 1 for own in numbers):
        return "/".join(apart), tuple("/".join(map(str, own)) for own in numbers)
    return "all" if apart == streams else "/".join(apart), tuple(own[0] for own in numbers)


Precision = Literal["float32", "bfloat16"]
MemoryFormat = Literal["channels_last", "contiguous"]


@dataclass(frozen=True, kw_only=True)
class Settings(Node):
    """How a machine trains. Each but the device changes the bits of a result.

    fused: the 1x1 convolutions that read one map run as one. stratified: every class is held out
    and trained on in proportion.
    """

    device: str = "cpu"
    precision: Precision = "float32"
    threads: int = 1
    memory_format: MemoryFormat = "channels_last"
    fused: bool = True
    stratified: bool = False

    def __str__(self) -> str:
        fused = "fused" if self.fused else "not fused"
        split = ", a stratified split" if self.stratified else ""
        return (
            f"{self.precision}, {times(self.threads, 'thread')}, {self.memory_format}, {fused}"
            f"{split}"
        )


@dataclass(frozen=True, kw_only=True)
class Protocol(Node):
    """Under which rules a number was made; results are compared within one protocol only."""

    data_sha256: str
    split: str
    evaluation: str
    precision: Precision
    threads: int
    memory_format: MemoryFormat = field(
        default="channels_last", metadata={"before": "channels_last"}
    )
    fused: bool = field(default=False, metadata={"before": False})
    stratified: bool = field(default=False, metadata={"before": False})
    training_version: int

    def settings(self, device: str) -> Settings:
        """What trains under this protocol on a device."""
        return Settings(
            device=device,
            precision=self.precision,
            threads=self.threads,
            memory_format=self.memory_format,
            fused=self.fused,
            stratified=self.stratified,
        )


@dataclass(frozen=True, kw_only=True)
class Origin(Node):
    """Where a run was made, at its last attempt: the machine's name and device, the versions of
    what trains, and the git revision of the driver's folder."""

    host: str
    device: str
    versions: Mapping[str, str]
    revision: str | None = None


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One epoch of a curve: losses in nats, accuracies in percent, images a second in training.

    aux_losses: the training loss of each aux head, by its last layer. gradients: the mean over the
    steps of the norm of each module's gradient, before clipping. Both are empty in old runs.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    loss: float
    accuracy: float
    lr: float
    seconds: float
    images_per_second: float
    aux_losses: Mapping[str, float] = field(default_factory=dict[str, float])
    gradients: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def values(self) -> dict[str, float]:
        """Every number by its name, such as loss and gradients.stem."""
        named: dict[str, float] = {}
        for name, value in vars(self).items():
            if isinstance(value, Mapping):
                inner = cast("Mapping[str, float]", value)
                named |= {f"{name}.{key}": number for key, number in inner.items()}
            else:
                named[name] = value
        return named


@dataclass(frozen=True, kw_only=True)
class ArmRecord(Node):
    """One line of an ablation, as it was planned.

    parts: the single changes that it makes; primary: whether a verdict is asked of it rather than
    of another kind of the same change; note: why a kind of it is missing. A retuned arm is the best
    of the candidates `options` on the seeds `tuning` (nas.plan.tuning settles it); its candidate_id
    is that of the recipe's own rate until then. added, withdrawn: when, in seconds since 1970, it
    came after the study's first run, or was taken out of it again.
    """

    role: ArmRole
    change: str
    kind: str | None
    candidate_id: str
    epochs: int
    seeds: tuple[Seeds, ...]
    parts: tuple[str, ...] = field(default=(), metadata={"before": ()})
    primary: bool = field(default=True, metadata={"before": True})
    note: str | None = field(default=None, metadata={"before": None})
    options: tuple[str, ...] = field(default=(), metadata={"before": ()})
    tuning: tuple[Seeds, ...] = field(default=(), metadata={"before": ()})
    added: float | None = field(default=None, metadata={"before": None})
    withdrawn: float | None = field(default=None, metadata={"before": None})


@dataclass(frozen=True, kw_only=True)
class ConfirmationRecord(Node):
    """A confirmation as it was planned: how many seeds it was to have when its first run began, and
    how many it is to have now."""

    fidelity: Fidelity
    crops: Crops
    first: int
    seeds: int

    @property
    def kind(self) -> tuple[object, ...]:
        """What its runs are compared within."""
        return (astuple(self.fidelity), self.crops)


@dataclass(frozen=True, kw_only=True)
class StudyRecord(Node):
    """A study as the database has it: enough to report on it without the study file.

    `baseline` is the canonical experiment; `limits` are the budget's numbers, counted for images of
    `image_size` pixels where that is not the recipe's; `trials` is how many runs the search trains,
    `planned` how many the whole plan does, of which `confirmations` confirm; `startup` how many of
    the search's first proposals are random; `arms` and `design` are the ablation's. Its `margin`
    (points), the `looks`, which are the numbers of seeds at which it was to be read, and
    `registered`, the fingerprint of all that was asked of it, are as they were before its first
    run, at `registered_at`, in seconds since 1970; empty in studies of before. `margin_later` is a
    margin that the study names since, by which nothing is judged. `resolution` is the score's step
    where that is not one validation image. `confirmed` are the confirmations that were planned, for
    each fidelity and number of crops. `images` is the SHA-256 of what it was last run on: only runs
    on these count.
    """

    name: str
    full_name: str
    question: str
    baseline: Any
    limits: dict[str, float]
    image_size: int | None
    trials: int
    planned: int
    arms: tuple[ArmRecord, ...]
    margin: float | None
    created: float
    confirmations: int = field(default=0, metadata={"before": 0})
    design: str = field(default="one_out", metadata={"before": "one_out"})
    looks: tuple[int, ...] = field(default=(), metadata={"before": ()})
    registered: str = field(default="", metadata={"before": ""})
    registered_at: float | None = field(default=None, metadata={"before": None})
    startup: int = field(default=0, metadata={"before": 0})
    margin_later: float | None = field(default=None, metadata={"before": None})
    resolution: float | None = field(default=None, metadata={"before": None})
    confirmed: tuple[ConfirmationRecord, ...] = field(default=(), metadata={"before": ()})
    images: str = field(default="", metadata={"before": ""})

    def check(self) -> None:
        if not is_name(self.name) or not is_full_name(self.full_name):
            raise ValueError(
                f"a study is stored under NAME@HASH, of letters, digits, _ and -, not as "
                f"{self.full_name!r} with the name {self.name!r}: another program wrote it"
            )


Key = tuple[str, tuple[Any, ...], Seeds, Crops | None]
"""The candidate, the fidelity, the seed, and the crops of the test split where it is read."""


def run_key(experiment: Experiment, seeds: Seeds, crops: Crops | None = None) -> Key:
    """What makes a run of the experiment the same run."""
    return (experiment.candidate_id, astuple(experiment.recipe.fidelity), seeds, crops)


@dataclass(frozen=True, kw_only=True)
class Record:
    """One run. `score` is the validation accuracy of the last epoch in percent, or None before
    the first; `test` is that of the test split over `crops` views of an image, which only a
    confirmation has; multiply-adds by the closed form and by fvcore; times in seconds since 1970;
    predictions and weights by the SHA-256 of their files; `attempts` is how often it was given to a
    worker, since a retry if there was one; `exhausted` says that nothing was left to propose after
    it."""

    number: int
    role: Role
    state: State
    candidate_id: str
    network_id: str
    experiment: Mapping[str, Any]
    decisions: Mapping[str, Label]
    seeds: Seeds
    epochs: int
    change: str | None = None
    kind: str | None = None
    reason: str | None = None
    mult_adds: int = 0
    mult_adds_fvcore: int | None = None
    params: int = 0
    params_aux: int = 0
    activations: int = 0
    excess: Mapping[str, float] = field(default_factory=dict[str, float])
    protocol: Protocol | None = None
    curve: tuple[Epoch, ...] = ()
    score: float | None = None
    crops: Crops | None = None
    test: float | None = None
    started: float | None = None
    ended: float | None = None
    predictions: str | None = None
    weights: str | None = None
    attempts: int = 0
    origin: Origin | None = None
    exhausted: bool = False

    @property
    def key(self) -> Key:
        """What makes it the same run."""
        told = self.experiment.get("recipe", {}).get("fidelity", {})
        fidelity = tuple(told.get(each.name, each.default) for each in fields(Fidelity))
        return (self.candidate_id, fidelity, self.seeds, self.crops)

    @property
    def arm(self) -> str | None:
        """The change that it is a run of, with its kind where that is not the plain one."""
        kind = "tuning" if self.role == "tuning" else self.kind
        plain = self.change is None or kind in (None, "raw")
        return self.change if plain else f"{self.change} ({kind})"

    @property
    def name(self) -> str:
        """What a candidate is called: its trial, and its decision where it has a single one."""
        only = [f": {name}={label}" for name, label in self.decisions.items()]
        return f"trial {self.number}" + (only[0] if len(only) == 1 else "")
