"""The Model Context Protocol over HTTP, so that assistants edit pictures: stateless, one JSON answer to every call, or
a stream of progress that ends with it where the call asks for that.

Specification 2025-06-18, streamable HTTP. Pictures that a tool gives back are kept by their SHA-256, so that the next
call can name them.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi import Request as Call
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ValidationError

import dragkit
from dragkit import pictures
from dragkit.checks import explain
from dragkit.edits import Request
from dragkit.previews import preview
from dragkit.records import Drawing
from dragkit.studio import asked, jobs, opening, scenes
from dragkit.studio.api import Picking, Scene
from dragkit.studio.desk import Desk, Missing

VERSION = "2025-06-18"
Json = dict[str, Any]
Tell = Callable[[jobs.Job], None]  # called now and then while a job is done
Tool = tuple[str, type[BaseModel], Callable[[Desk, Any, Tell], Awaitable[Json]]]
TICK = 0.05  # s between looks at a job: shorter than a step of the smallest model


def add(app: FastAPI, desk: Desk) -> None:
    """Answer assistants at /mcp."""

    @app.post("/mcp", include_in_schema=False)
    async def called(call: Call) -> Response:
        try:
            message = await call.json()
        except ValueError:
            return JSONResponse(_wrong(None, -32700, "the message is no JSON"), 400)
        if not isinstance(message, dict) or not isinstance(message.get("method"), str):
            return JSONResponse(_wrong(None, -32600, "the message is no request"), 400)
        if "id" not in message:  # a notification
            return Response(status_code=202)
        given = message.get("params")
        params = given if isinstance(given, dict) else {}
        token = _token(params)
        if token is not None and "text/event-stream" in call.headers.get("accept", ""):
            stream = _streamed(desk, message["id"], message["method"], params, token)
            return StreamingResponse(stream, media_type="text/event-stream")
        return JSONResponse(await _answer(desk, message["id"], message["method"], params, lambda _: None))

    @app.get("/mcp", include_in_schema=False)
    def no_stream() -> Response:
        return Response(status_code=405, headers={"allow": "POST"})


def _token(params: Json) -> str | int | None:
    """What a call wants its progress to be told under, if it does."""
    meta = params.get("_meta")
    token = meta.get("progressToken") if isinstance(meta, dict) else None
    return token if isinstance(token, str | int) else None


class Progress:
    """What is told of a job: steps done in all phases so far, which only grow, and the phase in words."""

    def __init__(self, token: str | int) -> None:
        self._token, self._phase, self._before, self._last = token, "", 0, 0
        self._told = -1
        self.waiting: asyncio.Queue[Json | None] = asyncio.Queue()

    def __call__(self, job: jobs.Job) -> None:
        if job.phase != self._phase:
            self._phase, self._before, self._last = job.phase, self._before + self._last, 0
        self._last = max(self._last, job.done)
        done = self._before + self._last
        if done > self._told:
            steps = f" {job.done}/{job.total}" if job.total else ""
            told = {"progressToken": self._token, "progress": done, "message": f"{job.phase or 'waiting'}{steps}"}
            self.waiting.put_nowait({"jsonrpc": "2.0", "method": "notifications/progress", "params": told})
            self._told = done


async def _streamed(desk: Desk, name: Any, method: str, given: Json, token: str | int) -> AsyncIterator[str]:
    """Server-sent events: progress while the call is answered, then the answer. Who goes away stops it."""
    progress = Progress(token)
    answer = asyncio.ensure_future(_answer(desk, name, method, given, progress))
    answer.add_done_callback(lambda _: progress.waiting.put_nowait(None))
    try:
        while (told := await progress.waiting.get()) is not None:
            yield f"event: message\ndata: {json.dumps(told)}\n\n"
        yield f"event: message\ndata: {json.dumps(answer.result())}\n\n"
    finally:
        answer.cancel()


async def _answer(desk: Desk, name: Any, method: str, given: Json, tell: Tell) -> Json:
    match method:
        case "initialize":
            about = {"name": "dragkit", "version": dragkit.__version__}
            told = {"protocolVersion": VERSION, "capabilities": {"tools": {}}, "serverInfo": about}
            return _right(name, {**told, "instructions": HOW})
        case "ping":
            return _right(name, {})
        case "tools/list":
            return _right(name, {"tools": [_told(tool) for tool in TOOLS]})
        case "tools/call" if given.get("name") in TOOLS:
            return _right(name, await _done(desk, TOOLS[given["name"]], given.get("arguments") or {}, tell))
        case "tools/call":
            return _wrong(name, -32602, f"there is no tool {given.get('name')}; give one of {', '.join(TOOLS)}")
        case _:
            return _wrong(name, -32601, f"there is no method {method}")


async def _done(desk: Desk, tool: Tool, given: Json, tell: Tell) -> Json:
    """What a tool gives back; what is refused is told in one sentence, which assistants read."""
    _, form, work = tool
    try:
        return await work(desk, form.model_validate(given), tell)
    except ValidationError as error:
        sentence = explain(error)
    except (ValueError, Missing, jobs.Full) as error:
        sentence = str(error)
    return {"content": [{"type": "text", "text": sentence}], "isError": True}


def _right(name: Any, result: Json) -> Json:
    return {"jsonrpc": "2.0", "id": name, "result": result}


def _wrong(name: Any, code: int, message: str) -> Json:
    return {"jsonrpc": "2.0", "id": name, "error": {"code": code, "message": message}}


def _told(name: str) -> Json:
    text, form, _ = TOOLS[name]
    return {"name": name, "description": text, "inputSchema": form.model_json_schema()}


def _shown(desk: Desk, found: list[bytes], notes: list[str]) -> Json:
    """Pictures as a tool gives them back: to be seen, and by the names that further calls use."""
    content: list[Json] = []
    kept = []
    for data in found:
        opened = opening.opened(data, "picture.png", desk)
        kept.append({"name": opened.name, "sha256": opened.sha256, "width": opened.width, "height": opened.height})
        content.append({"type": "image", "data": base64.b64encode(data).decode(), "mimeType": "image/png"})
    text = "; ".join(f"{k['width']}x{k['height']} px, sha256 {k['sha256']}" for k in kept)
    content.append({"type": "text", "text": ". ".join([text, *notes])})
    return {"content": content, "structuredContent": {"pictures": kept, "notes": notes}}


async def _finished(desk: Desk, work: Callable[[jobs.Job], None], tell: Tell) -> Json:
    """A job waited for; it is stopped where the assistant goes away."""
    job = desk.line.put(work)
    job.watchers += 1
    try:
        while job.state not in jobs.ENDED:
            tell(job)
            await asyncio.sleep(TICK)
    finally:
        job.watchers -= 1
        if job.state not in jobs.ENDED:
            desk.line.stop(job)
    if job.state == "failed":
        raise ValueError(job.detail)
    names = (made.url.rsplit("/", 1)[1].removesuffix(".png") for made in job.results)
    return _shown(desk, [data for name in names if (data := desk.results.get(name)) is not None], job.notes)


async def _edit(desk: Desk, request: Request, tell: Tell) -> Json:
    from dragkit.studio import work

    request, whole, picture = await asyncio.to_thread(asked.able, request, desk)
    return await _finished(desk, partial(work.edit, desk, request, whole, picture, False), tell)


async def _preview(desk: Desk, request: Request, _: Tell) -> Json:
    def seen() -> bytes:
        whole, picture = asked.settled(request, desk)
        return pictures.encode_png(preview(picture, whole.edits))

    return _shown(desk, [await asyncio.to_thread(seen)], [])


async def _draw(desk: Desk, drawing: Drawing, tell: Tell) -> Json:
    from dragkit.studio import work

    asked.drawable(drawing, desk)
    return await _finished(desk, partial(work.draw, desk, drawing), tell)


async def _pick(desk: Desk, wish: Picking, _: Tell) -> Json:
    mask = await asyncio.to_thread(desk.pick, wish.sha256, wish.point, wish.box)
    png = base64.b64encode(pictures.encode_png(mask)).decode()
    image = {"type": "image", "data": png, "mimeType": "image/png"}
    text = {"type": "text", "text": f'{int(mask.sum())} px; give it as "mask": {{"png": ...}}'}
    return {"content": [image, text], "structuredContent": {"mask": {"png": png}}}


async def _scene(desk: Desk, wish: Scene, _: Tell) -> Json:
    opened = scenes.opened(wish.number, desk)
    return _shown(desk, [desk.picture(opened.sha256)], [opened.prompt])


HOW = (
    "Edits say where things in a picture should go. Name pictures by the name and sha256 that tools give back, or send "
    'them as {"png": base64}. Masks are {"box": [x0, y0, x1, y1]}, {"ellipse": ...}, {"polygon": [[x, y], ...]} or '
    '{"png": base64}; points and offsets are pixels, right and down positive.'
)
TOOLS: dict[str, Tool] = {
    "edit_picture": (
        "Move, resize, turn, remove, paste, restyle or drag things in a picture.",
        Request,
        _edit,
    ),
    "preview_picture": ("What geometric edits ask for, at once, by moving pixels.", Request, _preview),
    "draw_picture": ("Draw a picture of a prompt.", Drawing, _draw),
    "pick_object": ("The mask of the object under a point or in a box of a picture.", Picking, _pick),
    "open_scene": ("A built-in drawn scene to try edits on.", Scene, _scene),
}
