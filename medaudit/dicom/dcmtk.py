"""The one thing asked of dcmtk: 12-bit JPEG Extended, which no permissively licensed plugin decodes."""

import shutil
import subprocess
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final

from medaudit.errors import DecodeError

EXTENDED: Final = "1.2.840.10008.1.2.4.51"
"""JPEG Extended (Process 2 and 4)."""

# A large radiograph takes a second; a decoder that takes a minute hangs.
_TIMEOUT_SECONDS: Final = 60


def find_dcmdjpeg() -> str | None:
    """Where dcmtk's ``dcmdjpeg`` lies on PATH; None where it does not."""
    return shutil.which("dcmdjpeg")


def decompress_jpeg(program: str, stream: BinaryIO) -> BytesIO:
    """The whole file of ``stream`` in Explicit VR Little Endian, by way of a private temporary folder.

    Raises
    ------
    DecodeError
        ``program`` failed or did not end in time.

    """
    with TemporaryDirectory(prefix="medaudit-") as folder:
        packed, plain = Path(folder, "packed.dcm"), Path(folder, "plain.dcm")
        stream.seek(0)
        with packed.open("wb") as file:
            shutil.copyfileobj(stream, file)
        try:
            subprocess.run(  # noqa: S603 - a fixed program on two paths of our own
                [program, str(packed), str(plain)], check=True, capture_output=True, timeout=_TIMEOUT_SECONDS
            )
            return BytesIO(plain.read_bytes())
        except (subprocess.SubprocessError, OSError) as error:
            # The program's own words may quote the header, so they end here.
            msg = f"dcmdjpeg: expected decompressed pixels; got {type(error).__name__}"
            raise DecodeError(msg) from None
