"""Names as a reader sees them: whatever a name holds, the words and numbers beside it stay where
they are."""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from collections.abc import Sequence
from unicodedata import east_asian_width

CONTROLS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters without a shape that turn the direction of what follows them."""
_LETTER = "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
LEFTWARD = re.compile(f"{_LETTER}(?:[ -]?{_LETTER})*")
"""Words of scripts that run to the left; a number after them would be set on their other side."""


def in_order(text: str) -> str:
    """A text without control characters of direction, its words that run to the left isolated."""
    if text.isascii():
        return text
    return LEFTWARD.sub("\u2068\\g<0>\u2069", CONTROLS.sub("", text))


def cut(name: str, most: int) -> str:
    """A name of at most so many letters, wide ones counted twice; what is too much is left out of
    its middle, at spaces where there are some."""
    name = CONTROLS.sub("", name)
    most //= _breadth(name)
    if len(name) <= most:
        return name
    end = (most - 1) // 3
    head, tail = name[: most - 1 - end], name[len(name) - end :]
    if " " in head[-end:]:
        head = head[: head.rindex(" ")]
    return f"{head}…{tail[tail.find(' ') + 1 :]}"


def distinct(names: Sequence[str], most: int) -> list[str]:
    """Names cut; those that would be cut alike go without most of the words that all begin with."""
    made = [cut(name, most) for name in names]
    alike: dict[str, set[str]] = defaultdict(set)
    for name, short in zip(names, made, strict=True):
        alike[short].add(name)
    for at, name in enumerate(names):
        parting = [len(set(letters)) > 1 for letters in zip(*alike[made[at]], strict=False)]
        if True in parting:
            words = name[: name.rfind(" ", 0, parting.index(True)) + 1]
            made[at] = cut(f"{words[: most // 3].rstrip()}…{name[len(words) :]}", most)
    return made


def lines(names: Sequence[str], width: int, most: int) -> list[list[str]]:
    """Each name on at most so many lines of this width."""
    found = distinct(names, width * most - (width // 3) * (most > 1))
    return [textwrap.wrap(name, max(1, width // _breadth(name)))[:most] or [""] for name in found]


def _breadth(name: str) -> int:
    return 1 + any(east_asian_width(letter) in "WF" for letter in name)
