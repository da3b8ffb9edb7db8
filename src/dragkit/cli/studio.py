"""`dragkit studio`: edit by hand in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dragkit.cli.options import say

NEEDED = "the studio needs fastapi and uvicorn: pip install 'dragkit[studio]'"


def studio(
    model: Annotated[
        list[str], typer.Option(help="As of the edits; may be repeated, people then choose.", show_default="toy")
    ] = [],  # noqa: B006
    host: Annotated[str, typer.Option(help="The address to listen at; others than this machine need a password.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8765,
    workspace: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder that results are written to as well.")
    ] = None,
    auth_file: Annotated[
        Path | None, typer.Option(metavar="F", help="A line name:password for each person; or $DRAGKIT_STUDIO_AUTH.")
    ] = None,
    no_auth: Annotated[bool, typer.Option("--no-auth", help="Let anybody in who reaches the address.")] = False,
    max_side: Annotated[int, typer.Option(min=64, max=4096, help="Larger pictures are scaled down to it, px.")] = 4096,
    queue: Annotated[int, typer.Option(min=1, help="Jobs that may wait.")] = 32,
    cache: Annotated[
        float | None,
        typer.Option(metavar="GIB", min=0, help="Memory for inverted pictures.", show_default="half of what is free"),
    ] = None,
    segment: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Segment Anything's weights, to pick objects by; else GrabCut.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps; the best there is by default.")] = None,
    dtype: Annotated[str | None, typer.Option(help="fp32, fp16 or bf16; by the device if left out.")] = None,
    prediction: Annotated[str | None, typer.Option(help="eps or v, where a single file cannot tell.")] = None,
    memory: Annotated[
        str, typer.Option(metavar="fast|balanced|small", help="How much of a picture is kept instead of made again.")
    ] = "fast",
) -> None:
    """Open a page in which pictures are edited by hand: grab a thing and put it elsewhere.

    \b
    dragkit studio
    dragkit studio --model sd15-folder --workspace out/studio
    DRAGKIT_STUDIO_AUTH=anna:secret dragkit studio --host 0.0.0.0
    """
    from dragkit import machine
    from dragkit.cli import work

    try:
        from dragkit.studio import serve
        from dragkit.studio.desk import GIB, Settings
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("fastapi", "starlette", "uvicorn"):
            raise
        raise ValueError(NEEDED) from None
    machine.take_cores()
    if workspace is not None:
        workspace.mkdir(parents=True, exist_ok=True)
    kept = None if cache is None else int(cache * GIB)
    settings = Settings(
        tuple(model or ["toy"]),
        device,
        dtype,
        prediction,
        max_side,
        queue,
        workspace,
        kept,
        memories=work.cache_folder(),
        segment=segment,
        memory=memory,
    )
    serve.serve(settings, host, port, auth_file, no_auth, lambda address: say(f"the studio is open at {address}"))
