"""Mutate valid DICOM files for a while, and hold medaudit to its word.

    python benchmarks/fuzz_dicom.py --seconds 3600 --seed 7

Whatever the bytes: an image or an InputError with words, never another exception; no file takes longer than
``SECONDS_A_FILE``; memory stays below ``MEMORY_GIB``. A file that breaks one of these is kept in ``--keep``, and the
exit code is 1.
The seeds are pydicom's own test files, and with ``--more FOLDER`` those of a folder.
"""

import argparse
import hashlib
import random
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import pydicom

from medaudit.dicom.grayscale import display
from medaudit.dicom.read import read_image
from medaudit.dicom.scan import scan
from medaudit.errors import InputError

SECONDS_A_FILE = 10.0
MEMORY_GIB = 3.0
LARGEST_SEED = 300_000
# Element numbers of group 0028 whose values decide how much is allocated, and how.
LAYOUT = (0x0002, 0x0004, 0x0006, 0x0008, 0x0010, 0x0011, 0x0100, 0x0101, 0x0102, 0x0103)


def flip(data: bytearray, dice: random.Random) -> None:
    """A few bytes become others, mostly in the header."""
    for _ in range(dice.randint(1, 8)):
        end = len(data) if dice.random() < 0.4 else min(len(data), 2000)
        data[dice.randrange(end)] = dice.randrange(256)


def cut(data: bytearray, dice: random.Random) -> None:
    """The file ends early."""
    del data[dice.randrange(len(data)) :]


def lengthen(data: bytearray, dice: random.Random) -> None:
    """Four bytes somewhere become a length that cannot be."""
    at = dice.randrange(max(1, min(len(data), 4000) - 4))
    data[at : at + 4] = struct.pack(
        "<I", dice.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF, dice.randrange(2**32)))
    )


def repeat(data: bytearray, dice: random.Random) -> None:
    """A piece stands twice, or many times: items within items."""
    at = dice.randrange(len(data))
    piece = bytes(data[at : at + dice.randint(1, 400)])
    data[at:at] = piece * dice.choice((1, 2, 50))


def drop(data: bytearray, dice: random.Random) -> None:
    """A piece is gone."""
    at = dice.randrange(len(data))
    del data[at : at + dice.randint(1, 300)]
    data += b"\0"


def promise(data: bytearray, dice: random.Random) -> None:
    """An element of the pixels' layout says something else."""
    element = struct.pack("<HH", 0x0028, dice.choice(LAYOUT))
    at = data.find(element)
    if at >= 0 and at + 10 <= len(data):
        data[at + 8 : at + 10] = struct.pack("<H", dice.choice((0, 1, 3, 7, 12, 65535, dice.randrange(65536))))


def nest(data: bytearray, dice: random.Random) -> None:
    """Sequences within sequences, a thousand deep, before the pixels."""
    at = data.find(b"\x28\x00\x02\x00")
    if at >= 0:
        deep = (b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff") * dice.choice(
            (3, 200, 3000)
        )
        data[at:at] = deep


MUTATIONS = (flip, cut, lengthen, repeat, drop, promise, nest)


def mutated(seed: bytes, dice: random.Random) -> bytes:
    """One to three mutations of a valid file."""
    data = bytearray(seed)
    for _ in range(dice.randint(1, 3)):
        dice.choice(MUTATIONS)(data, dice)
        if not data:
            data += b"\0"
    return bytes(data)


def tried(path: Path) -> str:
    """The outcome of one file, in a word; an exception that is none of ours goes through."""
    scan(path)
    try:
        image = read_image(path)
        display(image)
    except InputError as error:
        if not str(error):
            raise
        return type(error).__name__
    return "decoded"


def peak_gib() -> float:
    """Peak memory of this process and its helpers; 0 where the system does not say."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return 0.0
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 2**20


def main() -> int:
    """Run until time is up; 1 where something broke."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--files", type=int, help="stop after so many files, however long they take")
    parser.add_argument("--slow", type=float, default=SECONDS_A_FILE, help="seconds after which a file counts as slow")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--more", type=Path)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"))
    wanted = parser.parse_args()
    folders = [Path(pydicom.__file__).parent / "data" / "test_files", *([wanted.more] if wanted.more else [])]
    seeds = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    seeds = [path.read_bytes() for path in seeds if 200 < path.stat().st_size < LARGEST_SEED]
    seeds = [data for data in seeds if b"\xe0\x7f\x10\x00" in data or b"\x7f\xe0\x00\x10" in data]
    dice, counts, broken = random.Random(wanted.seed), Counter[str](), 0  # noqa: S311 - no secret
    end = time.monotonic() + wanted.seconds
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzzed.dcm"
        while time.monotonic() < end if wanted.files is None else counts.total() < wanted.files:
            data = mutated(dice.choice(seeds), dice)
            path.write_bytes(data)
            began = time.monotonic()
            try:
                outcome = tried(path)
            except BaseException as error:  # finding these is the point; Rust's panics are no Exceptions
                if isinstance(error, KeyboardInterrupt):
                    raise
                outcome = "broken"
                traceback.print_exc()
            if time.monotonic() - began > wanted.slow:
                outcome = "slow"
            counts[outcome] += 1
            if outcome in ("broken", "slow"):
                broken += 1
                wanted.keep.mkdir(parents=True, exist_ok=True)
                (wanted.keep / f"{outcome}-{hashlib.sha256(data).hexdigest()[:12]}.dcm").write_bytes(data)
    memory = peak_gib()
    print(f"{sum(counts.values())} files: {dict(counts.most_common())}; peak memory {memory:.2f} GiB")
    return 1 if broken or memory > MEMORY_GIB else 0


if __name__ == "__main__":
    sys.exit(main())
