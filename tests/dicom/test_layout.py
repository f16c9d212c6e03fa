"""Pixels in every layout of PS3.3 C.7.6.3 and PS3.5 8: fabricated, so that every number is known."""

import struct

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRBigEndian, ImplicitVRLittleEndian, JPEGLSLossless, RLELossless

from medaudit.dicom.grayscale import display
from medaudit.dicom.read import read_image, read_images
from medaudit.errors import DecodeError, UnsupportedImageError

RAMP = np.arange(16, dtype=np.uint16).reshape(4, 4)
SMOOTH = np.add.outer(np.arange(32), 2 * np.arange(32)).astype(np.uint8)
COLOURS = (np.arange(48, dtype=np.uint8) * 5).reshape(4, 4, 3)


def rewrite(path, edit, syntax=None):
    ds = dcmread(path)
    edit(ds)
    if syntax:
        ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.save_as(
        path, enforce_file_format=syntax is None, little_endian=True, implicit_vr=False
    ) if syntax else ds.save_as(path)
    return path


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("stored", "high"), [(12, 11), (12, 15), (10, 12), (16, 15), (9, 8)])
def test_bits_stored_anywhere_in_the_word(make, stored, high, signed):
    low = -(2 ** (stored - 1)) if signed else 0
    numbers = np.linspace(low, low + 2**stored - 1, 16).astype(np.int64).reshape(4, 4)
    rubbish = np.random.default_rng(0).integers(0, 2**16, (4, 4))
    used = (2**stored - 1) << (high + 1 - stored)
    words = ((numbers & (2**stored - 1)) << (high + 1 - stored)) | (rubbish & ~used)
    path = make(pixels=words.astype(np.uint16), BitsStored=stored, HighBit=high, PixelRepresentation=int(signed))
    assert np.array_equal(read_image(path).stored, numbers)


def test_twelve_bits_allocated(make):
    numbers = np.arange(16) * 255 + 7
    bits = "".join(f"{number:012b}"[::-1] for number in numbers)
    data = bytes(int(bits[start : start + 8][::-1], 2) for start in range(0, len(bits), 8))
    path = make(pixels=RAMP, BitsAllocated=12, BitsStored=12, HighBit=11, PixelData=data)
    assert read_image(path).stored.ravel().tolist() == numbers.tolist()


def test_one_bit_a_pixel_runs_on_over_frames(make):
    bits = np.random.default_rng(0).integers(0, 2, (3, 3, 3), dtype=np.uint8)
    data = np.packbits(bits.ravel(), bitorder="little").tobytes()
    path = make(pixels=np.zeros((3, 3), np.uint8), BitsAllocated=1, BitsStored=1, HighBit=0, NumberOfFrames=3)
    rewrite(path, lambda ds: setattr(ds, "PixelData", data))
    for image in read_images(path, range(3)):
        assert np.array_equal(image.stored, bits[image.frame])


@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("planar", [0, 1])
def test_rgb_planar_or_not(make, bits, planar):
    colours = COLOURS.astype(f"u{bits // 8}")
    laid = colours if planar == 0 else np.moveaxis(colours, -1, 0)
    path = make(pixels=colours, PlanarConfiguration=planar, PixelData=laid.tobytes())
    assert np.array_equal(read_image(path).stored, colours)


def ybr(rgb):
    """PS3.3 C.7.6.3.1.2, by the standard's own matrix."""
    matrix = np.array([[0.299, 0.587, 0.114], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]])
    return np.clip(np.rint(rgb @ matrix.T + [0, 128, 128]), 0, 255).astype(np.uint8)


def test_ybr_full(make):
    path = make(pixels=ybr(COLOURS), PhotometricInterpretation="YBR_FULL")
    assert np.abs(read_image(path).stored.astype(int) - COLOURS).max() <= 2


def halved(pixels):
    """Y1 Y2 B R for each two pixels."""
    pairs = pixels.reshape(-1, 2, 3)
    return np.column_stack((pairs[:, 0, 0], pairs[:, 1, 0], pairs[:, 0, 1], pairs[:, 0, 2])).astype(np.uint8).tobytes()


