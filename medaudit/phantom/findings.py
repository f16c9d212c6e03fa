"""Findings: each takes aerated lung away, to tissue, fluid or gas, in a region that it knows."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import numpy as np

from medaudit.phantom.grid import Box, Mask, Plane, Point, chord, smoothstep, spread
from medaudit.phantom.torso import Torso, above_dome, heart_path

_CALCIFIED_MM: Final = 18
"""Nodules below this hold calcium, as old granulomas do: a radiograph hardly shows a small one without."""
_CALCIUM: Final = 1.6  # approximate: what a calcified nodule attenuates beyond lung, over what soft tissue does
_SEEN_CM: Final = 0.3  # less lung than this along the beam shows no finding: the mask leaves it out


class FindingKind(StrEnum):
    """What a phantom can have, in the words of a report."""

    NODULE = "nodule"
    MASS = "mass"
    CONSOLIDATION = "consolidation"
    ATELECTASIS = "atelectasis"
    EFFUSION = "pleural effusion"
    PNEUMOTHORAX = "pneumothorax"
    CARDIOMEGALY = "cardiomegaly"


class Side(StrEnum):
    """The patient's side; the right lung is on the left of the picture."""

    RIGHT = "right"
    LEFT = "left"

    @property
    def sign(self) -> int:
        """Of x in patient coordinates."""
        return -1 if self is Side.RIGHT else 1


class Zone(StrEnum):
    """Thirds of the lung from above."""

    UPPER = "upper"
    MID = "mid"
    LOWER = "lower"


SIZES_MM: Final[Mapping[FindingKind, tuple[float, float]]] = MappingProxyType(
    {
        FindingKind.NODULE: (8, 30),
        FindingKind.MASS: (31, 70),
        FindingKind.CONSOLIDATION: (40, 110),
        FindingKind.ATELECTASIS: (35, 90),
        FindingKind.EFFUSION: (25, 150),
        FindingKind.PNEUMOTHORAX: (10, 50),
        FindingKind.CARDIOMEGALY: (18, 27),
    }
)
"""Smallest and largest size: diameter of a nodule or mass, width of a consolidation, length of a band of atelectasis,
height of an effusion above the costophrenic angle, apical gap of a pneumothorax, widening of the heart."""

ZONED: Final = frozenset({FindingKind.NODULE, FindingKind.MASS, FindingKind.CONSOLIDATION, FindingKind.ATELECTASIS})
"""Kinds that lie in a zone; an effusion is below and a pneumothorax above by their nature."""

_ZONE_SPAN: Final = {Zone.UPPER: (0.16, 0.34), Zone.MID: (0.42, 0.6), Zone.LOWER: (0.66, 0.84)}


@dataclass(frozen=True, slots=True)
class FindingSpec:
    """One finding: ``size_mm`` as :data:`SIZES_MM` says; ``seed`` of its place within the zone and its shape.

    ``side`` is None for cardiomegaly alone, ``zone`` None for kinds that are not in :data:`ZONED`.
    """

    kind: FindingKind
    side: Side | None
    zone: Zone | None
    size_mm: float
    seed: int

    def __post_init__(self) -> None:
        if (self.side is None) != (self.kind is FindingKind.CARDIOMEGALY):
            msg = f"FindingSpec.side: expected right or left, None for cardiomegaly; got {self.side} for {self.kind}"
            raise ValueError(msg)
        if (self.zone is not None) != (self.kind in ZONED):
            msg = f"FindingSpec.zone: expected a zone for {', '.join(sorted(ZONED))} only; got {self.zone}"
            raise ValueError(msg)
        low, high = SIZES_MM[self.kind]
        if not low <= self.size_mm <= high:
            msg = f"FindingSpec.size_mm: expected {low} .. {high} for {self.kind}; got {self.size_mm}"
            raise ValueError(msg)

    @property
    def large(self) -> bool:
        """Whether the size lies in the upper half of its range."""
        return self.size_mm > sum(SIZES_MM[self.kind]) / 2


@dataclass(frozen=True, slots=True)
class Change:
    """What a finding does inside ``box``: cm of lung that become tissue or fluid, or gas; and where it is.

    All arrays have the box's shape; nothing outside the box changes.
    """

    box: Box
    to_solid: Plane
    to_gas: Plane
    mask: Mask


def finding_change(spec: FindingSpec, torso: Torso, lung: Plane) -> Change:
    """What a finding does to a lung that other findings may have changed before.

    Parameters
    ----------
    spec, torso
        The finding and the chest it is in.
    lung
        (side, side) float32: cm of aerated lung that is left.

    """
    return _DRAW[spec.kind](spec, torso, lung, np.random.default_rng([spec.seed, 8]))


