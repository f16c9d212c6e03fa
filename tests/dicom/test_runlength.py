"""RLE frames unpacked in this process, against pydicom's own decoder; broken ones are left to others, quietly."""

import random
from dataclasses import replace

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.encoders.base import RLELosslessEncoder
from pydicom.uid import RLELossless

from medaudit.dicom import decode, runlength
from medaudit.dicom.layout import PixelLayout
from medaudit.dicom.read import read_image
from medaudit.dicom.runlength import unpack_rle


def layout_of(pixels: np.ndarray) -> PixelLayout:
    bits = 8 * pixels.dtype.itemsize
    samples = 1 if pixels.ndim == 2 else 3
    kind = "MONOCHROME2" if samples == 1 else "RGB"
    signed = pixels.dtype.kind == "i"
    return PixelLayout(*pixels.shape[:2], samples, 1, kind, bits, bits, bits - 1, signed=signed, planar=0)


def packed(pixels: np.ndarray) -> bytes:
    """The frame as pydicom's own encoder writes it."""
    layout = layout_of(pixels)
    options = layout.options() | {"bits_allocated": layout.bits_allocated}
    return RLELosslessEncoder.encode(pixels, encoding_plugin="pydicom", **options)


def numbers(kind: str, shape: tuple[int, ...]) -> np.ndarray:
    """Runs and noise, over the whole range of the type."""
    info = np.iinfo(kind)
    values = np.random.default_rng(1).integers(info.min, info.max, size=shape, dtype=kind, endpoint=True)
    values[: shape[0] // 2] = info.min
    return values


@pytest.mark.parametrize("kind", ["uint8", "int8", "uint16", "int16"])
@pytest.mark.parametrize("shape", [(7, 9), (1, 1), (64, 300)])
def test_grey_frames_come_back(kind, shape):
    pixels = numbers(kind, shape)
    found = unpack_rle(packed(pixels), layout_of(pixels))
    assert found.dtype == pixels.dtype
    assert (found == pixels).all()


def test_colour_frames_come_back():
    pixels = numbers("uint8", (7, 9, 3))
    found = unpack_rle(packed(pixels), layout_of(pixels))
    assert found.flags.c_contiguous
    assert (found == pixels).all()


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "SC_rgb_rle_16bit.dcm", "SC_rgb_rle_32bit.dcm"])
def test_shipped_frames_are_unpacked_here_and_agree_with_pydicom(shipped, name, monkeypatch):
    def never(*_):
        raise AssertionError

    monkeypatch.setattr(decode, "decode_apart", never)
    image, ds = read_image(shipped / name), dcmread(shipped / name)
    ds.pixel_array_options(decoding_plugin="pydicom")
    assert image.decoder == "pylibjpeg"
    assert (image.stored == ds.pixel_array).all()


PIXELS = numbers("uint16", (8, 8))


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        bytes(64),
        packed(PIXELS)[:64],
        packed(PIXELS)[:90],
        (3).to_bytes(4, "little") + packed(PIXELS)[4:],
        packed(PIXELS)[:8] + (64).to_bytes(4, "little") + packed(PIXELS)[12:],
        packed(PIXELS)[:8] + (2**31).to_bytes(4, "little") + packed(PIXELS)[12:],
        packed(PIXELS) + bytes(6),
    ],
)
def test_irregular_frames_are_left_to_others(broken):
    assert unpack_rle(broken, layout_of(PIXELS)) is None


def test_a_segment_that_could_fill_the_memory_is_left_to_others(monkeypatch):
    monkeypatch.setattr(runlength, "_SEGMENT_LIMIT", 40)
    assert unpack_rle(packed(PIXELS), layout_of(PIXELS)) is None


def test_bits_that_are_no_bytes_are_left_to_others():
    assert (
        unpack_rle(packed(PIXELS), replace(layout_of(PIXELS), bits_allocated=12, bits_stored=12, high_bit=11)) is None
    )


def test_no_bytes_make_the_decoder_panic(capfd):
    """A panic of Rust is no Exception, and prints; ``decode_frame`` of the same library panics on such frames."""
    dice = random.Random(1)  # noqa: S311 - no secret
    whole, layout = packed(numbers("uint16", (32, 32))), layout_of(numbers("uint16", (32, 32)))
    outcomes = set()
    for _ in range(2000):
        frame = bytearray(whole[: dice.choice((len(whole), dice.randint(64, len(whole))))])
        for _ in range(dice.randint(0, 5)):
            frame[dice.randrange(8, len(frame))] = dice.choice((0, 1, 127, 128, 129, 255))
        found = unpack_rle(bytes(frame), layout)
        outcomes.add(None if found is None else found.shape)
    assert outcomes == {None, (32, 32)}
    assert capfd.readouterr() == ("", "")


def test_a_broken_frame_is_an_error_of_its_file(make, tmp_path):
    path = make("a.dcm", PIXELS)
    ds: Dataset = dcmread(path)
    ds.compress(RLELossless, generate_instance_uid=False)
    frame = get_frame(ds.PixelData, 0, number_of_frames=1)
    ds.PixelData = ds.PixelData.replace(frame[64:80], b"\x7f" * 16)
    ds.save_as(path)
    with pytest.raises(decode.DecodeError, match=r"RLE Lossless .* tried pylibjpeg \(\w+\), pydicom \(\w+\)"):
        read_image(path)
