"""Servers on this machine alone, until ctrl-C; OutOfReach where the port is taken."""

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

from nas.base.errors import OutOfReach

HOST = "127.0.0.1"


def serve_folder(folder: Path, port: int) -> None:
    """Serves the files of a folder."""
    _serve(lambda: ThreadingHTTPServer((HOST, port), partial(_Quiet, directory=str(folder))))


def serve_application(application: Any, port: int) -> None:
    """Serves a WSGI application."""
    _serve(
        lambda: make_server(HOST, port, application, _ThreadingWSGIServer, _QuietWSGIRequestHandler)
    )


def _serve(start: Callable[[], HTTPServer]) -> None:
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
