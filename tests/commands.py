"""The command as tests call it."""

import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from nas.cli.main import main

NAS = Path(sys.executable).parent / "nas"
MINE = """
from nas import ASHA, TPE, Ablation, Budget, Search, Study, edit, relative, tiny_googlenet
from search_spaces.tiny import parts, widths
base = edit(tiny_googlenet, {"recipe.dataset": "synthetic", "recipe.fidelity.epochs": 2,
                             "recipe.batch_size": 32})
study = Study(name="mine", question="Mine?", space=widths.around(base),
              budget=Budget(mult_adds=relative(1.0)),
              plan=(Search(trials=3, sampler=TPE()),
                    Ablation(over=parts.around(base), seeds=range(2))))
"""
"""A user's own study file: a search and an ablation on synthetic images, in seconds."""


def nas(*words, code=0):
    """Runs the command in this process; its result."""
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result


def installed(*words, folder, **environment):
    """Runs the installed command in a folder, as a user does; the finished process."""
    return subprocess.run(
        [NAS, *map(str, words)], cwd=folder, env=os.environ | environment, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
