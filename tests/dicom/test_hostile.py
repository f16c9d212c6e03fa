"""Files made to harm: bounded memory and time, a named error, and nothing written anywhere."""

import os
import struct
import subprocess
import sys
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from medaudit.dicom.read import read_image
from medaudit.dicom.scan import FileRef, scan
from medaudit.errors import InputError
from medaudit.records.provenance import FileFate

FUZZ = Path(__file__).parents[2] / "benchmarks" / "fuzz_dicom.py"
# Generous: on the way, a test machine may be busy.
SECONDS = 10
MEBIBYTE = 2**20


@pytest.fixture
def bounded():
    """The test's own memory and time."""
    tracemalloc.start()
    began = time.monotonic()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.monotonic() - began < SECONDS
    assert peak < 64 * MEBIBYTE


def with_syntax(path, uid):
    data = path.read_bytes()
    path.write_bytes(data.replace(b"1.2.840.10008.1.2.1\0", uid.ljust(20, b"\0"), 1))
    return path


def test_a_billion_pixels_promised(make, bounded):
    path = make(Rows=32000, Columns=32000)
    with pytest.raises(InputError, match="the header promises 32000 x 32000"):
        read_image(path)


@pytest.mark.parametrize("syntax", [b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.5", b"1.2.840.10008.1.2.1.99"])
def test_a_hundred_million_pixels_that_are_not_there(make, bounded, syntax):
    path = with_syntax(make(Rows=10000, Columns=10000, pixels=np.zeros((4, 4), np.uint8)), syntax)
    with pytest.raises(InputError):
        read_image(path)


def deflated(path, unpacked_bytes):
    """``path`` with its data set deflated, and an element of zeros that unpacks to ``unpacked_bytes``."""
    data = path.read_bytes()
    at = 132 + 12 + struct.unpack("<I", data[140:144])[0]
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packer.compress(data[at:] + b"\x42\x00\x11\x00OB\0\0" + struct.pack("<I", unpacked_bytes))
    for _ in range(unpacked_bytes // MEBIBYTE):
        body += packer.compress(bytes(MEBIBYTE))
    head = data[:at].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99", 1)
    meta = bytearray(head)
    meta[meta.index(b"1.2.840.10008.1.2.1.99") - 2 :][:0] = b""
    where = meta.index(b"1.2.840.10008.1.2.1.99") - 2
    meta[where : where + 2] = struct.pack("<H", 22)
    meta[140:144] = struct.pack("<I", len(meta) - 144)
    path.write_bytes(bytes(meta) + body + packer.flush())
    return path


def test_a_deflate_bomb(make, monkeypatch, bounded):
    monkeypatch.setattr("medaudit.dicom.dataset.INFLATED_LIMIT", 8 * MEBIBYTE)
    path = deflated(make(), 40 * MEBIBYTE)
    assert path.stat().st_size < 200_000
    with pytest.raises(InputError, match="deflated data set: expected at most"):
        read_image(path)
    assert scan(path).others[0].fate is FileFate.FAILED


def test_a_zip_bomb_is_not_unpacked_for_its_header(tmp_path, bounded):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as file, file.open("zeros.dcm", "w") as out:
        for _ in range(200):
            out.write(bytes(MEBIBYTE))
    (other,) = scan(tmp_path / "bomb.zip").others
    assert other.fate is FileFate.NOT_DICOM


def test_a_member_over_the_bound_is_not_unpacked(tmp_path, monkeypatch, bounded):
    monkeypatch.setattr("medaudit.dicom.archive.MEMBER_LIMIT", MEBIBYTE)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros.dcm", bytes(2 * MEBIBYTE))
    with pytest.raises(InputError, match="archive member: expected at most"):
        FileRef(tmp_path / "bomb.zip", "", "zeros.dcm").open()


@pytest.mark.parametrize("depth", [100, 5000])
def test_sequences_without_an_end(make, bounded, depth):
    path = make()
    data = path.read_bytes()
    at = data.index(b"\x28\x00\x02\x00")
    deep = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * depth
    path.write_bytes(data[:at] + deep + data[at:])
    with pytest.raises(InputError):
        read_image(path)


def test_lengths_beyond_the_file(make, bounded):
    data = make().read_bytes()
    for element in (b"\x08\x00\x18\x00", b"\x20\x00\x0d\x00", b"\x28\x00\x04\x00"):
        at = data.index(element)
        path = make("long.dcm")
        path.write_bytes(data[: at + 4] + b"UN\0\0" + struct.pack("<I", 0xFFFFFFF0) + data[at + 8 :])
        with pytest.raises(InputError):
            read_image(path)


def test_a_file_cut_anywhere_is_named(make, bounded):
    path = make()
    whole = path.read_bytes()
    for end in range(1, len(whole), 37):
        path.write_bytes(whole[:end])
        with pytest.raises(InputError, match=r"\w"):
            read_image(path)
        inventory = scan(path)
        assert len(inventory.others) + len(inventory.studies) == 1


def test_uids_that_are_paths_make_no_path(make, tmp_path):
    before = sorted(tmp_path.parent.iterdir())
    path = make()
    data = path.read_bytes()
    ds = dcmread(path)
    for uid in (ds.StudyInstanceUID, ds.SOPInstanceUID):
        data = data.replace(str(uid).encode(), b"../../../etc/passwd/../..".ljust(len(uid), b"/"))
    path.write_bytes(data)
    (study,) = scan(path).studies
    assert study.uid.startswith("../../..")
    assert read_image(study.instances[0].ref).stored.shape == (4, 4)
    assert sorted(tmp_path.parent.iterdir()) == before


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no symbolic links here")
def test_links_in_a_circle_are_named(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert {other.fate for other in scan(tmp_path).others} == {FileFate.NOT_CHOSEN}


@pytest.mark.timeout(120)
def test_mutated_files_end_in_a_picture_or_a_named_error(tmp_path):
    command = [
        sys.executable,
        str(FUZZ),
        "--files",
        "600",
        "--slow",
        "60",
        "--seed",
        "1",
        "--keep",
        str(tmp_path / "kept"),
    ]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(FUZZ.parents[1])}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "decoded" in done.stdout
