"""From an opened file to the pixels of one frame: every decoder that may help, in turn."""

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Final

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, JPEGLSTransferSyntaxes, RLELossless

from medaudit.dicom.apart import SlowDecodeError, decode_apart
from medaudit.dicom.codestream import fitting_syntax, inspect_codestream
from medaudit.dicom.dataset import PARSE_ERRORS, OpenedDataset, hushed, open_dataset
from medaudit.dicom.dcmtk import EXTENDED, PROGRAMS, decompress, find_program
from medaudit.dicom.fragments import begins_item, read_frame
from medaudit.dicom.frame import Pixels, as_rgb, read_native, used_bits
from medaudit.dicom.layout import PixelLayout, pixel_bytes, pixel_layout
from medaudit.dicom.overlay import Overlay, overlays_of
from medaudit.dicom.palette import palette_rgb
from medaudit.dicom.runlength import unpack_rle
from medaudit.errors import DecodeError, InputError

DECODE_ERRORS: Final = (*PARSE_ERRORS, RuntimeError)
"""What decoding a broken file raises."""

GE_BIG_ENDIAN: Final = "1.2.840.113619.5.2"
"""GE's private syntax: Implicit VR Little Endian, but for its pixels, which are big endian."""

# Deflated Image Frame Compression (PS3.5 A.4.13).
_FRAME_DEFLATED: Final = frozenset({"1.2.840.10008.1.2.8.1"})
_KEYWORDS: Final = {0x0008: "FloatPixelData", 0x0009: "DoubleFloatPixelData", 0x0010: "PixelData"}
_VRS: Final = (b"OB", b"OW", b"OF", b"OD", b"UN", b"OL", b"OV")
_UNDEFINED: Final = 0xFFFFFFFF
# An RLE segment of two bytes makes 128 at most (PS3.5 G.3.1).
_RLE_EXPANSION: Final = 64

_INSTALL: Final[Mapping[str, str]] = {
    EXTENDED: "install dcmtk (its dcmdjpeg is found on PATH), or medaudit[gpl]",
    **{f"1.2.840.10008.1.2.4.{tail}": "install dcmtk (its dcmdjpeg is found on PATH)" for tail in ("53", "55")},
    **{f"1.2.840.10008.1.2.4.{tail}": "install python-gdcm or dcmtk" for tail in ("57", "70")},
    **{f"1.2.840.10008.1.2.4.{tail}": "install pyjpegls" for tail in ("80", "81")},
    **{f"1.2.840.10008.1.2.4.{tail}": "install pylibjpeg-openjpeg" for tail in ("90", "91", "201", "202", "203")},
    **{
        f"1.2.840.10008.1.2.4.{tail}": "a video is not audited; export single frames"
        for tail in ("100", "101", "102", "103", "104", "105", "106", "107", "108")
    },
    **{f"1.2.840.10008.1.2.4.{tail}": "its pixels lie on a server" for tail in ("94", "95", "204", "205")},
}
_INSTALL_DEFAULT: Final = "convert the file with dcmconv, dcmdjpeg or gdcmconv"


@dataclass(frozen=True, slots=True)
class PixelElement:
    """Where the pixels lie: the value begins at ``start`` and has ``length`` bytes in the file."""

    keyword: str
    start: int
    length: int
    packed: bool
    words: bool


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """Pixels of one frame, colour as RGB; what decoded them; the overlays; and what was odd."""

    stored: Pixels
    decoder: str
    overlays: tuple[Overlay, ...]
    notes: tuple[str, ...]


def install_hint(transfer_syntax_uid: str) -> str:
    """What a person can do where no decoder for a transfer syntax works."""
    return _INSTALL.get(transfer_syntax_uid, _INSTALL_DEFAULT)


def is_encapsulated(syntax: UID) -> bool:
    """Whether a transfer syntax holds its pixels in fragments; a private or unknown one does not."""
    return syntax in _FRAME_DEFLATED or (syntax.is_transfer_syntax and syntax.is_encapsulated)


