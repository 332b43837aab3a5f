"""The results of a study, read from an open database."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from optuna.storages import RDBStorage

from nas.base.errors import LeftOut
from nas.experiment.experiment import CLASSES
from nas.results.tables import Results
from nas.runs.counted import said
from nas.store.reading import records, study_record


def read(storage: RDBStorage, full_name: str, classes: Mapping[str, type] = CLASSES) -> Results:
    """A study's results, with a warning of the runs that count for nothing in them; `classes` may
    be named by the stored trees. KeyError where no such study is stored, NothingToReport where its
    runs were deleted."""
    found = Results(study_record(storage, full_name), tuple(records(storage, full_name)), classes)
    if found.left_out:
        warnings.warn(f"{full_name}: {said(found.left_out)}", LeftOut, stacklevel=2)
    return found
