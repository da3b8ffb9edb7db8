from __future__ import annotations

import pytest
from serving import Client

from dragkit import Editor, pictures
from dragkit.studio import workspace
from dragkit.studio.desk import Desk, Settings


def test_results_are_on_disk_too_and_offered_again(tiny, picture, tmp_path):
    desk = Desk(Settings(models=("tiny",), cache=2**30, workspace=tmp_path), load=lambda _: Editor(tiny))
    client = Client(desk)
    status = client.job(client.wish(picture))
    made = client.http.get(status["results"][0]["url"]).content
    names = client.http.get("/api/about").json()["workspace"]
    assert [path.name for path in tmp_path.iterdir()] == names
    assert client.http.get(f"/api/workspace/{names[0]}").content == made
    assert pictures.record(made)
    desk.line.close()


def test_no_other_file_is_given(tmp_path):
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(b"x")
    (folder / "notes.txt").write_bytes(b"x")
    for name in ("../secret.png", "notes.txt", "nosuch.png", "", ".", "/etc/passwd"):
        with pytest.raises(ValueError, match="no such picture"):
            workspace.read(folder, name)
    with pytest.raises(ValueError, match="no such picture"):
        workspace.read(None, "x.png")
    assert workspace.latest(None) == workspace.latest(folder) == []


def test_the_latest_come_first(tmp_path):
    for n in range(20):
        (tmp_path / f"20260101-0000{n:02d}-x.png").write_bytes(b"x")
    names = workspace.latest(tmp_path)
    assert len(names) == workspace.SHOWN
    assert names[0] == "20260101-000019-x.png"
