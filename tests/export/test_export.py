import dataclasses
import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from importlib.metadata import version

import numpy as np
import onnx
import onnxruntime
import pytest
import safetensors.torch
import torch
from PIL import Image
from safetensors.torch import load_file

import nas.export.export as nas_export
from nas import Fidelity, edit
from nas.base.errors import OutOfReach
from nas.data.catalogue import load
from nas.data.decoding import pixels
from nas.experiment.experiment import CLASSES
from nas.networks.layers import inference
from nas.store.database import connect
from nas.store.reading import records, study_names
from nas.train.net import Net
from nas.train.worker import Trial, weights_path
from nas.tree.tree import from_json
from tests.commands import nas
from tests.specimens import Residual, job, quick, record

FILES = ["manifest.json", "model.onnx", "model.py", "model.safetensors"]


@pytest.fixture(scope="module")
def home(ran):
    """The folder of a study that was run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ran[0])
        patch.setenv("NAS_HOME", str(ran[0] / "out"))
        yield ran[0]


@pytest.fixture(scope="module")
def found(home):
    """Its records, and the folder of its files."""
    with connect(f"sqlite:///{home}/out/nas.db") as storage:
        (name,) = study_names(storage)
        return records(storage, name), home / "out" / name


@pytest.fixture(scope="module")
def complete(found):
    """A complete run of it."""
    return next(record for record in found[0] if record.state == "complete")


@pytest.fixture(scope="module")
def exported(home, complete):
    """The folder of that run's files."""
    said = nas("export", f"mine.py:{complete.number}").stdout
    assert said == (
        f"mine-{complete.number}: model.onnx, model.py, model.safetensors, manifest.json\n"
    )
    return home / f"mine-{complete.number}"


@pytest.fixture(scope="module")
def trained(complete, exported):
    """The validation images as uint8, as our module reads them, and its logits."""
    experiment = from_json(complete.experiment, CLASSES)
    data = load(experiment.recipe.data)
    net = Net(inference(experiment.trained_layers)).eval()
    net.load_state_dict(load_file(exported / "model.safetensors"))
    pixels = torch.from_numpy(data.train.images[:32])
    images = (pixels.float() / 255 - data.mean) / data.std
    with torch.no_grad():
        return pixels, images, net(images)


ALONE = """
import runpy, sys, torch
sys.modules |= dict.fromkeys(("nas", "ray", "optuna", "onnx", "fvcore"))  # none can be imported
made = runpy.run_path("model.py")
images = torch.load("../pixels.pt")
assert torch.equal(made["read"]("../first.png")[0], images[0])
try:
    made["read"]("../deep.png")
    raise AssertionError
except SystemExit as refused:
    assert "its bits a channel are not those" in str(refused)
with torch.no_grad():
    own = made["load"](normalise=True)(images.float() / 255)
    assert (own - made["load"]()(made["prepare"](images))).abs().max() < 1e-5
    torch.save(made["load"]()(made["prepare"](images)), "../logits.pt")
sys.argv = ["model.py", "../first.png"]
runpy.run_path("model.py", run_name="__main__")
sys.argv = ["model.py"]
runpy.run_path("model.py", run_name="__main__")
"""


@pytest.fixture(scope="module")
def alone(trained, exported):
    """What model.py says of the first image and of noise, and its logits, in a Python without this
    project."""
    folder, pixels = exported.parent, trained[0]
    torch.save(pixels, folder / "pixels.pt")
    first = pixels[0, 0].numpy()
    Image.fromarray(first).save(folder / "first.png")
    Image.fromarray(first.astype("uint16") * 256 + 7).save(folder / "deep.png")
    ran = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", ALONE],
        cwd=exported, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout, torch.load(folder / "logits.pt")


def test_the_python_file_alone_gives_the_logits_of_the_trained_network(trained, alone):
    assert (alone[1] - trained[2]).abs().max() < 1e-6


def test_the_python_file_says_the_classes_of_an_image_file_and_of_noise(trained, alone):
    share, label = trained[2][0].softmax(0).max(0)
    first, noise = alone[0].splitlines()
    assert first.startswith(f"../first.png  class {label}: {share:.1%}  class ")
    assert noise.startswith("noise  class ")


def test_onnx_reads_pixels_from_0_to_1_and_says_so(trained, exported):
    pixels, _, logits = trained
    images = pixels.float() / 255
    about = onnx.load(exported / "model.onnx").metadata_props
    assert {each.key: each.value for each in about}["input"] == "pixels from 0 to 1"
    session = onnxruntime.InferenceSession(
        exported / "model.onnx", providers=["CPUExecutionProvider"]
    )
    for count in (1, 7, 32):
        (theirs,) = session.run(["logits"], {"images": images[:count].numpy()})
        assert np.abs(theirs - logits[:count].numpy()).max() < 1e-4


