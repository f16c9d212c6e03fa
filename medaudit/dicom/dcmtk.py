"""What is asked of dcmtk: the JPEG processes that no permissively licensed plugin decodes.

12-bit JPEG Extended above all. Its program gets one frame in a file without a patient: of the header,
the pixels' layout alone.
"""

import shutil
import subprocess
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, SecondaryCaptureImageStorage

from medaudit.dicom.layout import PixelLayout
from medaudit.errors import DecodeError

EXTENDED: Final = "1.2.840.10008.1.2.4.51"
"""JPEG Extended (Process 2 and 4)."""

_JPEG: Final = "1.2.840.10008.1.2.4."
PROGRAMS: Final[Mapping[str, str]] = {
    **{_JPEG + tail: "dcmdjpeg" for tail in ("50", "51", "53", "55", "57", "70")},
    **{_JPEG + tail: "dcmdjpls" for tail in ("80", "81")},
}
"""Which program of dcmtk decodes a transfer syntax."""

# A large radiograph takes a second; a decoder that takes ten hangs.
_TIMEOUT_SECONDS: Final = 9
_UID: Final = "2.25.1"


def find_program(syntax: str) -> str | None:
    """Where dcmtk's program for a transfer syntax lies on PATH; None where it does not, or there is none."""
    name = PROGRAMS.get(syntax)
    return shutil.which(name) if name else None


def find_dcmdjpeg() -> str | None:
    """Where dcmtk's ``dcmdjpeg`` lies on PATH; None where it does not."""
    return shutil.which("dcmdjpeg")


def decompress(program: str, syntax: str, layout: PixelLayout, frame: bytes) -> BytesIO:
    """One compressed frame as a file in Explicit VR Little Endian, by way of a private temporary folder.

    Raises
    ------
    DecodeError
        ``program`` failed or did not end in time.

    """
    with TemporaryDirectory(prefix="medaudit-") as folder:
        packed, plain = Path(folder, "packed.dcm"), Path(folder, "plain.dcm")
        one_frame(syntax, layout, frame).save_as(packed, enforce_file_format=True)
        try:
            subprocess.run(  # noqa: S603 - a fixed program on two paths of our own
                [program, str(packed), str(plain)], check=True, capture_output=True, timeout=_TIMEOUT_SECONDS
            )
            return BytesIO(plain.read_bytes())
        except (subprocess.SubprocessError, OSError) as error:
            # The program's own words may quote the header, so they end here.
            msg = f"{Path(program).name}: expected decompressed pixels; got {type(error).__name__}"
            raise DecodeError(msg) from None


def one_frame(syntax: str, layout: PixelLayout, frame: bytes) -> Dataset:
    """A file of one compressed frame, and of no patient."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = SecondaryCaptureImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = UID(_UID)
    ds.Rows, ds.Columns, ds.SamplesPerPixel = layout.rows, layout.columns, layout.samples
    ds.PhotometricInterpretation = layout.photometric
    if layout.samples > 1:
        ds.PlanarConfiguration = layout.planar
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = layout.bits_allocated, layout.bits_stored, layout.high_bit
    ds.PixelRepresentation = int(layout.signed)
    ds.PixelData = encapsulate([frame], has_bot=False)
    ds["PixelData"].VR = "OB"
    return ds
