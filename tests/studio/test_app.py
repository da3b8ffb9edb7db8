"""The API, as programs and mistaken people use it, with a random model."""

from __future__ import annotations

import base64
import io
import json
import threading

import numpy as np
import pytest
from PIL import Image
from serving import png, until

from dragkit import pictures
from dragkit.edits import Request
from dragkit.methods.speeds import preset
from dragkit.studio import asked
from dragkit.studio.jobs import Job


def text(pixels):
    """A picture as requests carry it."""
    return base64.b64encode(png(pixels)).decode()


def sentence(answer, status):
    """A refusal: its status and one sentence."""
    assert answer.status_code == status, answer.text
    detail = answer.json()["detail"]
    assert detail
    assert "\n" not in detail
    assert len(detail) < 400
    return detail


def test_a_picture_is_moved_and_its_png_stands_alone(client, picture):
    status = client.job(client.wish(picture, seed=3))
    assert status["state"] == "done", status
    assert [made["seed"] for made in status["results"]] == [3]
    data = client.http.get(status["results"][0]["url"]).content
    assert pictures.decode(data).shape == picture.shape
    record = json.loads(pictures.record(data))
    again = Request.model_validate(record["request"])
    assert np.array_equal(again.image.array(), picture)
    assert again.steps == 2
    assert again.method == "warp"


def test_a_speed_becomes_numbers_that_the_record_has(client, picture):
    status = client.job(client.wish(picture, speed="fast", steps=None))
    record = json.loads(pictures.record(client.http.get(status["results"][0]["url"]).content))
    assert record["request"]["speed"] is None
    assert record["request"]["steps"] == preset("warp", "tiny", "fast").steps


def test_without_embedding_the_record_names_the_picture(client, picture):
    status = client.job(client.wish(picture), "/api/jobs?embed=false")
    record = json.loads(pictures.record(client.http.get(status["results"][0]["url"]).content))
    assert set(record["request"]["image"]) == {"name", "sha256"}


def test_the_second_edit_of_a_picture_inverts_nothing(client, desk, picture, tiny):
    passes = []
    handle = tiny.unet.register_forward_pre_hook(lambda *_: passes.append(1))
    client.job(client.wish(picture, method="dragondiffusion"))
    first = len(passes)
    passes.clear()
    client.job(client.wish(picture, method="dragondiffusion", guidance=1.0))
    handle.remove()
    assert len(passes) < first
    assert len(desk.sources(desk.editor("tiny")).shelf) == 1


def test_several_seeds_are_told_apart_or_told_to_be_the_same(client, picture):
    same = client.job(client.wish(picture, count=3, method="dragondiffusion"))
    assert len(same["results"]) == 1
    assert "every seed" in same["notes"][0]
    several = client.job(client.wish(picture, count=2, seed=5, method="diffeditor"))
    assert [made["seed"] for made in several["results"]] == [5, 6]


def test_of_a_large_picture_the_model_sees_a_window(client, picture, tiny):
    large = np.full((200, 256, 3), 140, np.uint8)
    large[:48, :64] = picture
    seen = []
    handle = tiny.unet.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape))
    status = client.job(client.wish(large))
    handle.remove()
    result = pictures.decode(client.http.get(status["results"][0]["url"]).content)
    assert result.shape == large.shape
    assert np.array_equal(result[120:], large[120:])
    assert not np.array_equal(result[:48, :64], large[:48, :64])
    assert seen


def test_a_picture_is_drawn_and_its_trajectory_kept(client, desk):
    status = client.job({"prompt": "a disc", "model": "tiny", "steps": 2, "size": [64, 48]}, "/api/drawings")
    data = client.http.get(status["results"][0]["url"]).content
    opened = client.http.post("/api/pictures", content=data).json()
    assert (opened["width"], opened["height"], opened["prompt"]) == (64, 48, "a disc")
    known = len(desk.sources(desk.editor("tiny")).shelf)
    wish = client.wish(pictures.decode(data))
    assert client.job(wish)["state"] == "done"
    assert len(desk.sources(desk.editor("tiny")).shelf) == known, "nothing was inverted"


