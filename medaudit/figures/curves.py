"""Charts of faithfulness curves: where lines run and names stand, in points; the PDF and the pages draw the same."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medaudit.figures.wording import number
from medaudit.records import FaithfulnessCurve, Walk

LETTERS = 6.8
"""Points of the letters in a chart."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 30.0, 6.0, 25.0, 23.0  # points around the plot, for ticks and the axes' names
_LETTER_WIDTH = 0.62  # of a letter's height, a little more than most need in bold
_CLEAR = 1.5  # points between a line and its name
_ENOUGH = 9.0  # points to all other lines; further away is no better
_STEEP = 0.1  # points of room that a point of its line's own rise costs a name: it reads best on a flat stretch
_PLACES = 25  # along a line, at which its name is tried
_STEPS = (1, 2, 5, 10)  # times a power of ten, between ticks
_MOST_TICKS = 5
_FLATTEST = 0.02  # as a cosine; what moves less looks flat

Point = tuple[float, float]


class Ink(StrEnum):
    """What a mark is drawn in; whoever draws says in which colour."""

    INK = "ink"
    SOFT = "soft"
    RULE = "rule"
    ACCENT = "accent"


LINES = ("own", "random", "constant", "centre")
"""The lines of a chart, by the fields of a curve."""

# Told apart by thickness and dashes, so that grey print keeps them apart.
_PENS: Mapping[str, tuple[Ink, float, tuple[float, ...]]] = {
    "random": (Ink.SOFT, 0.9, (1, 1.6)),
    "constant": (Ink.SOFT, 0.9, (4, 2)),
    "centre": (Ink.SOFT, 0.9, (6, 1.8, 1, 1.8)),
    "own": (Ink.ACCENT, 1.7, ()),
}


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line through points, from the lower left of the chart."""

    points: tuple[Point, ...]
    ink: Ink
    width: float
    dash: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Label:
    """Text on a baseline; ``bare`` clears the ground behind it, so that it reads where it must lie on a line."""

    text: str
    at: Point
    ink: Ink
    anchor: Literal["start", "middle", "end"] = "start"
    bold: bool = False
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """What to draw, in this order: strokes, then labels. ``alternative`` says it in words, numbers included."""

    width: float
    height: float
    strokes: tuple[Stroke, ...]
    labels: tuple[Label, ...]
    alternative: str


@dataclass(frozen=True, slots=True)
class ChartWords:
    """The texts of a chart in one language.

    ``names`` are those of the lines, by the fields of a curve; ``number`` writes a number with so many decimals.
    ``areas`` is filled in with ``values``, ``alternative`` with ``walk``, ``share``, ``cosine`` and ``areas``.
    """

    walks: Mapping[Walk, str]
    shares: Mapping[Walk, str]
    cosine: str
    names: Mapping[str, str]
    areas: str
    alternative: str
    number: Callable[[float, int], str]

    def stated_areas(self, curve: FaithfulnessCurve) -> str:
        """The area under every line, in words."""
        # Rounded first: a tiny negative number is a plain 0, which adding 0.0 makes of -0.0.
        pairs = (f"{self.names[name]} {self.number(round(area, 3) + 0.0, 3)}" for name, area in curve.areas.items())
        return self.areas.format(values="; ".join(pairs))


ENGLISH = ChartWords(
    walks={Walk.INSERTION: "Insertion", Walk.DELETION: "Deletion"},
    shares={Walk.INSERTION: "share of the picture shown (%)", Walk.DELETION: "share of the picture hidden (%)"},
    cosine="cosine similarity",
    names={"own": "map", "random": "random", "constant": "constant", "centre": "centre"},
    areas="Area: {values}.",
    alternative="{walk}: {cosine} against {share}. {areas}",
    number=number,
)

HOW_TO_READ = (
    "The most relevant parts of the picture come first: shown over its blur (insertion), or hidden by it (deletion). "
    "Where a map tells what the similarity rests on, its line rises sooner, and falls sooner, than those of maps that "
    "know nothing: random (mean of three), constant, centre. The upright axis is common to all prompts of this image; "
    "areas are those under the lines."
)
"""What stands below the two charts of a prompt."""

NO_CURVE = "No curves: the model scores this finding no higher than its negation, so there is nothing to take away."
"""What stands in their place where the check walked for other prompts of the image."""


@dataclass(frozen=True, slots=True)
class CosineAxis:
    """The upright axis of all charts of an image, so that a flat line looks flat. ``ticks`` include both ends."""

    ticks: tuple[float, ...]
    decimals: int

    @classmethod
    def over(cls, curves: Iterable[FaithfulnessCurve]) -> "CosineAxis":
        """The axis that holds every line of some curves between round ticks; of none, one around 0."""
        values = [value for curve in curves for line in curve.lines.values() for value in line] or [0]
        middle, half = (max(values) + min(values)) / 2, max(max(values) - min(values), _FLATTEST) / 2
        low, high = middle - half, middle + half
        least = (high - low) / (_MOST_TICKS - 1)
        power = math.floor(math.log10(least))
        step = next(step for step in _STEPS if step * 10.0**power >= least * (1 - 1e-9))
        unit = step * 10.0**power
        first, last = math.floor(low / unit + 1e-9), math.ceil(high / unit - 1e-9)
        decimals = max(0, -power - (step == _STEPS[-1]))
        return cls(tuple(round(place * unit, decimals) + 0.0 for place in range(first, last + 1)), decimals)

    def place(self, value: float) -> float:
        """Share of the height from below, 0 .. 1."""
        return (value - self.ticks[0]) / (self.ticks[-1] - self.ticks[0])


def curve_chart(
    curve: FaithfulnessCurve, axis: CosineAxis, size: tuple[float, float], words: ChartWords = ENGLISH
) -> Chart:
    """One walk as a chart of ``size`` (width, height) in points: cosine against share, the map's line the thick one."""
    wide, high = size[0] - _LEFT - _RIGHT, size[1] - _TOP - _BOTTOM
    lines = {
        name: np.array(
            [(share * wide, axis.place(value) * high) for share, value in zip(curve.share, line, strict=True)]
        )
        for name, line in curve.lines.items()
    }
    names = {name: words.names[name] for name in lines}
    data = [
        Stroke(tuple((_LEFT + x, _BOTTOM + y) for x, y in lines[name].tolist()), *pen) for name, pen in _PENS.items()
    ]
    labels = [
        Label(names[name], (_LEFT + x, _BOTTOM + y), _PENS[name][0], bold=name == "own", bare=True)
        for name, (x, y) in _places(lines, names, (wide, high)).items()
    ]
    frame, ticks = _frame(axis, size, words)
    head = (
        Label(words.walks[curve.walk], (0, size[1] - LETTERS), Ink.INK, bold=True),
        Label(words.cosine, (0, size[1] - _TOP + LETTERS), Ink.SOFT),
        Label(words.shares[curve.walk], (_LEFT + wide / 2, 2), Ink.SOFT, "middle"),
    )
    told = words.alternative.format(
        walk=words.walks[curve.walk],
        share=words.shares[curve.walk],
        cosine=words.cosine,
        areas=words.stated_areas(curve),
    )
    return Chart(*size, (*frame, *data), (*head, *ticks, *labels), told)