def locate_pixels(opened: OpenedDataset) -> PixelElement:
    """Find the pixels' value.

    The element's own first bytes say how it is written: some files declare one encoding and are written in another.

    Raises
    ------
    DecodeError
        There is no such element, or it breaks off.

    """
    stream, little = opened.stream, bool(opened.dataset.original_encoding[1])
    size = stream.seek(0, 2)
    stream.seek(opened.pixels_at or 0)
    head = stream.read(12)
    if opened.pixels_at is None or len(head) < 12:
        msg = "Pixel Data (7FE0,0010): expected pixels; the file ends there; retrieve it again"
        raise DecodeError(msg)
    explicit = head[4:6] in _VRS
    order = "<" if little else ">"
    length = struct.unpack(f"{order}I", head[8:12] if explicit else head[4:8])[0]
    start = opened.pixels_at + (12 if explicit else 8)
    undefined = length == _UNDEFINED
    length = size - start if undefined else min(length, size - start)
    # Few files define the length of encapsulated pixels; a native picture hardly begins like an item.
    packed = begins_item(stream, start) and (undefined or is_encapsulated(opened.encoding))
    keyword = _KEYWORDS[struct.unpack(f"{order}H", head[2:4])[0]]
    return PixelElement(keyword, start, length, packed, words=not explicit or head[4:6] != b"OB")


def decode_frame(opened: OpenedDataset, frame: int) -> Decoded:
    """Decode one frame, and nothing else of the pixels.

    Raises
    ------
    DecodeError
        No decoder here can; the message says what was tried and what to install.
    InputError
        There is no such frame.

    """
    element = locate_pixels(opened)
    layout = pixel_layout(opened.dataset, element.keyword)
    if not 0 <= frame < layout.frames:
        msg = f"frame: expected 0 .. {layout.frames - 1}; got {frame}"
        raise InputError(msg)
    if element.packed:
        stored, raw, decoder, notes = _compressed(opened, element, layout, frame)
    else:
        stored, raw, decoder, notes = _native(opened, element, layout, frame)
    if layout.photometric == "PALETTE COLOR":
        stored = palette_rgb(stored, opened.dataset, little=bool(opened.dataset.original_encoding[1]))
    overlays = overlays_of(opened.dataset, raw, (layout.rows, layout.columns), frame)
    return Decoded(stored, decoder, overlays, (*layout.notes, *notes))


_Parts = tuple[Pixels, Pixels | None, str, tuple[str, ...]]


def _native(opened: OpenedDataset, element: PixelElement, layout: PixelLayout, frame: int) -> _Parts:
    little = bool(opened.dataset.original_encoding[1]) and str(opened.transfer_syntax) != GE_BIG_ENDIAN
    notes: tuple[str, ...] = ()
    if is_encapsulated(opened.encoding):
        notes = (f"{opened.encoding.name} declared, but the pixels are not compressed",)
    fitted = layout.fitted_to(8 * element.length)
    notes += fitted.notes[len(layout.notes) :]
    try:
        raw = read_native(
            opened.stream, element.start, element.length, frame, fitted, little=little, words=element.words
        )
    except DecodeError as error:
        raise DecodeError(_failure(opened, f"{error}", "retrieve the file again")) from None
    return as_rgb(used_bits(raw, fitted), fitted), raw, "medaudit", notes


def _compressed(opened: OpenedDataset, element: PixelElement, layout: PixelLayout, frame: int) -> _Parts:
    try:
        data = read_frame(opened.stream, element.start, frame, layout.frames)
    except DecodeError as error:
        raise DecodeError(_failure(opened, str(error), "retrieve the file again")) from None
    _require_plausible(opened, data, layout)
    declared, fitting = str(opened.encoding), fitting_syntax(data)
    syntaxes = [declared] if is_encapsulated(opened.encoding) else []
    syntaxes += [fitting] if fitting and fitting not in syntaxes else []
    tried: list[str] = []
    if declared in _FRAME_DEFLATED or (declared == RLELossless and layout.bits_allocated == 1):
        raw = _bytes_of(opened, data, layout)
        return as_rgb(used_bits(raw, layout), layout), raw, "medaudit", ()
    if declared == RLELossless and (unpacked := unpack_rle(data, layout)) is not None:
        return as_rgb(used_bits(unpacked, layout), layout), unpacked, "pylibjpeg", ()
    for syntax in syntaxes:
        found = _by_any(syntax, data, layout, tried)
        if found is not None:
            stored, decoder, complaints = found
            notes: tuple[str, ...] = ()
            if complaints:
                notes = (f"the decoder reported {complaints} irregularities",)
            if syntax != declared:
                notes += (f"{opened.encoding.name} declared, but the pixels are {UID(syntax).name}",)
            if syntax == RLELossless:
                return as_rgb(used_bits(stored, layout), layout), stored, decoder, notes
            if syntax in JPEGLSTransferSyntaxes and layout.signed:
                # JPEG-LS knows no sign, and some encoders give it whole words: the sign stands at Bits Stored.
                stored = used_bits(stored, replace(layout, high_bit=layout.bits_stored - 1))
            return stored, None, decoder, notes
    what = f"tried {', '.join(tried)}" if tried else "no decoder for it is installed"
    raise DecodeError(_failure(opened, what, install_hint(str(opened.transfer_syntax))))


