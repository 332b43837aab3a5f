import itertools
import subprocess
import sys

import numpy as np
import pytest

from nas import PLACES, Plain, cost, edit, googlenet, small_googlenet, tiny_googlenet
from nas.cli.find import find_space, space_names, space_question
from nas.space.draws import independent, labels
from nas.train.audit import audit
from search_spaces import googlenet as spaces
from search_spaces.equal_cost import SHARES
from tests.space.test_populations import check

NAMES = space_names()
HEAVY = ("torch", "ray", "optuna", "fvcore", "plotly", "scipy", "pandas", "sklearn", "sqlalchemy")


@pytest.mark.parametrize("name", ["googlenet", "inception_table", "small", "tiny"])
def test_importing_a_space_loads_nothing_heavy(name):
    script = f"import sys, search_spaces.{name}; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {module.split(".")[0] for module in done.stdout.split()}
    assert "nas" in loaded
    assert not loaded.intersection(HEAVY)


@pytest.mark.parametrize("name", NAMES)
def test_every_space_says_what_it_asks(name):
    assert space_question(name).endswith("?")


@pytest.mark.parametrize(
    ("name", "decisions", "size"),
    [
        ("googlenet.by_stage", 19, 4**18 * 37),
        ("googlenet.by_module", 55, 4**43 * 3**11 * 37),
        ("googlenet.ratios", 6, 4**6),
        ("googlenet.shares", 3, 5**3),
        ("googlenet.kernels", 3, 4**3),
        ("googlenet.activations", 6, 2**6),
        ("googlenet.branches", 36, 2**36),
        ("googlenet.shortcuts", 9, 2**9),
        ("googlenet.depth", 3, 3 * 6 * 3),
        ("googlenet.plain_low", 1, 10),
        ("googlenet.stem", 4, 3 * 4**3),
        ("googlenet.head", 2, 2 * 3),
        ("googlenet.aux_heads", 2, 37 * 3),
        ("googlenet.dropout", 3, 11 * 3 * 3),
        ("googlenet.normalization", 2, 3 * 2),
        ("googlenet.tricks", 4, 2 * 3 * 2 * 37),
        ("small.by_stage", 19, 4**18 * 37),
        ("small.stem", 1, 4),
        ("tiny.widths", 13, 4**12 * 4),
        ("tiny.parts", 4, 24),
        ("tiny.depth", 3, 3**3),
        ("tiny.aux_heads", 2, 4 * 3),
        ("inception_table.table", 19, 50_319_360),
    ],
)
def test_a_space_has_these_decisions(name, decisions, size):
    space = find_space(name)
    assert len(space.domains) == decisions
    assert space.points.size == size


@pytest.mark.parametrize("name", NAMES)
def test_the_baseline_is_the_canonical_network(name):
    space = find_space(name)
    assert space.baseline.experiment == space.canonical


@pytest.mark.parametrize("name", NAMES)
def test_random_candidates_can_be_built_and_found_again(name):
    space, rng = find_space(name), np.random.default_rng(0)
    drawn = independent(space.domains, rng, 6)
    valid = check(space, drawn).valid
    assert valid.any()
    for at in np.flatnonzero(valid):
        candidate = space.at(labels(drawn, space.domains, int(at)))
        assert space.at(candidate.decisions) == candidate
        assert space.candidate(space.index_of(candidate)) == candidate
        for near in itertools.islice(space.neighbours(candidate), 2):
            assert near.experiment != candidate.experiment


@pytest.mark.parametrize("name", [name for name in NAMES if "tiny" in name or "every" in name])
def test_fvcore_counts_a_random_candidate_alike(name):
    space = find_space(name)
    drawn = independent(space.domains, np.random.default_rng(1), 20)
    at = int(np.flatnonzero(space.fit(drawn))[0])
    audit(space.at(labels(drawn, space.domains, at)).experiment.layers())


def test_a_factor_of_by_stage_moves_every_module_of_its_stage():
    made = spaces.by_stage.at({"stage4.conv3x3.width": "0.5"}).experiment.network
    widths = [getattr(made, f"inception_{place}").conv3x3.width for place in PLACES]
    assert widths == [128, 192, 104, 112, 128, 144, 160, 320, 384]


def modules(experiment):
    """The mult-adds of each module, by its name."""
    return {row.name: row.mult_adds for row in cost(experiment).rows if row.name[-2:] in PLACES}


def alone(baseline, candidate, place):
    """A candidate's module in the baseline's network: on what the baseline's module reads."""
    path = f"network.inception_{place}"
    module = getattr(candidate.experiment.network, f"inception_{place}")
    return modules(edit(baseline, {path: module}))[f"inception_{place}"]


@pytest.mark.parametrize(
    ("name", "baseline", "module", "network"),
    [
        ("googlenet", googlenet, 0.005, 0.01),
        ("small", small_googlenet, 0.02, 0.015),
        ("tiny", tiny_googlenet, 0.04, 0.02),
    ],
)
def test_shares_move_width_between_the_large_branches_at_equal_cost(
    name, baseline, module, network
):
    space, known = find_space(f"{name}.shares"), modules(baseline)
    total = cost(baseline).mult_adds
    for label, share in SHARES.items():
        made = space.at(dict.fromkeys(space.domains, label))
        assert abs(cost(made.experiment).mult_adds / total - 1) <= network
        for place in (path[-2:] for path in known):
            assert abs(alone(baseline, made, place) / known[f"inception_{place}"] - 1) <= module
        rows = {row.name: row.mult_adds for row in cost(made.experiment, by="branch").rows}
        three, five = rows["inception_5a.conv3x3"], rows["inception_5a.conv5x5"]
        assert abs(five / (three + five) - share) < 0.04


@pytest.mark.parametrize(
    ("name", "residual"), [("googlenet", 0.002), ("small", 0.01), ("tiny", 0.01)]
)
def test_plain_modules_below_inception_leave_the_cost_where_it_was(name, residual):
    space = find_space(f"{name}.plain_low")
    total = cost(space.canonical).mult_adds
    (labels_,) = (domain.labels for domain in space.domains.values())
    for number, label in enumerate(labels_):
        network = space.at({"first inception": label}).experiment.network
        there = [getattr(network, f"inception_{place}") for place in PLACES]
        there = [module for module in there if module is not None]
        assert [isinstance(module, Plain) for module in there] == [
            at < number for at in range(len(there))
        ]
        spent = cost(space.at({"first inception": label}).experiment).mult_adds
        assert abs(spent / total - 1) <= residual


def test_depth_drops_the_later_modules_of_a_stage_and_repeats_the_last_but_one():
    def stage4(label):
        made = spaces.depth.at({"stage4.modules": label}).experiment
        return [name.removeprefix("inception_") for name in modules_of(made) if "_4" in name]

    assert stage4("1") == ["4e"]
    assert stage4("3") == ["4a", "4b", "4e"]
    assert stage4("canonical") == ["4a", "4b", "4c", "4d", "4e"]
    assert stage4("6") == ["4a", "4b", "4c", "4d", "4d_2", "4e"]


def modules_of(experiment):
    return list(dict.fromkeys(x.module for x in experiment.layers() if "inception" in x.module))


def test_everything_opens_all_that_the_other_spaces_open_but_what_excludes_another():
    known = {path for paths in spaces.everything.sites.values() for path in paths}
    for name in NAMES:
        if name.startswith("googlenet.") and name not in (
            "googlenet.shares",
            "googlenet.plain_low",
        ):
            paths = {path for paths in find_space(name).sites.values() for path in paths}
            assert paths <= known, name
    assert spaces.everything.size > 10**50
