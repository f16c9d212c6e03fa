import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from medaudit.dicom import archive, dataset
from medaudit.dicom.read import read_image
from medaudit.dicom.scan import FileRef, Instance, is_picture, is_report, scan
from medaudit.errors import InputError, UsageError
from medaudit.records.provenance import FileFate


def instances(inventory) -> list[Instance]:
    return [instance for study in inventory.studies for instance in study.instances]


def labels(inventory) -> list[str]:
    found = [instance.ref.label for instance in instances(inventory)]
    return sorted(found + [other.ref.label for other in inventory.others])


def test_every_shipped_file_is_accounted_for_once(shipped):
    counts = []
    inventory = scan(shipped, on_file=counts.append)
    files = sorted(path.relative_to(shipped).as_posix() for path in shipped.rglob("*") if path.is_file())
    assert labels(inventory) == files
    assert counts == list(range(1, len(files) + 1))
    assert all(other.reason for other in inventory.others)


def test_every_real_file_is_accounted_for_once(real_dicom):
    inventory = scan(real_dicom)
    files = sorted(path.relative_to(real_dicom).as_posix() for path in real_dicom.rglob("*") if path.is_file())
    assert labels(inventory) == files
    bare = next(entry for entry in instances(inventory) if "nometa" in entry.ref.label)
    assert (bare.modality, bare.rows, bare.columns, is_picture(bare)) == ("CR", 440, 440, True)
    assert any("Transfer Syntax" in note for note in bare.notes)


@pytest.mark.parametrize(
    ("name", "fate"),
    [
        ("README.txt", FileFate.NOT_DICOM),
        ("zipMR.gz", FileFate.NOT_DICOM),
        ("test1.json", FileFate.NOT_DICOM),
        ("empty_charset_LEI.dcm", FileFate.NOT_AN_IMAGE),
        ("MR_small_RLE.dcm", FileFate.DUPLICATE),
        ("dicomdirtests/DICOMDIR", FileFate.NOT_AN_IMAGE),
    ],
)
def test_fate_of_shipped_files(shipped, name, fate):
    other = next(other for other in scan(shipped).others if other.ref.label == name)
    assert other.fate is fate


@pytest.mark.parametrize(
    ("name", "picture", "report"),
    [
        ("CT_small.dcm", True, False),
        ("image_dfl.dcm", True, False),
        ("examples_ybr_color.dcm", True, False),
        ("liver_1frame.dcm", False, False),
        ("rtdose.dcm", False, False),
        ("rtplan.dcm", False, False),
        ("waveform_ecg.dcm", False, False),
        ("test-SR.dcm", False, True),
    ],
)
def test_pictures_and_reports(shipped, name, picture, report):
    (instance,) = instances(scan(shipped / name))
    assert is_picture(instance) is picture
    assert is_report(instance) is report


def test_selection_elements(make):
    path = make(ImageType=["ORIGINAL", "PRIMARY"], ViewPosition="PA", NumberOfFrames=1, SeriesDescription="Doe's chest")
    (instance,) = instances(scan(path))
    assert instance.elements["ImageType"] == "ORIGINAL\\PRIMARY"
    assert instance.elements["ViewPosition"] == "PA"
    assert instance.elements["Laterality"] == ""
    assert "SeriesDescription" not in instance.elements


def test_zip_members_are_read_and_labelled(make, tmp_path):
    image = make()
    inner = tmp_path / "inner.zip"
    with zipfile.ZipFile(inner, "w") as file:
        file.write(image, "x.dcm")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.write(image, "study/one.dcm")
        file.write(inner, "study/inner.zip")
        file.writestr("notes.txt", "not an image")
    inventory = scan(tmp_path / "a.zip")
    (instance,) = instances(inventory)
    assert instance.ref.label == "a.zip!study/inner.zip!x.dcm"
    with instance.ref.open() as stream:
        assert stream.read() == image.read_bytes()
    fates = {other.ref.label: other.fate for other in inventory.others}
    assert fates == {"a.zip!notes.txt": FileFate.NOT_DICOM, "a.zip!study/one.dcm": FileFate.DUPLICATE}


