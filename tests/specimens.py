"""Small things that several tests share: a quick experiment, a network of one's own, counters."""

import json
import logging
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nas import Data, Experiment, Fidelity, Layer, Recipe, Tape, edit, image_folder, tiny_googlenet
from nas.data.catalogue import prepare
from nas.data.store import place
from nas.runs.record import Epoch, Record, Seeds, seeds
from nas.tree.tree import Node, to_json

GOLDEN = Path(__file__).parent / "golden"

QUICK = Recipe(
    dataset="synthetic",
    image_size=16,
    fidelity=Fidelity(epochs=3),
    batch_size=64,
    lr=0.1,
    lr_schedule="one_cycle",
    averaging=None,
    augmentation=None,
)
quick: Experiment = edit(tiny_googlenet, {"recipe": QUICK, "network.aux_after": ("3a", "4a")})
"""Three modules with two aux heads on the synthetic images: a tenth of a second an epoch."""

exploding: Experiment = edit(
    quick,
    {
        "network.normalization": "none",
        "recipe.lr": 1e30,
        "recipe.lr_schedule": "constant",
        "recipe.clip": None,
    },
)
"""Its loss is no number after one step."""


@dataclass(frozen=True, kw_only=True)
class Residual(Node):
    """A user's own network: a convolution, and a block that adds to what its ReLU reads."""

    width: int = 8

    def layers(self, shape: tuple[int, ...], classes: int) -> tuple[Layer, ...]:
        tape = Tape(shape)
        x = tape.conv("stem.conv", tape.image, self.width, 3, 2)
        y = tape.conv("block.conv", tape.simple("relu", "block.relu", x), self.width, 3)
        x = tape.average_pool("head.pool", tape.add("block.add", x, y))
        tape.linear("head.classifier", x, classes)
        return tuple(tape.layers)


@dataclass(frozen=True, kw_only=True)
class Cell(Node):
    """Two branches, side by side; None drops one."""

    narrow: int | None = 4
    wide: int | None = 8


@dataclass(frozen=True, kw_only=True)
class Cells(Node):
    """A user's own network: three cells, two of them in one stage."""

    stem: int = 8
    cell_1a: Cell | None = Cell()
    cell_2a: Cell | None = Cell()
    cell_2b: Cell | None = Cell(wide=16)

    def layers(self, shape: tuple[int, ...], classes: int) -> tuple[Layer, ...]:
        tape = Tape(shape)
        x = tape.conv("stem.conv", tape.image, self.stem, 3)
        for name in ("cell_1a", "cell_2a", "cell_2b"):
            if cell := getattr(self, name):
                sides = {"narrow": (cell.narrow, 1), "wide": (cell.wide, 3)}
                branches = [
                    tape.conv(f"{name}.{side}.conv", x, width, kernel)
                    for side, (width, kernel) in sides.items()
                    if width
                ]
                x = tape.concat(f"{name}.concat", *branches)
        tape.linear("head.classifier", tape.average_pool("head.pool", x), classes)
        return tuple(tape.layers)


@dataclass(frozen=True, kw_only=True)
class Odd(Node):
    """Everything that Tape allows and nobody writes: names that Python has no room for, modules
    that take turns, an image that is read twice, values that wait long."""

    def layers(self, shape: tuple[int, ...], classes: int) -> tuple[Layer, ...]:
        tape = Tape(shape)
        first = tape.conv("1.lambda", tape.image, 4, 3)
        normed = tape.simple("batch_norm", "1.lambda_norm", first)
        second = tape.conv("side-way", tape.image, 4, 3)
        x = tape.simple("relu", "1.relu", second)
        torch_ = tape.conv("x.torch.conv", normed, 4)
        wide = tape.conv("x.wide.conv", x, 4)
        early = tape.average_pool("x.wide.pool", wide)
        x = tape.concat("x.concat", tape.add("x.add", torch_, wide), x, normed)
        alone = tape.concat("x.alone", x)
        x = tape.add("late.add", tape.average_pool("late.pool", alone), tape.average_pool("p", x))
        x = tape.concat("late.all", x, early)
        x = tape.simple("dropout", "late.dropout", tape.conv("late.class", x, classes), rate=0.5)
        return tuple(tape.layers)


