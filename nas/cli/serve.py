"""Commands that serve on this machine alone, and the shell's completion."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import click
from click.shell_completion import get_completion_class

from nas.base.errors import NothingToReport, OutOfReach
from nas.cli.stored import STORAGE

HOST = "127.0.0.1"


def _port(default: int) -> Callable[[Any], Any]:
    return click.option(
        "--port", type=click.IntRange(0, 65535), default=default, show_default=True,
        help="0 takes a free one.",
    )  # fmt: skip


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False, metavar="[DIR]")
@_port(8000)
def browse(folder: Path | None, port: int) -> None:
    """Serve the report in DIR [nas-out/site] on 127.0.0.1 until ctrl-C."""
    from nas.base.paths import home

    site = folder or home() / "site"
    if not (site / "index.html").is_file():
        raise NothingToReport(f"no report in {site}: `nas report STUDY` writes one")
    _serve(lambda: ThreadingHTTPServer((HOST, port), partial(_Quiet, directory=str(site))))


@click.command()
@STORAGE
@_port(8080)
def dashboard(storage: str, port: int) -> None:
    """Serve Optuna Dashboard on the database, on 127.0.0.1 until ctrl-C.

    Each study there has our headline as its note, and our frontier and effects beside Optuna's
    figures; they are renewed as runs end.
    """
    from optuna_dashboard import wsgi

    from nas.cli.live import pushing
    from nas.store.database import connect, exists

    if not exists(storage):
        raise NothingToReport("there is no database yet: `nas run STUDY` makes it")
    with connect(storage) as database, pushing(database):
        application = wsgi(database)
        _serve(
            lambda: make_server(
                HOST, port, application, _ThreadingWSGIServer, _QuietWSGIRequestHandler
            )
        )


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print completion for SHELL: eval "$(nas completion bash)" in ~/.bashrc turns it on."""
    from nas.cli.main import main

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(main, {}, "nas", "_NAS_COMPLETE").source())


def _serve(start: Callable[[], HTTPServer]) -> None:
    """Serves until ctrl-C; NasError where the port is taken."""
    try:
        server = start()
    except OSError as error:
        raise OutOfReach(f"{error.strerror}: another --port, or 0 for a free one") from error
    with server:
        click.echo(f"http://{HOST}:{server.server_port}/    ctrl-C ends it")
        with suppress(KeyboardInterrupt):
            server.serve_forever()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        pass


class _QuietWSGIRequestHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        pass


class _ThreadingWSGIServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True
