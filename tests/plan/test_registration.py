import json
from dataclasses import replace

import pytest

from nas import SearchSpace, edit, subsets, versus
from nas.cli.findings import notes
from nas.plan.description import describe
from nas.plan.plans import Ablation, Search
from nas.plan.registration import continued, registered, with_seeds
from nas.plan.smoke import smoke
from nas.results.tables import Results
from nas.runs.record import Seeds, seeds
from nas.study import Study
from nas.tree.tree import from_json, to_json
from tests.commands import nas
from tests.specimens import quick

EDITS = {"network.aux_after": subsets("3a", "4a")}
MORE = EDITS | {"network.inception_3a.conv5x5": versus(off=None)}


def study(edits=EDITS, **values):
    space = SearchSpace(quick, edits)
    plan = Ablation(over=space, **({"seeds": range(6)} | values))
    return Study(name="asked", question="?", space=SearchSpace(quick, EDITS), plan=plan)


def stored(study, before=None, now=100.0):
    return registered(replace(describe(study), created=now), before)


def test_what_is_asked_has_a_fingerprint_and_a_time_before_the_first_run():
    first = stored(study())
    assert len(first.registered) == 16
    assert first.registered_at == 100.0
    assert first.looks == (6,)
    assert not any(arm.added for arm in first.arms)


@pytest.mark.parametrize(
    "values",
    [
        {"margin": 0.5},
        {"seeds": range(7)},
        {"looks": (6, 10)},
        {"kinds": ("raw", "retuned")},
        {"edits": MORE},
        {"edits": MORE, "design": "pairs"},
    ],
)
def test_another_question_has_another_fingerprint(values):
    assert stored(study(**values)).registered != stored(study()).registered


def test_the_time_is_no_part_of_the_fingerprint():
    assert stored(study(), now=5.0).registered == stored(study(), now=6.0).registered


def test_an_arm_that_is_added_later_says_when():
    first = stored(study())
    second = stored(study(MORE), first, now=200.0)
    added = {arm.change: arm.added for arm in second.arms}
    assert added.pop("3a: no 5x5 branch") == 200.0
    assert set(added.values()) == {None}
    assert (second.registered, second.registered_at) == (first.registered, 100.0)
    third = stored(study(MORE), second, now=300.0)
    assert third.arms == second.arms


def test_a_change_that_is_taken_out_stays_in_the_family():
    first = stored(study(MORE))
    fewer = stored(study(), first, now=200.0)
    gone = [arm for arm in fewer.arms if arm.withdrawn]
    assert [(arm.change, arm.withdrawn) for arm in gone] == [("3a: no 5x5 branch", 200.0)]
    assert fewer.arms[-1].role == "control"
    assert stored(study(), fewer, now=300.0).arms == fewer.arms
    assert [row.note for row in Results(fewer, ()).effects if row.note] == ["withdrawn"]
    assert sum(row.primary for row in Results(fewer, ()).effects) == len(first.arms) - 2
    assert stored(study(MORE), fewer, now=400.0).arms == first.arms


def test_a_contrast_that_was_primary_stays_so_beside_the_new_one():
    raw = {"edits": {"network.inception_3a.conv5x5": versus(off=None)}}
    later = stored(study(**raw, kinds=("raw", "matched")), stored(study(**raw)))
    assert [(arm.kind, arm.primary) for arm in later.arms if arm.role == "change"] == [
        ("raw", True), ("matched", True),
    ]  # fmt: skip


def test_another_baseline_is_another_question():
    first = stored(study(design="one_in"))
    assert not any(arm.withdrawn for arm in stored(study(MORE, design="one_in"), first).arms)


def test_a_margin_that_is_named_later_judges_nothing():
    later = stored(study(margin=0.5), stored(study()))
    assert (later.margin, later.margin_later) == (None, 0.5)
    (said,) = notes(Results(later, ()))
    assert said.startswith("the margin of 0.5 points was set later")
    wider = stored(study(margin=2.0), stored(study(margin=0.5)))
    assert (wider.margin, wider.margin_later) == (0.5, 2.0)
    assert stored(study(margin=0.5), wider).margin_later is None


def test_the_looks_are_those_that_were_planned_first():
    first = stored(study(looks=(6, 10)))
    assert stored(study(seeds=range(10)), first).looks == (6, 10)
    assert stored(study(seeds=range(10)), stored(study())).looks == (6,)


def test_an_ablation_that_comes_to_a_search_is_registered_when_it_comes():
    search = Study(
        name="asked", question="?", space=SearchSpace(quick, EDITS), plan=Search(trials=2)
    )
    before = stored(search, now=50.0)
    assert (before.registered, before.registered_at) == ("", None)
    later = stored(study(), before, now=100.0)
    assert later.registered_at == 100.0
    assert not any(arm.added for arm in later.arms)


def test_an_ablation_that_is_taken_out_whole_stays_registered():
    first = stored(study(margin=0.5))
    alone = stored(replace(study(), plan=Search(trials=2)), first, now=200.0)
    told = ("arms", "design", "looks", "margin", "registered", "registered_at")
    assert [getattr(alone, each) for each in told] == [getattr(first, each) for each in told]
    with pytest.raises(ValueError, match="keeps the seeds that it began with"):
        continued(study(seeds=range(20, 26)), alone)


