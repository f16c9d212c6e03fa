"""The projection grid in centimetres, and the few ways in which a shape is put on it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]
Box = tuple[slice, slice]
Point = tuple[float, float]

MIN_SIDE: Final = 64
CELLS: Final = 32
"""What varies over centimetres (scatter, the large structures of processing) is computed on 32 x 32 cells."""

_SUPERSAMPLING: Final = 2  # drawn lines are averaged over 2 x 2: enough, the detector blurs them again
_CANVAS_UNIT_CM: Final = 0.01  # a canvas holds 8 bits: steps of 0.1 mm, up to 25.5 mm


@dataclass(frozen=True, slots=True)
class Grid:
    """A square detector and where the patient stands before it.

    Patient coordinates are centimetres in the detector plane: x to the right of the picture (the
    patient's left), y downwards, the origin on the midline at the height of the lung apices.

    Parameters
    ----------
    side
        Rows and columns: a multiple of 32, at least 64.
    field_cm
        Edge of the detector.
    tilt
        Tangent of the patient's lean: x shifts by ``tilt * y``.
    shift_cm
        (x, y) by which the patient stands off.

    """

    side: int
    field_cm: float
    tilt: float = 0.0
    shift_cm: Point = (0.0, 0.0)

    def __post_init__(self) -> None:
        if self.side < MIN_SIDE or self.side % CELLS:
            msg = f"Grid.side: expected a multiple of {CELLS}, at least {MIN_SIDE}; got {self.side}"
            raise ValueError(msg)
        if self.field_cm <= 0:
            msg = f"Grid.field_cm: expected > 0; got {self.field_cm}"
            raise ValueError(msg)

    @property
    def pixel_cm(self) -> float:
        """Edge of a pixel."""
        return self.field_cm / self.side

    @property
    def origin_cm(self) -> Point:
        """(x, y) of the picture's centre, in patient coordinates without tilt."""
        # Lungs of 20 to 27 cm hang from y = 0, so their middle is a third of the field below the apices.
        return -self.shift_cm[0], 0.325 * self.field_cm - self.shift_cm[1]

    def field(self) -> "Field":
        """The grid with the coordinates of its pixel centres."""
        centres = ((np.arange(self.side) + 0.5) / self.side - 0.5) * self.field_cm
        x0, y0 = self.origin_cm
        y = (centres + y0).astype(np.float32)[:, None]
        x = (centres + x0).astype(np.float32)[None, :] - np.float32(self.tilt) * y
        return Field(self, x, y)

    def to_pixels(self, points: Iterable[Point]) -> list[Point]:
        """(column, row) of patient points; the first pixel's centre is (0.5, 0.5)."""
        x0, y0 = self.origin_cm
        middle, scale = self.side / 2, self.side / self.field_cm
        return [(middle + (x + self.tilt * y - x0) * scale, middle + (y - y0) * scale) for x, y in points]

    def box(self, x_range: Point, y_range: Point) -> Box:
        """Rows and columns that hold a rectangle of patient coordinates; empty where it lies outside."""
        corners = self.to_pixels((x, y) for x in x_range for y in y_range)
        columns, rows = zip(*corners, strict=True)
        return _span(rows, self.side), _span(columns, self.side)


def _span(values: Sequence[float], side: int) -> slice:
    start = min(max(math.floor(min(values)), 0), side)
    return slice(start, max(min(math.ceil(max(values)), side), start))


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A grid with the coordinates of its pixel centres: ``x`` (side, side), ``y`` (side, 1), float32 cm."""

    grid: Grid
    x: Plane
    y: Plane

    def ellipsoid(
        self, centre: Point, half: Point, half_depth: float, *, lean: float = 0.0, blunt: bool = False
    ) -> tuple[Box, Plane]:
        """(box, path) of an ellipsoid.

        ``lean`` in -1 .. 1 turns it within its width and height; ``blunt`` fills its edge.
        """
        box = self.grid.box((centre[0] - half[0], centre[0] + half[0]), (centre[1] - half[1], centre[1] + half[1]))
        u = (self.x[box] - np.float32(centre[0])) / np.float32(half[0])
        v = (self.y[box[0]] - np.float32(centre[1])) / np.float32(half[1])
        squared = (u * u - np.float32(2 * lean) * u * v + v * v) / np.float32(1 - lean * lean)
        return box, chord(squared * squared if blunt else squared, 2 * half_depth)

    def capsule(self, start: Point, end: Point, radius: float) -> tuple[Box, Plane]:
        """(box, path) of a round tube between two points."""
        box = self.grid.box(
            (min(start[0], end[0]) - radius, max(start[0], end[0]) + radius),
            (min(start[1], end[1]) - radius, max(start[1], end[1]) + radius),
        )
        along = np.float32(end[0] - start[0]), np.float32(end[1] - start[1])
        dx, dy = self.x[box] - np.float32(start[0]), self.y[box[0]] - np.float32(start[1])
        t = np.clip((dx * along[0] + dy * along[1]) / (along[0] ** 2 + along[1] ** 2), 0, 1)
        squared = (dx - t * along[0]) ** 2 + (dy - t * along[1]) ** 2
        return box, chord(squared / np.float32(radius**2), 2 * radius)


class Canvas:
    """Thin structures drawn as polygons and lines, each with its path length; later strokes replace earlier ones."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        edge = grid.side * _SUPERSAMPLING
        self._image = Image.new("L", (edge, edge), 0)
        self._draw = ImageDraw.Draw(self._image)

    def _points(self, points: Iterable[Point]) -> list[Point]:
        return [(c * _SUPERSAMPLING - 0.5, r * _SUPERSAMPLING - 0.5) for c, r in self._grid.to_pixels(points)]

    def polygon(self, points: Iterable[Point], path_cm: float) -> None:
        """Fill a polygon of patient coordinates with one path length."""
        self._draw.polygon(self._points(points), fill=_level(path_cm))

    def line(self, points: Iterable[Point], radius_cm: float, path_cm: float) -> None:
        """Draw a polyline of patient coordinates; at least one supersampled pixel wide."""
        width = max(1, round(2 * radius_cm / self._grid.pixel_cm * _SUPERSAMPLING))
        joint = "curve" if width > 3 else None
        self._draw.line(self._points(points), fill=_level(path_cm), width=width, joint=joint)

    def path(self) -> Plane:
        """(side, side) float32: path length in cm."""
        mean = np.asarray(self._image.reduce(_SUPERSAMPLING), dtype=np.float32)
        return mean * np.float32(_CANVAS_UNIT_CM)


def _level(path_cm: float) -> int:
    level = round(path_cm / _CANVAS_UNIT_CM)
    if not 0 <= level <= 255:
        msg = f"Canvas: expected a path length of 0 .. 2.55 cm; got {path_cm}"
        raise ValueError(msg)
    return level


def smoothstep(values: NDArray[np.floating], start: float, stop: float) -> Plane:
    """0 at ``start``, 1 at ``stop``, smooth between; ``start`` may lie above ``stop``."""
    t = np.clip((values - np.float32(start)) / np.float32(stop - start), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def chord(squared: NDArray[np.floating], depth_cm: float) -> Plane:
    """Path through an ellipsoid whose normalised squared distance from its axis is given: ``depth * sqrt(1 - q)``."""
    return np.asarray(np.float32(depth_cm) * np.sqrt(np.maximum(1 - squared, 0)), dtype=np.float32)


def spread(coarse: Plane, shape: tuple[int, int]) -> Plane:
    """A coarse field as (rows, columns), bicubic: for what varies slowly."""
    image = Image.fromarray(coarse.astype(np.float32, copy=False))
    return np.array(image.resize((shape[1], shape[0]), Image.Resampling.BICUBIC), dtype=np.float32)


def blur3(plane: Plane, weight: float) -> Plane:
    """Separable blur with (weight, 1 - 2 weight, weight); the edge pixels repeat."""
    side, centre = np.float32(weight), np.float32(1 - 2 * weight)
    rows = plane * centre
    rows[1:] += side * plane[:-1]
    rows[:-1] += side * plane[1:]
    rows[0] += side * plane[0]
    rows[-1] += side * plane[-1]
    out = rows * centre
    out[:, 1:] += side * rows[:, :-1]
    out[:, :-1] += side * rows[:, 1:]
    out[:, 0] += side * rows[:, 0]
    out[:, -1] += side * rows[:, -1]
    return np.asarray(out, dtype=np.float32)


def arc(start: Point, control: Point, end: Point, steps: int) -> list[Point]:
    """Points of a quadratic Bezier curve."""
    points = []
    for i in range(steps + 1):
        t = i / steps
        a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t * t
        points.append((a * start[0] + b * control[0] + c * end[0], a * start[1] + b * control[1] + c * end[1]))
    return points


def offset_outline(points: list[Point], radii: list[float]) -> list[Point]:
    """The outline of a ribbon: each point moved by its radius to either side of the curve."""
    left, right = [], []
    for i, (x, y) in enumerate(points):
        ahead, behind = points[min(i + 1, len(points) - 1)], points[max(i - 1, 0)]
        dx, dy = ahead[0] - behind[0], ahead[1] - behind[1]
        length = math.hypot(dx, dy) or 1.0
        nx, ny = -dy / length * radii[i], dx / length * radii[i]
        left.append((x + nx, y + ny))
        right.append((x - nx, y - ny))
    return left + right[::-1]
