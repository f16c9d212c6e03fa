import os
import shutil

import numpy as np
import pytest

from medaudit.dicom import apart
from medaudit.dicom.apart import DecoderProcess, decode_apart
from medaudit.dicom.layout import PixelLayout
from medaudit.errors import DecodeError

RLE = "1.2.840.10008.1.2.5"
OPTIONS = PixelLayout(2, 2, 1, 1, "MONOCHROME2", 8, 8, 7, signed=False, planar=0).options()
# One segment at 64: a literal run of four bytes (PS3.5 G.3.1).
FRAME = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56) + bytes([3, 1, 2, 3, 4, 0])


@pytest.fixture
def helper():
    helper = DecoderProcess()
    yield helper
    helper.close()


def test_pixels_come_back(helper):
    array, complaints = helper.decode(RLE, "pydicom", OPTIONS, FRAME)
    assert array.tolist() == [[1, 2], [3, 4]]
    assert complaints == 0


def test_an_error_in_the_decoder_is_named_by_its_class_alone(helper):
    with pytest.raises(DecodeError, match=r"pydicom: expected decoded pixels; got [A-Za-z]+Error$"):
        helper.decode(RLE, "pydicom", OPTIONS, b"rubbish")
    assert helper.decode(RLE, "pydicom", OPTIONS, FRAME)[0].size == 4


def test_a_decoder_that_ends_its_process_is_one_failed_frame(helper):
    """gdcm's C++ may end the process that it runs in; that process is not ours."""
    helper.decode(RLE, "pydicom", OPTIONS, FRAME)
    helper._process.kill()
    helper._process.wait()
    assert helper.decode(RLE, "pydicom", OPTIONS, FRAME)[0].size == 4


def test_a_helper_that_cannot_start_is_an_error_of_the_file(helper, monkeypatch):
    monkeypatch.setattr(apart.sys, "executable", shutil.which("false"))
    with pytest.raises(DecodeError, match="the end of its process"):
        helper.decode(RLE, "pydicom", OPTIONS, FRAME)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a program that hangs is a POSIX shell's")
def test_a_decoder_that_hangs_is_ended(helper, monkeypatch, tmp_path):
    hanging = tmp_path / "python"
    hanging.write_text("#!/bin/sh\nexec sleep 100\n")
    hanging.chmod(0o700)
    monkeypatch.setattr(apart.sys, "executable", str(hanging))
    monkeypatch.setattr(apart, "_START_SECONDS", 0.2)
    with pytest.raises(DecodeError, match="nothing within 0 s"):
        helper.decode(RLE, "pydicom", OPTIONS, FRAME)


def test_frames_of_one_process_share_a_helper():
    first = decode_apart(RLE, "pydicom", OPTIONS, FRAME)[0]
    process = apart._helper(os.getpid())._process.pid
    second = decode_apart(RLE, "pydicom", OPTIONS, FRAME)[0]
    assert np.array_equal(first, second)
    assert apart._helper(os.getpid())._process.pid == process
