"""Where everything lives."""

import hashlib
import os
import unicodedata
from pathlib import Path


def home() -> Path:
    """$NAS_HOME, or ./nas-out."""
    return Path(os.environ.get("NAS_HOME", "nas-out")).resolve()


def is_name(text: str) -> bool:
    """Whether a text may name a study or a data set, and so a folder: it has letters, digits, _ and
    - only."""
    return bool(text) and all(letter.isalnum() or letter in "_-" for letter in text)


def is_full_name(text: str) -> bool:
    """Whether a text is NAME@hash, as a study is stored under."""
    name, at, digest = text.partition("@")
    return bool(at) and is_name(name) and is_name(digest)


def study_folder(full_name: str) -> Path:
    """Where a study's checkpoints, weights, predictions and logs are. Names that differ by case
    alone have folders of their own, also where a file system does not tell them apart; one that was
    made before stays.

    Raises ValueError for what is no full name.
    """
    if not is_full_name(full_name):
        raise ValueError(f"{full_name!r} is no study's full name, NAME@HASH")
    folder, plain = home() / full_name, unicodedata.normalize("NFKC", full_name).casefold()
    if full_name == plain or (home().is_dir() and full_name in os.listdir(home())):
        return folder
    return home() / f"{full_name}-{hashlib.sha256(full_name.encode()).hexdigest()[:8]}"


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
    from sqlalchemy import URL  # here, as it takes a while

    url = URL.create("sqlite", database=str(home() / "nas.db"))
    return url.render_as_string(hide_password=False)