@pytest.mark.parametrize("name", ["YBR_FULL_422", "YBR_FULL"])
def test_ybr_subsampled_even_where_it_is_not_declared(make, name):
    colours = np.repeat(COLOURS[:, ::2], 2, axis=1)
    path = make(pixels=colours, PhotometricInterpretation=name, PixelData=halved(ybr(colours)))
    image = read_image(path)
    assert np.abs(image.stored.astype(int) - colours).max() <= 2
    assert any("subsampled" in note for note in image.notes) is (name == "YBR_FULL")


def test_ybr_declared_as_subsampled_that_is_not(make):
    image = read_image(make(pixels=ybr(COLOURS), PhotometricInterpretation="YBR_FULL_422"))
    assert np.abs(image.stored.astype(int) - COLOURS).max() <= 2
    assert "YBR_FULL_422 declared, but the pixels are not subsampled" in image.notes


def test_ybr_of_the_video_range(make):
    grey = np.full((4, 4, 3), 128, dtype=np.uint8)
    grey[..., 0] = np.linspace(16, 235, 16).reshape(4, 4)
    path = make(pixels=grey, PhotometricInterpretation="YBR_PARTIAL_422", PixelData=halved(grey))
    stored = read_image(path).stored
    assert (stored[0, 0].tolist(), stored[3, 3].tolist()) == ([0, 0, 0], [255, 255, 255])


@pytest.mark.parametrize(("keyword", "dtype"), [("FloatPixelData", np.float32), ("DoubleFloatPixelData", np.float64)])
def test_float_pixels(make, keyword, dtype):
    numbers = np.linspace(-1.5, 2.5, 16).reshape(4, 4).astype(dtype)
    path = make(pixels=RAMP, BitsAllocated=dtype().itemsize * 8, PixelData=None)
    rewrite(path, lambda ds: setattr(ds, keyword, numbers.tobytes()))
    image = read_image(path)
    assert np.array_equal(image.stored, numbers)
    assert "full range -1.5 .. 2.5" in display(image).description


def test_big_endian_words_of_bytes(make):
    odd = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    path = make(pixels=np.zeros((3, 3), np.uint8))
    ds = dcmread(path)
    ds.NumberOfFrames = 3
    ds.PixelData = np.frombuffer(odd.tobytes() + b"\0", dtype=np.uint16).byteswap().tobytes()
    ds["PixelData"].VR = "OW"
    meta = ds.file_meta
    meta.TransferSyntaxUID = ExplicitVRBigEndian
    fresh = Dataset(ds)
    fresh.file_meta = meta
    fresh.save_as(path, implicit_vr=False, little_endian=False)
    # Pixels go to the file as they are given.
    for image in read_images(path, range(3)):
        assert np.array_equal(image.stored, odd[image.frame])


def descriptor(entries, first, bits):
    return {f"{name}PaletteColorLookupTableDescriptor": [entries, first, bits] for name in ("Red", "Green", "Blue")}


@pytest.mark.parametrize("bits", [8, 16])
def test_palette(make, bits):
    tables = {}
    for place, name in enumerate(("Red", "Green", "Blue")):
        entries = np.array([10, 20, 30, 40], dtype=f"u{bits // 8}") + place
        tables[f"{name}PaletteColorLookupTableData"] = entries.tobytes()
    path = make(pixels=RAMP, PhotometricInterpretation="PALETTE COLOR", **descriptor(4, 2, bits), **tables)
    stored = read_image(path).stored
    assert stored.dtype == f"u{bits // 8}"
    assert stored[..., 0].ravel().tolist() == [10, 10, 10, 20, 30, *[40] * 11]
    assert (stored[..., 2] - stored[..., 0] == 2).all()


def test_segmented_palette(make):
    # Discrete 1 2, then linear up to 10 in 4 steps, then the two again (PS3.3 C.7.9.2).
    words = [0, 2, 1, 2, 1, 4, 10, 2, 1, 0, 0]
    tables = {
        f"Segmented{name}PaletteColorLookupTableData": struct.pack("<11H", *words) for name in ("Red", "Green", "Blue")
    }
    path = make(pixels=RAMP, PhotometricInterpretation="PALETTE COLOR", **descriptor(8, 0, 16), **tables)
    assert read_image(path).stored[..., 1].ravel().tolist()[:8] == [1, 2, 4, 6, 8, 10, 1, 2]


