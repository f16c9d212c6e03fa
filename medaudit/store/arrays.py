"""Array files: one npz an image, written whole or not at all, the same bytes for the same arrays."""

import hashlib
import io
import os
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medaudit.errors import StoreError

Arrays = Mapping[str, NDArray[Any]]

# A code becomes a file name on every system, so it holds nothing that one of them reads as a path.
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

# Fast: a reading copy is written once and read often, and the last few percent cost most of the time.
_COMPRESSION = 1


def array_path(folder: Path, study: str, image: str) -> Path:
    """Where the arrays of an image lie: ``arrays/<study code>/<image code>.npz``.

    Raises
    ------
    StoreError
        A code is not fit for a file name: 1 to 128 of ``A-Z a-z 0-9 . _ -``, beginning with a letter or digit.

    """
    for name, code in (("study", study), ("image", image)):
        if not _CODE.fullmatch(code):
            msg = (
                f"{name} code: expected 1 to 128 characters of A-Z a-z 0-9 . _ - beginning with a letter or digit; "
                f"got {len(code)} characters that do not fit"
            )
            raise StoreError(msg)
    return folder / "arrays" / study / f"{image}.npz"


def fingerprint(arrays: Arrays) -> str:
    """sha256 of names, types, shapes and values; the same however the file is compressed."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = _little_endian(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write an npz so that a kill at any instant leaves the old file, the new one, or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.tmp")
    with new.open("wb") as stream:
        with zipfile.ZipFile(stream, "w") as archive:
            for name in sorted(arrays):
                # ZipInfo's own date (1980) and a fixed system: no clock and no platform in the bytes.
                member = zipfile.ZipInfo(f"{name}.npy")
                member.create_system = 3
                body = io.BytesIO()
                np.lib.format.write_array(body, _little_endian(arrays[name]), allow_pickle=False)
                archive.writestr(member, body.getbuffer(), zipfile.ZIP_DEFLATED, _COMPRESSION)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(path)
    for folder in (path.parent, path.parent.parent):
        _sync_folder(folder)


def read_arrays(path: Path, expected: str, study: str, image: str) -> dict[str, NDArray[Any]]:
    """Read an npz and hold it against its fingerprint.

    Raises
    ------
    StoreError
        The file is missing, is no npz, or holds other values than the audit wrote.

    """
    name = f"arrays/{study}/{image}.npz"
    try:
        arrays = _unpack(path)
    except FileNotFoundError as error:
        msg = f"study {study}, image {image}: {name} is missing; run the audit with --resume, it audits the study again"
        raise StoreError(msg) from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        msg = _damaged(study, image, name, f"cannot be read ({type(error).__name__})")
        raise StoreError(msg) from error
    if fingerprint(arrays) != expected:
        raise StoreError(_damaged(study, image, name, "holds other values than the audit wrote"))
    return arrays


def _unpack(path: Path) -> dict[str, NDArray[Any]]:
    # Not numpy.load: it leaves the file open where the archive is damaged, and takes other formats too.
    with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
        arrays = {}
        for name in archive.namelist():
            with archive.open(name) as body:
                arrays[name.removesuffix(".npy")] = np.lib.format.read_array(body, allow_pickle=False)
    return arrays


def _damaged(study: str, image: str, name: str, what: str) -> str:
    return (
        f"study {study}, image {image}: {name} {what}; "
        "delete that file and run the audit with --resume, it audits the study again"
    )


def _little_endian(array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))


def _sync_folder(folder: Path) -> None:
    """Make a rename in this folder last through a power cut; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
