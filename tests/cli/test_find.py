import pytest

from nas import Experiment, small_googlenet
from nas.cli.find import find_experiment, find_space, find_study, set_paths, study_names
from search_spaces import googlenet


def test_a_name_is_a_shipped_study():
    assert find_study("quickstart").name == "quickstart"
    assert {"aux_heads", "fashion_baseline", "quickstart"} < set(study_names())
    assert study_names() == sorted(study_names())


def test_an_unknown_name_names_the_near_one():
    with pytest.raises(ValueError, match=r"no study 'quikstart': .*; did you mean quickstart\?"):
        find_study("quikstart")
    with pytest.raises(ValueError, match=r"no preset 'googlenett'.*; did you mean googlenet\?"):
        find_experiment("googlenett")
    with pytest.raises(ValueError, match=r"no file of spaces 'gogglenet'.* did you mean googlenet"):
        find_space("gogglenet.by_stage")
    with pytest.raises(ValueError, match="googlenet has no space 'by_hand'; it has by_stage"):
        find_space("googlenet.by_hand")


def test_a_space_is_found_by_its_file_and_name():
    assert find_space("googlenet.by_stage") is googlenet.by_stage
    assert find_experiment("small.by_stage") == small_googlenet


def test_a_users_own_file_is_read_from_any_folder(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from nas import Search, Study\nfrom search_spaces.tiny import widths\n"
        "study = Study(name='mine', question='?', space=widths, plan=Search(trials=2))\n"
    )
    assert find_study(str(path)).name == "mine"
    assert len(find_space(f"{path}.widths").domains) == 13


def test_a_file_without_a_study_says_how_one_ends(tmp_path):
    path = tmp_path / "empty.py"
    path.write_text("")
    with pytest.raises(ValueError, match=r"has no `study`: a study file ends in `study = Study"):
        find_study(str(path))
    with pytest.raises(ValueError, match="no file"):
        find_study(str(tmp_path / "nothing.py"))


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        ("network.width=0.5", ("network", "width"), 0.5),
        ("network.stem.kind=separable", ("network", "stem", "kind"), "separable"),
        ("network.inception_3a.conv5x5=null", ("network", "inception_3a", "conv5x5"), None),
        ("network.inception_3a.conv5x5=None", ("network", "inception_3a", "conv5x5"), None),
        ("network.aux_after=('4a',)", ("network", "aux_after"), ("4a",)),
        ("recipe.dataset='digits'", ("recipe", "dataset"), "digits"),
    ],
)
def test_values_are_literals_and_a_bare_word_is_a_string(setting, path, value):
    found = set_paths(Experiment(), (setting,))
    for name in path:
        found = getattr(found, name)
    assert found == value


def test_a_setting_that_cannot_be_is_said_with_the_setting():
    with pytest.raises(ValueError, match=r"--set network\.widht=2: .* near it: network"):
        set_paths(Experiment(), ("network.widht=2",))
    with pytest.raises(ValueError, match=r"takes PATH=VALUE, not .network\.width."):
        set_paths(Experiment(), ("network.width",))


def test_a_mistake_in_a_users_file_names_its_own_line(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("x = 1\nstudy = (\n")
    with pytest.raises(ValueError, match=r"broken\.py, line 2: '\(' was never closed"):
        find_study(str(path))
    path.write_text("from nas import Ablation\nplan = Ablation(seeds=6)\n")
    with pytest.raises(ValueError, match=r"broken\.py, line 2: Ablation\.seeds takes"):
        find_study(str(path))
