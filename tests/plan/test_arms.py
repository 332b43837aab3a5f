from dataclasses import replace

import pytest

from nas import Conv, SearchSpace, between, choice, cost, edit, scaled, subsets, versus
from nas.plan.arms import BASELINE, CONTROL, arms
from nas.plan.plans import Ablation, Search
from nas.runs.record import Seeds, seeds
from nas.study import Study
from search_spaces import googlenet, tiny
from tests.specimens import quick

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


def test_the_control_holds_the_streams_that_the_seeds_hold():
    one_split = [Seeds(split=0, init=n, order=n, dropout=n) for n in range(3)]
    for design in ("one_out", "streams"):
        control = arms(Ablation(seeds=one_split, design=design), space)[-1]
        assert {seed.split for seed in control.seeds} == {0}
        for stream in ("init", "order", "dropout"):
            drawn = {getattr(seed, stream) for seed in control.seeds}
            assert len(drawn) == 3
            assert not drawn & {0, 1, 2}


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


WHOLE = ("raw", "matched", "control")
cheaper = SearchSpace(
    quick,
    {
        "network.inception_3a.conv5x5": versus(off=None),
        "network.aux_after": subsets("3a", "4a"),
    },
)


def test_a_change_that_moves_cost_has_every_kind_and_another_only_raw():
    made = arms(Ablation(kinds=WHOLE), cheaper)
    assert [(arm.change, arm.kind, arm.primary) for arm in made[1:-1]] == [
        ("3a: no 5x5 branch", "raw", False),
        ("3a: no 5x5 branch", "matched", True),
        ("3a: no 5x5 branch", "control", False),
        ("no aux heads", "raw", True),
    ]


def test_two_changes_whose_interaction_cannot_be_told_say_why():
    def noted(edits):
        made = arms(Ablation(design="pairs", kinds=("raw", "matched")), SearchSpace(quick, edits))
        return [arm.note for arm in made if arm.primary and len(arm.parts) == 2]

    branch = {"network.inception_3a.conv5x5": versus(off=None)}
    assert noted(branch | {"network.normalization": versus(off="none")}) == [None]
    (note,) = noted(branch | {"network.inception_3a.conv3x3": versus(off=None)})
    assert note.startswith("not matched: a width factor of 0.8 to 1.25 gives")
    assert note.endswith(
        "; no interaction is told: '3a: no 5x5 branch' is matched, and this is raw"
    )


def test_matched_costs_what_the_baseline_does_and_the_control_what_the_change_does():
    base, raw, matched, control, *_ = arms(Ablation(kinds=WHOLE), cheaper)
    spent = {arm.kind: cost(arm.experiment).mult_adds for arm in (base, raw, matched, control)}
    saved = spent[None] - spent["raw"]
    assert abs(spent["matched"] - spent[None]) <= 0.1 * saved
    assert abs(spent["control"] - spent["raw"]) <= 0.1 * saved
    assert control.experiment.network.inception_3a.conv5x5 is not None


def test_a_change_that_is_another_network_has_no_match_and_says_so():
    half = SearchSpace(quick, {"network.inception_*.conv3x3": versus(off=None, name="3x3")})
    raw, control = arms(Ablation(kinds=WHOLE), half)[1:-1]
    assert (raw.kind, raw.primary, control.kind, control.primary) == ("raw", True, "control", False)
    assert raw.note.startswith("not matched: a width factor of 0.8 to 1.25 gives")
    assert raw.note.endswith("it would be another network")
    with pytest.raises(ValueError, match=r"'no 3x3': not matched: .* another network; ask it"):
        arms(Ablation(kinds=("matched",)), half)


def test_a_factorial_that_cannot_be_matched_arm_by_arm_is_refused():
    half = {
        "network.inception_*.conv3x3": versus(off=None, name="3x3"),
        "network.aux_after": versus(off=()),
    }
    plan = Ablation(design="factorial", kinds=("raw", "matched"))
    with pytest.raises(ValueError, match=r"'run a.*': not matched: .*ask it one_out"):
        arms(plan, SearchSpace(quick, half))


def test_a_retuned_arm_has_the_same_rates_as_the_baselines():
    made = arms(Ablation(kinds=("raw", "retuned"), rates=(0.5, 1.0)), cheaper)
    tuned = [arm for arm in made if arm.kind == "retuned"]
    assert [arm.role for arm in tuned] == ["baseline", "change", "change"]
    for arm in tuned:
        assert [option.recipe.lr for option in arm.options] == [0.05, 0.1]
        assert {option.network for option in arm.options} == {arm.experiment.network}
        assert not set(arm.tuning) & set(arm.seeds)
    assert not any(arm.primary for arm in tuned[1:])


def test_a_change_of_the_learning_rate_is_not_retuned():
    rates = SearchSpace(quick, {"recipe.lr": choice(0.1, 0.2)})
    made = arms(Ablation(design="one_factor", kinds=("raw", "retuned")), rates)
    assert [arm.kind for arm in made] == [None, "retuned", "raw", None]
    with pytest.raises(ValueError, match="a change of the learning rate cannot be retuned"):
        arms(Ablation(design="one_factor", kinds=("retuned",)), rates)


def test_two_changes_that_are_one_network_are_refused_by_their_names():
    double = SearchSpace(quick, {"network.aux_head.conv": versus(half=64, narrow=64)})
    message = "conv half instead of 128' and .* conv narrow .* make the same network and recipe"
    with pytest.raises(ValueError, match=message):
        arms(Ablation(design="one_factor"), double)


def test_one_in_starts_from_all_off_with_a_control_of_its_own():
    base, *changes, control = arms(Ablation(design="one_in"), tiny.parts)
    assert base.experiment.network.aux_after == ()
    assert base.experiment.network.normalization == "none"
    assert control.experiment == base.experiment
    assert [arm.change for arm in changes] == [
        "with 5x5 branches",
        "with pool branches",
        "with aux heads",
        "with batch norm",
    ]


def test_the_arms_of_a_study_are_made_once():
    study = Study(name="once", question="?", space=cheaper, plan=Ablation(kinds=WHOLE))
    assert study.arms is study.arms
    assert study.arms == arms(study.ablation, cheaper)
    assert replace(study, plan=Search(trials=2)).arms == ()


def test_streams_vary_one_source_alone_and_hold_each():
    _, *made, apart = arms(Ablation(design="streams", seeds=range(3)), space)
    assert apart.change == CONTROL
    assert {arm.role for arm in made} == {"control"}
    assert {arm.experiment.candidate_id for arm in made} == {quick.candidate_id}
    seeds_of = {arm.change: arm.seeds for arm in made}
    assert len(seeds_of) == 8
    assert seeds_of["only the split varies"] == tuple(
        Seeds(split=n, init=0, order=0, dropout=0) for n in range(3)
    )
    assert seeds_of["the initialization is held"] == tuple(
        Seeds(split=n, init=0, order=n, dropout=n) for n in range(3)
    )


def test_a_stream_that_does_not_vary_is_not_asked():
    one_split = [Seeds(split=0, init=n, order=n, dropout=n) for n in range(3)]
    made = arms(Ablation(design="streams", seeds=one_split), space)
    assert not any("split" in arm.change for arm in made)
    assert len(made) == 8
