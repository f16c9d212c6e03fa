"""One frame by one plugin: the only call into pydicom's decoders."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import as_pixel_options

from medaudit.dicom.dataset import PARSE_ERRORS, OpenedDataset

DECODE_ERRORS: Final = (*PARSE_ERRORS, RuntimeError)
"""What decoding a broken file raises."""

_PIXEL_KEYWORDS: Final = {0x0008: "FloatPixelData", 0x0009: "DoubleFloatPixelData", 0x0010: "PixelData"}
_PIXEL_VRS: Final = (b"OB", b"OW", b"OF", b"OD", b"UN")


def decode_frame(opened: OpenedDataset, frame: int, plugin: str) -> NDArray[np.generic]:
    """One frame in native byte order, YBR already converted to RGB (PS3.3 C.7.6.3.1.2).

    The element's own first bytes say where its value begins: some files declare one encoding and are
    written in another.
    """
    stream = opened.stream
    stream.seek(opened.pixels_at or 0)
    head = stream.read(12)
    explicit = head[4:6] in _PIXEL_VRS
    stream.seek((opened.pixels_at or 0) + (12 if explicit else 8))
    little = bool(opened.dataset.original_encoding[1])
    options = as_pixel_options(
        opened.dataset,
        transfer_syntax_uid=opened.encoding,
        pixel_keyword=_PIXEL_KEYWORDS[int.from_bytes(head[2:4], "little" if little else "big")],
        pixel_vr=head[4:6].decode() if explicit else "OW",
    )
    array, _ = get_decoder(opened.encoding).as_array(
        stream, index=frame, validate=True, decoding_plugin=plugin, **options
    )
    return array.astype(array.dtype.newbyteorder("="), copy=False)
