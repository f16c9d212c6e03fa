"""The panes of a study: what the browser gets of an image and its maps, so that it can draw them by itself.

Window, zoom, opacity and threshold then follow the hand without asking the server. ``panes.js`` draws by the rules of
:mod:`medaudit.figures.overlay`; a test in a browser holds its pixels against those.
"""

import zlib
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medaudit.figures.colour import ColourScale
from medaudit.figures.orientation import edge_letters
from medaudit.records import GridMap, ImageAudit, ReadingCopy
from medaudit.records.review import Region
from medaudit.viewer import pictures
from medaudit.viewer.second import Second

COLOURMAPS = ("plasma", "inferno", "viridis", "cividis")
"""Perceptually uniform and brighter with more relevance; the first is that of the PDF."""

CT_WINDOWS = (("lung", (-600.0, 1500.0)), ("soft tissue", (40.0, 400.0)), ("bone", (400.0, 1800.0)))
"""(centre, width) in HU, as radiology departments use them."""

_FASTEST = 1
_NOTHING_SEEN = -1


def image_data(audit: ImageAudit, second: Second | None = None) -> dict[str, Any]:
    """What the browser gets of an image: pixels, geometry and every map, as plain data.

    The maps of a second audit follow those of the first, each known to the map of the same prompt as its ``second``.
    Every audit saw the picture through axes of its own.
    """
    copy, record = audit.reading_copy, audit.record
    maps = [_map(audit, position) for position in range(len(audit.attributions))]
    seconds: list[dict[str, Any]] = []
    for one, sent in zip(audit.attributions, maps, strict=True):
        place = None if second is None else second.place_of(one)
        if second is not None and place is not None:
            sent["second"] = len(maps) + len(seconds)
            seconds.append(_map(second.audit, place) | {"axes": 1, "from": second.name(place)})
    letters = edge_letters(record.patient_orientation)
    return {
        "image": record.image,
        "height": copy.shape[0],
        "width": copy.shape[1],
        "stored": [record.rows, record.columns],
        "shown": packed(copy.shown),
        "channels": 3 if copy.shown.ndim == 3 else 1,
        "sides": letters.sentence(),
        "letters": [letters.top, letters.right, letters.bottom, letters.left],
        "spacing": record.pixel_spacing or record.imager_pixel_spacing,
        "spacingSays": "mm" if record.pixel_spacing else "mm at the detector",
        "seen": None if audit.grid_map.sees_everything() else audit.grid_map.seen,
        "values": _values(copy, CT_WINDOWS if record.elements.get("Modality") == "CT" else ()),
        "axes": [_axes(one.grid_map, copy.shape) for one in (audit, *((second.audit,) if second else ()))],
        "maps": maps + seconds,
        "colours": {name: _table(name) for name in COLOURMAPS},
    }


def region_data(regions: Sequence[Region], image: str) -> list[list[list[float]]]:
    """The regions of an image as plain data: (row, column) in stored pixels."""
    return [[list(point) for point in region.points] for region in regions if region.image == image]


def regions_of(image: str, drawn: object) -> tuple[Region, ...]:
    """Regions as a browser sent them; ValueError where they are none."""
    if not isinstance(drawn, list):
        msg = "regions: expected a list"
        raise ValueError(msg)  # noqa: TRY004 - a value from outside, not a programmer's type
    return tuple(Region(image, tuple((float(row), float(column)) for row, column in points)) for points in drawn)


def packed(array: NDArray[Any]) -> str:
    """The bytes of an array, little endian, by zlib in Base64: what a browser unpacks exactly."""
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return b64encode(zlib.compress(plain.tobytes(), _FASTEST)).decode("ascii")


def _values(copy: ReadingCopy, presets: Sequence[tuple[str, tuple[float, float]]]) -> dict[str, Any] | None:
    """Modality values for window controls; None where a window means nothing."""
    bounds = pictures.window_range(copy)
    if copy.values is None or bounds is None:
        return None
    return {
        "packed": packed(copy.values),
        "slope": copy.slope,
        "intercept": copy.intercept,
        "inverted": copy.inverted,
        "window": copy.window,
        "lowest": bounds.lowest,
        "highest": bounds.highest,
        "widest": bounds.widest,
        "step": bounds.step,
        "presets": presets,
    }


def _axes(grid_map: GridMap, shape: tuple[int, int]) -> list[dict[str, list[float]]]:
    """Of every row and every column: the lower of two neighbouring tokens, or -1, and the share of the upper one."""
    axes = []
    for weights in grid_map.weights(shape):
        unseen = np.isnan(weights[:, 0])
        known = np.where(unseen[:, None], 0, weights)
        lower = np.minimum(np.argmax(known > 0, axis=1), max(weights.shape[1] - 2, 0))
        upper = np.minimum(lower + 1, weights.shape[1] - 1)
        share = np.where(upper > lower, known[np.arange(len(lower)), upper], 0)
        axes.append({"lower": np.where(unseen, _NOTHING_SEEN, lower).tolist(), "share": share.round(6).tolist()})
    return axes


def _map(audit: ImageAudit, position: int) -> dict[str, Any]:
    one = audit.attributions[position]
    own, common = (pictures.map_scale(audit, position, common=common) for common in (False, True))
    return {
        "prompt": one.prompt.text,
        "unit": f"{one.image.quantity.value} per token",
        "columns": one.image.values.shape[1],
        "tokens": [float(f"{value:.7g}") for value in one.image.values.ravel().tolist()],
        "own": own.maximum_nats,
        "common": common.maximum_nats,
        "axes": 0,
        "from": "",
        "second": None,
    }


def _table(name: str) -> list[int]:
    """256 colours, red, green, blue in turn."""
    colours = ColourScale(1.0, name).rgb(np.linspace(0, 1, 256))
    return [int(value) for value in colours.ravel()]
