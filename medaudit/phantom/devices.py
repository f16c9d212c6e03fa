"""Devices in and on the patient, as path lengths of titanium; plastic tubes by what their radiopaque parts absorb."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import numpy as np

from medaudit.phantom.anatomy import Measures
from medaudit.phantom.findings import Side
from medaudit.phantom.grid import Canvas, Grid, Mask, Plane, Point, arc

# Equivalents in cm of titanium, all approximate.
_CAN: Final = 0.32
_CIRCUIT: Final = 0.5
_LEAD: Final = 0.12
_STRIPE: Final = 0.1
_WALL: Final = 0.035
_ELECTRODE: Final = 0.16
_WIRE: Final = 0.06
_VISIBLE: Final = 0.004  # a mask holds what absorbs at least this much


class DeviceKind(StrEnum):
    """What may be in or on a phantom, in the words of a report."""

    PACEMAKER = "pacemaker"
    TUBE = "endotracheal tube"
    LINE = "central venous line"
    DRAIN = "chest drain"
    ECG = "ECG electrodes"


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """One device. ``side`` is where it enters; None for the endotracheal tube and the electrodes alone."""

    kind: DeviceKind
    side: Side | None
    seed: int

    def __post_init__(self) -> None:
        if (self.side is None) != (self.kind in (DeviceKind.TUBE, DeviceKind.ECG)):
            msg = f"DeviceSpec.side: expected a side, None for tube and electrodes; got {self.side} for {self.kind}"
            raise ValueError(msg)


def device_path(spec: DeviceSpec, measures: Measures, grid: Grid) -> tuple[Plane, Mask]:
    """(metal (side, side) float32 in cm of titanium, mask (side, side) of where the device is)."""
    canvas = Canvas(grid)
    _DRAW[spec.kind](spec, measures, canvas, np.random.default_rng([spec.seed, 9]))
    metal = canvas.path()
    return metal, metal > _VISIBLE


def _sign(spec: DeviceSpec) -> int:
    return spec.side.sign if spec.side else 1


def _cava(measures: Measures) -> Point:
    return measures.turned(-1.9 * measures.size, 1.0), measures.carina - 2.5


def _pacemaker(spec: DeviceSpec, measures: Measures, canvas: Canvas, rng: np.random.Generator) -> None:
    """A can below the clavicle and one or two leads through the superior vena cava."""
    side = _sign(spec)
    x, y = side * float(rng.uniform(8.0, 9.6)) * measures.size, float(rng.uniform(4.4, 6.0))
    lean, wide, high = float(rng.uniform(-0.4, 0.4)), float(rng.uniform(2.2, 2.7)), float(rng.uniform(1.9, 2.3))

    def at(u: float, v: float) -> Point:
        return x + u * math.cos(lean) - v * math.sin(lean), y + u * math.sin(lean) + v * math.cos(lean)

    def outline(scale: float) -> list[Point]:
        turns = [2 * math.pi * i / 36 for i in range(36)]
        return [
            at(
                scale * wide * math.copysign(abs(math.cos(a)) ** 0.7, math.cos(a)),
                scale * high * math.copysign(abs(math.sin(a)) ** 0.7, math.sin(a)),
            )
            for a in turns
        ]

    canvas.polygon(outline(1.0), _CAN)
    canvas.polygon(outline(0.93), _CAN * 0.8)
    canvas.polygon(
        [at(-0.7 * wide, 0.1), at(0.7 * wide, 0.1), at(0.6 * wide, 0.75 * high), at(-0.6 * wide, 0.75 * high)], _CIRCUIT
    )
    canvas.polygon(
        [at(-0.6 * wide, -0.6 * high), at(0.1, -0.6 * high), at(0.1, -0.1), at(-0.6 * wide, -0.1)], _CIRCUIT * 0.8
    )
    vein = side * 5.0, 1.6
    cava, apex = _cava(measures), (measures.turned(0.42 * measures.heart_width, 5), measures.left_dome - 0.6)
    atrium = measures.turned(-0.2 * measures.heart_width, 4), measures.right_dome - 4.5
    way = arc(at(0, -high), (x, vein[1]), vein, 8) + arc(vein, (cava[0], 1.8), cava, 12)
    canvas.line(way, 0.09, _LEAD)
    canvas.line(arc(cava, (cava[0] - 0.6, apex[1] + 0.5), apex, 20), 0.09, _LEAD)
    canvas.line(arc(cava, (cava[0] - 0.6, apex[1] + 0.5), apex, 20)[-2:], 0.16, 2 * _LEAD)
    if rng.random() < 0.6:
        canvas.line(arc(cava, (cava[0] - 0.2, atrium[1] + 2.5), atrium, 14), 0.08, _LEAD)


def _tube(spec: DeviceSpec, measures: Measures, canvas: Canvas, rng: np.random.Generator) -> None:
    """Two walls and a stripe from the mouth to some way above the carina."""
    del spec  # it has no side
    tip = measures.carina - float(rng.uniform(2.0, 5.5))
    bend = float(rng.normal(0, 0.25))
    middle = arc(
        (measures.turned(bend, 3), -12.0), (measures.turned(bend * 2, 2), -3.0), (measures.turned(-0.3, 1), tip), 16
    )
    for off in (-0.45, 0.45):
        canvas.line([(px + off, py) for px, py in middle], 0.07, _WALL * 1.6)
    canvas.line([(px + 0.2, py) for px, py in middle], 0.07, _STRIPE)


def _line(spec: DeviceSpec, measures: Measures, canvas: Canvas, rng: np.random.Generator) -> None:
    """A thin catheter from the neck or below the clavicle to the superior vena cava."""
    side, cava = _sign(spec), _cava(measures)
    tip = cava[0] - 0.1, cava[1] + float(rng.uniform(1.5, 5.5))
    if rng.random() < 0.5:
        start, bend = (side * float(rng.uniform(4.0, 5.5)), -9.0), (side * 3.0, 0.5)
    else:
        start, bend = (side * float(rng.uniform(9.5, 12.0)), 4.0), (side * 5.5, 1.0)
    vein = cava[0] + (0.3 if side < 0 else 1.6), max(1.5, cava[1] - 2.5)
    canvas.line(arc(start, bend, vein, 16) + arc(vein, (cava[0], vein[1] + 0.6), tip, 14)[1:], 0.1, _STRIPE * 1.1)


def _drain(spec: DeviceSpec, measures: Measures, canvas: Canvas, rng: np.random.Generator) -> None:
    """A wide tube through the side wall, towards the apex or along the base, with a broken stripe."""
    side = _sign(spec)
    y = float(rng.uniform(0.55, 0.75)) * measures.dome(spec.side or Side.RIGHT)
    wall = measures.rib_cage_at(y)
    outside = side * (wall + 6), y + float(rng.uniform(2.0, 4.5))
    if rng.random() < 0.75:
        end = side * float(rng.uniform(4.8, 6.5)), float(rng.uniform(2.4, 5.5))
        bend = side * (wall - 0.8), y - 3.5
    else:
        end = side * float(rng.uniform(4.0, 6.0)), measures.dome(spec.side or Side.RIGHT) - 0.5
        bend = side * (wall - 1.5), end[1] - 1
    way = arc(outside, (side * (wall + 2), y + 1.2), (side * wall, y), 6)[:-1] + arc((side * wall, y), bend, end, 22)
    canvas.line(way, 0.42, _WALL * 1.4)
    canvas.line(way, 0.3, _WALL)
    for part in (way[:-9], way[-8:]):  # the gap marks the last side hole
        canvas.line(part, 0.08, _STRIPE * 1.4)


def _ecg(spec: DeviceSpec, measures: Measures, canvas: Canvas, rng: np.random.Generator) -> None:
    """Three to five electrodes on the skin and their wires, which leave the field."""
    del spec  # they have no side
    places = [(-11.5, 2.0), (11.5, 2.0), (11.0, 18.0), (-10.5, 19.0), (1.5, 12.0)]
    for x, y in places[: int(rng.integers(3, 6))]:
        here = x * measures.size + float(rng.normal(0, 0.9)), y + float(rng.normal(0, 1.2))
        ring = [(here[0] + 0.5 * math.cos(a), here[1] + 0.5 * math.sin(a)) for a in np.linspace(0, 2 * math.pi, 20)]
        leaves = math.copysign(24.0, float(rng.normal(x / 6, 1))), here[1] + float(rng.normal(2, 6))
        canvas.line(arc(here, (here[0] + float(rng.normal(0, 4)), here[1] + 6), leaves, 18), 0.06, _WIRE)
        canvas.polygon(ring, _ELECTRODE)


_Draw = Callable[[DeviceSpec, Measures, Canvas, np.random.Generator], None]
_DRAW: Final[Mapping[DeviceKind, _Draw]] = MappingProxyType(
    {
        DeviceKind.PACEMAKER: _pacemaker,
        DeviceKind.TUBE: _tube,
        DeviceKind.LINE: _line,
        DeviceKind.DRAIN: _drain,
        DeviceKind.ECG: _ecg,
    }
)
