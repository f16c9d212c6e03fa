"""Zip archives: members read in place or unpacked within bounds; archives within archives, to a depth."""

import functools
import io
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, BinaryIO, Final, cast

from medaudit.errors import InputError

ZIP_ERRORS: Final = (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, zlib.error, ValueError)
"""What zipfile raises on a broken, encrypted or exotically compressed archive."""

MEMBER_LIMIT: Final = 4 * 2**30
"""The largest member that is unpacked: a long tomosynthesis has half of this."""
DEPTH_LIMIT: Final = 3
"""How deep archives may lie within archives."""
MEMBER_COUNT_LIMIT: Final = 10**6

# What stays in memory of an unpacked member; the rest lies on disk until it is closed.
_IN_MEMORY: Final = 64 * 2**20
# Archives that stay open: one within another, to the depth that there is.
_KEPT_OPEN: Final = 3
_MAGIC: Final = (b"PK\x03\x04", b"PK\x05\x06")


def is_zip(path: Path) -> bool:
    """Whether a file begins as a zip archive does; an unreadable file does not."""
    try:
        with path.open("rb") as stream:
            return begins_zip(stream.read(4))
    except OSError:
        return False


def begins_zip(head: bytes) -> bool:
    """Whether the first four bytes are a zip archive's."""
    return head in _MAGIC


def member_names(archive: zipfile.ZipFile) -> list[str]:
    """Every member that is a file, once, sorted.

    A name may stand twice in an archive; zipfile reads the last one, so that is the one file there is.

    Raises
    ------
    InputError
        There are more than :data:`MEMBER_COUNT_LIMIT`.

    """
    members = archive.infolist()
    if len(members) > MEMBER_COUNT_LIMIT:
        msg = f"archive: expected at most {MEMBER_COUNT_LIMIT} members; got {len(members)}; unpack it by hand"
        raise InputError(msg)
    return sorted({info.filename for info in members if not info.is_dir()})


@contextmanager
def peek_member(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[BinaryIO, int]]:
    """A member as a stream that is unpacked only as far as it is read, and the size that it promises.

    Raises
    ------
    InputError
        The member is broken, encrypted, or promises more than :data:`MEMBER_LIMIT`.

    """
    try:
        promised = archive.getinfo(name).file_size
        _require_size(promised)
        stream = io.BufferedReader(cast("io.RawIOBase", archive.open(name)))
    except (KeyError, OSError, *ZIP_ERRORS) as error:
        raise InputError(_broken(error)) from None
    with stream:
        yield stream, promised


def open_member(path: Path, names: Sequence[str]) -> BinaryIO:
    """Unpack one member; several ``names`` go down through archives within archives.

    Raises
    ------
    InputError
        A member is broken, encrypted, larger than :data:`MEMBER_LIMIT`, or deeper than :data:`DEPTH_LIMIT`.

    """
    if len(names) > DEPTH_LIMIT:
        msg = f"archive: expected at most {DEPTH_LIMIT} within each other; got {len(names)}; unpack the outer one first"
        raise InputError(msg)
    if not names:
        raise InputError(_broken(KeyError()))
    *above, name = names
    try:
        return unpack_member(_opened(path, _stamp(path), tuple(above)), name)
    except (OSError, *ZIP_ERRORS) as error:
        raise InputError(_broken(error)) from None


@functools.lru_cache(maxsize=_KEPT_OPEN)
def _opened(path: Path, stamp: tuple[int, int], above: tuple[str, ...]) -> zipfile.ZipFile:
    """The archive at ``path``, or the one that members ``above`` lead to, open until others push it out.

    Members are read one by one, and a directory of 100,000 of them takes seconds to read: once, not for every member.
    A file that changed has another ``stamp``. Zipfile closes what nobody holds any longer.
    """
    if not above:
        return zipfile.ZipFile(path)
    *further, name = above
    return _Unpacked(unpack_member(_opened(path, stamp, tuple(further)), name))


class _Unpacked(zipfile.ZipFile):
    """An archive from within another; what it was unpacked to is closed with it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._unpacked = stream
        super().__init__(stream)

    def close(self) -> None:
        """Close the archive and its bytes."""
        super().close()
        self._unpacked.close()


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def unpack_member(archive: zipfile.ZipFile, name: str) -> BinaryIO:
    """One member, unpacked. The promised size is held against the bound first, then the real one.

    Raises
    ------
    InputError
        The member is broken, encrypted, or larger than :data:`MEMBER_LIMIT`.

    """
    out = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - handed to the caller, who closes it
    try:
        with peek_member(archive, name) as (member, promised):
            _copy(member, out, promised)
    except (OSError, *ZIP_ERRORS) as error:
        out.close()
        raise InputError(_broken(error)) from None
    except InputError:
        out.close()
        raise
    out.seek(0)
    return cast("BinaryIO", out)


def _copy(member: BinaryIO, out: IO[bytes], promised: int) -> None:
    # zipfile stops at the promised size and checks the sum of what it read.
    shutil.copyfileobj(member, out, 2**20)
    _require_size(max(promised, out.tell()))


def _require_size(size: int) -> None:
    if size > MEMBER_LIMIT:
        msg = f"archive member: expected at most {MEMBER_LIMIT} bytes; got more; unpack the archive by hand"
        raise InputError(msg)


def _broken(error: Exception) -> str:
    return f"archive member: expected to unpack it; got {type(error).__name__}; unpack the archive by hand"
