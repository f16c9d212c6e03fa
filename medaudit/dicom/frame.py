"""One uncompressed frame: its bytes, its bits, its colours. Compressed frames come here once they are decoded."""

import math
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.processing import convert_color_space

from medaudit.dicom.layout import PixelLayout
from medaudit.errors import DecodeError

Pixels = NDArray[np.generic]

# Video range of YBR_PARTIAL: luma 16 .. 235, chroma 16 .. 240 of 0 .. 255 (ITU-R BT.601; PS3.3 C.7.6.3.1.2).
_LUMA: Final = (16.0, 219.0)
_CHROMA: Final = (128.0, 224.0)


def read_native(
    stream: BinaryIO, start: int, length: int, frame: int, layout: PixelLayout, *, little: bool, words: bool
) -> Pixels:
    """Numbers of one uncompressed frame as they are stored, unused bits included.

    Parameters
    ----------
    stream, start, length
        Where the value of the pixels' element begins, and how long it is in bytes.
    frame
        0-based.
    layout
        From :func:`medaudit.dicom.layout.pixel_layout`.
    little
        Byte order of the value.
    words
        Whether the value is one of 16-bit words (VR OW), which matters for 8 bits in big endian.

    Returns
    -------
    (rows, columns) or (rows, columns, 3) in native byte order; not to be written to.

    Raises
    ------
    DecodeError
        The pixels are cut short.

    """
    first_bit = frame * layout.frame_bits
    first, last = first_bit // 8, math.ceil((first_bit + layout.frame_bits) / 8)
    # In big endian words, 8-bit pixels stand in pairs the wrong way round: read whole words.
    swapped = words and not little and layout.bits_allocated <= 8
    low, high = (first - first % 2, last + last % 2) if swapped else (first, last)
    stream.seek(start + low)
    data = stream.read(high - low) if last <= length else b""
    if len(data) < last - low:
        msg = f"pixels: expected {last} bytes for frame {frame + 1}; got {length}; the pixels are cut short"
        raise DecodeError(msg)
    if swapped:
        data = np.frombuffer(data.ljust(high - low, b"\0"), dtype=np.uint16).byteswap().tobytes()
    numbers = _numbers(data[first - low : last - low], first_bit % 8, layout, little=little)
    return _shaped(numbers, layout)


def _numbers(data: bytes, skipped: int, layout: PixelLayout, *, little: bool) -> Pixels:
    if layout.keyword != "PixelData":
        kind = np.dtype(f"{'<' if little else '>'}f{layout.bits_allocated // 8}")
        return np.frombuffer(data, dtype=kind).astype(kind.newbyteorder("="), copy=False)
    count = layout.frame_bits // layout.bits_allocated
    if layout.bits_allocated in (8, 16, 32, 64):
        kind = np.dtype(f"{'<' if little else '>'}{'i' if layout.signed else 'u'}{layout.bits_allocated // 8}")
        return np.frombuffer(data, dtype=kind, count=count).astype(kind.newbyteorder("="), copy=False)
    return _unpacked(data, skipped, count, layout)


def _unpacked(data: bytes, skipped: int, count: int, layout: PixelLayout) -> Pixels:
    """Numbers of 1 or 12 or another number of bits, which follow each other from the lowest bit (PS3.5 8.1.1)."""
    width = layout.bits_allocated
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), bitorder="little")[skipped : skipped + count * width]
    if width == 1:
        return bits
    sign = "i" if layout.signed else "u"
    kind = np.dtype(f"{sign}{1 if width < 8 else 2 if width <= 16 else 4}")
    weights = np.left_shift(np.uint64(1), np.arange(width, dtype=np.uint64))
    return (bits.reshape(count, width) @ weights).astype(kind)


def _shaped(numbers: Pixels, layout: PixelLayout) -> Pixels:
    rows, columns, samples = layout.rows, layout.columns, layout.samples
    if samples == 1:
        return numbers.reshape(rows, columns)
    if layout.is_subsampled:
        # PS3.3 C.7.6.3.1.2: Y1 Y2 B R -> Y1 B R, Y2 B R.
        four = numbers[: numbers.size // 4 * 4].reshape(-1, 4)
        pairs = np.stack((four[:, [0, 2, 3]], four[:, [1, 2, 3]]), axis=1).reshape(-1, 3)
        if len(pairs) < rows * columns:
            pairs = np.concatenate((pairs, pairs[-1:]))
        return pairs[: rows * columns].reshape(rows, columns, 3)
    if layout.planar == 1:
        return np.ascontiguousarray(np.moveaxis(numbers.reshape(samples, rows, columns), 0, -1))
    return numbers.reshape(rows, columns, samples)


def used_bits(stored: Pixels, layout: PixelLayout) -> Pixels:
    """Numbers of Bits Stored below High Bit, with their sign; what other bits hold (overlays, rubbish) is gone."""
    width = 8 * stored.dtype.itemsize
    if stored.dtype.kind not in "iu" or layout.bits_stored >= width or layout.bits_allocated == 1:
        return stored
    if layout.high_bit + 1 == layout.bits_stored and _within(stored, layout.bits_stored):
        return stored
    raised = np.left_shift(stored, width - 1 - layout.high_bit)
    return np.right_shift(raised, width - layout.bits_stored, out=raised)


def _within(stored: Pixels, bits: int) -> bool:
    """Whether every number is one of so many bits already, as it is in most files: looking is faster than shifting."""
    signed = stored.dtype.kind == "i"
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return bool(stored.size) and low <= int(stored.min()) and int(stored.max()) <= high


def as_rgb(stored: Pixels, layout: PixelLayout) -> Pixels:
    """YBR in full or video range as RGB (PS3.3 C.7.6.3.1.2); other pixels as they are."""
    if stored.ndim != 3 or not layout.photometric.startswith("YBR") or stored.dtype.kind not in "iu":
        return stored
    if layout.photometric.startswith("YBR_PARTIAL"):
        stored = _full_range(stored, layout.bits_stored)
    if layout.bits_stored == 8:
        return np.asarray(convert_color_space(stored.astype(np.uint8), "YBR_FULL", "RGB"))
    return _wide_ybr(stored, layout.bits_stored)


def _full_range(stored: Pixels, bits: int) -> Pixels:
    unit = 2.0 ** (bits - 8)
    levels = stored.astype(np.float64) / unit
    levels[..., 0] = (levels[..., 0] - _LUMA[0]) * 255 / _LUMA[1]
    levels[..., 1:] = (levels[..., 1:] - _CHROMA[0]) * 255 / _CHROMA[1] + 128
    return np.clip(np.rint(levels * unit), 0, 2**bits - 1).astype(stored.dtype)


def _wide_ybr(stored: Pixels, bits: int) -> Pixels:
    """The same conversion for more bits than 8, which pydicom's is not made for."""
    luma, blue, red = np.moveaxis(stored.astype(np.float64), -1, 0)
    blue, red = blue - 2.0 ** (bits - 1), red - 2.0 ** (bits - 1)
    rgb = np.stack((luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue), axis=-1)
    return np.asarray(np.clip(np.rint(rgb), 0, 2**bits - 1), dtype=stored.dtype)
