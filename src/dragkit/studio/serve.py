"""Runs the server until it is told to stop."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import uvicorn

from dragkit.studio.app import build
from dragkit.studio.desk import Desk, Settings
from dragkit.studio.security import refuse_open, users


def serve(
    settings: Settings, host: str, port: int, auth_file: Path | None, no_auth: bool, ready: Callable[[str], None]
) -> None:
    """Serve the studio. ready: called with the address once it listens.

    Raises:
        ValueError: an address that others reach without a password, or that cannot be had.
    """
    known = {} if no_auth else users(auth_file)
    refuse_open(host, known, no_auth)
    desk = Desk(settings)
    if settings.segment is not None:
        desk.segmenter(settings.segment)
    listening = _listen(host, port)
    app = build(settings, desk, known, host)
    threading.Thread(target=desk.editor, args=[next(iter(desk.models))], daemon=True).start()  # while the page loads
    name = f"[{host}]" if ":" in host else host
    ready(f"http://{name}:{listening.getsockname()[1]}")
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=3))
    server.run([listening])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen(socket.SOMAXCONN)  # who comes before the server is ready waits
    except OSError as error:
        found.close()
        raise ValueError(f"cannot listen at {host}:{port}: {error.strerror}; give another --host or --port") from None
    return found
