"""The commands: each one turns its options into a request and hands it on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

import dragkit
from dragkit import pictures
from dragkit.cli import records, show, work
from dragkit.cli.bench import bench
from dragkit.cli.options import (
    By,
    Filled,
    Json,
    Load,
    Masked,
    Picture,
    Placed,
    Reference,
    ReferenceMasked,
    Save,
    Way,
    Wish,
    grouped,
    mask_form,
    needed_mask,
    offset,
)
from dragkit.cli.records import Drawing
from dragkit.edits import Drag, Request, explain, parse_numbers

app = typer.Typer(
    name="dragkit",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="""Edit pictures by saying where things should go; diffusion makes it so.

    \b
    dragkit demo --out out/demo
    dragkit move cup.png --mask cup-mask.png --by 40,0 --prompt "a red cup on a table" -o moved.png
    dragkit drag face.png --point "64,80->64,96" -o smile.png

    The model that ships inside works at once; --model takes your own Stable Diffusion 1.x or 2.x.
    Masks are pictures of the same size, light on dark, or --box and --ellipse.
    """,
)
Points = Annotated[list[str], typer.Option("--point", metavar="X,Y->X,Y", help="Handle and target; X,Y is a pin.")]
Landmarks = Annotated[Path | None, typer.Option(metavar="A.json", help="[[x, y], ...]; found if left out.")]
Prompt = Annotated[str, typer.Option(help="What to draw.", show_default=False)]


@app.command()
@grouped
def move(
    picture: Picture, by: By, mask: Masked, placed: Placed, fill: Filled, wish: Wish, load: Load, save: Save, way: Way
) -> None:
    """Move an object, and resize or turn it on the way.

    \b
    dragkit move cup.png --mask cup-mask.png --by 40,0 --prompt "a red cup on a table" -o moved.png
    dragkit move cup.png --box 20,30,60,90 --by -24,8 --scale 1.2 --angle 15
    """
    form = {"kind": "move", "mask": needed_mask(mask), "offset": offset(by), "fill_like": _file(fill.fill_like)}
    _edit("move", picture, {**form, "scale": placed.scale, "angle": placed.angle}, wish, load, save, way)


@app.command()
@grouped
def resize(
    picture: Picture,
    scale: Annotated[float, typer.Option(help="Size factor about the object's own centre.")],
    mask: Masked,
    fill: Filled,
    wish: Wish,
    load: Load,
    save: Save,
    way: Way,
) -> None:
    """Make an object larger or smaller where it stands.

    \b
    dragkit resize cup.png --mask cup-mask.png --scale 1.3 -o larger.png
    """
    form = {"kind": "move", "mask": needed_mask(mask), "scale": scale, "fill_like": _file(fill.fill_like)}
    _edit("resize", picture, form, wish, load, save, way)


@app.command()
@grouped
def remove(picture: Picture, mask: Masked, fill: Filled, wish: Wish, load: Load, save: Save, way: Way) -> None:
    """Take an object away and continue the background.

    \b
    dragkit remove cup.png --mask cup-mask.png -o table.png
    dragkit remove cup.png --ellipse 20,30,60,90 --fill-like table-mask.png
    """
    form = {"kind": "remove", "mask": needed_mask(mask), "fill_like": _file(fill.fill_like)}
    _edit("remove", picture, form, wish, load, save, way)


@app.command()
@grouped
def replace(
    picture: Picture,
    reference: Reference,
    mask: Masked,
    other: ReferenceMasked,
    wish: Wish,
    load: Load,
    save: Save,
    way: Way,
) -> None:
    """Give an object the look of an object in another picture; its shape stays.

    \b
    dragkit replace car.png --mask car-mask.png --reference old.png --reference-mask old-mask.png -o repainted.png
    """
    form = {"kind": "replace", "mask": needed_mask(mask), "reference_mask": needed_mask(other)}
    _edit("replace", picture, {**form, "reference": _file(reference)}, wish, load, save, way)


@app.command()
@grouped
def paste(
    picture: Picture,
    reference: Reference,
    by: By,
    other: ReferenceMasked,
    placed: Placed,
    wish: Wish,
    load: Load,
    save: Save,
    way: Way,
) -> None:
    """Put an object of another picture into this one, moved by --by from where it stands there.

    \b
    dragkit paste table.png --reference fruit.png --reference-mask apple-mask.png --by 24,-8 -o apple.png
    """
    form = {"kind": "paste", "reference": _file(reference), "reference_mask": needed_mask(other), "offset": offset(by)}
    _edit("paste", picture, {**form, "scale": placed.scale, "angle": placed.angle}, wish, load, save, way)


@app.command()
@grouped
def drag(picture: Picture, point: Points, mask: Masked, wish: Wish, load: Load, save: Save, way: Way) -> None:
    """Pull points of the picture to other places; a point without arrow is a pin and holds still.

    The mask says what may change; without one it is a soft band round the path.

    \b
    dragkit drag face.png --point "64,80->64,96" -o smile.png
    dragkit drag giraffe.png --point "40,60->40,30" --point 40,100 --mask neck-mask.png
    dragkit drag face.png --point "64,80->64,96" --method dragdiffusion --prompt "a face"
    """
    pairs = [Drag.parse_point(text) for text in point]
    form: Json = {"kind": "drag", "handles": [p[0] for p in pairs], "targets": [p[1] for p in pairs]}
    _edit("drag", picture, {**form, "mask": mask_form(mask)}, wish, load, save, way)


@app.command()
@grouped
def face(
    picture: Picture,
    wish: Wish,
    load: Load,
    save: Save,
    way: Way,
    reference: Annotated[Path | None, typer.Option(metavar="REF.png", help="The face to imitate.")] = None,
    points: Annotated[int, typer.Option(metavar="17|68", help="How many landmarks guide.")] = 68,
    landmarks: Landmarks = None,
    reference_landmarks: Landmarks = None,
) -> None:
    """Give a face the pose and expression of another.

    \b
    dragkit face anna.png --reference smile.png -o anna-smiles.png
    dragkit face anna.png --points 17 --landmarks anna.json --reference-landmarks smile.json
    """
    form: Json = {"kind": "face", "points": points, "reference": _file(reference)}
    form |= {"landmarks": _json(landmarks), "reference_landmarks": _json(reference_landmarks)}
    _edit("face", picture, form, wish, load, save, way)


@app.command()
@grouped
def finetune(
    picture: Picture,
    load: Load,
    prompt: Annotated[str, typer.Option(help="What the picture shows.")] = "",
    steps: Annotated[int, typer.Option(min=1, help="Steps of training.")] = 80,
    rate: Annotated[float, typer.Option(help="Learning rate.")] = 5e-4,
    batch: Annotated[int, typer.Option(min=1, help="Noises in a step.")] = 4,
    rank: Annotated[int, typer.Option(min=1, help="Rank of the weights.")] = 16,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="LORA.safetensors", show_default="IN-lora.safetensors here")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Let a model memorise a picture: a LoRA for `drag --lora`, and for diffusers.

    \b
    dragkit finetune face.png --prompt "a face" -o face.safetensors
    dragkit drag face.png --point "64,80->64,96" --method dragdiffusion --lora face.safetensors
    """
    how = {"steps": steps, "rate": rate, "batch": batch, "rank": rank}
    target = output or Path(f"{picture.stem}-lora.safetensors")
    work.finetune(pictures.read(picture), prompt, how, load, target, force)


