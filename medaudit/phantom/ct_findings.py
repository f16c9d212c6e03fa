"""Findings of a chest CT: a solid nodule, a pleural effusion. Each replaces lung in a region that it knows."""

import math
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from medaudit.phantom.ct_chest import CtChest
from medaudit.phantom.ct_grid import CtGrid, Polar, Section
from medaudit.phantom.findings import FindingKind, FindingSpec, Zone
from medaudit.phantom.grid import Box, Mask, Plane, smoothstep

CT_FINDINGS: Final = (FindingKind.NODULE, FindingKind.EFFUSION)
"""The kinds that a chest CT of the phantom can have."""

NODULE_HU: Final = 38.0
_ZONE_SPAN: Final = {Zone.UPPER: (0.14, 0.3), Zone.MID: (0.4, 0.58), Zone.LOWER: (0.7, 0.88)}
_FOOT: Final = 0.9
"""An effusion has its full depth at, and its height counts from, this many rises of the dome below the dome's top."""

_LEAST_DEPTH_CM: Final = 0.8  # even a small effusion is as deep as that

_WINDOW_SIDE: Final = 128  # pixels of the coarse plane on which a nodule's place is sought
_WINDOW_CM: Final = 40.0


class CtFinding(Protocol):
    """What every finding gives: its share of each pixel of a section, and its CT number."""

    @property
    def hu(self) -> float:
        """CT number."""

    def cover(self, section: Section) -> tuple[Box, Plane] | None:
        """(box, share of each pixel), lung or not; None where the section does not meet it."""


@dataclass(frozen=True, slots=True)
class Nodule:
    """A ball with a slightly lobed surface; lengths in cm. ``lobes`` are (unit vector, height, phase)."""

    centre: tuple[float, float, float]
    radius: float
    lobes: tuple[tuple[tuple[float, float, float], float, float], ...]
    hu: float

    def cover(self, section: Section) -> tuple[Box, Plane] | None:
        """See :class:`CtFinding`."""
        x, y, z = self.centre
        dz = section.z - z
        if abs(dz) >= 1.2 * self.radius:
            return None
        box = section.grid.box((x, y), 1.2 * self.radius)
        dx, dy = section.polar.x[box] - np.float32(x), section.polar.y[box] - np.float32(y)
        distance = np.sqrt(dx * dx + dy * dy + np.float32(dz * dz))
        surface = np.ones_like(distance)
        for (a, b, c), height, phase in self.lobes:
            along = (dx * np.float32(a) + dy * np.float32(b) + np.float32(dz * c)) / np.maximum(distance, 0.01)
            surface += np.float32(height) * np.cos(np.float32(3) * along + np.float32(phase))
        return box, section.edge(np.float32(self.radius) * surface - distance)


@dataclass(frozen=True, slots=True)
class Effusion:
    """Fluid of a supine patient: a crescent along the back wall, deeper and higher up the side towards the base."""

    chest: CtChest
    side: int
    top: float
    height: float
    deepest: float
    climb: float
    hu: float

    def cover(self, section: Section) -> tuple[Box, Plane] | None:
        """See :class:`CtFinding`."""
        if section.z <= self.top:
            return None
        grown = min((section.z - self.top) / self.height, 1.0)
        depth = self.deepest * grown**0.7
        polar, back = section.polar, self.chest.back(section.z)
        wall = self.chest.outline(section.z).pleura[polar.angle] - polar.radius
        # It thins out along the side wall; at the back it has its full depth.
        share = smoothstep(polar.y, back * (0.25 - self.climb - 0.35 * grown), back * 0.85)
        inside = np.float32(depth) * share - np.maximum(wall, 0)
        # Beside the spine it stands as deep as on the rest of the back wall.
        level = np.float32(depth) - (np.float32(back) - polar.y)
        inside = np.maximum(inside, level)
        # Half a pixel less, so that fluid of no depth covers nothing.
        cover = section.edge(inside - np.float32(section.grid.pixel_cm / 2)) * (polar.x * self.side > 0)
        return (slice(None), slice(None)), np.asarray(cover, dtype=np.float32)


def place_finding(spec: FindingSpec, chest: CtChest) -> CtFinding:
    """A finding at its place in a chest; a pure function of both.

    Raises
    ------
    ValueError
        A kind that a chest CT of the phantom does not have.

    """
    rng = np.random.default_rng([spec.seed, 24])
    if spec.kind is FindingKind.NODULE:
        return _place_nodule(spec, chest, rng)
    if spec.kind is FindingKind.EFFUSION and spec.side is not None:
        height = spec.size_mm / 10
        foot = chest.measures.dome(spec.side) + _FOOT * chest.measures.dome_rise
        deepest = _LEAST_DEPTH_CM + height * float(rng.uniform(0.26, 0.36))
        return Effusion(
            chest, spec.side.sign, foot - height, height, deepest, float(rng.uniform(0, 0.3)), float(rng.uniform(6, 18))
        )
    msg = f"CT finding: expected {' or '.join(CT_FINDINGS)}; got {spec.kind}"
    raise ValueError(msg)


def _place_nodule(spec: FindingSpec, chest: CtChest, rng: np.random.Generator) -> Nodule:
    if spec.side is None or spec.zone is None:
        msg = f"{spec.kind}: expected a side and a zone; got {spec.side}, {spec.zone}"
        raise ValueError(msg)
    radius = spec.size_mm / 20
    low, high = _ZONE_SPAN[spec.zone]
    z = float(rng.uniform(low, high)) * chest.measures.dome(spec.side)
    x, y = _room(chest, z, radius, spec.side.sign, rng)
    lobes = []
    for _ in range(5):
        way = rng.normal(size=3)
        way /= np.linalg.norm(way)
        height = float(np.clip(rng.normal(0, 0.035), -0.07, 0.07))
        lobes.append(((float(way[0]), float(way[1]), float(way[2])), height, float(rng.uniform(0, 2 * math.pi))))
    return Nodule((x, y, z), radius, tuple(lobes), NODULE_HU + float(rng.uniform(-8, 12)))


def _room(chest: CtChest, z: float, radius: float, side: int, rng: np.random.Generator) -> tuple[float, float]:
    """(x, y) of a place within one lung at height ``z``: any at which a ball of ``radius`` fits, else the roomiest."""
    polar = Polar.of(*CtGrid(_WINDOW_SIDE, _WINDOW_CM, 1, 1.0, 0.0).planes())
    depth = np.minimum(chest.lung(z - 0.7 * radius, polar), chest.lung(z + 0.7 * radius, polar))
    depth = np.minimum(depth, chest.lung(z, polar))
    depth = np.where(polar.x * side > 0, depth, np.float32(-9))
    fits = depth > min(1.05 * radius + 0.2, 0.95 * float(depth.max()))
    rows, columns = np.nonzero(fits)
    one = int(rng.integers(len(rows)))
    jitter = rng.uniform(-0.5, 0.5, 2) * _WINDOW_CM / _WINDOW_SIDE
    at = rows[one], columns[one]
    return float(polar.x[at]) + float(jitter[0]), float(polar.y[at]) + float(jitter[1])


def mask_of(cover: NDArray[np.floating]) -> Mask:
    """Voxels that a finding fills to at least a half."""
    return np.asarray(cover >= np.float32(0.5))
