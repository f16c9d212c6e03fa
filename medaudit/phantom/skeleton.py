"""Bones as path lengths of cortical bone: spine, ribs, clavicles, scapulae, humeri."""

import math
from typing import Final

import numpy as np

from medaudit.phantom.anatomy import Anatomy, Measures, View
from medaudit.phantom.grid import Canvas, Field, Grid, Plane, Point, arc, offset_outline

_RIBS: Final = 11
_STEPS: Final = 26
# A rib is a shell: what the beam meets along its edges and through its middle, in cm of cortical bone.
_RIB_EDGE: Final = 0.36
_RIB_MIDDLE: Final = 0.21


def build_skeleton(anatomy: Anatomy, measures: Measures, field: Field) -> Plane:
    """(side, side) float32: cm of cortical bone along the beam."""
    rng = np.random.default_rng([anatomy.seed, 5])
    bone = _ribs(measures, field.grid, rng)
    bone += _girdle(anatomy, measures, field.grid, rng)
    _spine(measures, field, bone)
    return bone * np.float32(measures.bone)


def _ribs(measures: Measures, grid: Grid, rng: np.random.Generator) -> Plane:
    """Posterior and anterior halves on a canvas each, so that they add up where they cross."""
    behind, front = Canvas(grid), Canvas(grid)
    pitch = measures.right_dome / 10.2 * float(rng.normal(1, 0.02))
    start = float(rng.normal(0.4, 0.2))
    for side in (-1, 1):
        for number in range(1, _RIBS + 1):
            _rib(measures, (behind, front), side, number, start + pitch * (number - 1) + float(rng.normal(0, 0.08)))
    return behind.path() + front.path()


def _rib(measures: Measures, canvases: tuple[Canvas, Canvas], side: int, number: int, y0: float) -> None:
    drop = (2.6 + 0.95 * number) * measures.size
    outer = measures.rib_cage_at(max(y0, 0.4) + 0.42 * drop) + 0.25
    last = 0.82 - 0.022 * number if number <= 8 else 0.56
    curve: list[Point] = []
    turns: list[float] = []
    for i in range(_STEPS + 1):
        phi = math.pi * (0.03 + (last - 0.03) * i / _STEPS)
        # From the spine almost level, then down along the wall, and down again to the front.
        y = y0 + drop * ((1 - math.cos(phi)) / 2) ** 1.25 - 0.5 * math.sin(2 * phi) * (phi < math.pi / 2)
        x = side * (1.7 + (outer - 1.7) * math.sin(phi) ** 0.8)
        curve.append((measures.turned(x, -0.5 * measures.chest_depth * math.cos(phi)), y))
        turns.append(phi)
    half = (0.54 + 0.014 * number) * measures.size
    # Seen edge-on at the side wall a rib is narrow.
    radii = [half * (1 - 0.45 * math.sin(phi) ** 6) for phi in turns]
    middle = next((i for i, phi in enumerate(turns) if phi > math.pi / 2), _STEPS)
    for canvas, part in ((canvases[0], slice(0, middle + 1)), (canvases[1], slice(middle, _STEPS + 1))):
        points, widths = curve[part], radii[part]
        if len(points) < 2:
            continue
        canvas.polygon(offset_outline(points, widths), _RIB_EDGE)
        canvas.polygon(offset_outline(points, [0.66 * width for width in widths]), _RIB_MIDDLE)


def _girdle(anatomy: Anatomy, measures: Measures, grid: Grid, rng: np.random.Generator) -> Plane:
    """Clavicles, scapulae and humeral heads; in bed the shoulder blades lie over the lungs."""
    canvas = Canvas(grid)
    supine = anatomy.view is View.AP
    for side in (-1, 1):
        _scapula(measures, canvas, side, (8.9 if supine else 11.6) + float(rng.normal(0, 0.6)))
        lift = (-1.7 if supine else -0.2) + float(rng.normal(0, 0.5))
        _clavicle(measures, canvas, side, lift)
    return canvas.path()


