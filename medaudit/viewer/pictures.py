"""Pictures of a page: the reading copy, the map over it, and the vector marks on both."""

import math
from base64 import b64encode
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from medaudit.figures.colour import ColourScale
from medaudit.figures.contour import contours
from medaudit.figures.orientation import EdgeLetters, edge_letters
from medaudit.figures.overlay import overlay, png
from medaudit.records import Attribution, GridMap, ImageAudit, ReadingCopy

# Shares of the picture's longer side.
_LETTER = 0.045
_INSET = 0.018
_LINE = 0.0022


@dataclass(frozen=True, slots=True)
class Look:
    """How a reader looks at a map.

    ``opacity`` is 0 .. 1; ``threshold_nats`` hides relevance below it. ``common_scale``: one colour
    scale for all prompts of the image rather than one for this prompt. ``window`` is (centre, width)
    in modality values; None shows the picture as it was displayed to the model.
    """

    opacity: float = 0.55
    threshold_nats: float = 0.0
    common_scale: bool = True
    window: tuple[float, float] | None = None


def map_scale(audit: ImageAudit, position: int, *, common: bool) -> ColourScale:
    """Colour scale of the map of a prompt: its own, or one for all prompts of the image."""
    return ColourScale.for_maps(
        one.image for one in (audit.attributions if common else (audit.attributions[position],))
    )


def scale_sentence(scale: ColourScale, unit: str, *, common: bool) -> str:
    """What a colour bar says of its scale."""
    return scale.sentence(unit) if common else f"{scale.sentence(unit, '')}, for this prompt alone"


def shown_under(copy: ReadingCopy, window: tuple[float, float] | None) -> NDArray[np.uint8]:
    """uint8 (h, w) or (h, w, 3): the reading copy under a window, or as it was displayed to the model."""
    return copy.shown if window is None else copy.windowed(*window)


def source_png(copy: ReadingCopy, window: tuple[float, float] | None = None) -> bytes:
    """The picture without a map."""
    return png(shown_under(copy, window))


def overlay_png(copy: ReadingCopy, attribution: Attribution, scale: ColourScale, look: Look) -> bytes:
    """The picture under the map of one prompt; hatched where the model saw nothing."""
    return png(
        overlay(
            shown_under(copy, look.window),
            attribution.image.pixels(copy.shape),
            scale,
            opacity=look.opacity,
            threshold_nats=look.threshold_nats,
        )
    )


@dataclass(frozen=True, slots=True)
class WindowRange:
    """Bounds of the window controls in modality values; ``step`` for centre and width."""

    lowest: float
    highest: float
    widest: float
    step: float


def window_range(copy: ReadingCopy) -> WindowRange | None:
    """What the window controls offer: every value of the picture, and its own window.

    None where a window means nothing: in a colour picture, or one whose pixels are all alike.
    """
    if copy.values is None or copy.window is None:
        return None
    ends = [float(end) * copy.slope + copy.intercept for end in (copy.values.min(), copy.values.max())]
    center, width = copy.window
    lowest, highest = min(*ends, center), max(*ends, center)
    if ends[0] == ends[1]:
        return None
    span = highest - lowest
    # Whole steps for integer-like values such as Hounsfield units, fractions for values such as SUV.
    step = float(10 ** math.floor(math.log10(span / 100)))
    return WindowRange(lowest, highest, max(span, width), step)


def source_svg(audit: ImageAudit, window: tuple[float, float] | None) -> str:
    """The picture with orientation letters, and the outline of what the model saw if that is not all."""
    copy = audit.reading_copy
    marks = _letters(copy.shape, edge_letters(audit.record.patient_orientation))
    if not audit.grid_map.sees_everything():
        marks += _field_of_view(copy.shape, audit.grid_map)
    return _svg(source_png(copy, window), copy.shape, marks, f"Picture of {audit.record.image}")


def overlay_svg(audit: ImageAudit, position: int, look: Look) -> str:
    """The map of a prompt over the picture, with letters, and a contour at the threshold if there is one."""
    copy, attribution = audit.reading_copy, audit.attributions[position]
    scale = map_scale(audit, position, common=look.common_scale)
    marks = _letters(copy.shape, edge_letters(audit.record.patient_orientation))
    if look.threshold_nats > 0:
        marks += _contour(copy.shape, attribution.image.pixels(copy.shape), look.threshold_nats)
    label = f"Map of {audit.record.image} for: {attribution.prompt.text}"
    return _svg(overlay_png(copy, attribution, scale, look), copy.shape, marks, label)


def _svg(picture: bytes, shape: tuple[int, int], marks: str, label: str) -> str:
    height, width = shape
    data = b64encode(picture).decode("ascii")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f"<title>{escape(label)}</title>"
        f'<image width="{width}" height="{height}" href="data:image/png;base64,{data}"/>{marks}</svg>'
    )


def _letters(shape: tuple[int, int], letters: EdgeLetters) -> str:
    height, width = shape
    size, inset = _LETTER * max(shape), _INSET * max(shape)
    places = (
        (letters.left, inset, height / 2, "start", "central"),
        (letters.right, width - inset, height / 2, "end", "central"),
        (letters.top, width / 2, inset, "middle", "hanging"),
        (letters.bottom, width / 2, height - inset, "middle", "auto"),
    )
    return "".join(
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" dominant-baseline="{baseline}" '
        f'font-family="system-ui, sans-serif" font-weight="600" font-size="{size:.1f}" fill="#fff" '
        f'stroke="#000" stroke-opacity="0.7" stroke-width="{size / 7:.1f}" stroke-linejoin="round" '
        f'paint-order="stroke">{escape(text)}</text>'
        for text, x, y, anchor, baseline in places
        if text
    )


def _field_of_view(shape: tuple[int, int], grid_map: GridMap) -> str:
    """Dashed outline of what the model saw."""
    height, width = shape
    down, across = height / grid_map.stored[0], width / grid_map.stored[1]
    top, bottom, left, right = grid_map.seen
    line = _LINE * max(shape)
    return (
        f'<rect x="{(left + 0.5) * across + line:.1f}" y="{(top + 0.5) * down + line:.1f}" '
        f'width="{max(0.0, (right - left) * across - 2 * line):.1f}" '
        f'height="{max(0.0, (bottom - top) * down - 2 * line):.1f}" '
        f'fill="none" stroke="#fff" stroke-opacity="0.85" stroke-width="{line:.1f}" '
        f'stroke-dasharray="{5 * line:.1f} {3.5 * line:.1f}"/>'
    )


def _contour(shape: tuple[int, int], nats: NDArray[np.float32], level: float) -> str:
    """Where relevance crosses the threshold; pixel centres lie half a unit inside the picture's corner."""
    paths = "".join(
        "M" + "L".join(f"{column + 0.5:.1f} {row + 0.5:.1f}" for row, column in line) for line in contours(nats, level)
    )
    return f'<path d="{paths}" fill="none" stroke="#fff" stroke-width="{_LINE * max(shape):.1f}"/>' if paths else ""