def test_a_registration_is_read_back_as_it_was_written():
    from nas.store.reading import READABLE

    first = stored(study(MORE, kinds=("raw", "matched", "retuned")))
    assert from_json(to_json(first), READABLE) == first


def test_more_seeds_are_those_that_follow():
    grown = with_seeds(study(), 4, None)
    assert grown.ablation.seeds == tuple(seeds(seed) for seed in range(10))
    again = with_seeds(study(), 2, stored(grown))
    assert again.ablation.seeds == tuple(seeds(seed) for seed in range(12))


def test_added_seeds_stay_without_being_asked_for_again():
    grown = stored(with_seeds(study(), 4, None))
    assert len(continued(study(), grown).ablation.seeds) == 10
    assert len(continued(study(seeds=range(12)), grown).ablation.seeds) == 12


@pytest.mark.parametrize(("more", "looks"), [(4, (6, 10)), (3, ())])
def test_seeds_that_were_added_up_to_a_look_keep_its_level(more, looks):
    planned = study(looks=(6, 10))
    grown = stored(with_seeds(planned, more, None), stored(planned))
    assert continued(planned, grown).ablation.looks == looks


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seeds": range(3, 9)}, r"began with: \[0, 1, 2, 3, 4, 5\], not \[3, 4, 5, 6, 7, 8\]"),
        ({"seeds": (5, 4, 3, 2, 1, 0)}, r"another name, or add some behind them \(`nas run STUDY"),
        ({"seeds": (0, 1, 9)}, r"not \[0, 1, 9\]"),
        ({"design": "one_factor"}, r"the design that it began with: one_out, not one_factor. Give"),
    ],
)
def test_what_it_began_with_cannot_be_exchanged(values, message):
    first, other = stored(study()), study(**values)
    with pytest.raises(ValueError, match=message):
        continued(other, first)
    with pytest.raises(ValueError, match=message):
        with_seeds(other, 2, first)
    assert continued(other, None) == other
    assert continued(study(seeds=range(4)), first).ablation.seeds == first.arms[0].seeds


def test_a_study_in_small_may_be_asked_anything():
    first, other = smoke(study()), smoke(study(seeds=range(20, 24), design="one_factor"))
    assert continued(other, stored(first)) == other


def test_seeds_of_streams_apart_are_not_made_up():
    apart = tuple(Seeds(split=n, init=0, order=n, dropout=n) for n in range(3))
    with pytest.raises(ValueError, match="asked sets the streams of its seeds apart; write the"):
        with_seeds(study(seeds=apart), 2, None)
    search = replace(study(), plan=Search(trials=2))
    with pytest.raises(ValueError, match="asked has no Ablation: --seeds adds seeds to one"):
        with_seeds(search, 2, None)


def test_another_baseline_is_another_study():
    other = SearchSpace(edit(quick, {"recipe.lr": 0.2}), EDITS)
    moved = replace(study(), space=other, plan=Ablation(over=other))
    assert moved.full_name != study().full_name


ASKED = """
from nas import Ablation, Study, edit, tiny_googlenet
from search_spaces.tiny import parts
base = edit(tiny_googlenet, {"recipe.dataset": "synthetic", "recipe.fidelity.epochs": 1,
                             "recipe.batch_size": 64})
space = parts.around(base).freeze({"5x5 branches": "canonical", "pool branches": "canonical"})
study = Study(name="asked", question="?", space=space, plan=Ablation(seeds=range(2), looks=(2, 3)))
"""


def test_the_command_adds_seeds_and_keeps_them(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_HOME", str(tmp_path / "out"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "asked.py").write_text(ASKED)

    def verdicts():
        rows = json.loads(nas("effects", "asked.py", "-f", "json").stdout)
        return {row["n"] for row in rows}, {row["verdict"] for row in rows if row["primary"]}

    nas("run", "asked.py", "--local")
    nas("run", "asked.py", "--local", "--seeds", "+1")
    assert verdicts()[0] == {3}
    assert "extended" not in verdicts()[1]
    nas("run", "asked.py", "--local", "--seeds", "+1")
    nas("run", "asked.py", "--local")
    assert verdicts() == ({4}, {"extended"})
    said = " ".join(nas("plan", "asked.py").stdout.split())
    assert "stored at" in said
    assert "read at 2, 3 seeds" in said
    (tmp_path / "asked.py").write_text(ASKED.replace("range(2)", "range(5, 7)"))
    for words in (["plan"], ["run", "--local"], ["run", "--local", "--seeds", "+1"]):
        refused = nas(words[0], "asked.py", *words[1:], code=2)
        assert "keeps the seeds that it began with: [0, 1, 2, 3], not [5, 6]" in refused.stderr
    assert verdicts()[0] == {4}
    refused = nas("run", "asked.py", "--local", "--seeds", "4", code=2)
    assert "'4' is no number of seeds to add, such as +4" in refused.stderr
    for many in ("+1001", "+99999999", f"+{'9' * 5000}"):
        refused = nas("run", "asked.py", "--local", "--seeds", many, code=2)
        assert (
            "is more than 1000 seeds for every arm; add at most +1000 at a time" in refused.stderr
        )
