"""Where everything lives."""

import os
from pathlib import Path


def home() -> Path:
    """$NAS_HOME, or ./nas-out."""
    return Path(os.environ.get("NAS_HOME", "nas-out")).resolve()


def default_url() -> str:
    """The database of a team of one: a SQLite file under `home`."""
    return f"sqlite:///{home() / 'nas.db'}"
