"""Plain images and their manifest: pixels, what the table says, and what is said where either is wrong."""

import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from medaudit.dicom.grayscale import VoiPolicy
from medaudit.dicom.manifest import find_manifest, read_manifest
from medaudit.dicom.plain import NO_PROVENANCE, PlainRef, display_plain, plain_elements, read_plain, with_plain_images
from medaudit.dicom.scan import is_picture, scan
from medaudit.errors import DecodeError, InputError
from medaudit.records import FileFate

RAMP8 = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
RAMP16 = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1000
COLOUR = np.stack([RAMP8, RAMP8[::-1], RAMP8[:, ::-1]], axis=-1)


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def read(path):
    return read_plain(PlainRef(path, path.name))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.TIFF"])
@pytest.mark.parametrize("pixels", [RAMP8, RAMP16, COLOUR], ids=["grey 8", "grey 16", "rgb"])
def test_values_come_in_as_they_are(tmp_path, name, pixels):
    path = save(tmp_path / name, pixels, format="PNG" if name == "a.png" else "TIFF")
    image = read(path)
    assert image.stored.dtype == pixels.dtype
    assert np.array_equal(image.stored, pixels)
    assert image.notes == (NO_PROVENANCE,)
    assert image.transfer_syntax == f"none: a {'PNG' if name == 'a.png' else 'TIFF'} file"
    assert image.decoder == "Pillow"


def tiff(pixels, photometric, order=">"):
    """A TIFF of one strip."""
    pixels = pixels.astype(pixels.dtype.newbyteorder(order))
    tags = [(256, 8), (257, 6), (258, 8 * pixels.itemsize), (259, 1), (262, photometric), (273, 200), (277, 1)]
    tags += [(278, 6), (279, pixels.nbytes)]
    directory = struct.pack(f"{order}H", len(tags)) + b"".join(
        struct.pack(f"{order}HHII", tag, 4, 1, value)
        if tag in (273, 279)
        else struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0)
        for tag, value in tags
    )
    return (struct.pack(f"{order}2sHI", b"MM" if order == ">" else b"II", 42, 8) + directory + b"\0" * 4).ljust(
        200, b"\0"
    ) + pixels.tobytes()


def test_jpeg_and_big_endian_tiff_and_float_tiff(tmp_path):
    image = read(save(tmp_path / "a.jpg", RAMP8, quality=95))
    assert np.abs(image.stored.astype(int) - RAMP8).max() < 12
    (tmp_path / "big.tif").write_bytes(tiff(RAMP16, 1))
    big = read(tmp_path / "big.tif")
    assert np.array_equal(big.stored, RAMP16)
    assert big.stored.dtype.isnative
    floats = (RAMP16 / 7).astype(np.float32)
    assert np.array_equal(read(save(tmp_path / "f.tif", floats)).stored, floats)


def test_white_is_zero_is_shown_dark_on_bright(tmp_path):
    for pixels in (RAMP8, RAMP16):
        # Pillow has no big-endian one of 16 bits.
        (tmp_path / "w.tif").write_bytes(tiff(pixels, 0, "<" if pixels.itemsize == 2 else ">"))
        shown = display_plain(read(tmp_path / "w.tif"), VoiPolicy()).values
        assert shown[0, 0] > 0.9
        assert shown[-1, -1] < 0.1


