"""What is written is valid DICOM, the same bytes every time, and holds no truth."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from medaudit.dicom.read import read_image
from medaudit.dicom.scan import FileRef, scan
from medaudit.dicom.text import read_report
from medaudit.errors import UsageError
from medaudit.phantom.cohort import draw_cohort
from medaudit.phantom.make import make_studies
from medaudit.phantom.shortcuts import parse_shortcut
from medaudit.phantom.study import render

STUDIES, SEED, SIDE = 16, 3, 96


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("phantom")
    seen = []
    make_studies(folder / "studies", folder / "truth", STUDIES, SEED, side=SIDE, on_study=seen.append)
    assert seen == list(range(1, STUDIES + 1))
    return folder / "studies", folder / "truth"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_same_seed_gives_the_same_bytes(made, tmp_path):
    make_studies(tmp_path / "studies", tmp_path / "truth", 5, SEED, side=SIDE)
    again = contents(tmp_path / "studies")
    assert again == {name: data for name, data in contents(made[0]).items() if name in again}
    assert len(again) == 10


def test_no_truth_lies_with_the_studies(made):
    assert {path.name for path in made[0].rglob("*") if path.is_file()} == {"image.dcm", "report.dcm"}
    words = ("known_sentences", "mask", "shortcut", "phantom_truth")
    for path in made[0].rglob("*.dcm"):
        assert not any(word.encode() in path.read_bytes() for word in words)


def test_every_file_passes_dciodvfy(made):
    validator = shutil.which("dciodvfy")
    if validator is None:
        pytest.skip("dciodvfy (dicom3tools) is not on PATH")
    for path in sorted(made[0].rglob("*.dcm")):
        done = subprocess.run([validator, str(path)], capture_output=True, text=True, errors="replace", check=False)
        assert [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")] == []


def test_the_files_hold_the_pictures_and_cover_what_they_should(made):
    specs = draw_cohort(STUDIES, SEED)
    syntaxes, photometric, modalities, character_sets = set(), set(), set(), set()
    for index, spec in enumerate(specs):
        path = made[0] / f"study-{index:05d}" / "image.dcm"
        ds = pydicom.dcmread(path)
        assert np.array_equal(ds.pixel_array, render(spec, SIDE).pixels)
        assert ds.PatientSex == spec.anatomy.sex.value
        assert int(ds.PatientAge[:3]) == spec.anatomy.age
        born, taken = int(ds.PatientBirthDate), int(ds.StudyDate)
        assert (taken - born) // 10000 == spec.anatomy.age
        syntaxes.add(ds.file_meta.TransferSyntaxUID)
        photometric.add(ds.PhotometricInterpretation)
        modalities.add(ds.Modality)
        character_sets.add(str(ds.get("SpecificCharacterSet")))
    assert len(syntaxes) >= 4
    assert photometric == {"MONOCHROME1", "MONOCHROME2"}
    assert modalities == {"DX", "CR"}
    assert len(character_sets) >= 4


def test_medaudit_reads_its_own_phantoms(made):
    result = scan(made[0])
    assert len(result.studies) == STUDIES
    path = made[0] / "study-00000" / "image.dcm"
    assert read_image(path).stored.shape[-2:] == (SIDE, SIDE)
    report = made[0] / "study-00000" / "report.dcm"
    text = read_report(FileRef(report, "report.dcm"))
    truth = json.loads((made[1] / "study-00000" / "truth.json").read_text(encoding="utf-8"))
    assert text is not None
    assert [body for _, body in text.sections] == [truth["report"]["findings"], truth["report"]["impression"]]


def test_the_truth_says_what_is_in_the_picture(made):
    for index, spec in enumerate(draw_cohort(STUDIES, SEED)):
        folder = made[1] / f"study-{index:05d}"
        truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
        assert [finding["kind"] for finding in truth["findings"]] == [finding.kind.value for finding in spec.findings]
        phantom = render(spec, SIDE)
        for entry, mask in zip(truth["findings"], phantom.finding_masks, strict=True):
            assert np.array_equal(np.asarray(Image.open(folder / entry["mask"])) > 0, mask)
        assert {sentence["truth"] for sentence in truth["sentences"]} == {True, False}


def test_shortcuts_are_written_with_the_truth(tmp_path):
    make_studies(tmp_path / "s", tmp_path / "t", 1, 0, [parse_shortcut("mass:text=0.9/0.1")], side=64)
    assert json.loads((tmp_path / "t" / "cohort.json").read_text())["shortcuts"] == ["mass:text=0.9/0.1"]


@pytest.mark.parametrize(("studies", "truth"), [("a", "a"), ("a", "a/b"), ("a/b", "a")])
def test_truth_inside_the_studies_is_refused(tmp_path, studies, truth):
    with pytest.raises(UsageError, match="apart"):
        make_studies(tmp_path / studies, tmp_path / truth, 1, 0, side=64)


def test_a_folder_with_content_is_refused(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "file").write_text("x")
    with pytest.raises(UsageError, match="empty"):
        make_studies(tmp_path / "s", tmp_path / "t", 1, 0, side=64)


def test_the_command_makes_studies(tmp_path, monkeypatch, capsys):
    from medaudit import cli

    arguments = ["phantom", "make", "--studies", "2", "--seed", "1", "--side", "64", "--shortcut", "nodule:drain=1"]
    monkeypatch.setattr(
        "sys.argv", ["medaudit", *arguments, "--out", str(tmp_path / "s"), "--truth", str(tmp_path / "t")]
    )
    with pytest.raises(SystemExit) as done:
        cli.main()
    assert done.value.code == 0
    assert "2 studies" in capsys.readouterr().out
    assert len(list((tmp_path / "s").rglob("*.dcm"))) == 4