def test_a_drawn_picture_whose_trajectory_is_forgotten_is_drawn_again(client, desk, monkeypatch):
    shown, show = [], Job.show
    monkeypatch.setattr(Job, "show", lambda job, phase, *how: (shown.append(phase), show(job, phase, *how)))
    status = client.job({"prompt": "a disc", "model": "tiny", "steps": 2, "size": [64, 48]}, "/api/drawings")
    sent = client.http.post("/api/pictures", content=client.http.get(status["results"][0]["url"]).content).json()
    wish = client.wish(np.zeros((48, 64, 3), np.uint8)) | {"image": {"name": sent["name"], "sha256": sent["sha256"]}}

    def edited(**more):
        """The result, and the phases it took."""
        shown.clear()
        found = client.job({**wish, "method": "dragondiffusion", **more})["results"][0]["url"]
        return pictures.decode(client.http.get(found).content), {*shown} & {"drawing", "inverting"}

    kept, phases = edited()
    assert phases == set(), "its trajectory is known"
    desk._sources = None
    again, phases = edited()
    assert phases == {"drawing"}
    assert np.array_equal(again, kept), "the same result"
    assert edited()[1] == set(), "it is kept again"
    desk._sources = None
    assert edited(steps=3)[1] == {"inverting"}, "with other steps it has none"
    desk._sources = None
    assert edited(prompt="a square")[1] == {"inverting"}, "nor with other words"
    desk._sources = None
    assert "drawing" not in edited(method="warp")[1], "nor is it drawn for who reads none of it"


def test_a_stream_tells_a_job_from_beginning_to_end(client, picture):
    name = client.http.post("/api/jobs", json=client.wish(picture)).json()["id"]
    with client.http.stream("GET", f"/api/jobs/{name}/events") as answer:
        told = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")]
    assert told[-1]["state"] == "done"
    assert told[-1]["results"]


def test_previews_fields_and_picks_are_answered(client, picture):
    wish = client.wish(picture)
    seen = pictures.decode(client.http.post("/api/preview", json=wish).content)
    assert seen.shape == picture.shape
    assert np.abs(seen[28, 36].astype(int) - (210, 40, 30)).max() < 10, "the disc has moved"
    found = client.http.post("/api/field", json={"size": [64, 48], "edits": wish["edits"]}).json()
    assert len(found["offsets"]) == 2 * found["rows"] * found["columns"]
    for how in ({"point": [20.5, 24.5]}, {"box": [8, 12, 32, 36]}):
        picked = client.http.post("/api/pick", json={"sha256": wish["image"]["sha256"], **how}).json()
        mask = pictures.decode_mask(base64.b64decode(picked["png"]))
        truth = picture[..., 0] > 180
        assert (mask & truth).sum() / (mask | truth).sum() > 0.9


def test_scenes_and_what_there_is(client):
    about = client.http.get("/api/about").json()
    assert about["models"] == ["tiny"]
    names = [way["name"] for way in about["methods"]["tiny"]]
    assert "dragondiffusion" in names
    assert all(setting["help"] for way in about["methods"]["tiny"] for setting in way["settings"])
    speeds = {way["name"]: way["speeds"] for way in about["methods"]["tiny"]}
    assert speeds["warp"] == ["fast", "balanced", "best"]
    assert speeds["diffeditor"] == ["best"]  # none was looked for
    for number in range(about["scenes"]):
        opened = client.http.get(f"/api/scenes/{number}").json()
        shown = pictures.decode(client.http.get(f"/api/pictures/{opened['sha256']}.png").content)
        assert shown.shape == (opened["height"], opened["width"], 3)
    assert client.http.get("/api/scenes/99").status_code == 400
    assert client.http.get("/openapi.json").json()["paths"]["/api/jobs"]


def test_large_pictures_are_scaled_down_and_names_lose_their_folders(client):
    opened = client.send(np.zeros((300, 600, 3), np.uint8), "../../etc/passwd\\x.png")
    assert (opened["width"], opened["height"], opened["scaled"], opened["name"]) == (256, 128, True, "x.png")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"nosuch": 1}, "no such field"),
        ({"model": "other/model"}, "no model other/model here"),
        ({"image": {"path": "/etc/passwd"}}, "path is allowed only"),
        ({"image": {"url": "http://elsewhere/x.png"}}, "give one of"),
        ({"image": None}, "names no picture"),
        ({"count": 9}, "at most 8"),
        ({"steps": 0}, "greater than or equal to 1"),
        ({"method": "nosuch"}, "no method nosuch"),
        ({"settings": {"nosuch": 1}}, "no setting nosuch"),
        ({"edits": []}, "at least 1"),
        ({"edits": [{"kind": "move", "mask": {"path": "m.png"}}]}, "path is allowed only"),
        ({"edits": [{"kind": "move", "mask": {"box": [0, 0, 9, 9]}, "offset": [500, 0]}]}, "out of the picture"),
        ({"edits": [{"kind": "move", "mask": {"png": text(np.full((9, 7), 255, np.uint8))}}]}, "mask is 7x9"),
        ({"edits": [{"kind": "drag", "handles": [[1, 1]], "targets": [[1, 99]]}]}, "lies outside"),
        ({"image": {"png": text(np.zeros((8, 300, 3), np.uint8))}}, "up to 256 px"),
        ({"image": {"png": "not base64!"}}, "not base64"),
    ],
)  # fmt: skip
def test_a_request_is_refused_in_one_sentence(client, picture, change, says):
    for path in ("/api/jobs", "/api/preview"):
        if path == "/api/preview" and {"method", "settings"} & set(change):
            continue
        answer = client.http.post(path, json={**client.wish(picture), **change})
        assert answer.status_code in (400, 422)
        assert says in sentence(answer, answer.status_code)


