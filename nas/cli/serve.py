"""Servers on this machine alone, until ctrl-C; OutOfReach where the port is taken.

Any page that is open in a browser here can send requests: one that names another host, or comes
from another origin, is refused (DNS rebinding, cross-site requests).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import HTTPServer, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import click

from nas.base.errors import OutOfReach

HOST = "127.0.0.1"
READING = ("GET", "HEAD")


def serve_folder(folder: Path, port: int) -> None:
    """Serves the files of a folder, no listings of it, and nothing that a link in it leads to
    outside."""
    _serve(lambda: ThreadingHTTPServer((HOST, port), partial(_Files, directory=str(folder))))


def serve_application(
    application: Any, port: int, refused: Callable[[], str | None] = lambda: None
) -> None:
    """Serves a WSGI application; what would write is answered with what `refused` says, where that
    says something."""
    _serve(
        lambda: make_server(
            HOST, port, guarded(application, refused), _ThreadingWSGIServer,
            _QuietWSGIRequestHandler,
        )
    )  # fmt: skip


def guarded(application: Any, refused: Callable[[], str | None]) -> Any:
    """A WSGI application behind the checks of host and origin, and of what may write."""

    def answer(environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        told = {"Host": environment.get("HTTP_HOST"), "Origin": environment.get("HTTP_ORIGIN")}
        why = foreign(told, int(environment["SERVER_PORT"]))
        if why is None and environment["REQUEST_METHOD"] not in READING:
            why = refused()
        if why is None:
            return application(environment, start)
        start("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{why}\n".encode()]

    return answer


def foreign(headers: Mapping[str, str | None], port: int) -> str | None:
    """Why a request to this port is none of a page of ours, None where it is one."""
    ours = {f"{name}:{port}" for name in (HOST, "localhost")}
    ours |= {HOST, "localhost"} if port == 80 else set()
    host, origin = headers.get("Host"), headers.get("Origin")
    if host is None or host.lower() not in ours:
        return f"this server is {HOST}:{port}, and no other host"
    if origin is not None and origin.lower() not in {f"http://{each}" for each in ours}:
        return "a page of another origin asks nothing of this server"
    return None


def _serve(start: Callable[[], HTTPServer]) -> None:
    try:
        server = start()
    except OSError as error:
        raise OutOfReach(f"{error.strerror}: another --port, or 0 for a free one") from error
    with server:
        click.echo(f"http://{HOST}:{server.server_port}/    ctrl-C ends it")
        with suppress(KeyboardInterrupt):
            server.serve_forever()


class _Files(SimpleHTTPRequestHandler):
    def send_head(self) -> Any:
        told = {name: self.headers.get(name) for name in ("Host", "Origin")}
        why = foreign(told, cast("HTTPServer", self.server).server_port)
        if why is not None:
            self.send_error(HTTPStatus.FORBIDDEN, explain=why)
            return None
        if not self._inside():
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def _inside(self) -> bool:
        """Whether the path leads to a file of the folder itself, or a folder with an index."""
        try:
            path = Path(self.translate_path(self.path))
            if path.is_dir():
                path /= "index.html"
            return path.is_file() and path.resolve().is_relative_to(Path(self.directory).resolve())
        except (OSError, ValueError):  # no path: too long, or with a zero byte
            return False

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        pass


class _QuietWSGIRequestHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        pass


class _ThreadingWSGIServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True
