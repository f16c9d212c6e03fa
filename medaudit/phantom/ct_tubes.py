"""Tubes: great vessels, airways, and the trees of vessels that fill the lungs, as capsules in three dimensions."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from medaudit.phantom.ct_chest import BLOOD_HU, FAT_HU, MUSCLE_HU, CtChest
from medaudit.phantom.ct_grid import AIR_HU, Polar, Section
from medaudit.phantom.grid import Box, Plane

Point3 = tuple[float, float, float]
Array = NDArray[np.float64]

_TIP_CM: Final = 0.062  # radius of the last vessels drawn
_MURRAY: Final = 0.4  # radius grows with the number of tips to this power; 1/3 by Murray's law, more near the hila
_STENCIL_CM: Final = 0.26  # thinner vessels are painted all at once
_PIECE_CM: Final = 0.4
_ARTERIES, _VEINS = 420, 320  # tips a lung
_LUMEN: Final = 0.7  # of a bronchus' radius; approximate
_WITH_BRONCHUS: Final = 12  # tips of the artery down to which a bronchus goes with it


@dataclass(frozen=True, slots=True)
class Tube:
    """A straight piece of a round tube; points (x, y, z) in cm."""

    start: Point3
    end: Point3
    radius: float


def across(section: Section, tube: Tube) -> tuple[Box, Plane] | None:
    """(box, signed distance) of a tube in the plane of a section, positive inside; None where it is not met."""
    (x0, y0, z0), (x1, y1, z1) = tube.start, tube.end
    if not min(z0, z1) - tube.radius < section.z < max(z0, z1) + tube.radius:
        return None
    step = (x1 - x0, y1 - y0, z1 - z0)
    squared = max(sum(part * part for part in step), 1e-6)
    # Only the part of the axis that comes near the plane matters for the box.
    low, high = 0.0, 1.0
    if abs(step[2]) > 1e-6:
        ends = sorted(((section.z - z0 - tube.radius) / step[2], (section.z - z0 + tube.radius) / step[2]))
        low, high = max(ends[0], 0.0), min(ends[1], 1.0)
    middle = (low + high) / 2
    reach = tube.radius + (high - low) / 2 * math.hypot(step[0], step[1]) + 0.35
    box = section.grid.box((x0 + middle * step[0], y0 + middle * step[1]), reach)
    dx, dy = section.polar.x[box] - np.float32(x0), section.polar.y[box] - np.float32(y0)
    dz = section.z - z0
    along = dx * np.float32(step[0]) + dy * np.float32(step[1]) + np.float32(dz * step[2])
    along = np.clip(along / np.float32(squared), 0, 1)
    rest = (dx - along * np.float32(step[0])) ** 2 + (dy - along * np.float32(step[1])) ** 2
    rest += (np.float32(dz) - along * np.float32(step[2])) ** 2
    return box, np.float32(tube.radius) - np.sqrt(rest)


def _chain(points: list[Point3], radius: float) -> list[Tube]:
    return [Tube(a, b, radius) for a, b in pairwise(points)]


@dataclass(frozen=True, slots=True)
class Mediastinum:
    """The great vessels and airways between the lungs."""

    vessels: tuple[Tube, ...]
    oesophagus: tuple[Tube, ...]
    airways: tuple[Tube, ...]


def great_tubes(chest: CtChest) -> Mediastinum:
    """Aorta and its branches, veins, pulmonary arteries; oesophagus; trachea and main bronchi."""
    s, carina = chest.measures.size, chest.measures.carina
    aged = (chest.anatomy.age - 55) / 40
    wide = (1.0 + 0.16 * aged) * s
    spine = chest.spine(carina)
    windpipe = spine - 3.0 * s
    bottom = chest.measures.right_dome + 14
    base = chest.heart_middle - 0.35 * chest.heart_half_height
    arch = carina - 1.9 * s
    turn = (1.9 * s, spine - 1.6 * s, arch + 0.6)
    aorta = [(0.3 * s, -2.2 * s, base), (-1.7 * s, -3.0 * s, carina + 2.2), (-1.5 * s, -2.6 * s, arch + 1.0)]
    aorta += [(-0.6 * s, -1.6 * s, arch), (1.1 * s, windpipe - 0.4 * s, arch), turn]
    below = [turn, (2.4 * s, spine - 0.3 * s, carina + 2.5), (1.9 * s, spine - 1.0, 16 * s), (0.6, spine - 2.2, bottom)]
    fork: Point3 = (0.2, windpipe, carina)
    cava = [(-2.6 * s, -1.9 * s, base + 1.5), (-2.5 * s, -2.3 * s, arch + 0.6), (-2.3 * s, -2.6 * s, 3.0)]
    vessels = _chain(aorta, 1.5 * wide) + _chain(below, 1.2 * wide) + _chain(cava, 0.95 * s)
    vessels += [
        Tube((-2.3 * s, -2.6 * s, 3.0), (-4.2 * s, -2.2, -1.5), 0.7 * s),
        Tube((-2.4 * s, -2.7 * s, 4.0), (2.2 * s, -3.0 * s, 2.6), 0.65 * s),
        Tube((2.2 * s, -3.0 * s, 2.6), (4.2 * s, -2.2, -1.5), 0.65 * s),
        Tube((-0.8 * s, -1.5 * s, arch), (-2.4 * s, -0.9, -2.5), 0.65 * s),
        Tube((0.2 * s, -0.9 * s, arch), (1.8 * s, 0.0, -2.5), 0.42 * s),
        Tube((1.3 * s, 0.4 * s, arch), (3.0 * s, 1.2, -2.0), 0.5 * s),
        Tube((0.9 * s, -3.2 * s, base + 0.5), (2.4 * s, -1.6 * s, carina + 1.8), 1.4 * s),
        Tube((2.2 * s, -1.4 * s, carina + 2.0), (-3.0 * s, 0.0, carina + 2.6), 1.0 * s),
        Tube((2.3 * s, -1.3 * s, carina + 1.7), (3.4 * s, 0.6 * s, carina + 1.5), 1.05 * s),
        Tube((-1.2 * s, spine - 1.3 * s, carina - 0.8), (-0.9 * s, spine - 1.5, bottom), 0.4 * s),
        Tube((-2.0 * s, 0.8, base + 2), (-2.6 * s, 0.2, bottom), 1.2 * s),
    ]
    gullet = _chain(
        [(0.5, spine - 2.3 * s, -4.0), (0.6, spine - 2.1 * s, carina), (1.0, spine - 2.4 * s, bottom)], 0.7 * s
    )
    airways = [
        Tube((0.0, spine - 3.4 * s, -5.0), fork, 0.88 * s),
        Tube(fork, (-2.6 * s, windpipe + 0.5, carina + 2.0 * s), 0.7 * s),
        Tube((-2.6 * s, windpipe + 0.5, carina + 2.0 * s), (-3.5 * s, windpipe + 0.6, carina + 4.6 * s), 0.5 * s),
        Tube(fork, (3.6 * s, windpipe + 0.7, carina + 3.0 * s), 0.6 * s),
        Tube((3.6 * s, windpipe + 0.7, carina + 3.0 * s), (4.3 * s, windpipe + 1.1, carina + 4.8 * s), 0.42 * s),
    ]
    return Mediastinum(tuple(vessels), tuple(gullet), tuple(airways))


def paint_great(tubes: Mediastinum, section: Section) -> None:
    """The mediastinum's tubes with the fat about them."""
    for group in (tubes.vessels, tubes.oesophagus, tubes.airways):
        for tube in group:
            met = across(section, tube)
            if met is not None:
                section.push_back(section.edge(met[1] + np.float32(0.2)), FAT_HU, met[0])
    for group, hu in ((tubes.vessels, BLOOD_HU), (tubes.oesophagus, MUSCLE_HU - 15)):
        for tube in group:
            met = across(section, tube)
            if met is not None:
                section.fill(section.edge(met[1]), hu, met[0])
    for tube in tubes.oesophagus:
        met = across(section, tube)
        if met is not None and math.sin(1.7 * section.z) > 0.4:  # a little air, here and there
            section.fill(section.edge(met[1] - np.float32(0.5)), AIR_HU + 300, met[0])
    paint_airways(tubes.airways, section, 0.12)


