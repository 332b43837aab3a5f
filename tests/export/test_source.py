import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings

from nas import edit
from nas.experiment.presets import PRESETS
from nas.export.source import source
from nas.train.net import Net, initialize
from tests.specimens import Odd, Residual, quick
from tests.strategies import candidates, wide_open


def difference(layers, text):
    """The largest difference between the logits of our module and of the source's."""
    ours = Net(layers).eval()
    initialize(ours, 3, "torch")
    made = {"__name__": "model", "__file__": "model.py"}
    exec(compile(text, "model.py", "exec"), made)
    theirs = made["Net"]().eval()
    kept = {k: v for k, v in ours.state_dict().items() if not k.startswith("aux")}
    theirs.load_state_dict(kept)
    shape = next(layer.in_shape for layer in layers if layer.inputs == ("image",))
    images = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return (ours(images) - theirs(images)).abs().max().item()


def written(layers, size=16):
    return source(layers, "A network.", mean=0.5, std=0.25, data_size=size)


@settings(max_examples=15)
@given(candidates(wide_open))
def test_any_candidate_computes_what_ours_does(candidate):
    layers = candidate.experiment.layers()
    assert difference(layers, written(layers)) < 1e-6


@pytest.mark.parametrize("name", [name for name in PRESETS if PRESETS[name].shape[1] < 64])
def test_any_preset_computes_what_ours_does(name):
    layers = PRESETS[name].layers()
    assert difference(layers, written(layers)) < 1e-6


@pytest.mark.parametrize("network", [Residual(), Odd()], ids=["Residual", "Odd"])
def test_a_network_of_ones_own_computes_what_ours_does(network):
    layers = edit(quick, {"network": network}).layers()
    assert difference(layers, written(layers)) < 1e-6


def test_it_is_written_as_a_person_would():
    text = written(edit(quick, {"network.normalization": "none"}).layers())
    lines = [line.strip() for line in text.partition("class Net")[2].splitlines()]
    assert lines[1] == '"""345,952 mult-adds for one image, 21,452 parameters."""'
    at = lines.index("# inception_3a: 24 x 8 x 8 to 32 x 8 x 8")
    assert lines[at + 1 : at + 10] == [
        "module = self.inception_3a",
        "conv1x1 = F.relu(module.conv1x1.conv(x))",
        "conv3x3 = F.relu(module.conv3x3.reduce(x))",
        "conv3x3 = F.relu(module.conv3x3.conv(conv3x3))",
        "conv5x5 = F.relu(module.conv5x5.reduce(x))",
        "conv5x5 = F.relu(module.conv5x5.conv(conv5x5))",
        "pool_proj = F.max_pool2d(x, 3, stride=1, padding=1, ceil_mode=True)",
        "pool_proj = F.relu(module.pool_proj.conv(pool_proj))",
        "x = torch.cat([conv1x1, conv3x3, conv5x5, pool_proj], dim=1)",
    ]
    assert not any("aux" in line for line in lines)


@pytest.mark.parametrize("name", ["googlenet", "alexnet", "network_in_network", "lenet5"])
def test_it_passes_ruff(tmp_path, name):
    file = tmp_path / "model.py"
    file.write_text(written(PRESETS[name].layers(), 64))
    ruff = Path(sys.executable).with_name("ruff")
    config = f"--config={Path(__file__).parents[2] / 'pyproject.toml'}"
    for words in (["format", "--check"], ["check", "--extend-ignore=D107,T20"]):
        ran = subprocess.run([ruff, *words, config, file], capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout


def test_grids_pools_that_round_down_and_epsilons_are_written():
    down = edit(PRESETS["small_alexnet"], {"network.grid": 5, "recipe.image_size": 41})
    text = written(down.layers())
    assert difference(down.layers(), text) < 1e-6
    assert "F.max_pool2d(x, 3, stride=2)" in text
    assert "F.adaptive_avg_pool2d(x, 5)" in text
    norms = edit(quick, {"network.epsilon": 0.1})
    assert difference(norms.layers(), written(norms.layers())) < 1e-6
