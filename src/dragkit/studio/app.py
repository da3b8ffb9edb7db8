"""The server of the studio: the page, and what the page and programs ask for over HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI, HTTPException
from fastapi import Request as Call
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import ValidationError
from starlette.staticfiles import StaticFiles

import dragkit
from dragkit import pictures
from dragkit.checks import explain, told
from dragkit.edits import Request
from dragkit.previews import preview
from dragkit.records import Drawing
from dragkit.studio import asked, mcp, opening, scenes, workspace
from dragkit.studio.api import About, Faced, Landmarks, Lattice, Moved, Opened, Picked, Picking, Trouble
from dragkit.studio.desk import Desk, Missing, Settings
from dragkit.studio.jobs import ENDED, Full, Job, Status
from dragkit.studio.security import LOCAL, Gate, TooLarge, is_loopback
from dragkit.warp import field

STATIC = Path(__file__).parent / "static"
TICK = 0.05  # s between looks at a job that is watched: shorter than a step of the smallest model
REFUSALS: dict[int | str, dict[str, Any]] = {code: {"model": Trouble} for code in (400, 404, 413, 422, 429)}


def build(settings: Settings, desk: Desk, users: dict[str, str], host: str = "127.0.0.1") -> FastAPI:
    """The server. users: passwords by name, empty where nobody has to say who he is."""

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(desk.line.close)

    app = FastAPI(
        title="dragkit studio", version=dragkit.__version__, docs_url=None, redoc_url=None, lifespan=living,
        description="Edit pictures by saying where things should go. Requests are those of `dragkit run`.",
    )  # fmt: skip
    _sentences(app)
    _pictures(app, desk)
    _at_once(app, desk)
    _jobs(app, desk)
    mcp.add(app, desk)
    app.mount("/", StaticFiles(directory=STATIC, html=True, check_dir=False))
    hosts = LOCAL if is_loopback(host) and not users else None
    app.add_middleware(Gate, users=users, hosts=hosts)
    return app


def _sentences(app: FastAPI) -> None:
    """Everything refused is refused in one sentence."""

    def answer(status: int, detail: str) -> JSONResponse:
        return JSONResponse({"detail": " ".join(detail.split())}, status)

    @app.exception_handler(RequestValidationError)
    async def _malformed(_: Call, error: RequestValidationError) -> JSONResponse:
        problems: Sequence[Any] = error.errors()
        if problems[0]["type"] == "json_invalid":
            return answer(422, "the request is no JSON; see /openapi.json")
        inside = [{**p, "loc": p["loc"][1:]} for p in problems]
        return answer(422, told(inside))

    @app.exception_handler(ValidationError)
    async def _invalid(_: Call, error: ValidationError) -> JSONResponse:
        return answer(422, explain(error))

    @app.exception_handler(ValueError)
    async def _refused(_: Call, error: ValueError) -> JSONResponse:
        return answer(400, str(error))

    @app.exception_handler(Missing)
    async def _missing(_: Call, error: Missing) -> JSONResponse:
        return answer(404, str(error))

    @app.exception_handler(Full)
    async def _full(_: Call, error: Full) -> JSONResponse:
        return answer(429, str(error))

    @app.exception_handler(TooLarge)
    async def _large(_: Call, error: TooLarge) -> JSONResponse:
        return answer(413, str(error))


def _pictures(app: FastAPI, desk: Desk) -> None:
    @app.get("/api/about", response_model=About)
    def about() -> About:
        """The models, the methods with their settings, the limits."""
        from dragkit.studio.settings import defaults, ways

        models = list(desk.models)
        return About(
            version=dragkit.__version__, models=models, methods={model: ways(model) for model in models},
            defaults=defaults(), scenes=len(scenes.SCENES), max_side=desk.settings.max_side, count=asked.COUNT,
            workspace=workspace.latest(desk.settings.workspace),
        )  # fmt: skip

    @app.post("/api/pictures", response_model=Opened, responses=REFUSALS)
    async def send(call: Call, name: str = "picture") -> Opened:
        """Send the bytes of a picture file; requests then name it by its sha256."""
        return await asyncio.to_thread(opening.opened, await call.body(), name, desk)

    @app.get("/api/scenes/{number}.png", response_class=Response, responses=REFUSALS)
    def drawn(number: int) -> Response:
        """A built-in scene's picture."""
        return _file(desk.pictures.get(scenes.opened(number, desk).sha256))

    @app.get("/api/scenes/{number}", response_model=Opened, responses=REFUSALS)
    def scene(number: int) -> Opened:
        """One of the built-in drawn scenes."""
        return scenes.opened(number, desk)

    @app.get("/api/pictures/{sha256}.png", response_class=Response, responses=REFUSALS)
    def picture(sha256: str) -> Response:
        """A picture that was sent or drawn: a PNG, or a JPEG where one was sent."""
        return _file(desk.pictures.get(sha256))

    @app.get("/api/workspace/{name}", response_class=Response, responses=REFUSALS)
    def kept(name: str) -> Response:
        """A result of the workspace."""
        return _file(workspace.read(desk.settings.workspace, name))

    @app.get("/api/results/{name}.png", response_class=Response, responses=REFUSALS)
    def result(name: str) -> Response:
        """A result, with its request in it."""
        return _file(desk.results.get(name))