def test_palette_without_tables(make):
    with pytest.raises(DecodeError, match="expected three usable tables"):
        read_image(make(pixels=RAMP, PhotometricInterpretation="PALETTE COLOR"))


def overlay(ds, group, bits, origin=(1, 1)):
    ds.add_new((group, 0x0010), "US", bits.shape[0])
    ds.add_new((group, 0x0011), "US", bits.shape[1])
    ds.add_new((group, 0x0050), "SS", list(origin))
    ds.add_new((group, 0x0100), "US", 1)
    ds.add_new((group, 0x0102), "US", 0)
    ds.add_new((group, 0x3000), "OW", np.packbits(bits.ravel(), bitorder="little").tobytes().ljust(2, b"\0"))


def test_overlays_are_named_and_drawn_on_demand(make):
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=np.uint8)
    image = read_image(rewrite(make(pixels=RAMP), lambda ds: overlay(ds, 0x6002, cross, origin=(2, 3))))
    (plane,) = image.overlays
    assert (plane.group, plane.embedded, plane.bits.shape) == (0x6002, False, (4, 4))
    assert np.argwhere(plane.bits).tolist() == [[1, 3], [2, 2], [2, 3], [3, 3]]
    plain, drawn = display(image), display(image, overlays=True)
    assert plain.description.endswith("1 overlay not drawn")
    assert (drawn.values[plane.bits] == 1).all()
    assert np.array_equal(drawn.values[~plane.bits], plain.values[~plane.bits])


def test_an_overlay_in_unused_bits_is_not_part_of_the_numbers(make):
    bits = (RAMP % 3 == 0).astype(np.uint16)
    path = make(pixels=RAMP | bits << 12, BitsStored=12, HighBit=11)

    def edit(ds):
        ds.add_new((0x6000, 0x0100), "US", 16)
        ds.add_new((0x6000, 0x0102), "US", 12)

    image = read_image(rewrite(path, edit))
    assert np.array_equal(image.stored, RAMP)
    assert image.overlays[0].embedded
    assert np.array_equal(image.overlays[0].bits, bits == 1)


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"NumberOfFrames": 0}, "Number of Frames"),
        ({"SamplesPerPixel": None}, "Samples per Pixel"),
        ({"PhotometricInterpretation": None}, "taken as MONOCHROME2"),
        ({"PhotometricInterpretation": "RGB"}, "taken as MONOCHROME2"),
        ({"BitsStored": None}, "Bits Stored"),
        ({"BitsStored": 17}, "Bits Stored"),
        ({"HighBit": 40}, "High Bit"),
        ({"HighBit": None}, ""),
        ({"PixelRepresentation": None}, ""),
    ],
)
def test_a_header_that_leaves_one_reading_is_read_and_noted(make, elements, words):
    image = read_image(make(pixels=RAMP, **elements))
    assert np.array_equal(image.stored, RAMP)
    assert words in " ".join(image.notes)


def encapsulated(make, codestream, syntax, *, defined=False):
    """A file whose pixels are ``codestream``, with a defined length where it is ``defined``."""
    path = make(pixels=np.zeros(SMOOTH.shape, np.uint8))
    ds = dcmread(path)
    ds.PixelData = encapsulate([codestream], has_bot=False) if codestream else b"\xfe\xff\x00\xe0\0\0\0\0"
    ds["PixelData"].VR = "OB"
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.save_as(path)
    if defined:
        data = path.read_bytes()
        at = data.index(b"\xe0\x7f\x10\x00OB\0\0") + 8
        whole = data[:at] + struct.pack("<I", len(data) - at - 4 - 8) + data[at + 4 : -8]
        path.write_bytes(whole)
    return path


@pytest.fixture
def jls():
    """SMOOTH in JPEG-LS."""
    import jpeg_ls

    return bytes(jpeg_ls.encode_array(SMOOTH))