def test_the_manifest_says_where_the_network_is_from(complete, exported):
    about = json.loads((exported / "manifest.json").read_text())
    assert about["trial"] == complete.number
    assert about["validation_accuracy"] == complete.score
    assert about["mult_adds"] == complete.mult_adds == complete.mult_adds_fvcore
    assert about["params"] == complete.params
    assert about["experiment"] == complete.experiment
    assert about["weights"] == "kept by the run"
    assert about["sha256"]["model.safetensors"] == complete.weights
    assert list(about["sha256"]) == FILES[1:]
    for name, sha256 in about["sha256"].items():
        assert hashlib.sha256((exported / name).read_bytes()).hexdigest() == sha256
    assert max(about["differences"].values()) < 1e-5
    assert about["versions"]["torch"] == version("torch")


def test_files_that_are_there_are_not_overwritten(complete, exported, tmp_path):
    (tmp_path / "model.py").write_text("mine")
    said = nas("export", f"mine.py:{complete.number}", "-o", tmp_path, code=2).stderr
    assert "has a model.py already; give another folder with -o" in said
    assert [path.name for path in tmp_path.iterdir()] == ["model.py"]


def test_a_run_without_final_weights_says_what_it_is(found, complete):
    refused = next(record for record in found[0] if record.state != "complete")
    for words in ((), ("--retrain",)):
        said = nas("export", f"mine.py:{refused.number}", *words, code=2).stderr
        assert f"trial {refused.number} is {refused.state} (" in said
        assert "only complete runs have final weights" in said


def test_weights_that_are_missing_or_damaged_are_trained_again_on_demand(found, complete, tmp_path):
    reference, out = f"mine.py:{complete.number}", tmp_path / "again"
    path = found[1] / "weights" / f"{complete.weights}.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    said = nas("export", reference, "-o", out, code=3).stderr
    assert f"{path} is damaged" in said
    path.unlink()
    said = nas("export", reference, "-o", out, code=3).stderr
    assert f"are not at {path}: they were deleted, or" in said
    assert "--retrain trains it again" in said
    assert not out.exists()
    assert "weights equal" in nas("export", reference, "-o", out, "--retrain").stderr
    assert (out / "model.safetensors").read_bytes() == whole
    about = json.loads((out / "manifest.json").read_text())
    assert about["weights"] == "trained again, equal to the bit"
    path.write_bytes(whole)


def test_a_file_whose_logits_are_off_is_left_out_and_named(complete, tmp_path, monkeypatch):
    monkeypatch.setattr(nas_export, "TOLERANCE", 1e-9)
    result = nas("export", f"mine.py:{complete.number}", "-o", tmp_path, code=1)
    assert "model.onnx is left out: its logits are " in result.stderr
    assert "model.onnx" not in [path.name for path in tmp_path.iterdir()]
    assert (tmp_path / "model.safetensors").exists()


def test_a_network_that_was_trained_on_smaller_images_is_exported_for_those(tmp_path):
    experiment = edit(
        quick,
        {"recipe.fidelity": Fidelity(epochs=1, image_size=12), "network.head.pooling": "flatten"},
    )
    trial = Trial(
        job(experiment, tmp_path) | {"layers": [asdict(x) for x in experiment.trained_layers]}
    )
    weights = weights_path(tmp_path, trial.step()["weights"]).read_bytes()
    run = record(experiment, score=50.0)
    nas_export.export(
        tmp_path / "out", weights, experiment=experiment, record=run, study="own@1", origin="here"
    )
    about = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert about["input"]["shape"] == [1, 12, 12]
    assert about["input"]["data_size"] == 16
    assert "IMAGE_SIZE = 1, 12\nDATA_SIZE = 16" in (tmp_path / "out" / "model.py").read_text()


def test_a_stored_name_that_is_a_program_is_refused_and_not_run(home, complete, tmp_path):
    database, out = tmp_path / "nas.db", tmp_path / "out"
    shutil.copy(home / "out" / "nas.db", database)
    name = 'x"""\nimport pathlib; pathlib.Path("ran").touch()\n"""'
    with sqlite3.connect(database) as connection:
        (spec,) = connection.execute("select spec from nas_studies").fetchone()
        known = json.loads(spec)["full_name"]
        spec = json.dumps(json.loads(spec) | {"full_name": name})
        connection.execute("update nas_studies set spec = ?", (spec,))
    words = (f"{known}:{complete.number}", "-o", out, "--storage", f"sqlite:///{database}")
    said = nas("export", *words, code=2).stderr
    assert "another program wrote it" in said
    assert not (home / "ran").exists()
    assert not out.exists()


