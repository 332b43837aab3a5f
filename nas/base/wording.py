"""Counts with their nouns, near names, and errors: what sentences share, wherever they are said."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches


def times(count: float, one: str, several: str | None = None) -> str:
    """A number and its noun.

    >>> times(1, "run"), times(1200, "run"), times(2, "change is", "changes are")
    ('1 run', '1,200 runs', '2 changes are')
    """
    number = f"{count:g}" if isinstance(count, float) else f"{count:,}"
    return f"{number} {one if count == 1 else several or one + 's'}"


def often(count: int) -> str:
    """How often something was done.

    >>> often(1), often(3)
    ('once', '3 times')
    """
    return "once" if count == 1 else times(count, "time")


def near(name: str, have: Iterable[str]) -> str:
    """What ends the refusal of an unknown name: the nearest of those that there are, if one is.

    >>> near("wdth", ["depth", "width"]), near("lr", ["width"])
    ('; did you mean width?', '')
    """
    found = get_close_matches(name, list(have), n=1)
    return f"; did you mean {found[0]}?" if found else ""


def said(error: BaseException) -> str:
    """What an error says, or its class where its own text fails.

    >>> said(ValueError("no such layer"))
    'no such layer'
    """
    try:
        return str(error)
    except Exception:
        return f"a {type(error).__name__}, whose text cannot be made"


def one_line(error: BaseException) -> str:
    """An error in one line."""
    lines = said(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"


CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What a terminal takes for a command, but for the ends of lines and tabs."""


def plain(text: str) -> str:
    r"""A text as a terminal may show it: what would command it is spelled out.

    >>> print(plain("a\x1b]52;c;eA==\x07b"))
    a\x1b]52;c;eA==\x07b
    """
    return CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the start of a formula."""


def cell(value: object) -> object:
    r"""A value as a CSV file may hold it: text that a spreadsheet would run begins with a quote.

    >>> cell("=1+1"), cell("wide"), cell(-0.5)
    ("'=1+1", 'wide', -0.5)
    """
    if not isinstance(value, str):
        return value
    return plain(f"'{value}" if value.startswith(FORMULAS) else value)
