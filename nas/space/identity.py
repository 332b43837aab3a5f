"""What makes two rules the same, on every Python: what was written, and the values around it."""

from __future__ import annotations

import ast
import inspect
import symtable
from functools import cache
from types import CodeType
from typing import Any, cast

from nas.space.rules import Rule, sentence
from nas.tree.tree import fingerprint

IGNORED = ("returns", "annotation", "type_comment", "type_params", "ctx", "kind")
"""Parts of Python's syntax tree that change no rule, or that only some versions have."""


def identity(rule: Rule) -> str:
    """The fingerprint of a rule's sentence, its syntax, and the plain values that it takes from
    around it; of one that was written in no file, its bytecode stands for its syntax."""
    function = cast(Any, rule)
    written = _written(function)
    if written is None:
        return identity_before(rule)
    syntax, names = written
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    around = function.__globals__ | {name: cell.cell_contents for name, cell in cells}
    plain = {name: repr(around[name]) for name in names if _is_plain(around.get(name, ...))}
    defaults = repr((function.__defaults__, function.__kwdefaults__))
    return fingerprint([sentence(rule), syntax, plain, defaults])


@cache
def _written(function: Any) -> tuple[list[Any], tuple[str, ...]] | None:
    """A function's syntax and the names that it takes from around it, as they were when it was
    first asked about: the file may be changed while a study runs."""
    try:
        source = inspect.getsource(function)
        # What is indented stands in a block of its own.
        source = f"if 1:\n{source}" if source[:1].isspace() else source
        defined = next(n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef))
    except (OSError, SyntaxError, StopIteration):
        return None
    # A docstring is the rule's sentence.
    body = defined.body[ast.get_docstring(defined) is not None :]
    syntax = [_plain_syntax(node) for node in (*defined.decorator_list, defined.args, *body)]
    table = symtable.symtable(source, "", "exec").lookup(defined.name).get_namespace()
    return syntax, tuple(sorted(_from_around(table)))


def _plain_syntax(node: Any) -> Any:
    """A syntax tree as lists, without what is empty: versions differ in whether they list it."""
    if isinstance(node, list):
        return [_plain_syntax(each) for each in cast("list[Any]", node)]
    if not isinstance(node, ast.AST):
        return repr(node)
    parts = [(n, part) for n, part in ast.iter_fields(node) if n not in IGNORED]
    return [type(node).__name__, *([n, _plain_syntax(p)] for n, p in parts if p not in (None, []))]


def _from_around(table: symtable.SymbolTable) -> set[str]:
    names = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
    return names.union(*map(_from_around, table.get_children()))


def identity_before(rule: Rule) -> str:
    """The identity that studies of before are stored under: it goes by the bytecode of the Python
    that they ran on."""
    function = cast(Any, rule)
    around = inspect.getclosurevars(function)
    held = {**around.globals, **around.nonlocals}
    plain = {name: repr(value) for name, value in sorted(held.items()) if _is_plain(value)}
    defaults = repr((function.__defaults__, function.__kwdefaults__))
    return fingerprint([sentence(rule), _code(function.__code__), plain, defaults])


def _code(code: CodeType) -> list[Any]:
    consts: list[Any] = []
    for x in code.co_consts:
        if isinstance(x, CodeType):
            consts.append(_code(x))
        else:
            consts.append(sorted(map(repr, x)) if isinstance(x, frozenset) else repr(x))
    return [code.co_code.hex(), consts, list(code.co_names), list(code.co_varnames)]


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_plain, cast("list[Any]", value)))
    return value is None or isinstance(value, bool | int | float | str)
