"""What the first bytes of a compressed frame say of it: its coding, its size, its bits. Nothing is decoded."""

import struct
from dataclasses import dataclass
from typing import Final

# JPEG start-of-frame markers (ITU-T T.81 Table B.1, T.87 C.1.1) -> Transfer Syntax UID tail.
_SOF: Final = {0xC0: "50", 0xC1: "51", 0xC2: "55", 0xC3: "57", 0xF7: "80"}
_JPEG: Final = "1.2.840.10008.1.2.4."
_JP2: Final = b"\x00\x00\x00\x0cjP  "
_RLE: Final = "1.2.840.10008.1.2.5"


@dataclass(frozen=True, slots=True)
class Codestream:
    """``syntax`` is the Transfer Syntax UID that fits the coding best; sizes are the codestream's own, in pixels."""

    syntax: str
    rows: int
    columns: int
    components: int
    precision: int


def inspect_codestream(data: bytes) -> Codestream | None:
    """Read the frame header of JPEG, JPEG-LS, JPEG 2000 or HTJ2K; None for anything else."""
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    if data.startswith(_JP2):
        start = data.find(b"\xff\x4f\xff\x51", 0, 4096)
        return _jpeg_2000(data[start:]) if start > 0 else None
    return _jpeg_2000(data) if data.startswith(b"\xff\x4f\xff\x51") else None


def looks_like_rle(data: bytes) -> bool:
    """Whether the bytes begin with an RLE header (PS3.5 G.5): 1 to 15 segments, the first one at 64."""
    if len(data) < 64:
        return False
    count, *offsets = struct.unpack("<16I", data[:64])
    return 1 <= count <= 15 and offsets[0] == 64 and not any(offsets[count:])


def fitting_syntax(data: bytes) -> str:
    """The Transfer Syntax UID that fits the bytes of a frame; '' where none is recognised."""
    found = inspect_codestream(data)
    return found.syntax if found else _RLE if looks_like_rle(data) else ""


def _jpeg(data: bytes) -> Codestream | None:
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        if (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            if position + 10 > len(data):
                return None
            precision, rows, columns, components = struct.unpack(">BHHB", data[position + 4 : position + 10])
            return Codestream(_JPEG + _SOF.get(marker, "51"), rows, columns, components, precision)
        position += 2 + length
    return None


def _jpeg_2000(data: bytes) -> Codestream | None:
    """SIZ, and CAP where it is HTJ2K (ITU-T T.800 A.5.1, T.814 A.3)."""
    if len(data) < 44:
        return None
    right, bottom, left, top = struct.unpack(">4I", data[8:24])
    components = int.from_bytes(data[40:42], "big")
    after = 4 + int.from_bytes(data[4:6], "big") - 2 + 2
    coding = "203" if data[after : after + 2] == b"\xff\x50" else "91"
    return Codestream(_JPEG + coding, bottom - top, right - left, components, (data[42] & 0x7F) + 1)
