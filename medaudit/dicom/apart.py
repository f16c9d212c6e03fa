"""Decoding in a process of its own: on a broken codestream gdcm's C++ ends the whole process, not the call."""

import subprocess
import sys
from io import BytesIO
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from medaudit.dicom.dataset import hushed, open_dataset, settle
from medaudit.dicom.frame import decode_frame
from medaudit.errors import DecodeError

# A large radiograph takes a second; a decoder that takes a minute hangs.
_TIMEOUT_SECONDS: Final = 60


def decode_apart(stream: BinaryIO, frame: int, plugin: str) -> NDArray[np.generic]:
    """Decode one frame of a file as :func:`medaudit.dicom.frame.decode_frame` does; costs about half a second more.

    Raises
    ------
    DecodeError
        The process failed, died, or did not end in time.

    """
    command = [sys.executable, "-m", "medaudit.dicom.apart", str(frame), plugin]
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter on this module
            command, input=stream.read(), capture_output=True, check=True, timeout=_TIMEOUT_SECONDS
        )
        return np.asarray(np.load(BytesIO(done.stdout), allow_pickle=False))
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        # The process's own words may quote the header, so they end here.
        msg = f"{plugin}: expected decoded pixels; got {type(error).__name__}"
        raise DecodeError(msg) from None


def _main() -> None:
    frame, plugin = int(sys.argv[1]), sys.argv[2]
    opened = open_dataset(BytesIO(sys.stdin.buffer.read()))
    settle(opened.dataset)
    with hushed():
        np.save(sys.stdout.buffer, decode_frame(opened, frame, plugin), allow_pickle=False)


if __name__ == "__main__":
    _main()