def test_weights_whose_numbers_are_a_program_are_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    experiment = edit(quick, {"network": Residual()})
    tensors = Net(experiment.layers()).state_dict()
    about = {"experiment": experiment, "record": record(experiment, score=50.0)}
    about |= {"study": "own@1", "origin": "here"}
    evil = '__import__("pathlib").Path("ran").touch() or 0.5'
    first = next(iter(tensors))
    odd = tensors | {'x"); import os': tensors[first].clone()}
    for changed, mean, std in (
        (tensors, evil, 1.0),
        (tensors, 0.5, 0),
        (tensors | {first: tensors[first].double()}, 0.5, 1.0),
        (odd, 0.5, 1.0),
    ):
        pixels = {"pixels": json.dumps({"mean": mean, "std": std})}
        content = safetensors.torch.save(changed, pixels)
        with pytest.raises(OutOfReach, match="the weights are no"):
            nas_export.export(tmp_path / "out", content, **about)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "ran").exists()
    pixels = {"pixels": json.dumps({"mean": 0.5, "std": 1.0})}
    made = nas_export.export(tmp_path / "out", safetensors.torch.save(tensors, pixels), **about)
    assert "model.py" in made.written


ODD = """
import runpy, sys, torch
made = runpy.run_path("model.py")
torch.save([made["read"](name) for name in sys.argv[1:]], "read.pt")
"""


def odd(folder):
    """Images that are seen otherwise than their bytes lie."""
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (12, 16), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x112] = 6
    Image.fromarray(grey).save(folder / "turned.png", exif=exif)
    clear = np.dstack([grey] * 3 + [rng.integers(0, 256, (12, 16), dtype=np.uint8)])
    Image.fromarray(clear).save(folder / "clear.png")
    Image.fromarray(clear).convert("LA").save(folder / "grey.png")
    palette = Image.fromarray(clear[..., :3]).convert("P")
    palette.save(folder / "palette.gif", transparency=3)
    first = Image.fromarray(grey)
    first.save(folder / "several.tif", save_all=True, append_images=[first.rotate(90)])
    return sorted(folder.glob("*.*"))


def exported_as(folder, experiment, **more):
    trial = Trial(
        job(experiment, folder) | {"layers": [asdict(x) for x in experiment.trained_layers]}
    )
    weights = weights_path(folder, trial.step()["weights"]).read_bytes()
    run = record(experiment, score=50.0)
    out = folder / "out"
    nas_export.export(
        out, weights, experiment=experiment, record=run, study="own@1", origin="here", **more
    )
    return out


@pytest.mark.parametrize("channels", [1, 3])
def test_the_python_file_reads_an_image_as_the_network_learnt_it(data, tmp_path, channels):
    (tmp_path / "odd").mkdir()
    facts = dataclasses.replace(data, channels=channels)
    edits = {"recipe.dataset": facts, "recipe.image_size": 16, "recipe.fidelity.epochs": 1}
    names = ('a "daisy"', "\\rose'")
    out = exported_as(tmp_path, edit(quick, edits), class_names=names, normalised=True)
    files = odd(tmp_path / "odd")
    words = [sys.executable, "-I", "-W", "error", "-c", ODD, *map(str, files)]
    subprocess.run(words, cwd=out, check=True)
    for path, theirs in zip(files, torch.load(out / "read.pt"), strict=True):
        with Image.open(path) as image:
            ours = pixels(image, facts, Counter())
        assert np.array_equal(theirs[0].numpy(), ours), path
    assert (out / "labels.txt").read_text().splitlines() == list(names)
    about = {each.key: each.value for each in onnx.load(out / "model.onnx").metadata_props}
    assert json.loads(about["classes"]) == list(names)
    assert about["input"].startswith("(pixels from 0 to 1, less the mean) / std")
    assert json.loads((out / "manifest.json").read_text())["class_names"] == list(names)
    said = subprocess.run(
        [sys.executable, "-I", "model.py"], cwd=out, capture_output=True, text=True, check=True
    )
    assert all(f"  {name}: " in said.stdout for name in names)


def test_the_python_file_scales_sixteen_bits_as_they_were(data, tmp_path):
    facts = dataclasses.replace(data, channels=1, pixel_range=(0.0, 4095.0))
    rng = np.random.default_rng(0)
    for path in (tmp_path / "flowers").rglob("*.png"):
        Image.fromarray(rng.integers(0, 4096, (8, 8), dtype=np.uint16)).save(path)
    edits = {"recipe.dataset": facts, "recipe.image_size": 16, "recipe.fidelity.epochs": 1}
    out = exported_as(tmp_path, edit(quick, edits))
    path = tmp_path / "flowers/val/rose/0.png"
    subprocess.run([sys.executable, "-I", "-c", ODD, str(path)], cwd=out, check=True)
    with Image.open(path) as image:
        ours = pixels(image, facts, Counter())
    assert np.array_equal(torch.load(out / "read.pt")[0][0].numpy(), ours)
    assert not (out / "labels.txt").exists()
