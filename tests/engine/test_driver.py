import dataclasses
import hashlib
import signal
import subprocess
from pathlib import Path

import optuna
import pytest

from nas import Ablation, Budget, Resources, SearchSpace, edit, image_folder, relative, versus
from nas.base.errors import NoResources
from nas.base.paths import predictions_path
from nas.cli.stored import opened
from nas.engine.driver import run
from nas.engine.forecast import forecast
from nas.plan.study import StudySpec
from nas.runs.record import Record
from nas.store.database import connect
from nas.store.reading import records
from search_spaces.tiny import parts, widths
from tests.commands import NAS, nas
from tests.examples import BASE, search_only, small_study, sqlite


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    return tmp_path


def read(folder, name) -> list[Record]:
    with connect(sqlite(folder)) as storage:
        return records(storage, name)


def check_invariants(found: list[Record], planned: int) -> None:
    """Nothing running, nothing twice, every curve whole, both counts alike."""
    trained = [r for r in found if r.state in ("complete", "stopped", "diverged")]
    assert [r for r in found if r.state == "running"] == []
    assert len(trained) == planned
    complete = [r for r in found if r.state == "complete"]
    assert len({r.key for r in complete}) == len(complete)
    for r in trained:
        assert [e.epoch for e in r.curve] == list(range(1, len(r.curve) + 1))
        assert r.mult_adds == r.mult_adds_fvcore
        assert r.score == r.curve[-1].accuracy
        assert r.role == "reference" or max(r.excess.values(), default=0) <= 0
    for r in complete:
        assert len(r.curve) == r.epochs


def test_a_study_runs_through_ray_and_gives_the_same_numbers_as_without(tmp_path):
    study = small_study()
    with_ray, without = tmp_path / "ray", tmp_path / "local"
    for folder, local in ((with_ray, False), (without, True)):
        folder.mkdir()
        outcome = run(study, sqlite(folder), local=local)
        assert not outcome.interrupted
    by_ray, by_hand = (read(folder, study.full_name) for folder in (with_ray, without))
    check_invariants(by_ray, planned=4 + 12 - 1)
    check_invariants(by_hand, planned=4 + 12 - 1)
    scores = {r.key: r.score for r in by_hand if r.role in ("baseline", "change", "control")}
    assert scores == {r.key: r.score for r in by_ray if r.role in ("baseline", "change", "control")}
    assert all(score is not None for score in scores.values())


def test_the_same_study_on_postgresql_and_on_sqlite_gives_the_same_candidates_and_values(
    tmp_path, postgresql, monkeypatch
):
    study, made = small_study("twice", trials=6), []
    for at, url in enumerate((sqlite(tmp_path), postgresql)):
        monkeypatch.setenv("NAS_HOME", str(tmp_path / str(at)))
        run(study, url, local=True)
        with connect(url) as storage:
            made.append([_told(r) for r in records(storage, study.full_name)])
    assert made[0] == made[1]
    assert len(made[0]) >= 6 + 12 - 1


def _told(record: Record) -> Record:
    """A record without what the clock says."""
    curve = tuple(
        dataclasses.replace(epoch, seconds=0, images_per_second=0) for epoch in record.curve
    )
    return dataclasses.replace(record, curve=curve, started=None, ended=None)


def test_predictions_of_every_complete_run_are_kept_and_hashed(tmp_path):
    study = search_only(2)
    run(study, sqlite(tmp_path), local=True)
    for r in read(tmp_path, study.full_name):
        assert r.predictions is not None
        kept = predictions_path(tmp_path / study.full_name, r.predictions).read_bytes()
        assert hashlib.sha256(kept).hexdigest() == r.predictions


def test_a_run_again_adds_nothing_and_more_trials_extend_it(tmp_path):
    study = search_only(2)
    for asked, expected in ((study, 2), (study, 2), (study.with_trials(4), 4)):
        run(asked, sqlite(tmp_path), local=True)
        check_invariants(read(tmp_path, study.full_name), planned=expected)


def test_a_keyboard_interrupt_stops_cleanly_and_the_next_run_goes_on(tmp_path):
    study = search_only(3)

    def interrupt(progress):
        if any(r.curve and r.state == "running" for r in progress.records):
            raise KeyboardInterrupt

    assert run(study, sqlite(tmp_path), local=True, watch=_once(interrupt)).interrupted
    assert any(r.state == "running" for r in read(tmp_path, study.full_name))
    assert not run(study, sqlite(tmp_path), local=True).interrupted
    check_invariants(read(tmp_path, study.full_name), planned=3)


