"""One core, the same examples in every run, and a place of its own for data sets."""

import os

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile(
    "nas",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("nas")


@pytest.fixture(scope="session", autouse=True)
def data_home(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAS_DATA", str(tmp_path_factory.mktemp("data")))
        yield
