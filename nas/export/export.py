"""A trained network as files that need nothing of this project: weights, ONNX and Python.

ONNX and Python are run beside the torch module, and left out where they differ from it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import runpy
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from torch import Tensor

from nas.base.errors import OutOfReach
from nas.base.paths import study_folder
from nas.experiment.experiment import Experiment
from nas.export.onnx_graph import onnx_model
from nas.export.source import source
from nas.networks.layers import Layer, image_shape, inference
from nas.runs.record import Record
from nas.train.kept import read
from nas.train.net import Net
from nas.train.worker import weights_path
from nas.tree.tree import to_json

WEIGHTS, PYTHON, ONNX, MANIFEST = "model.safetensors", "model.py", "model.onnx", "manifest.json"
LABELS = "labels.txt"
"""The names of the classes, one a line, where they have some."""
TOLERANCE = 1e-4
"""How far logits may be from torch's, as a share of the largest where that is above 1."""

BATCHES = (1, 3)
"""How many images of noise the files are checked on, batch by batch."""

PACKAGES = ("inception-nas", "numpy", "onnx", "onnxruntime", "safetensors", "torch")


@dataclass(frozen=True, kw_only=True)
class Exported:
    """The files that were written; those that were left out, by how far their logits were off."""

    written: tuple[str, ...]
    left_out: dict[str, float]


def kept_weights(record: Record, study: str) -> bytes:
    """The weights that a run of a study (its full name) ended with, as they were kept.

    Raises ValueError for a run that is not complete, OutOfReach where the file is not there or not
    what was written.
    """
    require_complete(record)
    again = "; --retrain trains it again"
    if record.weights is None:
        raise OutOfReach(f"trial {record.number} ran before weights were kept{again}")
    path = weights_path(study_folder(study), record.weights)
    if not path.exists():
        raise OutOfReach(
            f"the weights of trial {record.number} are not at {path}: they were deleted, or are on "
            f"the machine that trained them{again}"
        )
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != record.weights:
        raise OutOfReach(f"{path} is damaged: it has another SHA-256 than its name{again}")
    return content


def require_complete(record: Record) -> None:
    """Raises ValueError for a run that has no final weights."""
    if record.state != "complete":
        why = f" ({record.reason})" if record.reason else ""
        raise ValueError(
            f"trial {record.number} is {record.state}{why}: only complete runs have final weights; "
            "`nas trials STUDY` lists them"
        )


def export(
    folder: Path,
    weights: bytes,
    *,
    experiment: Experiment,
    record: Record,
    study: str,
    origin: str,
    class_names: tuple[str, ...] = (),
    normalised: bool = False,
) -> Exported:
    """Writes weights, Python, ONNX and a manifest into a folder, a new one if need be.

    `weights` are what `nas.train.worker.weights` packs, `origin` says where they are from;
    `class_names` in the order of the labels; the ONNX file reads pixels, unless `normalised`.
    Raises ValueError where the folder has one of the files, OutOfReach where the weights are
    not the network's; nothing is written then.
    """
    for name in (WEIGHTS, PYTHON, ONNX, LABELS, MANIFEST):
        if (folder / name).exists():
            raise ValueError(f"{folder} has a {name} already; give another folder with -o")
    layers = experiment.trained_layers
    tensors, mean, std = read(weights, layers)
    pixels = {"mean": mean, "std": std}
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        (place / WEIGHTS).write_bytes(weights)
        title = f"{study}, trial {record.number}: {record.score:.2f} % of the validation images."
        data_size = experiment.recipe.data.image_size
        (place / PYTHON).write_text(
            source(
                layers,
                title,
                **pixels,
                data_size=data_size,
                class_names=class_names,
                pixel_range=experiment.recipe.data.pixel_range,
            )
        )
        learned = {name: t.numpy() for name, t in tensors.items() if t.is_floating_point()}
        (place / ONNX).write_bytes(
            onnx_model(
                layers, learned, title, **pixels, normalised=normalised, class_names=class_names
            ).SerializeToString()
        )
        if class_names:
            (place / LABELS).write_text("".join(f"{name}\n" for name in class_names))
        given = (0.0, 1.0) if normalised else (pixels["mean"], pixels["std"])
        off = _differences(place, layers, tensors, given)
        left_out = {name: by for name, by in off.items() if not by <= TOLERANCE}
        for name in left_out:
            (place / name).unlink()
        about = _provenance(experiment, record) | {
            "study": study,
            "weights": origin,
            "input": {"shape": image_shape(layers), "data_size": data_size} | pixels,
            "onnx_reads": "normalised images" if normalised else "pixels from 0 to 1",
            "class_names": class_names,
            "differences": off,
            "versions": {"python": platform.python_version()} | {p: version(p) for p in PACKAGES},
            "sha256": {path.name: _sha256(path) for path in sorted(place.iterdir())},
        }
        (place / MANIFEST).write_text(json.dumps(about, indent=2) + "\n")
        shutil.copytree(place, folder, dirs_exist_ok=True)
    return Exported(written=(*about["sha256"], MANIFEST), left_out=left_out)


def _provenance(experiment: Experiment, record: Record) -> dict[str, Any]:
    kept = inference(experiment.trained_layers)
    return {
        "trial": record.number,
        "role": record.role,
        "change": record.change,
        "candidate_id": record.candidate_id,
        "network_id": record.network_id,
        "validation_accuracy": record.score,
        "mult_adds": sum(layer.mult_adds for layer in kept),
        "params": sum(layer.params for layer in kept),
        "classes": experiment.classes,
        "seeds": dataclasses.asdict(record.seeds),
        "protocol": to_json(record.protocol),
        "decisions": dict(record.decisions),
        "experiment": dict(record.experiment),
    }


def _differences(
    place: Path,
    layers: tuple[Layer, ...],
    tensors: dict[str, Tensor],
    pixels: tuple[float, float],
) -> dict[str, float]:
    """How far the logits of each file are from those of our module; the ONNX file reads pixels of
    this mean and deviation, and the others normalised ones."""
    mean, std = pixels
    ours = Net(inference(layers)).eval()
    theirs = runpy.run_path(str(place / PYTHON))["Net"]().eval()
    for net in (ours, theirs):
        net.load_state_dict(tensors)
    session = onnxruntime.InferenceSession(place / ONNX, providers=["CPUExecutionProvider"])

    def run_onnx(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {"images": (images * std + mean).numpy()})[0])

    runs: dict[str, Callable[[Tensor], Tensor]] = {PYTHON: theirs, ONNX: run_onnx}
    off: dict[str, list[Tensor]] = {name: [] for name in runs}
    noise = torch.Generator().manual_seed(0)
    for count in BATCHES:
        images = torch.randn(count, *image_shape(layers), generator=noise)
        with torch.no_grad():
            expected = ours(images)
            for name, run in runs.items():
                by = (run(images) - expected).abs().max() / expected.abs().max().clamp(min=1)
                off[name].append(by)
    return {name: torch.stack(by).max().item() for name, by in off.items()}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
