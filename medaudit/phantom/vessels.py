"""Pulmonary vessels: two trees that fork from the hila, as path lengths of blood."""

import math
from bisect import bisect_left
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

import numpy as np

from medaudit.phantom.anatomy import Anatomy, Measures
from medaudit.phantom.grid import Canvas, Field, Plane, Point

_GENERATIONS: Final = 5
_FINEST_CM: Final = 0.045
_ROUND_CM: Final = 0.12  # a thinner vessel is no wider than the detector's blur


def hilum(measures: Measures, side: int) -> Point:
    """Where the vessels of one lung (-1 right, 1 left) enter it; the left hilum is the higher one."""
    size = measures.size
    y = measures.carina + (2.6 if side < 0 else 1.7) * size
    return measures.turned(side * (3.9 if side < 0 else 3.8) * size, 0.5), y


def build_vessels(anatomy: Anatomy, measures: Measures, field: Field) -> Plane:
    """(side, side) float32: cm of vessel along the beam, as if lung were everywhere."""
    rng = np.random.default_rng([anatomy.seed, 6])
    fullness = float(np.clip(rng.normal(1, 0.1), 0.75, 1.2))
    branches: list[tuple[float, Point, Point]] = []
    for side in (-1, 1):
        for angle, reach in _trunks(side, rng):
            trunk = _Branch(hilum(measures, side), angle, 0.72 * fullness * reach, 3.0 * measures.size * reach)
            branches += _grow(trunk, rng)
    canvas = Canvas(field.grid)
    # Thick vessels over thin ones; a second stroke rounds the profile of those that show one.
    branches.sort()
    for radius, start, end in branches:
        canvas.line([start, end], radius, 1.4 * radius)
    for radius, start, end in branches[bisect_left(branches, _ROUND_CM, key=itemgetter(0)) :]:
        canvas.line([start, end], 0.6 * radius, 2 * radius)
    path = canvas.path()
    for side in (-1, 1):
        centre = hilum(measures, side)
        half = 1.5 * fullness, 2.5 * fullness
        box, solid = field.ellipsoid((centre[0] + side * 0.3, centre[1] + 0.4), half, 1.1, lean=side * 0.5)
        path[box] += solid
    return path


def _trunks(side: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """(direction in radians from the lateral, downwards positive; relative size) of the lobar vessels."""
    down = [(1.2, 1.4), (0.8, 1.1), (1.42, 1.0), (0.3, 0.9), (-0.45, 0.85), (-0.85, 0.9), (-1.2, 0.8), (-0.1, 0.75)]
    directions = []
    for angle, reach in down:
        tilted = angle + float(rng.normal(0, 0.1))
        directions.append((tilted if side > 0 else math.pi - tilted, reach))
    return directions


@dataclass(frozen=True, slots=True)
class _Branch:
    """The beginning of a branch: where, which way (radians, downwards positive), how thick and long in cm."""

    start: Point
    angle: float
    radius: float
    length: float


def _grow(trunk: _Branch, rng: np.random.Generator) -> list[tuple[float, Point, Point]]:
    """(radius, start, end) of a trunk and all that forks from it."""
    drawn, growing = [], [trunk]
    for _ in range(_GENERATIONS):
        daughters = []
        for branch in growing:
            stretch = branch.length * float(rng.uniform(0.75, 1.25))
            x, y = branch.start
            end = x + stretch * math.cos(branch.angle), y + stretch * math.sin(branch.angle)
            drawn.append((max(branch.radius, _FINEST_CM), branch.start, end))
            spread, share = float(rng.uniform(0.25, 0.5)), float(rng.uniform(0.35, 0.65))
            for sign, part in ((1, share), (-1, 1 - share)):
                turn = sign * spread * (1.25 - part)
                # Murray's law: the cubes of the daughters' radii add up to the parent's.
                radius, length = branch.radius * part ** (1 / 3) * 0.92, branch.length * (0.72 + 0.25 * part)
                daughters.append(_Branch(end, branch.angle + turn, radius, length))
        growing = daughters
    return drawn