def _bytes_of(opened: OpenedDataset, data: bytes, layout: PixelLayout) -> Pixels:
    """Frames that are bytes once more: deflated one by one (PS3.5 A.4.13), or bits in RLE."""
    size = -(-layout.frame_bits // 8)
    try:
        if opened.encoding == RLELossless:
            options = pixel_bytes(size).options()
            plain = decode_apart(str(RLELossless), "pydicom", options, data)[0].tobytes()
        else:
            plain = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size)
    except (InputError, *DECODE_ERRORS) as error:
        raise DecodeError(_failure(opened, f"got {type(error).__name__}", "retrieve the file again")) from None
    return read_native(BytesIO(plain), 0, len(plain), 0, layout, little=True, words=False)


def _by_any(syntax: str, data: bytes, layout: PixelLayout, tried: list[str]) -> tuple[Pixels, str, int] | None:
    """Pixels, the decoder's name and the number of its complaints; None where every decoder failed."""
    options = layout.options()
    if syntax == RLELossless:
        # Unused bits and colour are seen to here, as for uncompressed pixels.
        options |= {"correct_unused_bits": False, "as_rgb": False}
    for plugin in _plugins(syntax):
        try:
            stored, complaints = decode_apart(syntax, plugin, options, data)
            return stored.astype(stored.dtype.newbyteorder("="), copy=False), plugin, complaints
        except SlowDecodeError as error:
            tried.append(f"{plugin} ({_kind(error)})")
            return None
        except (InputError, *DECODE_ERRORS) as error:
            tried.append(f"{plugin} ({_kind(error)})")
    program = find_program(syntax)
    if program:
        name = f"{PROGRAMS[syntax]} (dcmtk)"
        try:
            with decompress(program, syntax, layout, data) as plain, hushed() as caught:
                opened = open_dataset(plain)
                element = locate_pixels(opened)
                unpacked = pixel_layout(opened.dataset)
                numbers = read_native(plain, element.start, element.length, 0, unpacked, little=True, words=True)
                return as_rgb(used_bits(numbers, unpacked), unpacked), name, len(caught)
        except (InputError, *DECODE_ERRORS) as error:
            tried.append(f"{name} ({_kind(error)})")
    return None


def _kind(error: Exception) -> str:
    """What a decoder ended with: an error of its own library by its class, ours by its last words."""
    return str(error).rsplit("got ", 1)[-1] if isinstance(error, DecodeError) else type(error).__name__


def _plugins(syntax: str) -> Sequence[str]:
    """The plugins worth a try, in order.

    Rust and C++ before Python; Pillow after those that know more than 8 bits; gdcm last, as its C++ is the first to
    fall over a broken codestream.
    """
    try:
        available = get_decoder(UID(syntax)).available_plugins
    except NotImplementedError:
        return ()
    last = ("pydicom", "pillow", "gdcm")
    return sorted(available, key=lambda name: last.index(name) + 1 if name in last else 0)


def _require_plausible(opened: OpenedDataset, data: bytes, layout: PixelLayout) -> None:
    """Refuse a frame that cannot hold what it promises, before a decoder allocates for it."""
    found = inspect_codestream(data)
    # JPEG may leave its number of rows to a later marker, and say 0 (ITU-T T.81 B.2.2).
    if found and (found.rows or layout.rows, found.columns) != (layout.rows, layout.columns):
        what = f"its header promises {layout.rows} x {layout.columns}, its pixels {found.rows} x {found.columns}"
        raise DecodeError(_failure(opened, what, "retrieve the file again"))
    if opened.encoding == RLELossless and 8 * len(data) * _RLE_EXPANSION < layout.frame_bits:
        what = f"{len(data)} bytes cannot hold {layout.rows} x {layout.columns} pixels"
        raise DecodeError(_failure(opened, what, "retrieve the file again"))


def _failure(opened: OpenedDataset, what: str, way_out: str) -> str:
    syntax = opened.transfer_syntax
    name = f"{syntax.name} ({syntax})" if syntax.is_valid else "an invalid UID"
    return f"Transfer Syntax UID (0002,0010) {name}: expected to decode the pixels; {what}; {way_out}"