def _once(watch):
    done = []

    def wrapped(progress):
        if not done:
            try:
                watch(progress)
            except KeyboardInterrupt:
                done.append(True)
                raise

    return wrapped


def test_ctrl_c_on_ray_exits_with_130_says_how_to_go_on_and_does(tmp_path):
    file = tmp_path / "mine.py"
    root = Path(__file__).parents[2]
    file.write_text(
        f"import sys; sys.path.append({str(root)!r})\n"
        "from tests.examples import small_study\nstudy = small_study('mine')\n"
    )
    running = subprocess.Popen(
        [NAS, "run", file], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        # What a shell starts in the background inherits that ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert running.stderr is not None
    for line in running.stderr:
        if line.startswith("trial 1"):
            break
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 130, said
    assert f"interrupted; nothing is lost: `nas run {file}` goes on" in said
    assert "A/A (other seeds)" in nas("run", file, "--local").stdout
    check_invariants(read(tmp_path, small_study("mine").full_name), planned=15)


def test_a_study_that_wants_a_gpu_runs_on_the_cpu_with_a_notice(tmp_path):
    notices = []
    study = dataclasses.replace(search_only(1), resources=Resources(gpus=0.5))
    run(study, sqlite(tmp_path), local=True, notice=notices.append)
    assert notices == ["no GPU here: the trials run on the CPU"]
    check_invariants(read(tmp_path, study.full_name), planned=1)


def test_more_cpus_than_there_are_is_refused_before_the_first_trial(tmp_path):
    study = dataclasses.replace(search_only(1), resources=Resources(cpus=10_000))
    with pytest.raises(NoResources, match=r"asks for 10,000 CPUs .* lower the study's Resources"):
        run(study, sqlite(tmp_path), local=True)
    assert read_names(tmp_path) == []


def read_names(folder):
    with connect(sqlite(folder)) as storage:
        return optuna.get_all_study_names(storage)


def test_an_address_without_a_cluster_is_one_message(tmp_path):
    with pytest.raises(NoResources, match=r"no Ray cluster at 127\.0\.0\.1:1"):
        run(search_only(1), sqlite(tmp_path), address="127.0.0.1:1")


def test_a_missing_data_set_is_one_error_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_DATA", str(tmp_path / "data"))
    flowers = image_folder("flowers", classes=4, channels=1, image_size=16, validation=64)
    study = search_only(2)
    space = study.space.around(edit(study.space.canonical, {"recipe.dataset": flowers}))
    with pytest.raises(ValueError, match="flowers is not here: put its images into"):
        run(dataclasses.replace(study, space=space), sqlite(tmp_path), local=True)
    assert list(tmp_path.glob("**/*.db")) == []


def test_trials_of_a_study_without_a_search_is_a_users_mistake():
    study = dataclasses.replace(small_study(), space=parts, plan=Ablation(seeds=range(2)))
    with pytest.raises(ValueError, match="has no Search"):
        study.with_trials(3)


def test_an_ablations_change_over_the_budget_is_refused_before_anything_runs(tmp_path):
    wider = SearchSpace(BASE, {"network.inception_*.conv3x3.ratio": versus(off=None, name="1x1")})
    study = dataclasses.replace(
        search_only(1, Budget(mult_adds=relative(1.0))), space=wider, plan=Ablation(seeds=range(2))
    )
    with pytest.raises(ValueError, match=r"'no 1x1' is outside the budget, [\d.]+% over"):
        run(study, sqlite(tmp_path), local=True)


def no_wider(tree):
    """The 3x3 branch of 3a is no wider than 256."""
    return tree.network.inception_3a.conv3x3.width <= 256


RULED = dataclasses.replace(
    search_only(2),
    name="ruled",
    space=SearchSpace(BASE, widths.edits, where=(no_wider,)),
)


def test_a_study_that_is_stored_under_its_name_of_before_goes_on_under_it(tmp_path, monkeypatch):
    now, before = RULED.full_names
    url = sqlite(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(StudySpec, "full_name", before)
        run(RULED, url, local=True)
    assert before != now == RULED.full_name
    assert run(RULED.with_trials(3), url, local=True).full_name == before
    assert read_names(tmp_path) == [before]
    check_invariants(read(tmp_path, before), planned=3)
    assert not (tmp_path / now).exists()
    assert RULED.results(url).study.full_name == before
    assert forecast(RULED, url)[0].value == before
    file = tmp_path / "mine.py"
    file.write_text("from tests.engine.test_driver import RULED as study\n")
    with opened(str(file), url) as (_, name, _):
        assert name == before
