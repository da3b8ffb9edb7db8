"""`dragkit studio` as people start it: what is refused at once, and the address of what is not."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from typer.testing import CliRunner

from dragkit.cli.app import app


def refused(*arguments: str) -> str:
    found = CliRunner().invoke(app, ["studio", *arguments])
    assert found.exit_code == 2
    return found.stderr


def test_an_open_address_needs_a_password(monkeypatch, tmp_path):
    monkeypatch.delenv("DRAGKIT_STUDIO_AUTH", raising=False)
    assert "give --auth-file" in refused("--host", "0.0.0.0")
    assert "no file" in refused("--auth-file", str(tmp_path / "nosuch"))
    (tmp_path / "auth").write_text("anna\n")
    assert "name:password" in refused("--auth-file", str(tmp_path / "auth"))


def test_a_port_that_is_taken_and_a_folder_without_weights(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "give another --host or --port" in refused("--port", str(taken.getsockname()[1]))
    assert "no Segment Anything" in refused("--segment", str(tmp_path))


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_it_tells_its_address_answers_and_ends_with_control_c(tmp_path):
    code = "import sys; sys.argv = ['dragkit', 'studio', '--port', '0', '--workspace', 'work']; "
    code += "from dragkit.cli import main; main()"
    environment = {**os.environ, "DRAGKIT_STUDIO_AUTH": ""}
    server = subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
    )
    try:
        address = re.search(r"http://127.0.0.1:\d+", server.stderr.readline()).group()
        with urllib.request.urlopen(f"{address}/", timeout=60) as answer:
            assert b"dragkit studio" in answer.read()
        assert (tmp_path / "work").is_dir()
    finally:
        server.send_signal(signal.SIGINT)
        told = server.communicate(timeout=60)[1]
    assert server.returncode in (0, 130)
    assert "Traceback" not in told
