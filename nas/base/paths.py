"""Where everything lives."""

import os
from pathlib import Path


def home() -> Path:
    """$NAS_HOME, or ./nas-out."""
    return Path(os.environ.get("NAS_HOME", "nas-out")).resolve()


def predictions_path(folder: str | Path, sha256: str) -> Path:
    """Where a finished run's class probabilities are kept in its study's folder, by the hash of the
    file: `probabilities` (N, K) in float16 and `labels` (N,), in the order of the validation split,
    or of the test split for a confirmation."""
    return Path(folder) / "predictions" / f"{sha256}.npz"


def log_path(folder: str | Path, number: int) -> Path:
    """What a trial's worker wrote in its study's folder: its output, warnings and tracebacks."""
    return Path(folder) / "logs" / f"{number}.log"


def default_url() -> str:
    """The database of a team of one: a SQLite file under `home`."""
    return f"sqlite:///{home() / 'nas.db'}"
