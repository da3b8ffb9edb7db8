"""A studio server in a thread of the tests, a client of it, and a Chromium to look at it with."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from fastapi.testclient import TestClient
from PIL import Image

from dragkit.studio.app import build
from dragkit.studio.desk import Desk, Settings

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# What Debian's Chromium needs in a container, and what keeps it from asking the outside for anything.
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextlib.contextmanager
def serving(desk: Desk, port: int = 0) -> Iterator[str]:
    """A server on a port, a free one by default: its address."""
    app = build(desk.settings, desk, {})
    listening = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, args=[[listening]], daemon=True)
    thread.start()
    until(lambda: server.started, "the server to start")
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        listening.close()


def until(true: Callable[[], Any], what: str, limit: float = 60.0) -> Any:
    """Wait for something to become true."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {limit:g} s in vain for {what}")


def toy_desk(**settings: Any) -> Desk:
    """A desk with the model that ships inside."""
    return Desk(Settings(device="cpu", **settings))


def chromium(playwright: Any) -> str:
    """$CHROMIUM, else one on the PATH, else Playwright's own; skips where there is none, fails in CI."""
    given = [os.environ.get("CHROMIUM"), *map(shutil.which, NAMES), playwright.chromium.executable_path]
    found = next((path for path in given if path and Path(path).exists()), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("no Chromium: .ci/run installs one, or set $CHROMIUM")
    if found is None:
        pytest.skip("no Chromium: set $CHROMIUM or install chromium to test the page")
    return str(found)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


class Client:
    """The API as programs use it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.http = TestClient(
            build(desk.settings, desk, {}), base_url="http://localhost", raise_server_exceptions=False
        )

    def send(self, pixels: np.ndarray, name: str = "disc.png") -> dict[str, Any]:
        answer = self.http.post("/api/pictures", params={"name": name}, content=png(pixels))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wish(self, pixels: np.ndarray, **more: Any) -> dict[str, Any]:
        """A request to move the disc."""
        sent = self.send(pixels)
        move = {"kind": "move", "mask": {"ellipse": [11, 15, 29, 33]}, "offset": [16, 4]}
        image = {"name": sent["name"], "sha256": sent["sha256"]}
        return {"image": image, "edits": [move], "model": "tiny", "steps": 2, **more}

    def job(self, wish: dict[str, Any], path: str = "/api/jobs") -> dict[str, Any]:
        """A job, to its end."""
        answer = self.http.post(path, json=wish)
        assert answer.status_code == 202, answer.text
        name = answer.json()["id"]

        def ended() -> dict[str, Any] | None:
            status = self.http.get(f"/api/jobs/{name}").json()
            return status if status["state"] in ("done", "stopped", "failed") else None

        return until(ended, "the job to end")