def flowers(home: Path) -> Data:
    """Real image files of two classes, 6 of each to train and validate on and 2 to test on."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 2)):
        for kind in ("daisy", "rose"):
            folder = home / "flowers" / split / kind
            folder.mkdir(parents=True)
            for at in range(count):
                image = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
                image.save(folder / f"{at}.png")
    return image_folder("flowers", classes=2, image_size=8, validation=2)


def made(data: Data) -> tuple[list[str], list[Path]]:
    """Prepares a data set: the notices, and the two files."""
    notices: list[str] = []
    prepare(data, notices.append)
    return notices, sorted(place(data).glob("*.npy"))


def golden(name: str) -> Any:
    """The exact numbers of tests/golden/NAME.json."""
    return json.loads((GOLDEN / f"{name}.json").read_text())


def job(
    experiment: Experiment,
    folder: Path,
    number: int = 1,
    seed: int = 0,
    crops: int | None = None,
    seconds: float | None = None,
) -> Any:
    """What the driver would ask of a worker."""
    settings = {"device": "cpu", "precision": "float32", "threads": 1}
    return {
        "number": number,
        "layers": [asdict(layer) for layer in experiment.layers()],
        "counted": [asdict(layer) for layer in experiment.layers()],
        "recipe": to_json(experiment.recipe),
        "seeds": asdict(seeds(seed)),
        "settings": settings,
        "folder": str(folder),
        "crops": crops,
        "seconds": seconds,
    }


def curve(*accuracies: float) -> tuple[Epoch, ...]:
    """A curve of these validation accuracies."""
    rest = {"train_loss": 1.0, "train_accuracy": 50.0, "loss": 1.0, "lr": 0.1}
    return tuple(
        Epoch(epoch=at, accuracy=accuracy, seconds=1.0, images_per_second=1.0, **rest)
        for at, accuracy in enumerate(accuracies, 1)
    )


def record(experiment: Experiment, *, seed: int | Seeds = 0, **values: Any) -> Record:
    """A run of the experiment, complete unless told otherwise."""
    known: dict[str, Any] = {"number": 0, "role": "candidate", "state": "complete"}
    return Record(
        **(known | values),
        candidate_id=experiment.candidate_id,
        network_id=experiment.network_id,
        experiment=to_json(experiment),
        decisions={},
        seeds=seeds(seed),
        epochs=experiment.recipe.fidelity.epochs,
    )


def carried(theirs: Any, layers: tuple[Layer, ...]) -> Any:
    """Our module of these layers with the weights of a torchvision module of the same network."""
    from nas.train.net import Net

    ours, given = Net(layers), theirs.state_dict()
    names = {True: [], False: []}
    for name in given:
        names[name.startswith("aux")].append(name)
    own = {aux: [n for n in ours.state_dict() if n.startswith("aux") == aux] for aux in names}
    pairs = [pair for aux in names for pair in zip(own[aux], names[aux], strict=True)]
    ours.load_state_dict({mine: given[other] for mine, other in pairs})
    return ours.eval()


def fvcore_mult_adds(module: Any, image: Any) -> int:
    """fvcore's count of convolutions and linear layers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fvcore.nn import FlopCountAnalysis

        analysis = FlopCountAnalysis(module.eval(), (image,))
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        logging.getLogger("fvcore").setLevel(logging.ERROR)
        counted = analysis.by_operator()
    return round(sum(counted[op] for op in ("conv", "linear", "addmm")))


def torch_mult_adds(module: Any, image: Any) -> int:
    """torch's own count; it counts a multiply-add as two."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        module.eval()(image)
    total = counter.get_total_flops()
    assert total % 2 == 0
    return total // 2