def _place(spec: FindingSpec, torso: Torso, rng: np.random.Generator, margin: float) -> Point:
    """A point in the finding's zone, away from heart and chest wall."""
    if spec.side is None or spec.zone is None:
        msg = f"{spec.kind}: expected a side and a zone; got {spec.side}, {spec.zone}"
        raise ValueError(msg)
    low, high = _ZONE_SPAN[spec.zone]
    y = float(rng.uniform(low, high)) * torso.measures.dome(spec.side)
    wall = torso.measures.rib_cage_at(y)
    inner = 4.2
    if spec.side is Side.LEFT and spec.zone is Zone.LOWER:
        inner = 0.68 * torso.measures.heart_width
    start, stop = min(inner + margin, 0.6 * wall), max(wall - 1.0 - margin, 0.62 * wall)
    return spec.side.sign * float(rng.uniform(min(start, stop), stop)), y


def _round(spec: FindingSpec, torso: Torso, lung: Plane, rng: np.random.Generator) -> Change:
    """Nodule or mass: a ball with a lobed outline, as dense as tissue; a small nodule is calcified."""
    radius = spec.size_mm / 20
    depth = 2 * radius * (_CALCIUM if spec.size_mm < _CALCIFIED_MM else 1)
    centre = _place(spec, torso, rng, 0.7 * radius)
    reach = 1.35 * radius
    box = torso.field.grid.box((centre[0] - reach, centre[0] + reach), (centre[1] - reach, centre[1] + reach))
    dx, dy = torso.field.x[box] - np.float32(centre[0]), torso.field.y[box[0]] - np.float32(centre[1])
    angle = np.arctan2(dy, dx)
    outline = np.ones_like(dx)
    rough = 0.05 if spec.kind is FindingKind.NODULE else 0.08
    for lobes in range(2, 7):
        phase = np.float32(rng.uniform(0, 2 * math.pi))
        outline += np.float32(rough * rng.normal() / math.sqrt(lobes)) * np.cos(lobes * angle + phase)
    squared = (dx * dx + dy * dy) / (np.float32(radius) * np.clip(outline, 0.75, 1.3)) ** 2
    solid = np.minimum(chord(squared, depth), np.float32(0.95) * lung[box])
    return Change(box, solid, np.zeros_like(solid), (squared < 1) & (lung[box] > _SEEN_CM))


def _consolidation(spec: FindingSpec, torso: Torso, lung: Plane, rng: np.random.Generator) -> Change:
    """Patchy filling of the air spaces with a soft, irregular border."""
    half = spec.size_mm / 20, spec.size_mm / 20 * float(rng.uniform(0.6, 0.95))
    centre = _place(spec, torso, rng, 0.35 * half[0])
    box = torso.field.grid.box(
        (centre[0] - 1.3 * half[0], centre[0] + 1.3 * half[0]), (centre[1] - 1.3 * half[1], centre[1] + 1.3 * half[1])
    )
    u = (torso.field.x[box] - np.float32(centre[0])) / np.float32(half[0])
    v = (torso.field.y[box[0]] - np.float32(centre[1])) / np.float32(half[1])
    shape = (u.shape[0], u.shape[1])
    lobes = spread(rng.standard_normal((6, 6), dtype=np.float32), shape)
    patches = spread(rng.standard_normal((9, 9), dtype=np.float32), shape)
    distance = np.sqrt(u * u + v * v)
    filled = smoothstep(distance + 0.14 * lobes + 0.06 * patches, 1.05, 0.45) * smoothstep(distance, 1.28, 1.05)
    filled *= np.clip(0.5 + 0.07 * patches, 0.25, 0.7)
    filled *= torso.field.x[box] * spec_sign(spec) > 0
    return Change(box, filled * lung[box], np.zeros_like(filled), (filled > 0.14) & (lung[box] > _SEEN_CM))


def spec_sign(spec: FindingSpec) -> int:
    """-1 on the right, 1 on the left; 0 where a finding has no side."""
    return spec.side.sign if spec.side else 0


def _atelectasis(spec: FindingSpec, torso: Torso, lung: Plane, rng: np.random.Generator) -> Change:
    """One to three flat bands of collapsed lung, seen edge-on."""
    length = spec.size_mm / 10
    centre = _place(spec, torso, rng, 0.25 * length)
    reach = 0.75 * length
    box = torso.field.grid.box((centre[0] - reach, centre[0] + reach), (centre[1] - reach, centre[1] + reach))
    dx, dy = torso.field.x[box] - np.float32(centre[0]), torso.field.y[box[0]] - np.float32(centre[1])
    lean = spec_sign(spec) * float(rng.uniform(-0.1, 0.5))
    along, across = dx * math.cos(lean) + dy * math.sin(lean), dy * math.cos(lean) - dx * math.sin(lean)
    across = across + np.float32(0.035) * along * along * float(rng.uniform(-1, 1)) / np.float32(length / 8)
    solid = np.zeros_like(dx)
    for band in range(int(rng.integers(1, 3))):
        half = float(rng.uniform(0.22, 0.45))
        off, share = band * float(rng.uniform(0.9, 1.5)), 1 - 0.22 * band
        u, v = along / np.float32(share * length / 2), (across - np.float32(off)) / np.float32(half)
        solid = np.maximum(solid, chord(v * v + u**4, float(rng.uniform(3.5, 6.0))))
    inside = torso.field.x[box] * spec_sign(spec) > 0
    solid = np.minimum(solid, np.float32(0.75) * lung[box]) * inside
    return Change(box, solid, np.zeros_like(solid), (solid > _SEEN_CM) & (lung[box] > _SEEN_CM))


