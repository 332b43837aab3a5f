"""From a name on the command line to the study, the space or the experiment that it means."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
import sys
import traceback
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from nas.experiment import Experiment
from nas.presets import PRESETS
from nas.space import SearchSpace
from nas.study import Study
from nas.tree import edit


def find_study(name: str) -> Study:
    """The `study` of studies/NAME.py, or of a user's own file; ValueError where there is none."""
    module = _file(Path(name)) if name.endswith(".py") else _shipped("studies", name)
    found = getattr(module, "study", None)
    if not isinstance(found, Study):
        raise ValueError(f"{name} has no `study`: a study file ends in `study = Study(...)`")
    return found


def find_space(name: str) -> SearchSpace:
    """The space FILE.SPACE of search_spaces/, or of a user's own FILE.py; ValueError otherwise."""
    file, _, attribute = name.rpartition(".")
    if not file or attribute == "py":
        raise ValueError(f"a space is FILE.SPACE, such as googlenet.by_stage, not {name!r}")
    module = _file(Path(file)) if file.endswith(".py") else _shipped("search_spaces", file)
    spaces = {key: value for key, value in vars(module).items() if isinstance(value, SearchSpace)}
    if attribute not in spaces:
        raise ValueError(f"{file} has no space {attribute!r}; it has {', '.join(spaces)}")
    return spaces[attribute]


def find_experiment(name: str) -> Experiment:
    """A preset, or the baseline of the space FILE.SPACE; ValueError otherwise."""
    if name in PRESETS:
        return PRESETS[name]
    if "." not in name:
        near = get_close_matches(name, PRESETS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(
            f"no preset {name!r}: there are {', '.join(PRESETS)}, and the baseline of any "
            f"space FILE.SPACE{hint}"
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
            experiment = edit(experiment, {path.strip(): _literal(text.strip())})
        except ValueError as error:
            raise ValueError(f"--set {setting}: {error}") from None
    return experiment


def study_names() -> list[str]:
    """The studies that are shipped."""
    return _modules("studies")


def _literal(text: str) -> Any:
    if text == "null":
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _shipped(package: str, name: str) -> ModuleType:
    names = _modules(package)
    if name not in names:
        near = get_close_matches(name, names, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        kind = {"studies": "study", "search_spaces": "file of spaces"}[package]
        raise ValueError(f"no {kind} {name!r}: there are {', '.join(names)}{hint}")
    return importlib.import_module(f"{package}.{name}")


def _modules(package: str) -> list[str]:
    paths = importlib.import_module(package).__path__
    return sorted(module.name for module in pkgutil.iter_modules(paths))


def _file(path: Path) -> ModuleType:
    if not path.exists():
        raise ValueError(f"no file {path}")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    name = f"file_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise ValueError(f"{error.filename}, line {error.lineno}: {error.msg}") from None
    except Exception as error:
        own = [
            f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)
        ]
        line = f", line {own[-1]}" if own else ""
        raise ValueError(f"{path}{line}: {type(error).__name__}: {error}") from error
    return module
