"""From a name on the command line to the study, the space or the experiment that it means."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
import sys
import traceback
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from nas.base.wording import near, said
from nas.experiment.experiment import Experiment
from nas.experiment.presets import PRESETS
from nas.plan.study import StudySpec
from nas.space.space import SearchSpace
from nas.tree.tree import edit


def find_study(name: str) -> StudySpec:
    """The `study` of studies/NAME.py, or of a user's own file; ValueError where there is none."""
    module = _file(Path(name)) if is_file(name) else _shipped("studies", name)
    found = getattr(module, "study", None)
    if not isinstance(found, StudySpec):
        raise ValueError(f"{name} has no `study`: a study file ends in `study = Study(...)`")
    return found


def is_file(name: str) -> bool:
    """Whether a name is the path of a user's own file, rather than that of a shipped study."""
    return name.endswith(".py") or "/" in name


def find_space(name: str) -> SearchSpace:
    """The space FILE.SPACE of search_spaces/, or of a user's own FILE.py; ValueError otherwise."""
    file, _, attribute = name.rpartition(".")
    if not file or attribute == "py":
        have = f"; {name} has {', '.join(_spaces(_file(Path(name))))}" if attribute == "py" else ""
        raise ValueError(
            "a space is FILE.SPACE, such as googlenet.by_stage or, in a file of yours, "
            f"my_space.py.widths, not {name!r}{have}"
        )
    own = file.endswith(".py")
    module = _file(Path(file)) if own else _shipped("search_spaces", file, attribute)
    spaces = _spaces(module)
    if attribute not in spaces:
        have = ", ".join(spaces) or "none"
        raise ValueError(
            f"{file} has no space {attribute!r}; it has {have}{near(attribute, spaces)}"
        )
    return spaces[attribute]


def _spaces(module: ModuleType) -> dict[str, SearchSpace]:
    return {key: value for key, value in vars(module).items() if isinstance(value, SearchSpace)}


def find_experiment(name: str) -> Experiment:
    """A preset, or the baseline of the space FILE.SPACE; ValueError otherwise."""
    if name in PRESETS:
        return PRESETS[name]
    if "." not in name:
        raise ValueError(
            f"no preset {name!r}: there are {', '.join(PRESETS)}, and the baseline of any "
            f"space FILE.SPACE{near(name, PRESETS)}"
        )
    return find_space(name).baseline.experiment


def set_paths(experiment: Experiment, settings: tuple[str, ...]) -> Experiment:
    """The experiment with each PATH=VALUE; values are Python literals, a bare word is a string,
    null and None drop. ValueError for a setting without "=" or a pattern that matches nothing."""
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals:
            raise ValueError(f"--set takes PATH=VALUE, not {setting!r}")
        try:
            experiment = edit(experiment, {path.strip(): literal(text.strip())})
        except ValueError as error:
            raise ValueError(f"--set {setting}: {error}") from None
    return experiment


def study_names() -> list[str]:
    """The studies that are shipped."""
    return _modules("studies")


def space_names() -> list[str]:
    """The spaces that are shipped, as FILE.SPACE."""
    return [
        f"{file}.{name}"
        for file in _modules("search_spaces")
        for name, value in vars(_shipped("search_spaces", file)).items()
        if isinstance(value, SearchSpace)
    ]


def space_question(name: str) -> str:
    """What the shipped space FILE.SPACE asks: its line in the docstring of FILE, or of googlenet,
    whose questions the other files take up; empty where neither has one."""
    file, _, space = name.rpartition(".")
    for place in (file, "googlenet"):
        for line in (_shipped("search_spaces", place).__doc__ or "").splitlines():
            word, _, question = line.partition("  ")
            if word == space:
                return question.strip()
    return ""


def literal(text: str) -> Any:
    """The value of a Python literal; null is None, a bare word a string."""
    if text == "null":
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _shipped(package: str, name: str, attribute: str = "") -> ModuleType:
    names = _modules(package)
    if name not in names:
        own = Path(f"{name}.py")
        say = f": say {own}.{attribute}" if attribute else ""
        hint = f"; the file here is {own}{say}" if own.exists() else near(name, names)
        kind = {"studies": "study", "search_spaces": "file of spaces"}[package]
        raise ValueError(f"no {kind} {name!r}: there are {', '.join(names)}{hint}")
    return importlib.import_module(f"{package}.{name}")


def _modules(package: str) -> list[str]:
    paths = importlib.import_module(package).__path__
    return sorted(module.name for module in pkgutil.iter_modules(paths))


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        beside = [str(other) for other in path.parent.glob("*.py")]
        raise ValueError(f"no file {path}{near(str(path), beside)}")
    folder = path.resolve().parent
    # Ours are loaded first, so that no folder of the user's own can stand in for one.
    for package in ("reports", "search_spaces", "studies"):
        importlib.import_module(package)
    _enter(folder)
    # Its own name, so that a class of it is the same by whichever way the file is loaded.
    name = path.stem if _is(path, path.stem) else f"file_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        # What it prints is no part of what a command prints for programs.
        with redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise ValueError(f"{error.filename or path}{line}: {error.msg}") from error
    except SystemExit as error:
        raise ValueError(f"{path} calls sys.exit(); a study file only makes a study") from error
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted while {path} was read") from None
    except BaseException as error:
        raise ValueError(f"{_place(error, path, folder)}: {_said(error)}") from error
    return module


FOLDERS: list[Path] = []
"""The folders of the user's files, the present one last."""


def _enter(folder: Path) -> None:
    """Makes a folder the one that a user's file imports from, and forgets what files of another
    folder have imported under the same names."""
    if FOLDERS and FOLDERS[-1] == folder:
        return
    for other in FOLDERS:
        if str(other) in sys.path:
            sys.path.remove(str(other))
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and name != "__main__" and Path(file).parent in FOLDERS:
            del sys.modules[name]
    FOLDERS.append(folder)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    importlib.invalidate_caches()


def _is(path: Path, name: str) -> bool:
    """Whether `import name` would give this file."""
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    return found is not None and found.origin is not None and path.samefile(found.origin)


def _place(error: BaseException, path: Path, folder: Path) -> str:
    """The file and line of the user's own that an error comes from."""
    frames = traceback.extract_tb(error.__traceback__)
    files = [(frame, Path(frame.filename)) for frame in frames]
    own = [f for f, file in files if file.exists() and file.resolve().is_relative_to(folder)]
    own = [frame for frame in own if "site-packages" not in frame.filename]
    return f"{own[-1].filename}, line {own[-1].lineno}" if own else str(path)


def _said(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        return (
            f"{error}; if it is no misspelling, install it beside nas: {sys.executable} -m pip "
            f"install {error.name}"
        )
    # A ValueError of ours is a sentence already; another error needs its name to be understood.
    ours = type(error) is ValueError
    return said(error) if ours else f"{type(error).__name__}: {said(error)}"
