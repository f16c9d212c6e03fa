import shutil

import numpy as np
import pytest

from medaudit.dicom import dcmtk
from medaudit.dicom.read import read_image
from medaudit.dicom.scan import scan
from medaudit.errors import DecodeError, InputError, UnsupportedImageError


@pytest.mark.parametrize("name", ["implicit", "bigendian", "expb", "RLE", "jp2klossless", "jpeg_ls_lossless", "padded"])
def test_lossless_forms_of_one_image_agree(shipped, name):
    image, plain = read_image(shipped / f"MR_small_{name}.dcm"), read_image(shipped / "MR_small.dcm")
    assert np.array_equal(image.stored, plain.stored)
    assert image.pixel_sha256 == plain.pixel_sha256


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("OBXXXX1A", "OBXXXX1A_expb"),
        ("OBXXXX1A", "OBXXXX1A_rle"),
        ("gdcm-US-ALOKA-16", "gdcm-US-ALOKA-16_big"),
        ("SC_rgb_16bit", "SC_rgb_expb_16bit"),
        ("color-pl", "color-px"),
        ("US1_UNCR", "US1_J2KR"),
        ("693_UNCR", "693_J2KR"),
        ("emri_small", "emri_small_big_endian"),
    ],
)
def test_byte_order_and_compression_do_not_matter(real_dicom, one, other):
    folder = real_dicom / "pydicom-data"
    assert read_image(folder / f"{one}.dcm").pixel_sha256 == read_image(folder / f"{other}.dcm").pixel_sha256


@pytest.mark.skipif(dcmtk.find_dcmdjpeg() is None, reason="dcmdjpeg (dcmtk) is not installed")
def test_twelve_bit_jpeg_goes_through_dcmtk(shipped):
    image = read_image(shipped / "JPGExtended.dcm")
    assert image.decoder == "dcmdjpeg (dcmtk)"
    # The same picture is shipped as JPEG 2000; both lost some of its noise.
    other = read_image(shipped / "JPEG2000.dcm")
    assert np.corrcoef(image.stored.ravel(), other.stored.ravel())[0, 1] > 0.95


def test_without_dcmtk_the_message_says_what_to_install(shipped, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _name: None)
    with pytest.raises(DecodeError, match=r"JPEG Extended .*1\.2\.840\.10008\.1\.2\.4\.51.*tried .*medaudit\[gpl\]"):
        read_image(shipped / "JPGExtended.dcm")


def test_frames_are_read_by_index(shipped):
    path = shipped / "examples_ybr_color.dcm"
    first, last = read_image(path), read_image(path, frame=29)
    assert first.frame == 0
    assert last.frame == 29
    assert first.stored.shape == (240, 320, 3)
    assert first.photometric_interpretation == "RGB"
    assert first.pixel_sha256 != last.pixel_sha256
    for frame in (-1, 30):
        with pytest.raises(InputError, match=r"frame: expected 0 \.\. 29"):
            read_image(path, frame=frame)


def test_functional_groups_of_the_frame_are_lifted(real_dicom):
    image = read_image(real_dicom / "pydicom-data" / "eCT_Supplemental.dcm", frame=1)
    assert float(image.dataset.RescaleIntercept) == -1024
    assert image.pixel_spacing == (0.388672, 0.388672)
    assert any("frame 2" in note for note in image.notes)


def test_geometry(make):
    image = read_image(make(PixelSpacing=[0.2, 0.3], ImagerPixelSpacing=[0.4, 0.4], PatientOrientation=["L", "F"]))
    assert image.pixel_spacing == (0.2, 0.3)
    assert image.imager_pixel_spacing == (0.4, 0.4)
    assert image.patient_orientation == ("L", "F")
    oblique = read_image(make("b.dcm", ImageOrientationPatient=[0.9, 0.1, 0, 0, -0.1, -0.9]))
    assert oblique.patient_orientation == ("L", "F")
    none = read_image(make("c.dcm", PixelSpacing=[0, 0]))
    assert none.pixel_spacing is None
    assert none.patient_orientation is None


@pytest.mark.parametrize(
    "elements",
    [
        {"Rows": 65535, "Columns": 65535},
        {"NumberOfFrames": 2**30},
        {"Rows": 32768, "Columns": 32768},
        {"SamplesPerPixel": 4},
        {"BitsAllocated": 40},
        {"Rows": 0},
    ],
)
def test_absurd_promises_are_refused_before_allocating(make, elements):
    with pytest.raises(DecodeError, match=r"image size|Bits Allocated"):
        read_image(make(**elements))


def test_truncated_file_says_so(make):
    path = make()
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DecodeError, match="retrieve the file again"):
        read_image(path)


def test_object_without_pixels(make):
    with pytest.raises(UnsupportedImageError, match="the object has none"):
        read_image(make(PixelData=None))


def test_messages_and_notes_name_no_patient(make, capfd):
    path = make("DOE_JANE.dcm", PatientName="DOE^JANE", PatientID="4711", Rows=0)
    with pytest.raises(DecodeError) as caught:
        read_image(path)
    assert "DOE" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert capfd.readouterr() == ("", "")


def test_archive_member_reads_like_the_file(shipped, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(shipped / "MR_small_RLE.dcm", folder)
    archive = shutil.make_archive(str(tmp_path / "a"), "zip", folder)
    (study,) = scan(tmp_path / "a.zip").studies
    assert archive.endswith("a.zip")
    image = read_image(study.instances[0].ref)
    assert image.pixel_sha256 == read_image(shipped / "MR_small_RLE.dcm").pixel_sha256
    assert image.sop_instance_uid == study.instances[0].sop_instance_uid


def test_damaged_headers_end_in_our_errors_alone(shipped, tmp_path):
    generator = np.random.default_rng(1)
    path = tmp_path / "damaged.dcm"
    for name in ("MR_small.dcm", "MR_small_RLE.dcm", "MR_small_implicit.dcm", "MR_small_jpeg_ls_lossless.dcm"):
        whole = np.frombuffer((shipped / name).read_bytes(), dtype=np.uint8)
        for _ in range(25):
            damaged = whole.copy()
            damaged[generator.integers(132, 1500, size=4)] = generator.integers(0, 256, size=4)
            path.write_bytes(damaged.tobytes()[: generator.integers(1000, len(damaged))])
            try:
                assert read_image(path).stored.size
            except InputError as error:
                assert str(error)  # noqa: PT017 - either way is right; any other exception fails