def _frame(axis: CosineAxis, size: tuple[float, float], words: ChartWords) -> tuple[list[Stroke], list[Label]]:
    """Rules at the ticks of both axes, and the ticks' numbers."""
    right, top = size[0] - _RIGHT, size[1] - _TOP
    strokes, labels = [], []
    for value in axis.ticks:
        y = _BOTTOM + axis.place(value) * (top - _BOTTOM)
        strokes.append(Stroke(((_LEFT, y), (right, y)), Ink.RULE, 0.5))
        labels.append(Label(words.number(value, axis.decimals), (_LEFT - 4, y - LETTERS * 0.36), Ink.SOFT, "end"))
    for share in (0, 50, 100):
        x = _LEFT + share / 100 * (right - _LEFT)
        strokes.append(Stroke(((x, _BOTTOM), (x, _BOTTOM - 2.5)), Ink.SOFT, 0.5))
        labels.append(Label(str(share), (x, _BOTTOM - 3 - LETTERS), Ink.SOFT, "middle"))
    return strokes, labels


def _places(lines: Mapping[str, NDArray[np.float64]], names: Mapping[str, str], size: Point) -> dict[str, Point]:
    """Left ends of the baselines of names on their own lines, as far as can be from the others and from each other.

    ``lines`` are (n, 2) points each. Every line's name is tried above and below it at places all along.
    """
    found: dict[str, Point] = {}
    taken: list[NDArray[np.float64]] = []
    for name in lines:
        wide = len(names[name]) * LETTERS * _LETTER_WIDTH
        lefts = np.linspace(2, size[0] - wide - 2, _PLACES)
        across = np.linspace(lefts, lefts + wide, 9, axis=1)  # (places, 9)
        heights = {other: np.interp(across, *line.T) for other, line in lines.items()}
        own = heights.pop(name)
        bottoms = np.stack([own.max(1) + _CLEAR, own.min(1) - _CLEAR - LETTERS], axis=1)  # (places, 2)
        lefts = np.broadcast_to(lefts[:, None], bottoms.shape)
        boxes = np.stack([lefts, bottoms, lefts + wide, bottoms + LETTERS], axis=-1)
        room = np.full(bottoms.shape, float(_ENOUGH))
        for line in heights.values():
            room = np.minimum(room, _apart(boxes, line[:, None]))
        blocked = (bottoms < 0) | (bottoms + LETTERS > size[1])
        for other in taken:
            blocked |= _overlap(boxes, other)
        room = room - _STEEP * np.ptp(own, axis=1)[:, None] - 100 * blocked
        chosen = boxes.reshape(-1, 4)[int(np.argmax(room))]
        taken.append(chosen)
        found[name] = (float(chosen[0]), float(chosen[1]) + LETTERS * 0.2)
    return found