def test_broken_json_other_kinds_and_unknown_names(client, picture):
    headers = {"content-type": "application/json"}
    assert "no JSON" in sentence(client.http.post("/api/jobs", content=b"{", headers=headers), 422)
    sentence(client.http.post("/api/jobs", content=b"{}", headers={"content-type": "text/plain"}), 422)
    sentence(client.http.get("/api/jobs/nosuch"), 404)
    sentence(client.http.get("/api/results/nosuch.png"), 404)
    sentence(client.http.get("/api/pictures/nosuch.png"), 404)
    wish = client.wish(picture)
    wish["image"]["sha256"] = "0" * 64
    assert "send it again" in sentence(client.http.post("/api/preview", json=wish), 404)


def bomb() -> bytes:
    """A small PNG of 100 megapixels."""
    buffer = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"hello", "not a picture"), (bomb(), "megapixels"), (b"", "not a picture"), (b"\x89PNG\r\n\x1a\n", "PNG")],
)
def test_what_is_no_picture_is_refused(client, data, says):
    answer = client.http.post("/api/pictures", params={"name": "x.png"}, content=data)
    assert says in sentence(answer, 400)


def test_the_line_is_bounded_and_a_waiting_job_is_stopped_at_once(client, desk, picture):
    gate = threading.Event()
    blocker = desk.line.put(lambda job: gate.wait(30) and None)
    until(lambda: blocker.state == "running", "the job to begin")
    wish = client.wish(picture)
    first, second = (client.http.post("/api/jobs", json=wish).json() for _ in range(2))
    assert (first["ahead"], second["ahead"]) == (1, 2)
    assert "wait already" in sentence(client.http.post("/api/jobs", json=wish), 429)
    assert client.http.delete(f"/api/jobs/{first['id']}").json()["state"] == "stopped"
    assert client.http.get(f"/api/jobs/{second['id']}").json()["ahead"] == 1
    gate.set()


def test_a_running_job_stops_within_a_step_and_keeps_what_it_has(client, desk, picture, tiny):
    name = client.http.post("/api/jobs", json=client.wish(picture, steps=40)).json()["id"]
    job = desk.line.get(name)
    until(lambda: job.phase == "editing" and job.done >= 2, "the third step")
    client.http.delete(f"/api/jobs/{name}")
    done = job.done
    until(lambda: job.state == "stopped", "the job to stop")
    assert job.done <= done + 1
    assert [made.whole for made in job.results] == [False]
    assert not tiny.unet._forward_pre_hooks, "the model is as it was"


def test_a_job_that_nobody_watches_is_stopped(desk, monkeypatch):
    monkeypatch.setattr("dragkit.studio.jobs.PATIENCE", 0.0)
    job = desk.line.put(lambda job: job.check())
    until(lambda: job.state == "stopped", "the job to stop")


def test_what_goes_wrong_in_a_job_is_told_and_the_next_one_runs(client, desk, picture):
    def broken(_):
        raise ZeroDivisionError("by zero")

    job = desk.line.put(broken)
    until(lambda: job.state == "failed", "the job to fail")
    assert "by zero" in job.detail
    assert client.job(client.wish(picture))["state"] == "done"


def test_pictures_of_other_edits_are_found_too(client, desk, picture):
    sent = client.send(picture, "other.png")
    image = {"name": "other.png", "sha256": sent["sha256"]}
    paste = {"kind": "paste", "reference": image, "reference_mask": {"ellipse": [11, 15, 29, 33]}, "offset": [20, 0]}
    request = Request.model_validate({**client.wish(picture), "edits": [paste]})
    settled, _ = asked.settled(request, desk)
    assert np.array_equal(settled.edits[0].reference.array(), picture)
    assert client.http.post("/api/preview", json={**client.wish(picture), "edits": [paste]}).status_code == 200
