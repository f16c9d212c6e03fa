"""The voxels of a CT series, and how a shape is put on one plane of them."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from medaudit.phantom.grid import Box, Plane, Point

MIN_CT_SIDE: Final = 64
AIR_HU: Final = -1000.0
SUBSLICES: Final = 3
"""Planes over whose mean a slice is taken: what a slice holds in part shows in part."""

ANGLES: Final = 2048
"""Steps of the polar tables over half a turn: 0.3 mm at the skin."""


@dataclass(frozen=True, slots=True)
class CtGrid:
    """Contiguous axial slices, from the head downwards.

    Patient coordinates are centimetres: x to the patient's left, y to the back, z towards the feet; the origin is on
    the midline, in the middle of the chest's depth, at the height of the lung apices. DICOM's z points to the head.

    Parameters
    ----------
    side
        Rows and columns: a multiple of 32, at least 64.
    fov_cm
        Edge of the reconstructed square.
    slices, slice_cm
        How many, and how thick.
    top_cm
        z of the upper face of the first slice.
    roll
        Radians by which the patient lies rolled to his left, about z.
    shift_cm
        (x, y) by which the patient lies off the middle.

    """

    side: int
    fov_cm: float
    slices: int
    slice_cm: float
    top_cm: float
    roll: float = 0.0
    shift_cm: Point = (0.0, 0.0)

    def __post_init__(self) -> None:
        if self.side < MIN_CT_SIDE or self.side % 32:
            msg = f"CtGrid.side: expected a multiple of 32, at least {MIN_CT_SIDE}; got {self.side}"
            raise ValueError(msg)
        for name, value in (("fov_cm", self.fov_cm), ("slices", self.slices), ("slice_cm", self.slice_cm)):
            if value <= 0:
                msg = f"CtGrid.{name}: expected > 0; got {value}"
                raise ValueError(msg)

    @property
    def pixel_cm(self) -> float:
        """Edge of a pixel."""
        return self.fov_cm / self.side

    def heights(self, index: int) -> list[float]:
        """Heights of the planes over which slice ``index`` is the mean."""
        return [self.top_cm + (index + (sub + 0.5) / SUBSLICES) * self.slice_cm for sub in range(SUBSLICES)]

    def slice_mm(self, index: float) -> float:
        """DICOM z in mm of the middle of slice ``index``, which need not be whole."""
        return -10 * (self.top_cm + (index + 0.5) * self.slice_cm)

    def position_mm(self, index: int) -> tuple[float, float, float]:
        """Image Position (Patient) (0020,0032): the centre of the slice's first pixel (PS3.3 C.7.6.2.1.1)."""
        corner = -10 * (self.fov_cm - self.pixel_cm) / 2
        return corner, corner, self.slice_mm(index)

    def planes(self) -> tuple[Plane, Plane]:
        """(x, y) of the pixel centres in patient coordinates, (side, side) float32 each."""
        centres = (np.arange(self.side) + 0.5) * self.pixel_cm - self.fov_cm / 2
        across, down = (centres - self.shift_cm[0])[None, :], (centres - self.shift_cm[1])[:, None]
        cos, sin = math.cos(self.roll), math.sin(self.roll)
        return (cos * across + sin * down).astype(np.float32), (cos * down - sin * across).astype(np.float32)

    def box(self, centre: Point, reach: float) -> Box:
        """Rows and columns that hold a disc of patient coordinates; empty where it lies outside."""
        cos, sin = math.cos(self.roll), math.sin(self.roll)
        middle = cos * centre[0] - sin * centre[1], sin * centre[0] + cos * centre[1]
        first, second = (
            slice(
                min(max(math.floor((at + off + self.fov_cm / 2 - reach) / self.pixel_cm) - 1, 0), self.side),
                min(max(math.ceil((at + off + self.fov_cm / 2 + reach) / self.pixel_cm) + 1, 0), self.side),
            )
            for at, off in zip(middle, self.shift_cm, strict=True)
        )
        return second, first


@dataclass(frozen=True, slots=True, eq=False)
class Polar:
    """Points as angle and distance about the body's axis.

    ``angle`` counts steps of :data:`ANGLES` from the front (0) to the back (ANGLES - 1), alike on both sides.
    """

    x: Plane
    y: Plane
    radius: Plane
    angle: NDArray[np.intp]

    @classmethod
    def of(cls, x: Plane, y: Plane) -> "Polar":
        """The polar coordinates of points."""
        turn = np.arctan2(np.abs(x), -y)
        steps = np.minimum((turn * np.float32(ANGLES / math.pi)).astype(np.intp), ANGLES - 1)
        return cls(x, y, np.hypot(x, y), steps)


class Section:
    """One infinitely thin plane of the patient at height ``z``, painted tissue over tissue.

    ``hu`` is what lies there; ``lung`` the share of each pixel that belongs to a lung, its vessels and airways
    included. Both (side, side) float32.
    """

    def __init__(self, grid: CtGrid, polar: Polar, z: float) -> None:
        self.grid, self.polar, self.z = grid, polar, z
        self.hu: Plane = np.full(polar.x.shape, AIR_HU, dtype=np.float32)
        self.lung: Plane = np.zeros_like(self.hu)

    def edge(self, inside_cm: Plane) -> Plane:
        """Share of each pixel that a shape covers whose signed distance, positive inside, is given in cm."""
        return np.asarray(np.clip(inside_cm * np.float32(1 / self.grid.pixel_cm) + np.float32(0.5), 0, 1))

    def fill(self, cover: Plane, hu: float | Plane, box: Box | None = None) -> None:
        """Replace what is there by ``hu``, as far as ``cover`` says."""
        part = self.hu if box is None else self.hu[box]
        part += cover * (np.float32(hu) - part)

    def displace(self, cover: Plane, hu: float, box: Box) -> None:
        """:meth:`fill` with what is not lung."""
        self.fill(cover, hu, box)
        self.lung[box] *= 1 - cover

    def push_back(self, cover: Plane, hu: float, box: Box) -> None:
        """Replace lung, and nothing else: what lies about an organ where that meets the lung."""
        self.fill(cover * self.lung[box], hu, box)
        self.lung[box] *= 1 - cover

    def ellipse(self, centre: Point, half: Point, lean: float = 0.0) -> tuple[Box, Plane]:
        """(box, signed distance) of an ellipse turned by ``lean`` radians, in cm; positive inside."""
        box = self.grid.box(centre, max(half) + 0.3)
        dx, dy = self.polar.x[box] - np.float32(centre[0]), self.polar.y[box] - np.float32(centre[1])
        cos, sin = math.cos(lean), math.sin(lean)
        u, v = (cos * dx + sin * dy) / np.float32(half[0]), (cos * dy - sin * dx) / np.float32(half[1])
        return box, np.float32(min(half)) * (1 - np.hypot(u, v))

    def rod(self, start: Point, end: Point, radius: float) -> tuple[Box, Plane]:
        """(box, signed distance) of a capsule that lies in the plane."""
        middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        dx, dy = end[0] - start[0], end[1] - start[1]
        box = self.grid.box(middle, math.hypot(dx, dy) / 2 + radius + 0.3)
        u, v = self.polar.x[box] - np.float32(start[0]), self.polar.y[box] - np.float32(start[1])
        along = np.clip((u * np.float32(dx) + v * np.float32(dy)) / np.float32(dx * dx + dy * dy), 0, 1)
        return box, np.float32(radius) - np.hypot(u - along * np.float32(dx), v - along * np.float32(dy))