def test_archives_are_opened_to_a_depth(make, tmp_path):
    inside = make()
    for depth in range(archive.DEPTH_LIMIT + 1):
        outer = tmp_path / f"{depth}.zip"
        with zipfile.ZipFile(outer, "w") as file:
            file.write(inside, inside.name)
        inside = outer
    (other,) = scan(inside).others
    assert other.fate is FileFate.NOT_CHOSEN
    assert "unpack the outer one first" in other.reason
    with pytest.raises(InputError, match="at most 3"):
        FileRef(inside, "", "2.zip", ("1.zip", "0.zip", "image.dcm")).open()


def test_a_bomb_of_archives_is_bounded(make, tmp_path, monkeypatch):
    monkeypatch.setattr("medaudit.dicom.scan._INNER_ARCHIVES", 2)
    with zipfile.ZipFile(tmp_path / "small.zip", "w") as file:
        file.write(make(), "x.dcm")
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as file:
        for name in range(4):
            file.write(tmp_path / "small.zip", f"{name}.zip")
    fates = [other.fate for other in scan(tmp_path / "many.zip").others]
    assert fates == [FileFate.DUPLICATE, FileFate.NOT_CHOSEN, FileFate.NOT_CHOSEN]


def test_a_member_named_out_of_the_archive_is_read_in_place_and_written_nowhere(make, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.write(make(), "../../slip.dcm")
    before = sorted(tmp_path.parent.rglob("*"))
    (instance,) = instances(scan(tmp_path / "a.zip"))
    with instance.ref.open() as stream:
        assert stream.read(132).endswith(b"DICM")
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_the_directory_of_an_archive_is_read_once_however_many_members_are(make, tmp_path, monkeypatch):
    """A directory of 100,000 members takes seconds to read."""
    inner = tmp_path / "inner.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        for index in range(4):
            archive.write(make(f"{index}.dcm", np.full((4, 4), index, dtype=np.uint16)), f"{index}.dcm")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.write(inner, "inner.zip")
    refs = [entry.ref for entry in instances(scan(tmp_path / "outer.zip"))]
    opened = []
    init = zipfile.ZipFile.__init__
    monkeypatch.setattr(zipfile.ZipFile, "__init__", lambda self, *some: opened.append(self) or init(self, *some))
    assert [int(read_image(ref).stored[0, 0]) for ref in refs * 2] == [0, 1, 2, 3] * 2
    assert len(opened) == 2  # the outer and the inner one


def test_an_archive_that_was_replaced_is_read_again(make, tmp_path):
    path = tmp_path / "a.zip"
    for value in (1, 2):
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(make("a.dcm", np.full((4, 4 * value), value, dtype=np.uint16)), "a.dcm")
        (found,) = instances(scan(path))
        assert read_image(found.ref).stored[0, 0] == value


def test_broken_zip_in_a_folder_fails_alone(make):
    folder = make().parent
    (folder / "bad.zip").write_bytes(b"PK\x03\x04 and then nothing")
    inventory = scan(folder)
    assert len(instances(inventory)) == 1
    assert [(other.ref.label, other.fate) for other in inventory.others] == [("bad.zip", FileFate.FAILED)]


def test_archive_member_over_the_limit_is_refused(make, tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.write(make(), "one.dcm")
    monkeypatch.setattr(archive, "MEMBER_LIMIT", 100)
    with pytest.raises(InputError, match="at most 100 bytes"):
        FileRef(tmp_path / "a.zip", "a.zip!one.dcm", "one.dcm").open()
    assert scan(tmp_path / "a.zip").others[0].fate is FileFate.FAILED


def test_deflated_file_over_the_limit_is_refused(shipped, monkeypatch):
    monkeypatch.setattr(dataset, "INFLATED_LIMIT", 1000)
    (other,) = scan(shipped / "image_dfl.dcm").others
    assert other.fate is FileFate.FAILED
    assert "at most 1000 bytes" in other.reason


def test_dicomdir_brings_its_referenced_files(shipped):
    inventory = scan(shipped / "dicomdirtests" / "DICOMDIR")
    assert len(instances(inventory)) == 31
    assert [(other.ref.label, other.fate) for other in inventory.others] == [("DICOMDIR", FileFate.NOT_AN_IMAGE)]


def test_dicomdir_missing_and_lower_case_files(shipped, tmp_path):
    shutil.copy(shipped / "dicomdirtests" / "DICOMDIR", tmp_path)
    (tmp_path / "77654033").mkdir()
    shutil.copytree(shipped / "dicomdirtests" / "77654033" / "CR1", tmp_path / "77654033" / "cr1")
    inventory = scan(tmp_path / "DICOMDIR")
    assert [entry.ref.label for entry in instances(inventory)] == ["77654033/CR1/6154"]
    missing = [other for other in inventory.others if other.fate is FileFate.FAILED]
    assert len(missing) == 30
    assert "missing" in missing[0].reason


def test_symbolic_links_do_not_lead_out(make, tmp_path):
    folder = make().parent
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.copy(folder / "image.dcm", outside / "secret.dcm")
    (folder / "link_out").symlink_to(outside)
    (folder / "link_file.dcm").symlink_to(outside / "secret.dcm")
    (folder / "link_loop").symlink_to(folder)
    (folder / "link_dead").symlink_to(folder / "nothing")
    inventory = scan(folder)
    assert [entry.ref.label for entry in instances(inventory)] == ["image.dcm"]
    assert {other.ref.label for other in inventory.others} == {"link_out", "link_file.dcm", "link_loop", "link_dead"}
    assert all(other.fate is FileFate.NOT_CHOSEN for other in inventory.others)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this platform")
def test_pipe_does_not_block(make):
    folder = make().parent
    os.mkfifo(folder / "pipe")
    (other,) = scan(folder).others
    assert "not a regular file" in other.reason


def test_duplicates_keep_the_first_label(make):
    first = make("b/one.dcm")
    shutil.copy(first, first.parent / "two.dcm")
    altered = first.read_bytes()[:-1] + b"\xff"
    (first.parent / "three.dcm").write_bytes(altered)
    inventory = scan(first.parent.parent)
    assert [entry.ref.label for entry in instances(inventory)] == ["b/one.dcm"]
    reasons = {other.ref.label: other.reason for other in inventory.others}
    assert "other bytes" in reasons["b/three.dcm"]
    assert "the same bytes" in reasons["b/two.dcm"]


def test_missing_uids_get_a_stable_stand_in(make):
    path = make(StudyInstanceUID=None, SeriesInstanceUID=None, SOPInstanceUID=None)
    (first,), (second,) = instances(scan(path)), instances(scan(path))
    assert first == second
    assert len({first.study_uid, first.series_uid, first.sop_instance_uid}) == 3
    assert first.study_uid.startswith("2.25.")
    assert len(first.notes) == 3


def test_unusable_number_of_frames_is_noted(shipped):
    (instance,) = instances(scan(shipped / "badVR.dcm"))
    assert instance.number_of_frames == 1
    assert any("Number of Frames" in note for note in instance.notes)
    assert "1A" not in " ".join(instance.notes)


def test_garbage_is_never_forced_into_dicom(tmp_path):
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 4)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "short").write_bytes(b"\x08\x00\x05")
    assert {other.fate for other in scan(tmp_path).others} == {FileFate.NOT_DICOM}