def _file(data: bytes | None) -> Response:
    if data is None:
        raise HTTPException(404, "that picture is not kept here any more; make or send it again")
    kind = "image/jpeg" if data.startswith(b"\xff\xd8") else "image/png"
    return Response(data, media_type=kind, headers={"cache-control": "private, max-age=3600, immutable"})


def _at_once(app: FastAPI, desk: Desk) -> None:
    """What is answered while jobs run."""

    @app.post("/api/pick", response_model=Picked, responses=REFUSALS)
    def picked(wish: Picking) -> Picked:
        """The object under a point or in a box."""
        mask = desk.pick(wish.sha256, wish.point, wish.box)
        return Picked(png=base64.b64encode(pictures.encode_png(mask)).decode())

    @app.post("/api/landmarks", response_model=Landmarks, responses=REFUSALS)
    def landmarks(wish: Faced) -> Landmarks:
        """The landmarks of the one face that fills a picture, by the small network that knows drawn faces."""
        from dragkit.toy.landmarks import detect

        found = detect(pictures.decode(desk.picture(wish.sha256)))
        return Landmarks(points=[(float(x), float(y)) for x, y in found])

    @app.post("/api/field", response_model=Lattice, responses=REFUSALS)
    def lattice(wish: Moved) -> Lattice:
        """The displacement of edits at the corners of a coarse grid."""
        found = field(wish.edits, wish.size).lattice()
        return Lattice(rows=found.shape[0], columns=found.shape[1], offsets=np.round(found, 2).ravel().tolist())

    @app.post("/api/preview", response_class=Response, responses=REFUSALS)
    def shown(request: Request) -> Response:
        """What edits ask for, by pixels alone: a PNG."""
        request, picture = asked.settled(request, desk)
        return Response(pictures.encode_png(preview(picture, request.edits), level=1), media_type="image/png")


def _jobs(app: FastAPI, desk: Desk) -> None:
    @app.post("/api/jobs", response_model=Status, status_code=202, responses=REFUSALS)
    def edit(request: Request, embed: bool = True) -> Status:
        """Let a request be done by a model. embed: the result's record holds the pictures, so that it stands alone."""
        from dragkit.studio import work

        request, whole, picture = asked.able(request, desk)
        return desk.line.status(desk.line.put(partial(work.edit, desk, request, whole, picture, embed)))

    @app.post("/api/drawings", response_model=Status, status_code=202, responses=REFUSALS)
    def draw(drawing: Drawing) -> Status:
        """Let a picture be drawn of a prompt."""
        from dragkit.studio import work

        asked.drawable(drawing, desk)
        return desk.line.status(desk.line.put(partial(work.draw, desk, drawing)))

    @app.get("/api/jobs/{name}", response_model=Status, responses=REFUSALS)
    def status(name: str) -> Status:
        """How a job stands. Who asks keeps it alive."""
        return desk.line.status(_known(desk, name))

    @app.get("/api/jobs/{name}/events", response_class=StreamingResponse, responses=REFUSALS)
    async def events(name: str) -> StreamingResponse:
        """The states of a job as they come (server-sent events), to its end. A job that nobody watches is stopped."""
        return StreamingResponse(_watched(desk, _known(desk, name)), media_type="text/event-stream")

    @app.delete("/api/jobs/{name}", response_model=Status, responses=REFUSALS)
    def stop(name: str) -> Status:
        """Stop a job: what it has come to is kept as a result."""
        job = _known(desk, name)
        desk.line.stop(job)
        return desk.line.status(job)


def _known(desk: Desk, name: str) -> Job:
    job = desk.line.get(name)
    if job is None:
        raise HTTPException(404, "there is no such job here any more; start it again")
    job.touch()
    return job


async def _watched(desk: Desk, job: Job) -> AsyncIterator[str]:
    """Server-sent events of a job: its state whenever that changes."""
    previews, last = 0, None
    job.watchers += 1
    try:
        while True:
            status = desk.line.status(job, previews)
            previews = job.previews
            if status != last:
                yield f"data: {json.dumps(status.model_dump(mode='json'))}\n\n"
            last = status.model_copy(update={"preview": None})
            if status.state in ENDED:
                return
            await asyncio.sleep(TICK)
    finally:
        job.watchers -= 1
        job.touch()