def _clavicle(measures: Measures, canvas: Canvas, side: int, lift: float) -> None:
    inner = measures.turned(side * 1.9, 6.5), 3.0 + 0.4 * lift
    outer = measures.turned(side * 16.0 * measures.size, 0.0), -1.2 + lift
    half_way = (inner[0] + outer[0]) / 2, (inner[1] + outer[1]) / 2
    curve = arc(inner, (inner[0] * 0.55 + half_way[0] * 0.45, inner[1] - 1.1), half_way, 10)
    curve += arc(half_way, (half_way[0] * 0.5 + outer[0] * 0.5, half_way[1] - 0.2), outer, 10)[1:]
    radii = [0.62 + 0.28 * math.exp(-i / 2.5) + 0.1 * math.exp((i - 20) / 4) for i in range(21)]
    canvas.polygon(offset_outline(curve, radii), 0.62)
    canvas.polygon(offset_outline(curve, [0.68 * r for r in radii]), 0.42)


def _scapula(measures: Measures, canvas: Canvas, side: int, medial: float) -> None:
    """A thin blade with a thick outer border, its spine, and the humeral head beside it."""

    def at(x: float, y: float) -> Point:
        return measures.turned(side * (medial + x) * measures.size, -5.5), y

    humerus = at(9.0, 1.6)
    ring = [(humerus[0] + 2.5 * math.cos(a), humerus[1] + 2.5 * math.sin(a)) for a in np.linspace(0, 2 * math.pi, 28)]
    canvas.polygon(
        [at(0, 1.5), at(1.6, 0.2), at(5.6, 0.6), at(6.0, 3.0), at(3.6, 8.0), at(1.4, 12.6), at(0.3, 12.0)], 0.09
    )
    canvas.line([at(6.0, 2.6), at(3.6, 8.0), at(1.5, 12.4)], 0.34, 0.28)
    canvas.line([at(0.3, 2.6), at(3.2, 1.0), at(7.2, -1.2)], 0.32, 0.24)
    canvas.line([at(0, 1.5), at(0.2, 7), at(0.4, 12.0)], 0.14, 0.15)
    canvas.polygon(ring, 0.55)
    canvas.polygon([at(7.4, 3.0), at(10.4, 3.0), at(11.4, 14.0), at(9.0, 14.0)], 0.6)


def _spine(measures: Measures, field: Field, bone: Plane) -> None:
    """Vertebral bodies with end plates and gaps, pedicles, and spinous processes; modulated along y, shaped along x."""
    y, columns = field.y, field.grid.box((-5, 5), (-9, 36))[1]
    # Vertebrae grow downwards: the phase is the integral of one over their height.
    height = 2.0 + 0.028 * (y + 8)
    phase = (np.log(height / 2.0) / 0.028).astype(np.float32)
    t = phase - np.floor(phase)
    half = (1.35 + 0.022 * (y + 8)) * measures.size
    u = (field.x[:, columns] - np.float32(measures.turned(0, -4.5))) / half.astype(np.float32)
    gap = np.exp(-(((t - 0.5) / 0.42) ** 14)).astype(np.float32)
    plates = np.exp(-(((np.abs(t - 0.5) - 0.38) / 0.05) ** 2)).astype(np.float32)
    waist = 1 - 0.1 * (1 - (2 * t - 1) ** 2)
    inside = np.clip((1 - np.abs(u / waist)) * 9, 0, 1)
    border = np.exp(-(((np.abs(u / waist) - 0.93) / 0.07) ** 2))
    path = inside * (0.12 + gap * (0.2 + 0.16 * plates)) + 0.12 * border * gap
    pedicle = np.exp(-(((np.abs(u) - 0.62) / 0.2) ** 2) * 1.5) * np.exp(-(((t - 0.35) / 0.17) ** 2))
    process = np.exp(-((u / 0.16) ** 2)) * np.exp(-(((t - 0.75) / 0.2) ** 2))
    arms = np.exp(-(((t - 0.35) / 0.14) ** 2)) * np.clip(1.9 - np.abs(u), 0, 0.5) * (np.abs(u) > 0.9)
    bone[:, columns] += (path + 0.3 * pedicle + 0.3 * process + 0.35 * arms).astype(np.float32)
