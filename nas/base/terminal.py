"""The streams of a command, through which no stored text commands the terminal."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO

from nas.base.wording import plain

CLEAR = "\033[2J\033[1;1H"
"""What click writes to clear the screen."""


class Plain:
    """A text stream whose escapes are spelled out; `raw` is the stream itself, for those who draw
    on it and clean their own text. It has no buffer, past which others would write."""

    def __init__(self, stream: TextIO) -> None:
        self.raw = stream

    def write(self, text: str | bytes) -> int:
        # Shell completion writes bytes.
        text = text if isinstance(text, str) else bytes(text).decode(errors="replace")
        self.raw.write(text if text == CLEAR else plain(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self.raw, name)


@contextmanager
def plain_streams() -> Generator[None]:
    """Within it stdout and stderr are plain."""
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(Plain(sys.stdout)))  # pyright: ignore[reportArgumentType]
        stack.enter_context(redirect_stderr(Plain(sys.stderr)))  # pyright: ignore[reportArgumentType]
        yield


def raw(stream: TextIO | Plain) -> TextIO:
    """The stream under a plain one; another as it is."""
    return stream.raw if isinstance(stream, Plain) else stream
