"""What this machine can decode, found out by decoding: a plugin that is installed may still not work."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom.data import get_testdata_file
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from medaudit.dicom.read import install_hint, read_image
from medaudit.errors import InputError, UsageError

# (Transfer Syntax UID, the smallest file with it that the pydicom wheel ships, or '').
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

    ``ok`` is True where a sample was decoded (by ``plugin``), False where it was not (``hint`` says what
    to install), None where there is no sample to try (``plugin`` then names what claims it).
    """

    name: str
    uid: str
    ok: bool | None
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
    path = get_testdata_file(sample, download=False) if sample else None
    if not isinstance(path, str):
        claimed = ", ".join(get_decoder(uid).available_plugins)
        if not claimed:
            return DecoderStatus(uid.name, str(uid), ok=False, plugin="", hint=install_hint(uid))
        hint = "not tested, as pydicom ships no sample; an installed plugin claims it"
        return DecoderStatus(uid.name, str(uid), ok=None, plugin=claimed, hint=hint)
    try:
        image = read_image(path)
    except InputError:
        return DecoderStatus(uid.name, str(uid), ok=False, plugin="", hint=install_hint(uid))
    return DecoderStatus(uid.name, str(uid), ok=True, plugin=image.decoder, hint="")