def _apart(boxes: NDArray[np.float64], heights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points between boxes (..., left bottom right top) and a line's heights (..., n) over them; 0 where they meet."""
    bottom, top = boxes[..., 1, None], boxes[..., 3, None]
    apart: NDArray[np.float64] = np.maximum(np.maximum(bottom - heights, heights - top), 0).min(axis=-1)
    return apart


def _overlap(boxes: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray((boxes[..., :2] < other[2:] + 1).all(-1) & (other[:2] < boxes[..., 2:] + 1).all(-1))


@dataclass(frozen=True, slots=True)
class Colours:
    """What a chart is drawn in, in CSS; ``paper`` is the ground."""

    inks: Mapping[Ink, str]
    paper: str


def svg(chart: Chart, colours: Colours) -> str:
    """A chart as SVG that loads nothing, with its alternative text."""
    strokes = "".join(_svg_stroke(chart, one, colours.inks[one.ink]) for one in chart.strokes)
    labels = "".join(_svg_label(chart, one, colours.inks[one.ink], colours.paper) for one in chart.labels)
    told = escape(chart.alternative)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {chart.width:g} {chart.height:g}" role="img" '
        f'aria-label="{told}" font-family="system-ui,Noto Sans,sans-serif" font-size="{LETTERS}">'
        f"<title>{told}</title>{strokes}{labels}</svg>"
    )


def _svg_stroke(chart: Chart, one: Stroke, colour: str) -> str:
    points = " ".join(f"{x:.2f},{chart.height - y:.2f}" for x, y in one.points)
    dash = f' stroke-dasharray="{_joined(one.dash)}"' if one.dash else ""
    return (
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{one.width}" '
        f'stroke-linejoin="round"{dash}/>'
    )


def _svg_label(chart: Chart, one: Label, colour: str, paper: str) -> str:
    x, y = one.at
    ground = f' stroke="{paper}" stroke-width="2.4" stroke-linejoin="round" paint-order="stroke"' if one.bare else ""
    weight = ' font-weight="600"' if one.bold else ""
    return (
        f'<text x="{x:.2f}" y="{chart.height - y:.2f}" fill="{colour}" text-anchor="{one.anchor}"{weight}{ground}>'
        f"{escape(one.text)}</text>"
    )


def _joined(numbers: Sequence[float]) -> str:
    return " ".join(f"{one:g}" for one in numbers)
