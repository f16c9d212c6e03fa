"""Encapsulated pixels (PS3.5 A.4): which fragments make up one frame. No other is read."""

import struct
from dataclasses import dataclass
from typing import BinaryIO, Final

from medaudit.errors import DecodeError

_ITEM: Final = b"\xfe\xff\x00\xe0"
_DELIMITER: Final = b"\xfe\xff\xdd\xe0"
# More than any file has: the longest cine has one fragment a frame.
_FRAGMENT_LIMIT: Final = 2**22
# Longer than the JPEG 2000 signature and the JPEG start of image, by which frames are told apart.
_HEAD: Final = 12
_TRUNCATED: Final = "the last fragment is cut short; retrieve the file again"


@dataclass(frozen=True, slots=True)
class Fragment:
    """``item`` is where the item's tag stands, ``length`` that of the value 8 bytes on."""

    item: int
    length: int


def begins_item(stream: BinaryIO, position: int) -> bool:
    """Whether an item of a sequence or of encapsulated pixels begins at ``position``."""
    stream.seek(position)
    return stream.read(4) == _ITEM


def read_frame(stream: BinaryIO, start: int, frame: int, frames: int) -> bytes:
    """The codestream of one frame.

    Parameters
    ----------
    stream, start
        Where the value of Pixel Data begins: at the item of the Basic Offset Table.
    frame, frames
        0-based index, and Number of Frames.

    Raises
    ------
    DecodeError
        There are no fragments, they break off, or frames cannot be told apart.

    """
    size = stream.seek(0, 2)
    items = _items(stream, start, size)
    if len(items) < 2:
        msg = "encapsulated pixels: expected an offset table and fragments; got none; retrieve the file again"
        raise DecodeError(msg)
    table, fragments = items[0], items[1:]
    groups = _frames(stream, table, fragments, frames)
    if frame >= len(groups):
        msg = f"encapsulated pixels: expected {frames} frames; found {len(groups)}; retrieve the file again"
        raise DecodeError(msg)
    if any(part.item + 8 + part.length > size for part in groups[frame]):
        msg = f"encapsulated pixels: {_TRUNCATED}"
        raise DecodeError(msg)
    parts = []
    for part in groups[frame]:
        stream.seek(part.item + 8)
        parts.append(stream.read(part.length))
    return b"".join(parts)


def _items(stream: BinaryIO, start: int, size: int) -> list[Fragment]:
    items: list[Fragment] = []
    position = start
    while position + 8 <= size:
        stream.seek(position)
        head = stream.read(8)
        if head[:4] != _ITEM:
            break
        if len(items) >= _FRAGMENT_LIMIT:
            msg = f"encapsulated pixels: expected at most {_FRAGMENT_LIMIT} fragments; got more; check the file"
            raise DecodeError(msg)
        length = struct.unpack("<I", head[4:])[0]
        items.append(Fragment(position, length))
        position += 8 + length
    return items


def _frames(stream: BinaryIO, table: Fragment, fragments: list[Fragment], frames: int) -> list[list[Fragment]]:
    """The fragments of each frame: by the offset table, by their number, or by the marks that begin a codestream."""
    if frames == 1:
        return [fragments]
    if len(fragments) == frames:
        return [[fragment] for fragment in fragments]
    first = fragments[0].item
    begins = {fragment.item - first for fragment in fragments}
    if table.length == 4 * frames:
        stream.seek(table.item + 8)
        offsets = struct.unpack(f"<{frames}I", stream.read(4 * frames))
        if set(offsets) <= begins and sorted(set(offsets)) == list(offsets):
            return _split(fragments, {first + offset for offset in offsets})
    starts = {fragment.item for fragment in fragments if _begins_codestream(stream, fragment)}
    if first in starts:
        return _split(fragments, starts)
    msg = f"encapsulated pixels: {len(fragments)} fragments cannot be told apart as {frames} frames; export it again"
    raise DecodeError(msg)


def _split(fragments: list[Fragment], starts: set[int]) -> list[list[Fragment]]:
    groups: list[list[Fragment]] = []
    for fragment in fragments:
        if fragment.item in starts:
            groups.append([])
        groups[-1].append(fragment)
    return groups


def _begins_codestream(stream: BinaryIO, fragment: Fragment) -> bool:
    stream.seek(fragment.item + 8)
    head = stream.read(min(_HEAD, fragment.length))
    return head.startswith((b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  "))
