"""Counts with their nouns: what sentences share, wherever they are said."""

from __future__ import annotations


def times(count: float, one: str, several: str | None = None) -> str:
    """A number and its noun.

    >>> times(1, "run"), times(1200, "run"), times(2, "change is", "changes are")
    ('1 run', '1,200 runs', '2 changes are')
    """
    number = f"{count:,}" if isinstance(count, int) else f"{count:g}"
    return f"{number} {one if count == 1 else several or one + 's'}"


def often(count: int) -> str:
    """How often something was done.

    >>> often(1), often(3)
    ('once', '3 times')
    """
    return "once" if count == 1 else times(count, "time")
