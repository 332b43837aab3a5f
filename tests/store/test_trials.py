"""Our rows beside those that Optuna's own storage writes: what reads them sees no difference."""

from datetime import datetime

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial
from sqlalchemy import text

from nas.base.errors import StorageError
from nas.store import trials
from nas.store.database import connect
from tests.examples import sqlite

DISTRIBUTIONS = {
    "width": IntDistribution(0, 3),
    "aux": CategoricalDistribution(("off", "3a")),
    "rate": FloatDistribution(1e-3, 1.0, log=True),
}


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request, tmp_path):
    url = sqlite(tmp_path)
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql")
    with connect(url) as opened:
        yield opened


def template(**values):
    return create_trial(
        params={"width": 2, "aux": "3a", "rate": 0.1 + 0.2},
        distributions=DISTRIBUTIONS,
        user_attrs={"role": "candidate", "decisions": {"width": "0.75"}, "reason": None},
        constraints={"mult_adds": -1 / 3},
        **values,
    )


def templates():
    """A trial that runs, one that was refused and one whose score was known, begun now."""
    return (
        template(state=TrialState.RUNNING),
        template(state=TrialState.PRUNED),
        template(state=TrialState.PRUNED, value=61.5, intermediate_values={0: 61.5}),
    )


def rows(storage, study_id):
    """Every row of Optuna's tables that is of a study's trials, without ids and times."""
    found = {}
    tables = (
        "trials", "trial_params", "trial_values", "trial_intermediate_values",
        "trial_user_attributes", "trial_system_attributes",
    )  # fmt: skip
    with storage.engine.connect() as connection:
        for name in tables:
            asked = f"SELECT t.number AS of, x.* FROM {name} x JOIN trials t USING (trial_id) "
            found[name] = sorted(
                str({k: v for k, v in row._mapping.items() if "id" not in k and "date" not in k})
                for row in connection.execute(text(f"{asked} WHERE t.study_id = {study_id}"))
            )
    return found


def test_a_trial_is_written_row_for_row_as_optuna_writes_it(storage):
    began = datetime.now()
    made = [optuna.create_study(storage=storage)._study_id for _ in range(2)]
    for number, trial in enumerate(templates()):
        storage.create_new_trial(made[0], trial)
        with storage.engine.begin() as connection:
            trials.add(connection, made[1], number, trial)
    theirs = storage.get_all_trials(made[0])[0]._trial_id
    storage.set_trial_user_attr(theirs, "role", "told")
    storage.set_trial_intermediate_value(theirs, 3, 77.25)
    storage.set_trial_state_values(theirs, TrialState.COMPLETE, [77.25])
    with storage.engine.begin() as connection:
        ours = trials.find(connection, made[1], 0)
        trials.note(connection, ours, {"role": "told"})
        trials.reach(connection, ours, {3: 77.25})
        trials.end(connection, ours, TrialState.COMPLETE, 77.25)
    assert rows(storage, made[0]) == rows(storage, made[1])
    first, second = (storage.get_all_trials(study) for study in made)
    for one, other in zip(first, second, strict=True):
        assert (one.params, one.distributions) == (other.params, other.distributions)
        assert all(began <= trial.datetime_start <= datetime.now() for trial in (one, other))
        assert (one.datetime_complete is None) == (other.datetime_complete is None)


def test_a_trial_that_has_ended_stays_as_it_is(storage):
    study = optuna.create_study(storage=storage)
    with storage.engine.begin() as connection:
        trial_id = trials.add(connection, study._study_id, 0, template(state=TrialState.RUNNING))
        for _ in range(2):
            trials.end(connection, trial_id, TrialState.COMPLETE, 50.0)
        with pytest.raises(StorageError, match="another program ended trial 0 as complete"):
            trials.end(connection, trial_id, TrialState.FAIL, None)
    (found,) = storage.get_all_trials(study._study_id)
    assert (found.state, found.value) == (TrialState.COMPLETE, 50.0)
