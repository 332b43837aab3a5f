import subprocess
import sys

import numpy as np
import pytest

from nas import PLACES, cost
from search_spaces import googlenet, small, tiny

SPACES = {
    "googlenet.by_stage": googlenet.by_stage,
    "googlenet.by_module": googlenet.by_module,
    "googlenet.branches": googlenet.branches,
    "googlenet.tricks": googlenet.tricks,
    "small.by_stage": small.by_stage,
    "small.by_module": small.by_module,
    "small.branches": small.branches,
    "tiny.widths": tiny.widths,
    "tiny.parts": tiny.parts,
}
HEAVY = ("torch", "ray", "optuna", "fvcore", "plotly", "scipy", "pandas", "sklearn", "sqlalchemy")


@pytest.mark.parametrize("name", ["googlenet", "small", "tiny"])
def test_importing_a_space_loads_nothing_heavy(name):
    script = f"import sys, search_spaces.{name}; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {module.split(".")[0] for module in done.stdout.split()}
    assert "nas" in loaded
    assert not loaded.intersection(HEAVY)


@pytest.mark.parametrize(
    ("name", "decisions", "size"),
    [
        ("googlenet.by_stage", 19, 4**18 * 37),
        ("googlenet.branches", 36, None),
        ("googlenet.by_module", 55, None),
        ("googlenet.tricks", 4, 2 * 3 * 2 * 37),
        ("small.by_stage", 19, 4**18 * 37),
        ("tiny.widths", 13, 4**12 * 4),
        ("tiny.parts", 4, 24),
    ],
)
def test_a_space_has_these_decisions(name, decisions, size):
    assert len(SPACES[name].domains) == decisions
    assert size in (None, SPACES[name].size)


@pytest.mark.parametrize("name", SPACES)
def test_the_baseline_is_the_canonical_network(name):
    space = SPACES[name]
    assert space.baseline.experiment == space.canonical


@pytest.mark.parametrize("name", SPACES)
def test_random_candidates_can_be_built_and_found_again(name):
    space, rng = SPACES[name], np.random.default_rng(0)
    for _ in range(10):
        candidate = space.sample(rng)
        assert space.at(candidate.decisions) == candidate
        assert cost(candidate.experiment).mult_adds > 0


def test_a_factor_of_by_stage_moves_every_module_of_its_stage():
    made = googlenet.by_stage.at({"stage4.conv3x3.width": "0.5"}).experiment.network
    widths = [getattr(made, f"inception_{place}").conv3x3.width for place in PLACES]
    assert widths == [128, 192, 104, 112, 128, 144, 160, 320, 384]
