"""Plain images end to end: a folder of PNG and TIFF with a manifest, the bundled model, store, PDF and words."""

import json

import numpy as np
import pypdf
import pytest
from PIL import Image, ImageDraw

from medaudit import cli
from medaudit.dicom.plain import NO_PROVENANCE
from medaudit.phantom.cohort import draw_study
from medaudit.phantom.study import render
from medaudit.records import Assertion, FileFate
from medaudit.store.audit_store import AuditStore

PIPELINE = """\
version: 1
name: plain
title: Plain images
images: {modalities: [CR], min_side: 16}
prompts:
  findings: [effusion]
  templates: ["{finding}"]
report_text: {sources: [manifest]}
attribution: {method: m2ib, settings: {steps: 2, samples: 2, image_block: 0}}
"""
MANIFEST = """\
path,study,patient,modality,view,sex,age,report
one.png,7,Jane Canary,CR,PA,F,67,"INDICATION: Canary cough.
FINDINGS: No effusion. Heart enlarged."
two.tif,7,Jane Canary,CR,PA,F,67,
three.png,8,Jane Canary,CR,PA,female,sixty,
gone.png,9,,CR,,,,
"""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    pixels = render(draw_study(3, 0), 256).pixels
    picture = Image.fromarray((pixels // 16).astype(np.uint8))
    picture.save(folder / "three.png")
    ImageDraw.Draw(picture).text((10, 230), "DOE 1952", fill=255, font_size=14)
    picture.save(folder / "one.png")
    Image.fromarray(pixels).save(folder / "two.tif")
    picture.save(folder / "extra.jpg")
    (folder / "manifest.csv").write_text(MANIFEST)
    (tmp_path / "plain.yaml").write_text(PIPELINE)
    return folder


def test_plain_images_are_audited_like_studies_and_say_that_they_are_plain(folder, tmp_path, monkeypatch, capsys):
    out = tmp_path / "audit"
    arguments = ["audit", folder, "--pipeline", tmp_path / "plain.yaml", "--model", "phantom-clip", "--out", out]
    monkeypatch.setattr("sys.argv", ["medaudit", *map(str, arguments), "--json"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    outcome = json.loads(capsys.readouterr().out)
    assert ended.value.code == 1  # two rows are wrong, and named
    assert outcome["fates"] == {"audited": 2, "failed": 2, "not DICOM": 1, "not an image": 1}
    assert outcome["text_like"] == 1
    reasons = sorted(failure["reason"] for failure in outcome["failures"])
    assert reasons[0].startswith("manifest.csv, row 4, column age: expected years of 0 to 149; got 'sixty'; correct")
    assert reasons[1].startswith("manifest.csv, row 5, column path: names no file of INPUT")
    with AuditStore.open(out) as store:
        (code,) = outcome["audited"]
        one, two = store.study(code).images
        extra = next(file for file in store.files(FileFate.NOT_DICOM) if file.path == "extra.jpg")
    assert "no row of manifest.csv names it" in extra.reason
    for image in (one, two):
        assert image.record.notes[0] == NO_PROVENANCE
        assert image.record.transfer_syntax.endswith("(no DICOM object)")
        assert image.record.elements == {
            "Modality": "CR",
            "ViewPosition": "PA",
            "PatientSex": "F",
            "AgeBand": "60-69",
        }
    assert "8-bit values as they are" in one.record.display
    assert any(note.startswith("text-like region: rows 2") for note in one.record.notes)
    asked = [(item.prompt.text, item.prompt.section, item.prompt.assertion) for item in one.attributions[1:]]
    assert asked == [
        ("No effusion.", "findings", Assertion.NEGATED),
        ("Heart enlarged.", "findings", Assertion.AFFIRMED),
    ]
    (pdf,) = out.glob("reports/ST-*.pdf")
    text = " ".join(" ".join(page.extract_text() for page in pypdf.PdfReader(pdf).pages).split())
    assert "plain image without DICOM provenance" in text
    assert "text-like region" in text
    everything = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert b"Canary" not in everything
    assert "Canary" not in text