def paint_airways(tubes: Iterable[Tube], section: Section, wall: float) -> None:
    """Walls, then air, so that what opens into another does; walls of ``wall`` cm."""
    met = [found for found in (across(section, tube) for tube in tubes) if found is not None]
    for box, inside in met:
        section.fill(section.edge(inside + np.float32(wall)), MUSCLE_HU - 35, box)
    for box, inside in met:
        section.fill(section.edge(inside), AIR_HU + 10, box)


@dataclass(frozen=True, slots=True, eq=False)
class LungTrees:
    """What fills the lungs. ``fine`` is (N, 7): start, end, radius of the thin vessels, in short pieces by height."""

    thick: tuple[Tube, ...]
    bronchi: tuple[Tube, ...]
    fine: NDArray[np.float32]


def grow_trees(chest: CtChest) -> LungTrees:
    """Arteries with bronchi, and veins, of both lungs: each tree forks towards points spread through its lung."""
    rng = np.random.default_rng([chest.anatomy.seed, 23])
    size, carina = chest.measures.size, chest.measures.carina
    low = chest.heart_middle - 0.25 * chest.heart_half_height
    thick: list[Tube] = []
    bronchi: list[Tube] = []
    fine: list[Tube] = []
    for side in (-1, 1):
        start = (side * 3.3 * size, 0.4, carina + (2.8 if side < 0 else 1.9) * size)
        stem = (side * 3.9 * size, 1.2 * size, start[2] + 2.6 * size)
        thick.append(Tube(start, stem, 0.72 * size))
        arteries = _grow(np.array(stem), _points(chest, side, _ARTERIES, rng))
        veins = _grow(np.array((side * 3.4 * size, 0.6, low)), _points(chest, side, _VEINS, rng))
        for tube, _ in arteries + veins:
            (thick if tube.radius > _STENCIL_CM else fine).append(tube)
        bronchi += [_beside(tube, rng) for tube, tips in arteries if tips >= _WITH_BRONCHUS]
    pieces = np.array([piece for tube in fine for piece in _cut(tube)], dtype=np.float32)
    return LungTrees(tuple(thick), tuple(bronchi), pieces)