def _lung_box(spec: FindingSpec, torso: Torso, top: float) -> Box:
    """The box of one lung from a height down to below its recess."""
    side = spec_sign(spec)
    wide = torso.measures.chest_half_width + 1
    bottom = max(torso.measures.left_dome, torso.measures.right_dome) + 9
    return torso.field.grid.box((min(0, side * wide), max(0, side * wide)), (top, bottom))


def _effusion(spec: FindingSpec, torso: Torso, lung: Plane, rng: np.random.Generator) -> Change:
    """Fluid that collects below and climbs the wall: a meniscus."""
    measures, height = torso.measures, spec.size_mm / 10
    angle = measures.dome(spec.side or Side.RIGHT) + 1.3 * measures.dome_rise
    box = _lung_box(spec, torso, angle - height - 4)
    x = np.abs(torso.field.x[box])
    u = np.clip((x - 2.5) / np.float32(measures.chest_half_width - 2.5), 0, 1)
    level = np.float32(angle) - np.float32(height) * (np.float32(rng.uniform(0.5, 0.68)) + 0.36 * u * u * u)
    # The fluid is a wedge: its upper part is thin along the beam.
    filled = smoothstep(torso.field.y[box[0]] - level, -0.9, 0.9 + 0.12 * height)
    filled *= np.float32(0.96) * (torso.field.x[box] * spec_sign(spec) > 0)
    return Change(box, filled * lung[box], np.zeros_like(filled), (filled > 0.25) & (lung[box] > _SEEN_CM))


def _pneumothorax(spec: FindingSpec, torso: Torso, lung: Plane, rng: np.random.Generator) -> Change:
    """Gas between chest wall and a retracted lung, whose edge shows as a thin line."""
    measures, gap = torso.measures, spec.size_mm / 10
    box = _lung_box(spec, torso, -1.0)
    y = torso.field.y[box[0]]
    dome = measures.dome(spec.side or Side.RIGHT)
    lateral = gap * float(rng.uniform(0.45, 0.8)) * np.sqrt(np.clip(1.05 - y / np.float32(dome), 0, 1))
    edge = measures.rib_cage(y - np.float32(gap)) - lateral.astype(np.float32)
    wave = spread(rng.standard_normal((6, 1), dtype=np.float32), (y.shape[0], 1))
    beyond = np.abs(torso.field.x[box]) - (edge + np.float32(0.12) * wave)
    outside = smoothstep(beyond, -0.05, 0.05) * (torso.field.x[box] * spec_sign(spec) > 0) * (y < np.float32(dome))
    pleura = np.exp(-((beyond / 0.09) ** 2)) * (outside > 0)
    here = lung[box]
    # Lung in front of and behind the gap stays, the more so near the edge.
    gas = np.float32(0.9) * here * outside * smoothstep(beyond, -0.4, 1.0)
    solid = np.minimum(np.float32(0.7) * pleura, 0.1 * here)
    return Change(box, solid.astype(np.float32), gas, (outside > 0.5) & (here > _SEEN_CM))


def _cardiomegaly(spec: FindingSpec, torso: Torso, lung: Plane, rng: np.random.Generator) -> Change:
    """A heart wider by ``size_mm``; the mask is the whole enlarged heart, for that is what a reader judges."""
    del rng  # a heart of one width has one shape
    width = torso.measures.heart_width + spec.size_mm / 10
    box, path = heart_path(torso.measures, torso.field, width)
    mask = path > 1
    path *= above_dome(torso.measures, torso.field, box)
    solid = np.minimum(np.maximum(path - torso.central[box], 0), lung[box])
    return Change(box, solid, np.zeros_like(solid), mask)


_Draw = Callable[[FindingSpec, Torso, Plane, np.random.Generator], Change]
_DRAW: Final[Mapping[FindingKind, _Draw]] = MappingProxyType(
    {
        FindingKind.NODULE: _round,
        FindingKind.MASS: _round,
        FindingKind.CONSOLIDATION: _consolidation,
        FindingKind.ATELECTASIS: _atelectasis,
        FindingKind.EFFUSION: _effusion,
        FindingKind.PNEUMOTHORAX: _pneumothorax,
        FindingKind.CARDIOMEGALY: _cardiomegaly,
    }
)