@app.command()
@grouped
def generate(
    prompt: Prompt,
    load: Load,
    save: Save,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Size in pixels; else the model's own.")] = None,
    negative_prompt: Annotated[str, typer.Option(help="What it should not look like.")] = "",
    guidance: Annotated[float | None, typer.Option(help="Strength of the prompt; 1 is none.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Denoising steps.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first noise.")] = 0,
    count: Annotated[int, typer.Option(min=1, help="Pictures OUT-1.png .. OUT-N.png, seed by seed.")] = 1,
) -> None:
    """Draw a picture of a prompt; edits of that PNG need no inversion.

    \b
    dragkit generate --prompt "a red apple on a table" --size 128x96 --seed 3 -o apple.png
    """
    wanted = size and parse_numbers(size.lower().replace("x", ","), 2, "--size", "WxH, for example 128x96")
    asked = {"prompt": prompt, "negative_prompt": negative_prompt, "seed": seed, "size": wanted}
    drawing = Drawing.model_validate({**asked, "steps": steps, "guidance": guidance, "model": load.model or "toy"})
    work.generate(drawing, count, load, save)


@app.command()
@grouped
def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A request (JSON), or a PNG that dragkit wrote.")],
    load: Load,
    save: Save,
    way: Way,
    steps: Annotated[int | None, typer.Option(min=1, help="Other number of steps than in the file.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Another seed than in the file.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Another number of results than in the file.")] = None,
) -> None:
    """Do what a request file says, or repeat what made a result.

    \b
    dragkit run request.json -o out.png
    dragkit run moved.png -o again.png
    """
    found = records.load(file)
    changes = {name: v for name, v in (("steps", steps), ("seed", seed), ("count", count)) if v is not None}
    if found["kind"] == "generate":
        changes.pop("count", None)
        work.generate(Drawing.model_validate({**found["drawing"], **changes}), count or 1, load, save)
        return
    request = Request.model_validate({**found["request"], **changes}, context={"folder": file.parent})
    work.edit(request, load, save, way, f"{file.stem}-run", found)


app.add_typer(bench)
app.command()(grouped(show.schema))
app.command()(grouped(show.methods))
app.command()(grouped(show.models))


@app.command()
@grouped
def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the results.")] = Path("out/demo"),
) -> None:
    """Show every kind of edit on the model that ships inside.

    \b
    dragkit demo --out out/demo
    """
    from dragkit.demo import run as run_demo

    run_demo(out)


@app.callback(invoke_without_command=True)
def _options(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(dragkit.__version__)
        raise typer.Exit


def _edit(command: str, picture: Path, form: Json, wish: Wish, load: Load, save: Save, way: Way) -> None:
    asked: dict[str, Any] = {name: getattr(wish, name) for name in Wish.__dataclass_fields__}
    asked["settings"] = work.parse_settings(list(wish.settings))
    asked |= {"image": {"path": str(picture)}, "edits": [form], "model": load.model or "toy"}
    try:
        request = Request.model_validate(asked, context={"folder": Path.cwd()})
    except ValidationError as error:
        raise ValueError(explain(error).removeprefix("edits[0]").lstrip(".: ")) from None
    work.edit(request, load, save, way, f"{picture.stem}-{command}")


def _file(path: Path | None) -> Json | None:
    return None if path is None else {"path": str(path)}


def _json(path: Path | None) -> Any:
    if path is None:
        return None
    try:
        found = json.loads(pictures.read_bytes(path).decode())
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError(f"{path} is not JSON; give a list of points: [[x, y], ...]") from None
    return found.get("landmarks") if isinstance(found, dict) else found
