"""Where the content of a picture comes from when points of it are pulled: displacements [h, w, 2] in pixels, to be
added to a result pixel's place (x, y) to get the place in the given picture.

Each takes handles and targets [n, 2] and the mask [h, w] outside which nothing moves; none needs a model.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.interpolate import LinearNDInterpolator
from scipy.sparse.linalg import splu
from scipy.spatial import Delaunay, cKDTree

from dragkit.geometry import Grid, Mask, backward_flow, dilate

Points = NDArray[np.float64]  # [n, 2] as (x, y) in pixels
Offsets = NDArray[np.float32]  # [h, w, 2] px
Map = NDArray[np.float32]  # [..., h, w]

NODES = 128  # nodes along a picture's shorter side: there the flow is followed, between them it is interpolated
STILL = 0.1  # how firmly the mask's edge holds: of 0.03 to 1 the best on 96 development drags that seldom folds
WINNER = 6  # power of the distance by which pulls are mixed: the nearest wins, over a seam 0.18 as wide as points are
AVERAGE = 1  # apart (from a tenth to nine tenths of its weight). The power of FastDrag's mean
BEND = 10  # steps for a way as long as the room round it: then none of them folds the sheet
STEPS = (4, 64)  # the fewest, and the most that time allows
WORK = 1024  # points times steps that time allows
NEAR = 1e-3  # px: nearer is on the point
MESH = 600  # nodes of the triangulated mask: the fewest of 100 to 2400 within 0.25 px of 6000, for an arm at 45 degrees
ROUNDS = 64  # of turning and solving, for that arm to come to rest within 0.1 px
FEW = 1e-9  # px, px^2: keeps weights on a region's corners and sides finite


def elastic(
    handles: Points, targets: Points, mask: Mask, fusion: int = WINNER, depth: NDArray[np.floating[Any]] | None = None
) -> Offsets:
    """An elastic sheet that is held outside the mask: it goes with the nearest point, less towards the mask's edge.

    Stretched as in FastDrag (arXiv 2405.15769), the winner taking all as in LazyDrag. The points walk to their targets
    in small steps, none of which folds the sheet, so that long drags and narrow masks seldom tear it.

    fusion: power of the distance by which the pulls of several points are mixed.
    depth: [h, w], positive, more is farther, of the given picture: what lies deeper than the point that pulls it goes
        less far, by the ratio of the depths (GeoDrag). A step in it tears; smooth it first.
    """
    if depth is not None and (depth.shape != mask.shape or not (np.isfinite(depth) & (depth > 0)).all()):
        raise ValueError(f"the depth is {list(depth.shape)}; give positive numbers of shape {list(mask.shape)}")
    h, w = mask.shape
    spacing = max(1.0, min(h, w) / NODES)
    nodes = Grid((w, h), (max(2, round(h / spacing)), max(2, round(w / spacing))))
    room = _room(mask)
    there = _followed(handles, targets, room, nodes, fusion)
    pull = there - _centres(nodes)
    if depth is not None:
        pull *= _nearness(depth.astype(np.float32), there, handles, fusion)
    offset = cv2.resize(pull.transpose(1, 2, 0), (w, h), interpolation=cv2.INTER_LINEAR)  # cubic overshoots: it folds
    return np.asarray(offset * np.clip(room / spacing, 0, 1)[..., None], np.float32)


def averaged(handles: Points, targets: Points, mask: Mask) -> Offsets:
    """The elastic sheet with the mean of all pulls, as in FastDrag: opposite ones weaken each other."""
    return elastic(handles, targets, mask, AVERAGE)


def inverse_distance(handles: Points, targets: Points, mask: Mask) -> Offsets:
    """`geometry.backward_flow`, at every pixel."""
    h, w = mask.shape
    flow = backward_flow(handles, targets, mask, Grid((w, h), (h, w)).centres)
    return flow.astype(np.float32).reshape(h, w, 2)


def _followed(handles: Points, targets: Points, room: Map, nodes: Grid, fusion: int) -> Map:
    """Where the content of the nodes began [2, rows, columns] px, followed back from the targets to the handles."""
    there, scale = _centres(nodes), nodes.scale.astype(np.float32)[:, None, None]
    coarse = cv2.resize(room, nodes.shape[::-1], interpolation=cv2.INTER_LINEAR)
    way = (targets - handles).astype(np.float32)
    count = _steps(way, targets, room)
    for step in range(count):
        square = _squares(there, targets - way * (step / count))
        weight = _weights(square, fusion)
        free = np.square(_look(coarse, there * scale))
        weight *= free / (free + STILL * square)
        there = there - np.tensordot(way / count, weight, (0, 0))
    return there


def _squares(there: Map, points: Points) -> Map:
    """Squares of the distances [n, h, w] of places [2, h, w] from points [n, 2]."""
    x, y = (a - b[:, None, None] for a, b in zip(there, points.T.astype(np.float32), strict=True))
    return np.asarray(np.maximum(x * x + y * y, NEAR**2), np.float32)


def _weights(square: Map, fusion: int) -> Map:
    """How much each point has to say [n, h, w], by the squares of the distances; they sum to 1."""
    share = square.min(0) / square
    weight = cv2.pow(share.reshape(len(share), -1), fusion / 2).reshape(share.shape)
    return np.asarray(weight / weight.sum(0), np.float32)


def _look(values: Map, at: Map) -> Map:
    """Values [h, w] at places [2, ...rows, columns] in continuous cells, between the cells' centres linearly."""
    x, y = at - np.float32(0.5)
    return np.asarray(cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _nearness(depth: Map, there: Map, handles: Points, fusion: int) -> Map:
    """By how much the content that began at places [2, rows, columns] px goes along with the handles, by its depth."""
    weight = _weights(_squares(there, handles), fusion)
    own = _look(depth, handles.T[:, None].astype(np.float32))[0]  # [n]
    return np.asarray(np.minimum(np.tensordot(own, weight, (0, 0)) / _look(depth, there), 1), np.float32)


def _steps(way: NDArray[np.float32], targets: Points, room: Map) -> int:
    """In how many steps the points go: by the longest way for the room round its end, and by how much longer it is
    than another's for what parts the two."""
    h, w = room.shape
    x, y = np.clip(targets, 0, (w - 1, h - 1)).astype(int).T
    apart, longer = (np.linalg.norm(p[:, None] - p, axis=2) for p in (targets, way))
    most = max((np.linalg.norm(way, axis=1) / np.maximum(room[y, x], 1)).max(), (longer / np.maximum(apart, 1)).max())
    return int(np.clip(np.ceil(BEND * most), STEPS[0], np.clip(WORK // len(way), *STEPS)))


def rigid(handles: Points, targets: Points, mask: Mask) -> Offsets:
    """A mesh over the mask that turns before it stretches (as rigid as possible, Sorkine and Alexa 2007, with equal
    weights), which keeps arms and necks straight; its movement fades towards the mask's edge as the elastic sheet's.

    It may fold where a drag leaves it no other way.
    """
    keys, first = np.unique(targets, axis=0, return_index=True)
    nodes = _mesh(mask, keys)
    mesh = Delaunay(nodes)
    moved = _unstretched(nodes, handles[first], mesh.simplices) - nodes
    rows, columns = np.nonzero(mask)
    here = np.stack([columns, rows], 1) + 0.5
    free = np.square(_room(mask)[rows, columns])
    held = free / (free + STILL * np.square(cKDTree(keys).query(here)[0]))
    out = np.zeros((*mask.shape, 2), np.float32)
    out[rows, columns] = held[:, None] * LinearNDInterpolator(mesh, moved, fill_value=0)(here)
    return out


def _mesh(mask: Mask, keys: Points) -> Points:
    """Nodes [n, 2] px over a mask and a little beyond; the keys [k, 2] come first."""
    spacing = max(2.0, float(np.sqrt(mask.sum() / MESH)))
    h, w = mask.shape
    y, x = np.mgrid[-spacing : h + 1.5 * spacing : spacing, -spacing : w + 1.5 * spacing : spacing]
    lattice = np.stack([x.ravel(), y.ravel()], 1)
    column, row = np.clip(np.floor(lattice).astype(int), 0, (w - 1, h - 1)).T
    over = dilate(mask, 1.5 * spacing)[row, column]
    return np.concatenate([keys, lattice[over & (cKDTree(keys).query(lattice)[0] > spacing / 2)]])


def _unstretched(nodes: Points, ends: Points, simplices: NDArray[np.int32]) -> Points:
    """Where the nodes [n, 2] of a mesh come to lie if the first of them go to `ends` [k, 2]."""
    sides = np.unique(np.sort(simplices[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1), axis=0)
    a, b = np.concatenate([sides, sides[:, ::-1]]).T
    rest, now = (p[:, 0] + 1j * p[:, 1] for p in (nodes, np.concatenate([ends, nodes[len(ends) :]])))
    count, held, edge = len(nodes), len(ends), rest[b] - rest[a]
    ends_of = sparse.csr_matrix((np.ones(len(a)), (a, np.arange(len(a)))), (count, len(a)))  # sums edges at nodes
    near = sparse.csr_matrix((np.ones(len(a)), (a, b)), (count, count))
    laplace = (sparse.diags(np.asarray(near.sum(1)).ravel()) - near).tocsc()[held:]
    solve = splu(laplace[:, held:]).solve
    fixed = laplace[:, :held] @ now[:held]
    turn = np.ones(count, complex)
    for _ in range(ROUNDS):
        known = (ends_of @ (-(turn[a] + turn[b]) / 2 * edge))[held:] - fixed
        now[held:] = solve(known.real.copy()) + 1j * solve(known.imag.copy())
        turn = ends_of @ (np.conj(edge) * (now[b] - now[a]))
        turn /= np.maximum(np.abs(turn), FEW)
    return np.stack([now.real, now.imag], 1)


def outlined(start: Points, end: Points, inside: Mask) -> Offsets:
    """Offsets that fill the outline `end` [n, 2], whose inside is given, with what is in `start` [n, 2], corner for
    corner, by mean value coordinates (Floater 2003); 0 elsewhere."""
    rows, columns = np.nonzero(inside)
    here = np.stack([columns, rows], 1) + 0.5
    to = end[None] - here[:, None]  # [pixels, n, 2]
    far = np.maximum(np.linalg.norm(to, axis=2), FEW)
    then, after = np.roll(to, -1, axis=1), np.roll(far, -1, axis=1)
    cross = to[..., 0] * then[..., 1] - to[..., 1] * then[..., 0]
    half = (far * after - (to * then).sum(2)) / np.copysign(np.maximum(np.abs(cross), FEW), cross)
    weight = (half + np.roll(half, 1, axis=1)) / far
    out = np.zeros((*inside.shape, 2), np.float32)
    out[rows, columns] = weight / weight.sum(1, keepdims=True) @ start - here
    return out


def _room(mask: Mask) -> Map:
    """Pixels from every pixel [h, w] to the nearest that is not in the mask or not in the picture."""
    padded = np.pad(mask, 1).astype(np.uint8)
    found: NDArray[Any] = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_5)[1:-1, 1:-1]
    return np.ascontiguousarray(found, np.float32)


def _centres(nodes: Grid) -> Map:
    return np.ascontiguousarray(nodes.centres.T.reshape(2, *nodes.shape), np.float32)
