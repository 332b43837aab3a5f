"""The examples in README.md and docs/ are tests: Python is executed, `$ nas` is run.

One namespace and one empty folder a document. In a block of Python that starts with `>>>` the
results are compared; a block with title="FILE.py" is saved as that file and imported. In a console
block the lines after `$ nas ...` are its stdout, where `...` stands for anything; a command without
such lines only has to succeed.
"""

import doctest
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from sybil import Document, Example, Region, Sybil
from sybil.evaluators.doctest import OutputChecker
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer

COMMAND = re.compile(r"^\$ nas (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
CHECKER = OutputChecker()
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE  # long lines are wrapped


def console(example: Example) -> str | None:
    """Runs the commands of a block in this process; what is wrong with their output, if it is."""
    from nas.cli.main import main  # here, so that collecting tests loads no pandas

    commands = COMMAND.findall(example.parsed)
    if len(commands) != len(re.findall(r"^\$", example.parsed, re.MULTILINE)):
        return "a console block has `$ nas ...` lines and their output only"
    for words, want in commands:
        result = CliRunner().invoke(main, shlex.split(words))
        if result.exit_code:
            return f"nas {words}: exit code {result.exit_code}\n{result.output}"
        if want and not CHECKER.check_output(want, result.stdout, OPTIONS):
            shown = doctest.Example(words, want)
            return CHECKER.output_difference(shown, result.stdout, OPTIONS)
    return None


def files(document: Document) -> Iterator[Region]:
    """The blocks of a document that are files."""
    for region in FencedCodeBlockLexer(r'python title="\w+\.py"')(document):
        region.parsed, region.evaluator = region.lexemes["source"], save
        yield region


def save(example: Example) -> None:
    """Saves a block as the file that it names, and imports it."""
    file = Path(example.region.lexemes["language"].split('"')[1])
    file.write_text(example.parsed)
    example.namespace.update(vars(importlib.import_module(file.stem)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that a document's examples work in."""
    path = tmp_path_factory.mktemp("document")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        patch.syspath_prepend(path)
        patch.setenv("NAS_HOME", str(path / "nas-out"))
        patch.delenv("NAS_STORAGE", raising=False)
        yield path


pytest_collect_file = Sybil(
    [
        PythonCodeBlockParser(doctest_optionflags=OPTIONS),
        CodeBlockParser("console", console),
        files,
    ],
    patterns=["README.md", "docs/*.md"],
    fixtures=["folder"],
).pytest()
