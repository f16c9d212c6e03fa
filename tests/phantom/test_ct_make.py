"""A CT on disk is one valid series with its geometry and HU, the same bytes every time, and holds no truth."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest

from medaudit.dicom.read import read_image
from medaudit.dicom.scan import FileRef, scan
from medaudit.dicom.text import read_report
from medaudit.errors import UsageError
from medaudit.phantom.ct_cohort import draw_ct_study
from medaudit.phantom.ct_study import render_ct
from medaudit.phantom.make import PhantomKind, make_studies
from medaudit.phantom.shortcuts import parse_shortcut

STUDIES, SEED, SIDE = 5, 5, 64


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("ct")
    seen = []
    make_studies(folder / "s", folder / "t", STUDIES, SEED, kind=PhantomKind.CT, side=SIDE, on_study=seen.append)
    assert seen == list(range(1, STUDIES + 1))
    return folder / "s", folder / "t"


@pytest.fixture(scope="module")
def rendered():
    return [render_ct(draw_ct_study(SEED, index), SIDE) for index in range(STUDIES)]


def truth_of(made, index):
    return json.loads((made[1] / f"study-{index:05d}" / "truth.json").read_text(encoding="utf-8"))


def test_the_same_seed_gives_the_same_bytes(made, tmp_path):
    make_studies(tmp_path / "s", tmp_path / "t", 1, SEED, kind=PhantomKind.CT, side=SIDE)
    for name, there in (("s", made[0]), ("t", made[1])):
        files = [path for path in (tmp_path / name).rglob("*") if path.is_file() and path.name != "cohort.json"]
        assert len(files) > 1 or name == "t"
        for path in files:
            assert path.read_bytes() == (there / path.relative_to(tmp_path / name)).read_bytes()


def test_every_kind_of_file_passes_dciodvfy(made):
    validator = shutil.which("dciodvfy")
    if validator is None:
        pytest.skip("dciodvfy (dicom3tools) is not on PATH")
    for study in sorted(made[0].iterdir()):
        for name in ("image-0001.dcm", "image-0020.dcm", "report.dcm"):
            done = subprocess.run(
                [validator, str(study / name)], capture_output=True, text=True, errors="replace", check=False
            )
            assert [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")] == []


def test_medaudit_reads_one_study_with_one_series_in_hu(made, rendered):
    inventory = scan(made[0])
    assert len(inventory.studies) == STUDIES
    syntaxes = set()
    for study in inventory.studies:
        pictures = next(series for series in study.series if len(series.instances) > 1)
        index = int(pictures.instances[0].ref.label.split("/")[0].removeprefix("study-"))
        phantom = rendered[index]
        assert len(pictures.instances) == phantom.grid.slices
        assert {instance.modality for instance in pictures.instances} == {"CT"}
        for number in (0, phantom.grid.slices // 2):
            image = read_image(pictures.instances[number].ref)
            hu = image.stored.astype(int) * int(image.dataset.RescaleSlope) + int(image.dataset.RescaleIntercept)
            assert np.array_equal(hu, phantom.volume[number])
            assert image.pixel_spacing == pytest.approx(phantom.voxel_mm[1:])
            assert image.patient_orientation == ("L", "P")
            syntaxes.add(image.transfer_syntax_uid)
    assert len(syntaxes) >= 3


def test_the_slices_lie_where_their_headers_say(made):
    series = [pydicom.dcmread(path) for path in sorted((made[0] / "study-00000").glob("image-*.dcm"))]
    heights = [float(ds.ImagePositionPatient[2]) for ds in series]
    thickness = float(series[0].SliceThickness)
    assert np.diff(heights) == pytest.approx(-thickness)
    assert [float(ds.SliceLocation) for ds in series] == heights
    assert [ds.InstanceNumber for ds in series] == list(range(1, len(series) + 1))
    for keyword in ("SeriesInstanceUID", "FrameOfReferenceUID", "StudyInstanceUID", "PatientID"):
        assert len({str(ds[keyword].value) for ds in series}) == 1
    assert len({ds.SOPInstanceUID for ds in series}) == len(series)
    first = series[0]
    half = (SIDE - 1) / 2 * float(first.PixelSpacing[0])
    assert [float(value) for value in first.ImagePositionPatient[:2]] == pytest.approx([-half, -half])
    assert first.RescaleType == "HU"
    assert list(first.WindowWidth) == [1500, 400]
    assert str(first.PatientPosition) == "HFS"


def test_the_truth_says_what_is_in_the_volume(made, rendered):
    seen = set()
    for index, phantom in enumerate(rendered):
        spec, truth = draw_ct_study(SEED, index), truth_of(made, index)
        assert [entry["kind"] for entry in truth["findings"]] == [finding.kind.value for finding in spec.findings]
        assert {sentence["truth"] for sentence in truth["sentences"]} == {True, False}
        folder = made[0] / f"study-{index:05d}"
        assert [one["file"] for one in truth["slices"]] == sorted(path.name for path in folder.glob("image-*"))
        last = pydicom.dcmread(folder / truth["slices"][-1]["file"], stop_before_pixels=True)
        assert last.SOPInstanceUID == truth["slices"][-1]["sop_instance_uid"]
        for entry, mask in zip(truth["findings"], phantom.finding_masks, strict=True):
            with np.load(made[1] / f"study-{index:05d}" / entry["mask"], allow_pickle=False) as stored:
                assert np.array_equal(stored["mask"], mask)
            assert entry["slices"] == np.flatnonzero(mask.any(axis=(1, 2))).tolist()
            middle = pydicom.dcmread(folder / truth["slices"][entry["slices"][len(entry["slices"]) // 2]]["file"])
            x, y, z = entry["centre_mm"]
            slice_, row, column = entry["centre_voxel"]
            spacing = float(middle.PixelSpacing[0])
            assert x == pytest.approx(float(middle.ImagePositionPatient[0]) + column * spacing, abs=0.1)
            assert y == pytest.approx(float(middle.ImagePositionPatient[1]) + row * spacing, abs=0.1)
            top = truth["first_voxel_mm"][2]
            assert z == pytest.approx(top - slice_ * float(middle.SliceThickness), abs=0.1)
            assert (x > 0) == (entry["side"] == "left")
            seen.add(entry["kind"])
    assert seen == {"nodule", "pleural effusion"}


def test_the_report_is_read_and_no_truth_lies_with_the_studies(made):
    report = made[0] / "study-00001" / "report.dcm"
    text, truth = read_report(FileRef(report, "report.dcm")), truth_of(made, 1)
    assert text is not None
    assert [body for _, body in text.sections] == [truth["report"]["findings"], truth["report"]["impression"]]
    assert {path.suffix for path in made[0].rglob("*") if path.is_file()} == {".dcm"}


def test_radiographs_and_cts_of_one_seed_are_different_studies(made, tmp_path):
    make_studies(tmp_path / "s", tmp_path / "t", 1, SEED, side=SIDE)
    radiograph = pydicom.dcmread(tmp_path / "s" / "study-00000" / "image.dcm")
    assert radiograph.StudyInstanceUID != truth_of(made, 0)["study_instance_uid"]


def test_a_ct_takes_no_shortcut(tmp_path):
    with pytest.raises(UsageError, match="chest-ct"):
        make_studies(
            tmp_path / "s", tmp_path / "t", 1, 0, [parse_shortcut("nodule:text=1")], kind=PhantomKind.CT, side=64
        )
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("kind", PhantomKind)
def test_a_side_that_cannot_be_is_refused_before_anything_is_written(tmp_path, kind):
    with pytest.raises(UsageError, match="multiple of 32"):
        make_studies(tmp_path / "s", tmp_path / "t", 1, 0, kind=kind, side=100)
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize(("kind", "code"), [("chest-ct", 0), ("head-mr", 2)])
def test_the_command_makes_the_kind_that_is_asked_for(tmp_path, monkeypatch, capsys, kind, code):
    from medaudit import cli

    arguments = ["phantom", "make", "--kind", kind, "--studies", "1", "--side", "64"]
    monkeypatch.setattr(
        "sys.argv", ["medaudit", *arguments, "--out", str(tmp_path / "s"), "--truth", str(tmp_path / "t")]
    )
    with pytest.raises(SystemExit) as done:
        cli.main()
    assert done.value.code == code
    assert (len(list((tmp_path / "s").rglob("image-*.dcm"))) > 24) == (code == 0)
    if code:
        assert "chest-radiograph or chest-ct" in capsys.readouterr().err