def test_what_was_done_to_a_picture_is_said(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = read(save(tmp_path / "t.png", RAMP8, exif=exif))
    assert np.array_equal(turned.stored, np.rot90(RAMP8, -1))
    assert "EXIF orientation (6)" in turned.notes[1]
    grey = read(save(tmp_path / "g.png", np.stack([RAMP8] * 3, axis=-1)))
    assert np.array_equal(grey.stored, RAMP8)
    assert grey.notes[1] == "three equal channels were read as one"
    glass = read(save(tmp_path / "a.png", np.dstack([COLOUR, np.full((6, 8), 128, np.uint8)])))
    assert "laid on black" in glass.notes[1]
    opaque = read(save(tmp_path / "o.png", np.dstack([COLOUR, np.full((6, 8), 255, np.uint8)])))
    assert np.array_equal(opaque.stored, COLOUR)
    Image.fromarray(COLOUR).convert("P").save(tmp_path / "p.png")
    assert read(tmp_path / "p.png").stored.shape == (6, 8, 3)
    Image.fromarray(RAMP8 > 100).save(tmp_path / "1.png")
    assert set(np.unique(read(tmp_path / "1.png").stored)) == {0, 255}
    Image.fromarray(COLOUR).convert("CMYK").save(tmp_path / "c.jpg")
    assert "CMYK was read as RGB" in read(tmp_path / "c.jpg").notes


def png(width, height, depth, colour, rows):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_sixteen_bit_colour_is_read_as_eight_and_says_so(tmp_path):
    rows = b"".join(b"\0" + np.array([[1000, 60000, 256 * (x + 1)] for x in range(2)], ">u2").tobytes() for _ in "ab")
    (tmp_path / "c16.png").write_bytes(png(2, 2, 16, 2, rows))
    image = read(tmp_path / "c16.png")
    assert image.stored.dtype == np.uint8
    assert "16 bits a channel were read as 8" in image.notes


def test_files_that_cannot_be_read_are_refused_with_a_way_out(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png(60_000, 60_000, 8, 0, b""))
    (tmp_path / "large.png").write_bytes(png(9_000, 9_000, 8, 0, b""))
    (tmp_path / "text.png").write_text("no picture")
    whole = save(tmp_path / "whole.png", np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8))
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:1500])
    Image.fromarray(RAMP8).save(tmp_path / "pages.tif", save_all=True, append_images=[Image.fromarray(RAMP8)])
    Image.fromarray(COLOUR).convert("LAB").save(tmp_path / "lab.tif")
    Image.fromarray(RAMP8).save(tmp_path / "gif.png", format="GIF")
    for name, message in (
        ("bomb.png", "save it again as one of them"),
        ("large.png", "at most 67108864 pixels; the header promises 9000 x 9000"),
        ("text.png", "expected a PNG, JPEG or TIFF"),
        ("cut.png", "expected a whole PNG; got"),
        ("pages.tif", "save each page"),
        ("lab.tif", "mode LAB"),
        ("gif.png", "expected a PNG, JPEG or TIFF"),
        ("gone.png", "cannot be read"),
    ):
        with pytest.raises(InputError, match=message):
            read(tmp_path / name)


def test_eight_bits_are_shown_as_they_are_and_sixteen_over_their_range(tmp_path):
    eight = display_plain(read(save(tmp_path / "8.png", RAMP8)), VoiPolicy())
    assert np.allclose(eight.values, RAMP8 / 255, atol=1e-6)
    assert "as they are" in eight.description
    sixteen = display_plain(read(save(tmp_path / "16.png", RAMP16)), VoiPolicy())
    assert (sixteen.values.min(), sixteen.values.max()) == (0, 1)
    assert sixteen.description.endswith("full range 0 .. 47000")
    window = display_plain(read(tmp_path / "8.png"), VoiPolicy("window", center=100, width=10))
    assert "pipeline" in window.description
    assert display_plain(read(save(tmp_path / "c.png", COLOUR)), VoiPolicy()).values.shape == (6, 8, 3)


MANIFEST = """\
path;Study_ID;patient;modality;view;sex;age;year;laterality;orientation;pixel spacing;report;ignored
a/1.png;7;Jane Canary;cr;PA;female;67;2019;;L/F;0.5;"No effusion.
Heart normal.";x
a\\2.png;7;Jane Canary;CR;ll;F;067Y;NA;left;;;;
b.tif;;;DX;AP;unknown;94.5;;;;;;
"""


def scanned(folder, text=None, name="manifest.csv"):
    if text is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return with_plain_images(scan(folder), read_manifest(folder / name, folder) if text is not None else None)