@pytest.mark.parametrize("syntax", [JPEGLSLossless, RLELossless, ImplicitVRLittleEndian])
def test_the_codestream_decides_where_the_declared_syntax_is_wrong(make, jls, syntax):
    path = encapsulated(make, jls, JPEGLSLossless)
    data = path.read_bytes()
    name = str(syntax).encode()
    old = str(JPEGLSLossless).encode()
    data = data.replace(old + b"\0" * (len(old) % 2), name.ljust(len(old) + len(old) % 2, b"\0"), 1)
    path.write_bytes(data)
    image = read_image(path)
    assert np.array_equal(image.stored, SMOOTH)
    assert any("declared, but the pixels are JPEG-LS" in note for note in image.notes) is (syntax != JPEGLSLossless)


def test_jpeg_ls_of_whole_words_has_its_sign_at_bits_stored(make):
    import jpeg_ls

    numbers = SMOOTH.astype(np.int16) * 40 - 1800
    path = make(pixels=numbers, BitsStored=12, HighBit=11)
    ds = dcmread(path)
    words = (numbers.astype(np.uint16)) & 0xFFF
    ds.PixelData = encapsulate([bytes(jpeg_ls.encode_array(words))], has_bot=False)
    ds["PixelData"].VR = "OB"
    ds.file_meta.TransferSyntaxUID = JPEGLSLossless
    ds.save_as(path)
    assert np.array_equal(read_image(path).stored, numbers)


def test_fragments_of_a_defined_length(make, jls):
    assert np.array_equal(read_image(encapsulated(make, jls, JPEGLSLossless, defined=True)).stored, SMOOTH)


def test_plain_pixels_under_a_compressed_syntax(make):
    path = make(pixels=RAMP)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0", 1))
    image = read_image(path)
    assert np.array_equal(image.stored, RAMP)
    assert "RLE Lossless declared, but the pixels are not compressed" in image.notes


def test_frames_in_several_fragments(make, jls):
    path = encapsulated(make, jls, JPEGLSLossless)
    ds = dcmread(path)
    ds.NumberOfFrames = 3
    ds.PixelData = encapsulate([jls] * 3, fragments_per_frame=2, has_bot=False)
    ds["PixelData"].VR = "OB"
    ds.save_as(path)
    assert [image.frame for image in read_images(path, [2, 0])] == [2, 0]
    ds.PixelData = encapsulate([jls] * 3, fragments_per_frame=2, has_bot=True)
    ds["PixelData"].VR = "OB"
    ds.save_as(path)
    assert np.array_equal(read_image(path, frame=1).stored, SMOOTH)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "expected an offset table and fragments"),
        (
            b"\xff\x4f\xff\x51" + bytes(4) + struct.pack(">8I", 2**31, 2**31, 0, 0, 0, 0, 0, 0) + b"\0\1\7\1\1",
            "promises",
        ),
        (struct.pack("<16I", 1, 64, *[0] * 14) + b"\0", "cannot hold|tried"),
        (b"rubbish!", "tried"),
    ],
)
def test_a_codestream_that_cannot_be_is_refused(make, data, words):
    path = encapsulated(make, data, RLELossless if data[:1] == b"\1" else "1.2.840.10008.1.2.4.90")
    with pytest.raises(DecodeError, match=words):
        read_image(path)


def test_an_object_that_is_no_picture_is_decoded_all_the_same(shipped):
    image = read_image(shipped / "liver_1frame.dcm")
    assert image.stored.shape == (512, 512)
    assert set(np.unique(image.stored)) == {0, 1}
    with pytest.raises(UnsupportedImageError):
        read_image(shipped / "rtplan.dcm")


def test_spacing_at_the_detector_never_stands_in(make):
    image = read_image(make(pixels=RAMP, ImagerPixelSpacing=[0.1, 0.1]))
    assert (image.pixel_spacing, image.imager_pixel_spacing) == (None, (0.1, 0.1))
    assert "PixelSpacing" not in image.dataset
    assert isinstance(image.dataset, Dataset)