def _points(chest: CtChest, side: int, count: int, rng: np.random.Generator) -> Array:
    """(count, 3) points of one lung, evenly spread."""
    found = []
    wide, deep = chest.measures.chest_half_width, chest.measures.chest_depth / 2
    heights = np.linspace(0.8, chest.measures.right_dome + 6, 28)
    for z in heights:
        x = (side * rng.uniform(0.5, wide, 160)).astype(np.float32)
        y = rng.uniform(-deep, deep, 160).astype(np.float32)
        inside = chest.lung(float(z), Polar.of(x, y)) > 0.5
        spread = z + rng.uniform(-0.4, 0.4, int(inside.sum()))
        found.append(np.column_stack([x[inside], y[inside], spread]))
    points = np.concatenate(found)
    return np.asarray(points[rng.permutation(len(points))[:count]], dtype=np.float64)


def _grow(root: Array, points: Array) -> list[tuple[Tube, int]]:
    """(piece, tips beyond it) of a tree from ``root`` to every point: halve the points, go part of the way, again."""
    out, growing = [], [(root, points)]
    while growing:
        start, cloud = growing.pop()
        tips, middle = len(cloud), cloud.mean(axis=0)
        end = start + (0.42 if tips > 1 else 0.85) * (middle - start)
        out.append((Tube(_point(start), _point(end), _TIP_CM * tips**_MURRAY), tips))
        if tips > 1:
            centred = cloud - middle
            along = centred @ np.linalg.eigh(centred.T @ centred)[1][:, 2]
            first = np.argsort(along, kind="stable")[: tips // 2]
            chosen = np.zeros(tips, dtype=np.bool_)
            chosen[first] = True
            growing += [(end, cloud[chosen]), (end, cloud[~chosen])]
    return out


def _point(values: Array) -> Point3:
    return float(values[0]), float(values[1]), float(values[2])


def _beside(artery: Tube, rng: np.random.Generator) -> Tube:
    """The bronchus that goes with an artery, a little thinner than it."""
    start, end = np.array(artery.start), np.array(artery.end)
    off = np.cross(end - start, rng.normal(size=3))
    radius = 0.85 * artery.radius
    off *= (artery.radius + radius) / max(float(np.linalg.norm(off)), 1e-6)
    return Tube(_point(start + off), _point(end + off), _LUMEN * radius)


def _cut(tube: Tube) -> list[tuple[float, ...]]:
    start, end = np.array(tube.start), np.array(tube.end)
    count = max(1, math.ceil(float(np.linalg.norm(end - start)) / _PIECE_CM))
    marks = [start + (end - start) * i / count for i in range(count + 1)]
    return [(*a, *b, tube.radius) for a, b in pairwise(marks)]


def paint_trees(trees: LungTrees, section: Section) -> None:
    """The vessels and bronchi of the lungs; they stay part of the lung."""
    cover = _fine_cover(trees.fine, section)
    section.fill(cover * section.lung, BLOOD_HU)
    for tube in trees.thick:
        met = across(section, tube)
        if met is not None:
            section.fill(section.edge(met[1]) * section.lung[met[0]], BLOOD_HU, met[0])
    for tube in trees.bronchi:
        met = across(section, tube)
        if met is not None:
            lung = section.lung[met[0]]
            section.fill(section.edge(met[1] + np.float32(0.06 + 0.2 * tube.radius)) * lung, MUSCLE_HU - 55, met[0])
            section.fill(section.edge(met[1]) * lung, AIR_HU + 30, met[0])


def _fine_cover(fine: NDArray[np.float32], section: Section) -> Plane:
    """Share of each pixel that thin vessels take, (side, side): all pieces at once, on small squares of pixels."""
    grid, z = section.grid, np.float32(section.z)
    cover = np.zeros_like(section.hu)
    near = (np.minimum(fine[:, 2], fine[:, 5]) - fine[:, 6] < z) & (np.maximum(fine[:, 2], fine[:, 5]) + fine[:, 6] > z)
    pieces = fine[near]
    half = math.ceil((_PIECE_CM / 2 + _STENCIL_CM + grid.pixel_cm) / grid.pixel_cm)
    cos, sin = math.cos(grid.roll), math.sin(grid.roll)
    middle = (pieces[:, :3] + pieces[:, 3:6]) / 2
    column = (cos * middle[:, 0] - sin * middle[:, 1] + grid.shift_cm[0] + grid.fov_cm / 2) / grid.pixel_cm
    row = (sin * middle[:, 0] + cos * middle[:, 1] + grid.shift_cm[1] + grid.fov_cm / 2) / grid.pixel_cm
    square = np.arange(-half, half + 1)
    rows, columns = np.broadcast_arrays(
        row.astype(np.intp)[:, None, None] + square[None, :, None],
        column.astype(np.intp)[:, None, None] + square[None, None, :],
    )
    seen = ((rows >= 0) & (rows < grid.side) & (columns >= 0) & (columns < grid.side)).all(axis=(1, 2))
    rows, columns, pieces = rows[seen], columns[seen], pieces[seen][:, :, None, None]
    step = pieces[:, 3:6] - pieces[:, :3]
    dx = section.polar.x[rows, columns] - pieces[:, 0]
    dy = section.polar.y[rows, columns] - pieces[:, 1]
    dz = z - pieces[:, 2]
    along = np.clip((dx * step[:, 0] + dy * step[:, 1] + dz * step[:, 2]) / (step**2).sum(axis=1), 0, 1)
    rest = (dx - along * step[:, 0]) ** 2 + (dy - along * step[:, 1]) ** 2 + (dz - along * step[:, 2]) ** 2
    radius = pieces[:, 6]
    # A vessel thinner than a pixel never fills one.
    share = np.minimum(2 * radius / np.float32(grid.pixel_cm), 1) * section.edge(radius - np.sqrt(rest))
    np.maximum.at(cover, (rows, columns), share)
    return cover
