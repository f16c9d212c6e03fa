"""What this machine can decode, found out by decoding: a plugin that is installed may still not work."""

import base64
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from pydicom.data import get_testdata_file
from pydicom.uid import UID

from medaudit.dicom.dcmtk import one_frame
from medaudit.dicom.decode import install_hint
from medaudit.dicom.layout import PixelLayout
from medaudit.dicom.read import read_image
from medaudit.errors import DecodeError, InputError, UsageError

# A ramp of 16 x 16 pixels, 15 apart, in syntaxes of which the pydicom wheel ships no sample: made with dcmtk's dcmcjpeg
# (selection value 4) and with OpenJPH, in base64. The irreversible one is off by 1 at most.
_LOSSLESS_14: Final = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/wwALEAAQABABAREA/8QAFwABAQEBAAAAAAAAAAAAAAAAAAQIEP/aAAgBAQAEAADr77777777"
    "77777794AADeAAA3gAAN4AADeAAA3gAAN4AADeAAA3gAAN4AADeAAA3gAAN4AADeAAA3gAAP///Z"
)
_HTJ2K: Final = (
    "/0//UQApQAAAAAAQAAAAEAAAAAAAAAAAAAAAEAAAABAAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCI"
    "kJCQkJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAH4AAf+TwAAm4/YFB3QAAMAAEsAAEwAQAYd0"
    "ACLxA4d0AMAAE0AAE4AIxAECdACMyIgAw1QAwAAVEAAFYIIgCKpwgnUANrTBBhv+wFKB7LYAwAArIAAWkMzMzMznwKenp8J4AN69"
    "vb29vb29/Yxge/Yxgey6AP/Z"
)
_HTJ2K_IRREVERSIBLE: Final = (
    "/0//UQApQAAAAAAQAAAAEAAAAAAAAAAAAAAAEAAAABAAAAAAAAAAAAABDwEB/1AACAACAAAAKv9SAAwAAgABAAUEBEAA/1wAIyK3"
    "GLbqtuq2vK8ArwCu4qdMp0ynZJADkAOQRpfSl9KXYf9kABcAAU9wZW5KUEggVmVyIDAuMjYuMy7/kAAKAAAAAAC8AAH/k8AAATiJ"
    "mOAIB3QAAMAAAmgAAEz2/gKHdACa7wSHdADAAAVEAABVAAkJ4OAAwrQAr6Djr0DHAca0AMAAFfAABbaUponNUjpNLPsyS8qbdgBq"
    "EmoSahJqEkXhWxS+ReFbFL4CEADHCEDQuQDAABa0AAF0wGQGEc4gwhlEOIP4XJX8lfyV/iuLewB227Zt27avQF8BfQV6BfoK9Ar0"
    "FegV6B9BjAp0xjApu8mtcmo/AP/Z"
)
_MADE: Final = {
    "1.2.840.10008.1.2.4.57": _LOSSLESS_14,
    "1.2.840.10008.1.2.4.201": _HTJ2K,
    "1.2.840.10008.1.2.4.202": _HTJ2K,
    "1.2.840.10008.1.2.4.203": _HTJ2K_IRREVERSIBLE,
}

# (Transfer Syntax UID, the smallest file with it that the pydicom wheel ships, or '' for one of ours).
_SAMPLES: Final = (
    ("1.2.840.10008.1.2", "MR_small_implicit.dcm"),
    ("1.2.840.10008.1.2.1", "MR_small.dcm"),
    ("1.2.840.10008.1.2.2", "MR_small_bigendian.dcm"),
    ("1.2.840.10008.1.2.1.99", "image_dfl.dcm"),
    ("1.2.840.10008.1.2.5", "MR_small_RLE.dcm"),
    ("1.2.840.10008.1.2.4.50", "SC_rgb_small_odd_jpeg.dcm"),
    ("1.2.840.10008.1.2.4.51", "JPGExtended.dcm"),
    ("1.2.840.10008.1.2.4.57", ""),
    ("1.2.840.10008.1.2.4.70", "SC_rgb_jpeg_gdcm.dcm"),
    ("1.2.840.10008.1.2.4.80", "MR_small_jpeg_ls_lossless.dcm"),
    ("1.2.840.10008.1.2.4.81", "JPEGLSNearLossless_16.dcm"),
    ("1.2.840.10008.1.2.4.90", "MR_small_jp2klossless.dcm"),
    ("1.2.840.10008.1.2.4.91", "JPEG2000.dcm"),
    ("1.2.840.10008.1.2.4.201", ""),
    ("1.2.840.10008.1.2.4.202", ""),
    ("1.2.840.10008.1.2.4.203", ""),
)


@dataclass(frozen=True, slots=True)
class DecoderStatus:
    """One transfer syntax on this machine.

    ``ok`` says whether a sample was decoded: by ``plugin``, or ``hint`` says what to install.
    """

    name: str
    uid: str
    ok: bool
    plugin: str
    hint: str


def decoder_table() -> tuple[DecoderStatus, ...]:
    """Test-decode one small sample of each transfer syntax of images; about a second."""
    return tuple(_status(UID(uid), sample) for uid, sample in _SAMPLES)


def sample_file(name: str) -> Path:
    """Where a file that the pydicom wheel ships lies; nothing is downloaded.

    Raises
    ------
    UsageError
        This pydicom ships no such file.

    """
    path = get_testdata_file(name, download=False)
    if not isinstance(path, str):
        msg = f"sample {name}: this pydicom does not ship it; install a pydicom that medaudit's constraints name"
        raise UsageError(msg)
    return Path(path)


def _status(uid: UID, sample: str) -> DecoderStatus:
    try:
        plugin = read_image(sample_file(sample)).decoder if sample else _decode_made(str(uid))
    except InputError:
        return DecoderStatus(uid.name, str(uid), ok=False, plugin="", hint=install_hint(uid))
    return DecoderStatus(uid.name, str(uid), ok=True, plugin=plugin, hint="")


def _decode_made(uid: str) -> str:
    """The name of what decoded our own sample, number by number.

    Raises
    ------
    DecodeError
        Nothing did, or other numbers came out.

    """
    side = 16
    bits = 12 if uid == "1.2.840.10008.1.2.4.57" else 16
    layout = PixelLayout(side, side, 1, 1, "MONOCHROME2", 16, bits, bits - 1, signed=False, planar=0)
    with tempfile.TemporaryDirectory(prefix="medaudit-") as folder:
        path = Path(folder, "sample.dcm")
        one_frame(uid, layout, base64.b64decode(_MADE[uid])).save_as(path, enforce_file_format=True)
        image = read_image(path)
    expected = np.arange(side * side).reshape(side, side) * 15
    if np.abs(image.stored.astype(np.int64) - expected).max() > 1:
        msg = f"sample of {uid}: expected the numbers that were encoded; got others from {image.decoder}"
        raise DecodeError(msg)
    return image.decoder
