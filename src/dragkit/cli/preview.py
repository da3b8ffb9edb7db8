"""`dragkit preview`: what an edit asks for, at once and without a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dragkit.cli.editing import Points, Regions, drag_form, file_form, points_file
from dragkit.cli.options import Json, Masked, Placed, ReferenceMasked, Save, mask_form, needed_mask, offset

if TYPE_CHECKING:
    from dragkit.edits import Request

Landmarks = Annotated[Path | None, typer.Option(metavar="A.json", help="68 or 17 points [[x, y], ...] of a face.")]
By = Annotated[str | None, typer.Option(metavar="DX,DY", help="How far an object goes, in pixels.")]


def preview(
    file: Annotated[
        Path, typer.Argument(metavar="IN.png|REQUEST.json", help="The picture, or a request without other options.")
    ],
    mask: Masked,
    other: ReferenceMasked,
    placed: Placed,
    save: Save,
    by: By = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the object away.")] = False,
    point: Points = [],  # noqa: B006
    region: Regions = [],  # noqa: B006
    reference: Annotated[
        Path | None, typer.Option(metavar="REF.png", help="The picture of an object to paste.")
    ] = None,
    landmarks: Landmarks = None,
    reference_landmarks: Landmarks = None,
    rigid: Annotated[bool, typer.Option("--rigid", help="Turn parts before stretching them: arms, necks.")] = False,
    trim: Annotated[bool, typer.Option("--trim", help="Leave the ground in a loose mask where it is.")] = False,
) -> None:
    """Show at once where an edit puts things: pixels are moved and holes filled smoothly, no model is loaded.

    \b
    dragkit preview cup.png --mask cup-mask.png --by 40,0 --angle 15 -o moved.png
    dragkit preview cup.png --box 20,30,60,90 --remove
    dragkit preview face.png --point "64,80->64,96" --point 64,40
    dragkit preview face.png --region "50,80 78,80 64,90->48,82 80,82 64,98"
    dragkit preview table.png --reference fruit.png --reference-mask apple-mask.png --by 24,-8
    dragkit preview request.json -o seen.png
    """
    from dragkit.cli import work

    forms: list[Json] = []
    if reference is not None:
        form: Json = {"kind": "paste", "reference": file_form(reference), "reference_mask": needed_mask(other)}
        forms.append({**form, "offset": offset(by or "0,0"), "scale": placed.scale, "angle": placed.angle})
    elif by is not None or placed != Placed():
        place = {"offset": offset(by or "0,0"), "scale": placed.scale, "angle": placed.angle}
        forms.append({"kind": "move", "mask": needed_mask(mask), **place})
    if remove:
        forms.append({"kind": "remove", "mask": needed_mask(mask)})
    if point or region:
        forms.append(drag_form(point, region, mask))
    if landmarks or reference_landmarks:
        own, wanted = points_file(landmarks), points_file(reference_landmarks)
        points = 68 if own is None else len(own)
        forms.append({"kind": "face", "points": points, "landmarks": own, "reference_landmarks": wanted})
    if len(forms) > 1:
        raise ValueError(f"got a {' and a '.join(f['kind'] for f in forms)}; give one, or several in a request file")
    if not forms and mask_form(mask) is not None:
        raise ValueError("a mask, but nothing to do with it; give --by dx,dy, --scale, --angle, --remove or --point")
    request = work.requested({"image": {"path": str(file)}, "edits": forms}) if forms else _request(file)
    work.preview(request, save, f"{file.stem}-preview", rigid, trim)


def _request(file: Path) -> Request:
    """The request in a file, or of a result that dragkit wrote."""
    from dragkit import pictures, records
    from dragkit.edits import Request

    told = file.suffix.lower() == ".json" or records.read_record(pictures.read_bytes(file))
    found = records.load(file) if told else {"kind": "picture"}
    if found["kind"] != "edit":
        raise ValueError(f"nothing to do with {file.name}; give --by, --scale, --angle, --remove, --point or --region")
    return Request.model_validate(found["request"], context={"folder": file.parent})
