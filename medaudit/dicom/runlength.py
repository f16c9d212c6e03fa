"""RLE Lossless (PS3.5 Annex G) in this process: a frame that keeps to the standard needs no helper process.

``decode_segment`` of pylibjpeg-rle is Rust that checks every index, and ends after as many steps as there are bytes.
Its ``decode_frame`` is not called: on broken frames it panics. Whatever is irregular is left to the decoders that run
apart.
"""

import struct
from itertools import pairwise
from typing import Final

import numpy as np
from rle.rle import decode_segment

from medaudit.dicom.frame import Pixels
from medaudit.dicom.layout import PixelLayout

_HEADER: Final = 64
_SEGMENTS: Final = 15
# Two bytes make 128 at most: a broken segment of this length may take 1 GiB, as much as the largest frame.
_SEGMENT_LIMIT: Final = 2**24


def unpack_rle(data: bytes, layout: PixelLayout) -> Pixels | None:
    """One frame as numbers as they are stored, (rows, columns) or (rows, columns, 3); None where it is irregular.

    Regular is a frame with a segment for every byte of a pixel, the high byte first, each of which holds exactly
    ``layout.rows * layout.columns`` bytes (PS3.5 G.2, G.5).
    """
    width, count = layout.bits_allocated // 8, layout.rows * layout.columns
    segments = _segments(data)
    if layout.bits_allocated not in (8, 16, 32, 64) or len(segments) != width * layout.samples:
        return None
    numbers = np.empty((layout.samples, count, width), dtype=np.uint8)
    for place, segment in enumerate(segments):
        sample, byte = divmod(place, width)
        try:
            plane = decode_segment(segment)
        except ValueError:
            return None
        if len(plane) != count:
            return None
        numbers[sample, :, width - 1 - byte] = np.frombuffer(plane, dtype=np.uint8)
    kind = np.dtype(f"<{'i' if layout.signed else 'u'}{width}")
    planes = numbers.view(kind).astype(kind.newbyteorder("="), copy=False)
    shaped = planes.reshape(layout.samples, layout.rows, layout.columns)
    return shaped[0] if layout.samples == 1 else np.ascontiguousarray(np.moveaxis(shaped, 0, -1))


def _segments(data: bytes) -> list[bytes]:
    """The segments that the header names (PS3.5 G.5), none of them empty; no segment where the header is wrong."""
    if len(data) <= _HEADER:
        return []
    count, *offsets = struct.unpack(f"<{1 + _SEGMENTS}I", data[:_HEADER])
    if not 1 <= count <= _SEGMENTS or offsets[0] != _HEADER:
        return []
    bounds = [*offsets[:count], len(data)]
    pairs = list(pairwise(bounds))
    if not all(0 < stop - start <= _SEGMENT_LIMIT for start, stop in pairs):
        return []
    return [data[start:stop] for start, stop in pairs]