def test_nothing_there_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        scan(tmp_path / "absent")


def test_pydicom_is_not_heard(shipped, capfd, caplog):
    scan(shipped / "badVR.dcm")
    scan(shipped / "SC_rgb_jpeg.dcm")
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


def test_labels_use_forward_slashes(make):
    make(str(Path("deep") / "er" / "x.dcm"))
    path = make(str(Path("deep") / "y.dcm"))
    assert labels(scan(path.parent.parent)) == ["deep/er/x.dcm", "deep/y.dcm"]


def test_broken_dicomdir_fails_once(shipped, tmp_path):
    whole = (shipped / "dicomdirtests" / "DICOMDIR").read_bytes()
    # The directory's sequence becomes an element of text.
    (tmp_path / "DICOMDIR").write_bytes(whole.replace(b"\x04\x00\x20\x12SQ\x00\x00", b"\x04\x00\x20\x12UT\x00\x00"))
    (other,) = scan(tmp_path / "DICOMDIR").others
    assert other.fate is FileFate.FAILED
    assert "scan its folder instead" in other.reason


def test_headers_that_contradict_each_other_are_reported_without_values(make):
    same = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.4"}
    make("a.dcm", PatientID="4711", PatientBirthDate="19520317", PatientSex="F", **same)
    path = make("b.dcm", PatientID="4712", PatientBirthDate="19520318", PatientSex="M", **(same | {"Modality": "DX"}))
    make("c.dcm", PatientID="4711", StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.4")
    inventory = scan(path.parent)
    assert [(one.kind.name, one.study_uids, one.words) for one in inventory.conflicts] == [
        ("PATIENT_ID", ("1.2.3",), "conflict: files of one study name 2 different Patient IDs (0010,0020)"),
        ("BIRTH_DATE", ("1.2.3",), "conflict: files of one study name 2 different Patient's Birth Dates (0010,0030)"),
        ("SEX", ("1.2.3",), "conflict: files of one study name 2 different Patient's Sexes (0010,0040)"),
        (
            "STUDY",
            ("1.2.3", "1.2.9"),
            "conflict: files of one Series Instance UID name 2 different Study Instance UIDs (0020,000D)",
        ),
        (
            "MODALITY",
            ("1.2.3", "1.2.9"),
            "conflict: files of one Series Instance UID name 2 different Modalities (0008,0060)",
        ),
    ]
    first = next(entry for entry in instances(inventory) if entry.ref.label == "a.dcm")
    assert {one.words for one in inventory.conflicts} <= set(first.notes)
    assert not any(value in repr(inventory) for value in ("4711", "19520317"))


def test_what_a_header_does_not_say_contradicts_nothing(make):
    same = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.4"}
    make("a.dcm", PatientID="4711", PatientSex="F", **same)
    path = make("b.dcm", PatientID="", Modality="", **same)
    assert scan(path.parent).conflicts == ()


def test_files_with_one_uid_that_differ_are_a_conflict_and_copies_are_none(make):
    uid = {"SOPInstanceUID": "1.2.5", "StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.4"}
    path = make("a.dcm", **uid)
    (path.parent / "copy.dcm").write_bytes(path.read_bytes())
    assert scan(path.parent).conflicts == ()
    make("other.dcm", np.zeros((4, 4), dtype=np.uint16), **(uid | {"StudyInstanceUID": "1.2.9"}))
    inventory = scan(path.parent)
    (conflict,) = inventory.conflicts
    assert (conflict.kind.name, conflict.study_uids) == ("INSTANCE", ("1.2.3", "1.2.9"))
    (kept,) = instances(inventory)
    assert conflict.words in kept.notes


def test_the_same_pixels_under_another_uid_are_recognised(make):
    pixels = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    make("a.dcm", pixels)
    make("b.dcm", pixels)
    path = make("c.dcm", pixels[::-1].copy())
    first, second, third = sorted(instances(scan(path.parent)), key=lambda entry: entry.ref.label)
    assert (first.twin, second.twin, third.twin) == ("", first.sop_instance_uid, "")


def test_what_files_of_a_series_share_is_held_once(make):
    elements = {
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": "1.2.4",
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    }
    for index in range(2):
        path = make(f"{index}.dcm", **elements, ImagePositionPatient=[0, 0, index], InstanceNumber=index)
    first, second = instances(scan(path.parent))
    assert first.elements is second.elements
    assert first.series_uid is second.series_uid
    assert first.plane.orientation is second.plane.orientation
    assert (second.plane.position, second.instance_number) == ((0, 0, 1), 1)


def test_a_picture_without_a_class_is_a_picture(make):
    path = make(SOPClassUID=None)
    ds = dcmread(path)
    del ds.file_meta.MediaStorageSOPClassUID
    ds.save_as(path, enforce_file_format=False)
    (instance,) = instances(scan(path))
    assert is_picture(instance)
    assert any("taken for a picture" in note for note in instance.notes)
