"""Assistants: the messages of the Model Context Protocol, and a picture edited by them."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import anyio
import numpy as np
import pytest
from serving import until

from dragkit import pictures
from dragkit.studio import mcp
from dragkit.studio.jobs import Job


@pytest.fixture
def ask(client):
    def asking(method, **params):
        answer = client.http.post("/mcp", json={"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
        assert answer.json()["id"] == 7
        return answer.json()

    return asking


def test_hello_and_what_there_is(client, ask):
    assert ask("initialize", protocolVersion="2025-06-18")["result"]["serverInfo"]["name"] == "dragkit"
    hello = client.http.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert (hello.status_code, hello.content) == (202, b"")
    tools = ask("tools/list")["result"]["tools"]
    assert {"edit_picture", "preview_picture", "draw_picture", "pick_object"} <= {tool["name"] for tool in tools}
    assert all(tool["description"] and tool["inputSchema"]["type"] == "object" for tool in tools)
    assert ask("ping")["result"] == {}
    assert client.http.get("/mcp").status_code == 405


def test_an_assistant_picks_an_object_and_moves_it(client, ask, picture):
    sent = client.send(picture)
    found = ask("tools/call", name="pick_object", arguments={"sha256": sent["sha256"], "point": [20, 24]})["result"]
    mask = found["structuredContent"]["mask"]
    image = {"name": "disc.png", "sha256": sent["sha256"]}
    wish = {"image": image, "edits": [{"kind": "move", "mask": mask, "offset": [16, 4]}], "model": "tiny", "steps": 2}
    seen = ask("tools/call", name="preview_picture", arguments=wish)["result"]
    shown = pictures.decode(base64.b64decode(seen["content"][0]["data"]))
    assert np.abs(shown[28, 36].astype(int) - (210, 40, 30)).max() < 10
    made = ask("tools/call", name="edit_picture", arguments=wish)["result"]["structuredContent"]["pictures"][0]
    assert (made["width"], made["height"]) == (64, 48)
    again = {**wish, "image": {"name": made["name"], "sha256": made["sha256"]}}
    assert "isError" not in ask("tools/call", name="edit_picture", arguments=again)["result"]


def streamed(client, token, **params):
    """The messages that come to a call which asks for progress."""
    call = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {**params, "_meta": {"progressToken": token}}}
    answer = client.http.post("/mcp", json=call, headers={"accept": "application/json, text/event-stream"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    return [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]


def test_an_assistant_is_told_how_far_an_edit_is(client, picture):
    wish = client.wish(picture, steps=25)
    *told, last = streamed(client, "mine", name="edit_picture", arguments=wish)
    assert last["id"] == 7
    assert last["result"]["structuredContent"]["pictures"][0]["width"] == 64
    assert {message["method"] for message in told} == {"notifications/progress"}
    assert {message["params"]["progressToken"] for message in told} == {"mine"}
    steps = [message["params"]["progress"] for message in told]
    assert len(steps) > 1
    assert all(a < b for a, b in itertools.pairwise(steps))
    assert "editing" in {message["params"]["message"].split()[0] for message in told}


def test_progress_grows_through_all_phases():
    progress, job = mcp.Progress(5), Job(lambda _: None)
    for phase, done, total in (
        ("", 0, 0),
        ("inverting", 1, 2),
        ("inverting", 2, 2),
        ("editing", 0, 3),
        ("editing", 2, 3),
    ):
        job.show(phase, done, total, None)
        progress(job)
        progress(job)  # nothing new is not told again
    told = [progress.waiting.get_nowait()["params"] for _ in range(progress.waiting.qsize())]
    assert [t["progress"] for t in told] == [0, 1, 2, 4]
    assert [t["message"] for t in told] == ["waiting", "inverting 1/2", "inverting 2/2", "editing 2/3"]


def test_progress_of_what_is_refused_or_at_once_is_its_answer_alone(client, ask):
    (refused,) = streamed(client, 3, name="open_scene", arguments={"number": 99})
    assert refused["result"]["isError"]
    (found,) = streamed(client, 3, name="open_scene", arguments={"number": 1})
    assert found["result"]["content"][0]["type"] == "image"
    meta = {"progressToken": 3}
    assert ask("tools/call", name="open_scene", arguments={}, _meta=meta)["result"], "JSON for who takes no stream"


def test_a_call_that_is_left_stops_its_job(client, desk, picture):
    async def left():
        asked = client.wish(picture, steps=900)
        given = {"name": "edit_picture", "arguments": asked}
        stream = mcp._streamed(desk, 7, "tools/call", given, "mine")
        await anext(stream)
        (job,) = desk.line._known.values()
        await stream.aclose()
        with anyio.fail_after(60):
            while not job.stopping:
                await asyncio.sleep(0.01)
        return job

    with ThreadPoolExecutor() as pool:  # the browser of other tests has a loop in this thread
        job = pool.submit(anyio.run, left).result()
    until(lambda: job.state == "stopped", "the job to stop")


def test_an_assistant_draws_and_opens(ask):
    wish = {"prompt": "a disc", "model": "tiny", "steps": 2, "size": [64, 48]}
    drawn = ask("tools/call", name="draw_picture", arguments=wish)
    assert drawn["result"]["structuredContent"]["pictures"][0]["width"] == 64
    assert ask("tools/call", name="open_scene", arguments={"number": 1})["result"]["content"][0]["type"] == "image"


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("edit_picture", {"edits": []}, "at least 1"),
        ("edit_picture", {"image": {"path": "/etc/passwd"}}, "path is allowed only"),
        ("draw_picture", {"prompt": "x", "model": "sd15"}, "no model sd15 here"),
        ("pick_object", {"sha256": "0" * 64, "point": [1, 1]}, "send it again"),
        ("open_scene", {"number": 99}, "no scene 99"),
    ],
)  # fmt: skip
def test_what_is_refused_is_told_in_a_sentence(ask, name, arguments, says):
    told = ask("tools/call", name=name, arguments=arguments)["result"]
    assert told["isError"]
    assert says in told["content"][0]["text"]


def test_messages_that_make_no_sense(client, ask):
    assert ask("nosuch")["error"]["code"] == -32601
    assert ask("tools/call", name="nosuch")["error"]["code"] == -32602
    assert client.http.post("/mcp", content=b"{").status_code == 400
    assert client.http.post("/mcp", json=[1]).status_code == 400
