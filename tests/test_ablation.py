import pytest
from specimens import quick

from nas import Conv, SearchSpace, between, choice, edit, scaled, subsets, versus
from nas.ablation import BASELINE, CONTROL, arms, change_name
from nas.record import Seeds, seeds
from nas.study import Ablation
from search_spaces import googlenet, tiny

space = SearchSpace(
    quick,
    {
        "network.inception_3a.conv5x5": versus(off=None),
        "network.inception_4a.conv3x3.width": scaled(0.5, 1),
        "network.aux_after": subsets("3a", "4a"),
        "network.normalization": versus("lrn", off="none"),
        "recipe.lr": between(0.01, 1.0),
    },
)


def test_one_out_takes_away_each_thing_that_can_be_off():
    made = arms(Ablation(seeds=range(3)), space)
    assert [arm.change for arm in made] == [
        BASELINE,
        "3a: no 5x5 branch",
        "no aux heads",
        "no normalization",
        CONTROL,
    ]
    assert [arm.kind for arm in made] == [None, "raw", "raw", "raw", None]
    assert made[0].experiment == made[-1].experiment == quick
    assert made[1].experiment == edit(quick, {"network.inception_3a.conv5x5": None})
    assert made[2].experiment == edit(quick, {"network.aux_after": ()})
    assert made[3].experiment == edit(quick, {"network.normalization": "none"})


def test_every_arm_has_the_same_seeds_and_the_control_others():
    *paired, control = arms(Ablation(seeds=range(8)), space)
    assert {arm.seeds for arm in paired} == {tuple(seeds(seed) for seed in range(8))}
    assert len(control.seeds) == len(set(control.seeds)) == 8
    assert not set(control.seeds) & set(paired[0].seeds)


def test_the_controls_seeds_stay_when_seeds_are_added():
    fewer, more = (arms(Ablation(seeds=range(n)), space)[-1].seeds for n in (3, 6))
    assert more[:3] == fewer


def test_a_control_of_single_streams_is_seeded_apart_in_each():
    own = tuple(Seeds(split=9, init=init, order=5, dropout=7) for init in range(3))
    control = arms(Ablation(seeds=own), space)[-1]
    assert not {seed.init for seed in control.seeds} & {0, 1, 2}


def test_the_demo_takes_four_parts_away():
    changes = [arm.change for arm in arms(Ablation(), tiny.parts)]
    assert sorted(changes[1:-1]) == [
        "no 5x5 branches",
        "no aux heads",
        "no batch norm",
        "no pool branches",
    ]


def test_all_36_branches_are_36_changes_with_36_names():
    changes = [arm.change for arm in arms(Ablation(), googlenet.branches)]
    assert len(changes) == len(set(changes)) == 38
    assert "4e: no pool branch" in changes


@pytest.mark.parametrize(
    ("path", "value", "name"),
    [
        ("network.inception_3b.conv1x1", None, "3b: no 1x1 branch"),
        ("network.inception_4c", None, "no module 4c"),
        ("network.inception_3a.conv3x3.ratio", None, "3a: no 3x3 branch ratio"),
        ("network.aux_after", (), "no aux heads"),
        ("network.dropout_at", (), "no dropout"),
        ("recipe.averaging", None, "no averaging"),
        ("recipe.weight_decay", 0.0, "no weight decay"),
    ],
)
def test_a_change_is_called_by_what_it_takes_away(path, value, name):
    made = SearchSpace(googlenet.by_stage.canonical, {path: versus(off=value)})
    assert change_name(made.domains[path]) == name


def test_two_changes_have_two_names():
    both = {"network.dropout": versus(off=0.0), "network.aux_head.dropout": versus(off=0.0)}
    changes = [arm.change for arm in arms(Ablation(), SearchSpace(quick, both))]
    assert len(set(changes)) == len(changes) == 4


def test_a_change_that_changes_nothing_is_no_arm():
    plain = edit(quick, {"network.normalization": "none"})
    moved = SearchSpace(
        plain,
        {
            "network.normalization": versus(off="none", name="batch norm"),
            "network.inception_3a.conv5x5": versus(off=None),
        },
    )
    assert [arm.change for arm in arms(Ablation(), moved)][1:-1] == ["3a: no 5x5 branch"]


def test_over_chooses_what_is_taken_away():
    over = SearchSpace(quick, {"network.inception_5a.pool_proj": versus(off=None)})
    made = arms(Ablation(over=over), space)
    assert [arm.change for arm in made][1:-1] == ["5a: no pool branch"]


def test_a_space_where_nothing_can_be_off_is_refused():
    fixed = SearchSpace(quick, {"recipe.lr": choice(0.1, 0.2)})
    message = r"needs a decision that can be off \(versus\(off=...\), or subsets\).* has recipe.lr"
    with pytest.raises(ValueError, match=message):
        arms(Ablation(), fixed)


def test_a_change_that_leaves_no_network_is_refused_by_its_name():
    gone = dict.fromkeys(("conv3x3", "conv5x5", "pool_proj"))
    base = edit(quick, {f"network.inception_3a.{name}": None for name in gone})
    assert isinstance(base.network.inception_3a.conv1x1, Conv)
    message = r"network.inception_3a.conv1x1: an Inception module needs a branch"
    with pytest.raises(ValueError, match=message):
        SearchSpace(base, {"network.inception_3a.conv1x1": versus(off=None)})


def test_a_change_that_does_not_fit_the_image_is_refused_by_its_name():
    space = SearchSpace(quick, {"network.aux_head.kernel": versus(off=9)})
    message = r"the ablation's change network.aux_head.kernel = off is not valid: aux_3a.pool"
    with pytest.raises(ValueError, match=message):
        arms(Ablation(), space)