def test_a_manifest_makes_studies_of_pictures(tmp_path):
    save(tmp_path / "a/1.png", RAMP8)
    save(tmp_path / "a/2.png", RAMP8)
    save(tmp_path / "b.tif", RAMP16)
    found = scanned(tmp_path, MANIFEST)
    assert [len(study.instances) for study in found.studies] == [2, 1]
    first, second, third = (instance for study in found.studies for instance in study.instances)
    assert all(is_picture(one) for one in (first, second, third))
    assert (first.modality, first.rows, first.columns, first.elements["ViewPosition"]) == ("CR", 6, 8, "PA")
    assert second.elements["ImageLaterality"] == "L"
    assert first.ref.row.report == "No effusion.\nHeart normal."
    image = read_plain(first.ref)
    assert (image.patient_orientation, image.pixel_spacing) == (("L", "F"), (0.5, 0.5))
    assert plain_elements(image, first.ref) == {
        "Modality": "CR",
        "ViewPosition": "PA",
        "PatientOrientation": "L\\F",
        "PatientSex": "F",
        "AgeBand": "60-69",
        "StudyYear": "2019",
    }
    assert plain_elements(image, first.ref, keep_identifiers=True)["PatientID"] == "Jane Canary"
    assert plain_elements(read_plain(third.ref), third.ref) == {
        "Modality": "DX",
        "ViewPosition": "AP",
        "AgeBand": "90+",
    }
    assert [(other.ref.label, other.fate) for other in found.others] == [("manifest.csv", FileFate.NOT_AN_IMAGE)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1.png,x,,,", "row 2, column sex: expected M, F or O; got 'x'; correct or empty it"),
        ("1.png,,two hundred,,", "row 2, column age: expected years of 0 to 149; got 'two hundred'"),
        ("1.png,,200,,", "got '200'"),
        ("1.png,,,19,", "column year: expected a year of four digits"),
        (
            "1.png,,,,PA view of Jane Canary Doe",
            "column view: expected at most 16 .* got 'PA view of Jane Canary \u2026'",
        ),
        ("../1.png,,,,", "column path: expected a path below INPUT"),
        (",,,,", None),
        (",F,,,", "column path: expected the path of a picture; got none"),
        ("none.png,,,,", "column path: names no file of INPUT"),
    ],
)
def test_a_bad_row_fails_alone_and_says_what_to_do(tmp_path, row, message):
    save(tmp_path / "1.png", RAMP8)
    save(tmp_path / "2.png", RAMP8)
    found = scanned(tmp_path, f"path,sex,age,year,view\n{row}\n2.png,M,,,\n")
    assert len(found.studies) == 1
    failed = [other for other in found.others if other.fate is FileFate.FAILED]
    assert len(failed) == (message is not None)
    for one in failed:
        assert one.error == "InputError"
        with pytest.raises(InputError, match=message):
            raise InputError(one.reason)


def test_every_file_is_accounted_for_once(tmp_path, make):
    make("ct.dcm")
    folder = tmp_path / "input"
    save(folder / "1.png", RAMP8)
    save(folder / "extra.jpg", RAMP8)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nand no more")
    (folder / "notes.txt").write_text("hello")
    found = scanned(folder, "path,sex\n1.png,F\n1.png,M\nct.dcm,F\nbroken.png,F\n")
    assert len(found.studies) == 2
    assert {other.ref.label: (other.fate, other.reason.partition(";")[0]) for other in found.others} == {
        "broken.png": (FileFate.FAILED, "plain image: expected a PNG, JPEG or TIFF"),
        "extra.jpg": (FileFate.NOT_DICOM, "a JPEG picture without a DICOM header"),
        "manifest.csv": (FileFate.NOT_AN_IMAGE, "the manifest, which was read"),
        "manifest.csv!row 3: 1.png": (
            FileFate.FAILED,
            "manifest.csv, row 3, column path: expected one row for each picture",
        ),
        "manifest.csv!row 4: ct.dcm": (
            FileFate.FAILED,
            "manifest.csv, row 4, column path: names a DICOM file, which speaks for itself",
        ),
        "notes.txt": (
            FileFate.NOT_DICOM,
            "the file does not begin as DICOM does (no preamble, no element of group 0002 or 0008)",
        ),
    }


def test_pictures_without_a_manifest_are_told_how_to_be_named(tmp_path):
    save(tmp_path / "1.png", RAMP8)
    assert find_manifest(tmp_path) is None
    (other,) = scanned(tmp_path).others
    assert "name it in a manifest.csv" in other.reason


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a column path"),
        ("name,sex\n1,F\n", r"table.csv, row 1: expected a column path .*; got 2 others"),
        ("path,sex,gender\n", "expected one column for sex; got sex, gender"),
        ('path,sex\n1.png,"F"x\n', "expected a readable table in UTF-8"),
    ],
)
def test_a_table_that_is_wrong_as_a_whole_is_refused(tmp_path, text, message):
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_manifest(tmp_path / "table.csv", tmp_path)


def test_a_decode_error_is_an_input_error():
    assert issubclass(DecodeError, InputError)


def test_pictures_in_an_archive_with_a_manifest_beside_it(tmp_path):
    for name in ("1.png", "2.png"):
        with zipfile.ZipFile(tmp_path / "set.zip", "a") as archive:
            archive.write(save(tmp_path / "in" / name, RAMP8), name)
    (tmp_path / "table.csv").write_text("path,sex\nset.zip!1.png,F\n")
    source = tmp_path / "set.zip"
    found = with_plain_images(scan(source), read_manifest(tmp_path / "table.csv", source))
    ((instance,),) = [study.instances for study in found.studies]
    assert np.array_equal(read_plain(instance.ref).stored, RAMP8)
    (other,) = found.others
    assert "no row of table.csv names it" in other.reason
