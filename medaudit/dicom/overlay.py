"""Overlay planes (PS3.3 C.9.2): bits that a workstation draws over the picture."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from medaudit.dicom.dataset import PARSE_ERRORS

_GROUPS: Final = frozenset(range(0x6000, 0x6020, 2))
_ROWS, _COLUMNS, _FRAMES, _ORIGIN, _FRAME_ORIGIN = 0x0010, 0x0011, 0x0015, 0x0050, 0x0051
_ALLOCATED, _POSITION, _DATA = 0x0100, 0x0102, 0x3000


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """One plane, laid on its image: ``bits`` is (rows, columns) of the image. ``group`` is 0x6000 .. 0x601E."""

    group: int
    bits: NDArray[np.bool_]
    embedded: bool


def overlays_of(
    ds: Dataset, raw: NDArray[np.generic] | None, shape: tuple[int, int], frame: int
) -> tuple[Overlay, ...]:
    """Every usable overlay plane of one frame, in an element of its own or in the pixels' unused bits.

    Parameters
    ----------
    ds
        The header.
    raw
        Numbers as stored, unused bits included; None where they are gone (compressed pixels).
    shape
        (rows, columns) of the image.
    frame
        0-based.

    """
    found = []
    for group in sorted({tag >> 16 for tag in ds.keys()} & _GROUPS):  # noqa: SIM118 - a data set iterates over elements
        try:
            plane = _plane(ds, group, raw, shape, frame)
        except PARSE_ERRORS:
            continue
        if plane is not None:
            found.append(plane)
    return tuple(found)


def _plane(
    ds: Dataset, group: int, raw: NDArray[np.generic] | None, shape: tuple[int, int], frame: int
) -> Overlay | None:
    rows, columns = _number(ds, group, _ROWS), _number(ds, group, _COLUMNS)
    if Tag(group, _DATA) in ds and rows > 0 and columns > 0:
        index = frame - (_number(ds, group, _FRAME_ORIGIN) or 1) + 1 if _number(ds, group, _FRAMES) > 1 else 0
        bits = _packed(bytes(ds[Tag(group, _DATA)].value), rows, columns, index)
        return None if bits is None else Overlay(group, _laid(bits, _origin(ds, group), shape), embedded=False)
    position = _number(ds, group, _POSITION)
    if raw is None or raw.ndim != 2 or raw.dtype.kind not in "iu" or _number(ds, group, _ALLOCATED) <= 1:
        return None
    high = int(ds.get("HighBit", 8 * raw.dtype.itemsize - 1))
    used = range(high - int(ds.get("BitsStored", high + 1)) + 1, high + 1)
    if not 0 <= position < 8 * raw.dtype.itemsize or position in used:
        return None
    bits = (np.right_shift(raw, position) & 1).astype(np.bool_)
    return Overlay(group, bits, embedded=True)


def _number(ds: Dataset, group: int, element: int) -> int:
    tag = Tag(group, element)
    value = ds[tag].value if tag in ds else None
    return int(value) if value is not None else 0


def _origin(ds: Dataset, group: int) -> tuple[int, int]:
    """0-based (row, column) of the image on which the plane's first bit lies."""
    tag = Tag(group, _ORIGIN)
    row, column = (int(value) for value in ds[tag].value) if tag in ds else (1, 1)
    return row - 1, column - 1


def _packed(data: bytes, rows: int, columns: int, index: int) -> NDArray[np.bool_] | None:
    count = rows * columns
    first = index * count
    low, high = first // 8, math.ceil((first + count) / 8)
    if index < 0 or high > len(data):
        return None
    bits = np.unpackbits(np.frombuffer(data[low:high], dtype=np.uint8), bitorder="little")
    return bits[first % 8 : first % 8 + count].reshape(rows, columns).astype(np.bool_)


def _laid(bits: NDArray[np.bool_], origin: tuple[int, int], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The plane on the image's grid; what lies outside of the image is cut off."""
    whole = np.zeros(shape, dtype=np.bool_)
    (top, left), (height, width) = origin, bits.shape
    rows = slice(max(0, top), min(shape[0], top + height))
    columns = slice(max(0, left), min(shape[1], left + width))
    if rows.start < rows.stop and columns.start < columns.stop:
        whole[rows, columns] = bits[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return whole
