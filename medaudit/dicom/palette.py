"""Palette colour: stored numbers through three lookup tables (PS3.3 C.7.6.3.1.5, C.7.6.3.1.6, C.7.9.2)."""

import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from medaudit.dicom.dataset import PARSE_ERRORS, numbers_of
from medaudit.errors import DecodeError

_NAMES: Final = ("Red", "Green", "Blue")
# A segmented table of these bytes may not expand to more entries than any table has.
_ENTRY_LIMIT: Final = 2**16


def palette_rgb(stored: NDArray[np.generic], ds: Dataset, *, little: bool) -> NDArray[np.generic]:
    """(rows, columns) of stored numbers as (rows, columns, 3) of uint8 or uint16, by the depth of the tables.

    Raises
    ------
    DecodeError
        A table is missing or unusable.

    """
    try:
        tables = [_table(ds, name, little=little) for name in _NAMES]
    except (*PARSE_ERRORS, struct.error) as error:
        msg = (
            "Palette Color Lookup Table (0028,1101-1223): expected three usable tables; "
            f"got {type(error).__name__}; export the image as RGB"
        )
        raise DecodeError(msg) from None
    numbers = stored.astype(np.int64)
    planes = [entries[np.clip(numbers - first, 0, len(entries) - 1)] for entries, first in tables]
    kind = np.uint8 if all(plane.dtype == np.uint8 for plane in planes) else np.uint16
    return np.stack([plane.astype(kind) for plane in planes], axis=-1)


def palette_bits(ds: Dataset) -> int:
    """Bits of a table's entries, 8 or 16, by its descriptor."""
    descriptor = numbers_of(ds, "RedPaletteColorLookupTableDescriptor")
    return 8 if len(descriptor) == 3 and descriptor[2] == 8 else 16


def _table(ds: Dataset, name: str, *, little: bool) -> tuple[NDArray[np.generic], int]:
    """The entries of one colour, and the stored number that the first of them is for."""
    count, first, bits = (int(value) for value in numbers_of(ds, f"{name}PaletteColorLookupTableDescriptor"))
    count = count % 2**16 or 2**16
    if int(ds.get("PixelRepresentation", 0) or 0) == 0:
        first %= 2**16
    data = ds.get(f"{name}PaletteColorLookupTableData")
    order = "<" if little else ">"
    if data:
        raw = bytes(data)
        # 8-bit entries lie in words (low byte first), or in 16 bits each; the length tells.
        if len(raw) >= 2 * count:
            entries = np.frombuffer(raw, dtype=f"{order}u2", count=count)
        else:
            words = np.frombuffer(raw[: len(raw) // 2 * 2], dtype=f"{order}u2").astype("<u2")
            entries = np.frombuffer(words.tobytes() + raw[len(raw) // 2 * 2 :], dtype=np.uint8)[:count]
    else:
        entries = _segments(bytes(ds[f"Segmented{name}PaletteColorLookupTableData"].value), order, bits)
    if not len(entries):
        raise ValueError(name)
    if bits == 8 and entries.dtype.itemsize == 2:
        # Some write 8-bit entries in the high byte, some in both bytes.
        entries = (entries >> 8 if entries.max() > 255 else entries).astype(np.uint8)
    return entries.astype(entries.dtype.newbyteorder("=")), first


def _segments(raw: bytes, order: str, bits: int) -> NDArray[np.generic]:
    """A segmented table, expanded: discrete, linear and indirect segments (PS3.3 C.7.9.2)."""
    if bits == 8 and order == ">":
        raw = np.frombuffer(raw[: len(raw) // 2 * 2], dtype=np.uint16).byteswap().tobytes()
    unit = "H" if bits == 16 else "B"
    width = struct.calcsize(unit)
    numbers = list(struct.unpack(f"{order}{len(raw) // width}{unit}", raw[: len(raw) // width * width]))
    return np.array(_expanded(numbers, 0, len(numbers), bits, []), dtype=np.uint16 if bits == 16 else np.uint8)


def _expanded(numbers: list[int], position: int, segments: int, bits: int, out: list[int]) -> list[int]:
    while position + 1 < len(numbers) and segments > 0 and len(out) <= _ENTRY_LIMIT:
        kind, length = numbers[position], numbers[position + 1]
        if kind == 0:
            out += numbers[position + 2 : position + 2 + length]
            position += 2 + length
        elif kind == 1:
            start, stop = out[-1], numbers[position + 2]
            out += [round(start + (stop - start) * step / length) for step in range(1, length + 1)]
            position += 3
        elif kind == 2:
            words = numbers[position + 2 : position + (4 if bits == 16 else 6)]
            width = 16 if bits == 16 else 8
            offset = sum(word << width * place for place, word in enumerate(words)) // (width // 8)
            if offset >= position:
                raise ValueError(kind)
            _expanded(numbers, offset, length, bits, out)
            position += 2 + len(words)
        else:
            raise ValueError(kind)
        segments -= 1
    return out
