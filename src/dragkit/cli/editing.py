"""The commands that edit: each one turns its options into a request and hands it on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer

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
    mask_form,
    needed_mask,
    offset,
)

Points = Annotated[list[str], typer.Option("--point", metavar="X,Y->X,Y", help="Handle and target; X,Y is a pin.")]
Regions = Annotated[
    list[str], typer.Option("--region", metavar="'X,Y X,Y X,Y->X,Y X,Y X,Y'", help="Corners of a region, and where to.")
]
Landmarks = Annotated[Path | None, typer.Option(metavar="A.json", help="[[x, y], ...]; found if left out.")]


def move(
    picture: Picture, by: By, mask: Masked, placed: Placed, fill: Filled, wish: Wish, load: Load, save: Save, way: Way
) -> None:
    """Move an object, and resize or turn it on the way.

    \b
    dragkit move cup.png --mask cup-mask.png --by 40,0 --prompt "a red cup on a table" -o moved.png
    dragkit move cup.png --box 20,30,60,90 --by -24,8 --scale 1.2 --angle 15
    """
    form = {"kind": "move", "mask": needed_mask(mask), "offset": offset(by), "fill_like": file_form(fill.fill_like)}
    edit("move", picture, [{**form, "scale": placed.scale, "angle": placed.angle}], wish, load, save, way)


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
    form = {"kind": "move", "mask": needed_mask(mask), "scale": scale, "fill_like": file_form(fill.fill_like)}
    edit("resize", picture, [form], wish, load, save, way)


def remove(picture: Picture, mask: Masked, fill: Filled, wish: Wish, load: Load, save: Save, way: Way) -> None:
    """Take an object away and continue the background.

    \b
    dragkit remove cup.png --mask cup-mask.png -o table.png
    dragkit remove cup.png --ellipse 20,30,60,90 --fill-like table-mask.png
    """
    form = {"kind": "remove", "mask": needed_mask(mask), "fill_like": file_form(fill.fill_like)}
    edit("remove", picture, [form], wish, load, save, way)


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
    edit("replace", picture, [{**form, "reference": file_form(reference)}], wish, load, save, way)


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
    form = {
        "kind": "paste",
        "reference": file_form(reference),
        "reference_mask": needed_mask(other),
        "offset": offset(by),
    }
    edit("paste", picture, [{**form, "scale": placed.scale, "angle": placed.angle}], wish, load, save, way)


def drag(
    picture: Picture,
    mask: Masked,
    wish: Wish,
    load: Load,
    save: Save,
    way: Way,
    point: Points = [],  # noqa: B006
    region: Regions = [],  # noqa: B006
) -> None:
    """Pull points or regions of the picture to other places; a point without arrow is a pin and holds still.

    The mask says what may change; without one it is a soft band round the path.

    \b
    dragkit drag face.png --point "64,80->64,96" -o smile.png
    dragkit drag face.png --region "50,80 78,80 64,90->48,82 80,82 64,98"
    dragkit drag giraffe.png --point "40,60->40,30" --point 40,100 --mask neck-mask.png
    dragkit drag face.png --point "64,80->64,96" --method dragdiffusion --prompt "a face"
    """
    edit("drag", picture, [drag_form(point, region, mask)], wish, load, save, way)


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
    form: Json = {"kind": "face", "points": points, "reference": file_form(reference)}
    form |= {"landmarks": points_file(landmarks), "reference_landmarks": points_file(reference_landmarks)}
    edit("face", picture, [form], wish, load, save, way)


def reprompt(
    picture: Picture,
    prompt: Annotated[str, typer.Option(help="What the result is to show.", show_default=False)],
    mask: Masked,
    wish: Wish,
    load: Load,
    save: Save,
    way: Way,
    source_prompt: Annotated[str, typer.Option(help="What the picture shows.")] = "",
    word: Annotated[
        list[str], typer.Option(metavar="WORD[=WEIGHT]", help="A word that the edit is about, and its weight.")
    ] = [],  # noqa: B006
    target_mask: Annotated[Path | None, typer.Option(metavar="M.png", help="Mask of the object afterwards.")] = None,
    point: Points = [],  # noqa: B006
) -> None:
    """Change what a picture shows by words; points, if any, are in the picture that the words give.

    To see that picture before pointing, leave the points out: the same method and seed give the same pixels.

    \b
    dragkit reprompt cup.png --prompt "a blue cup" --source-prompt "a red cup" -o blue.png
    dragkit reprompt cup.png --prompt "a blue cup" --word blue=1.5 --method prompt-to-prompt
    dragkit reprompt cup.png --prompt "a blue cup" --method attention-drag --point "64,80->64,96" -o pulled.png
    """
    wish, words = dataclasses.replace(wish, prompt=source_prompt), dict(_weighed(text) for text in word)
    form: Json = {"kind": "reprompt", "prompt": prompt, "source_prompt": source_prompt, "words": words}
    if point:  # the mask is that of the drag
        edit("reprompt", picture, [form, drag_form(point, [], mask)], wish, load, save, way)
        return
    form |= {"mask": mask_form(mask), "target_mask": file_form(target_mask)}
    edit("reprompt", picture, [form], wish, load, save, way)


def _weighed(text: str) -> tuple[str, float]:
    from dragkit.edits import parse_numbers

    word, equals, weight = text.partition("=")
    what, want = f'the weight of the word "{word}"', "a number, for example 1.5"
    return word, parse_numbers(weight, 1, what, want)[0] if equals else 1.0


def drag_form(point: list[str], region: list[str], mask: Masked) -> Json:
    """The JSON form of a drag by --point and --region."""
    from dragkit.edits import Drag

    if not point and not region:
        raise ValueError('nothing is dragged; give --point "x,y->x,y" or --region "x,y x,y x,y->x,y x,y x,y"')
    pairs = [Drag.parse_point(text) for text in point]
    return {
        "kind": "drag",
        "handles": [p[0] for p in pairs],
        "targets": [p[1] for p in pairs],
        "mask": mask_form(mask),
        "regions": [Drag.parse_region(text) for text in region],
    }


def edit(command: str, picture: Path, forms: list[Json], wish: Wish, load: Load, save: Save, way: Way) -> None:
    from dragkit.cli import work

    asked: dict[str, Any] = {field.name: getattr(wish, field.name) for field in dataclasses.fields(wish)}
    asked["settings"] = work.parse_settings(list(wish.settings))
    asked |= {"image": {"path": str(picture)}, "edits": forms, "model": load.model or "toy"}
    work.edit(work.requested(asked), load, save, way, f"{picture.stem}-{command}")


def file_form(path: Path | None) -> Json | None:
    """The JSON form of a file that is given, or None."""
    return None if path is None else {"path": str(path)}


def points_file(path: Path | None) -> Any:
    """The points of a JSON file of landmarks that is given, or None."""
    from dragkit import pictures

    if path is None:
        return None
    try:
        found = json.loads(pictures.read_bytes(path).decode())
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError(f"{path} is not JSON; give a list of points: [[x, y], ...]") from None
    return found.get("landmarks") if isinstance(found, dict) else found
