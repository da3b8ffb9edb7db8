"""Pictures about pictures: a request drawn on its picture, and contact sheets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dragkit.edits import Drag, Edit, Face, Move, Paste, Remove, Replace, Reprompt
from dragkit.forms import PolygonMask
from dragkit.geometry import Mask, apply, centroid, placement, warp_mask

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

OBJECT: Colour = (255, 196, 0)  # what is edited
PLACE: Colour = (0, 200, 255)  # where it goes
ARROW: Colour = (255, 255, 255)
TEXT: Colour = (40, 40, 40)
ZOOM = 2  # pixels of a sheet per pixel of a picture


def enlarge(picture: Pixels, zoom: int = ZOOM) -> Pixels:
    """Picture [h, w, 3] with every pixel repeated zoom x zoom times."""
    return np.ascontiguousarray(picture.repeat(zoom, 0).repeat(zoom, 1))


def annotate(picture: Pixels, edits: Sequence[Edit], zoom: int = ZOOM) -> Pixels:
    """The picture [zoom h, zoom w, 3] with masks tinted and outlined, arrows, points and pins drawn on it."""
    size = (picture.shape[1], picture.shape[0])
    drawn = enlarge(picture, zoom)
    for edit in edits:
        match edit:
            case Move():
                mask = edit.mask.array(size)
                forward = placement(mask, edit.offset, edit.scale, edit.angle)
                _outline(drawn, mask, OBJECT, zoom)
                _outline(drawn, warp_mask(mask, forward, size), PLACE, zoom, tint=False)
                _arrow(drawn, centroid(mask), apply(forward, centroid(mask)[None])[0], zoom)
            case Remove() | Replace():
                _outline(drawn, edit.mask.array(size), OBJECT, zoom)
            case Paste():
                given = edit.reference.array()
                mask = edit.reference_mask.array((given.shape[1], given.shape[0]))
                forward = placement(mask, edit.offset, edit.scale, edit.angle)
                _outline(drawn, warp_mask(mask, forward, size), PLACE, zoom)
            case Drag():
                if edit.mask is not None:
                    _outline(drawn, edit.mask.array(size), OBJECT, zoom)
                for handle, target in zip(edit.handles, edit.targets, strict=True):
                    _arrow(drawn, np.array(handle), np.array(target), zoom)
                for start, end in edit.regions:
                    _outline(drawn, PolygonMask(polygon=start).array(size), OBJECT, zoom)
                    _outline(drawn, PolygonMask(polygon=end).array(size), PLACE, zoom, tint=False)
                    _arrow(drawn, np.mean(start, 0), np.mean(end, 0), zoom)
            case Reprompt():
                for shape, colour in ((edit.target_mask, PLACE), (edit.mask, OBJECT)):
                    if shape is not None:
                        _outline(drawn, shape.array(size), colour, zoom)
            case Face():
                if edit.landmarks and edit.reference_landmarks:
                    starts, ends = (edit.select(np.array(x)) for x in (edit.landmarks, edit.reference_landmarks))
                    for handle, target in zip(starts, ends, strict=True):
                        _arrow(drawn, handle, target, zoom)
    return drawn


def _outline(drawn: Pixels, mask: Mask, colour: Colour, zoom: int, tint: bool = True) -> None:
    large = enlarge(mask.astype(np.uint8), zoom)
    if tint:
        drawn[large > 0] = (0.65 * drawn[large > 0] + 0.35 * np.array(colour)).astype(np.uint8)
    contours, _ = cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, contours, -1, colour, 1, cv2.LINE_AA)


def _arrow(drawn: Pixels, start: NDArray[np.floating[Any]], end: NDArray[np.floating[Any]], zoom: int) -> None:
    """Handle as a red dot, target as a blue one, an arrow between; a pin (no way to go) as a green dot."""
    a, b = ((round(float(x) * zoom), round(float(y) * zoom)) for x, y in (start, end))
    if a == b:
        cv2.circle(drawn, a, 3, (0, 170, 60), -1, cv2.LINE_AA)
        return
    length = float(np.hypot(b[0] - a[0], b[1] - a[1]))
    cv2.arrowedLine(drawn, a, b, (0, 0, 0), 3, cv2.LINE_AA, tipLength=min(0.5, 8 / length))
    cv2.arrowedLine(drawn, a, b, ARROW, 1, cv2.LINE_AA, tipLength=min(0.5, 8 / length))
    cv2.circle(drawn, a, 2, (220, 30, 30), -1, cv2.LINE_AA)
    cv2.circle(drawn, b, 2, (30, 80, 230), -1, cv2.LINE_AA)


def contact_sheet(rows: Sequence[tuple[str, Sequence[Pixels | None]]], columns: Sequence[str]) -> Pixels:
    """One labelled row of pictures [h, w, 3] per edit under the column titles; None leaves a gap."""
    gap, bar, label = 8, 24, 140
    width = max((p.shape[1] for _, row in rows for p in row if p is not None), default=label)
    lines = [np.full((bar, label + len(columns) * (width + gap), 3), 255, np.uint8)]
    for k, title in enumerate(columns):
        _write(lines[0], title, (label + k * (width + gap) + 2, 17))
    for title, row in rows:
        height = max((p.shape[0] for p in row if p is not None), default=bar)
        line = np.full((height + gap, label + len(columns) * (width + gap), 3), 255, np.uint8)
        _write(line, title, (6, height // 2))
        for k, picture in enumerate(row):
            if picture is not None:
                x = label + k * (width + gap)
                line[: picture.shape[0], x : x + picture.shape[1]] = picture
        lines.append(line)
    return np.concatenate(lines)


def _write(line: Pixels, text: str, at: tuple[int, int]) -> None:
    cv2.putText(line, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, TEXT, 1, cv2.LINE_AA)
