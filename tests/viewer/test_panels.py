import dataclasses
import subprocess
import sys

import pytest

from medaudit.records import FileFate, FileRecord, PromptKind, Severity
from medaudit.store.worklist import StudySummary
from medaudit.viewer import panels


@pytest.fixture
def summaries():
    return (
        StudySummary("B", 1, 2, 9.0, {"PatientSex": "F"}, {"Modality": ("CR", "DX")}, {Severity.NOTE: 3}),
        StudySummary("A", 2, 2, 5.0, {"PatientSex": "M"}, {"Manufacturer": ("Example Imaging",)}),
        StudySummary("C", 1, 2, 7.0, {}, {}, {Severity.WARNING: 1, Severity.NOTE: 1}),
    )


@pytest.fixture
def image(known):
    return known.image("S-1", "I-1", 3, known.findings, colour=False, size=(48, 40))


def test_loads_neither_streamlit_nor_a_model_library():
    code = (
        "import sys, medaudit.viewer.panels, medaudit.viewer.panes, medaudit.viewer.markup, medaudit.viewer.desk;"
        "print({'streamlit', 'torch', 'monai', 'transformers', 'pydicom'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_lines(summaries):
    assert panels.summary_line(summaries[0]) == "CR, DX · F"
    assert panels.findings_sentence(summaries[2].findings) == "1 warning, 1 note"
    assert panels.findings_sentence({}) == ""


def test_study_line_is_that_of_the_worklist(image, known):
    other = dataclasses.replace(image.record, elements={**image.record.elements, "ViewPosition": "LL"})
    record = known.study("S-1")
    assert panels.study_line(record, (image.record, other)) == "DX · CHEST · LL, PA · 2026 · F · Example Imaging"


def test_image_names(image):
    assert panels.image_name(1, image.record) == "Image 2 · DX · PA · I-1"


def test_scores_are_the_prompts_with_their_margins(image):
    rows = panels.scores(image)
    assert [row.similarity for row in rows] == [0.318, 0.291, 0.274, 0.281, 0.112, 0.163]
    assert [row.margins for row in rows] == [image.margins(one) for one in image.attributions]
    effusion, negated, heart = (row.margins for row in rows[:3])
    assert effusion.negated == pytest.approx(0.318 - 0.291)
    assert effusion.control == pytest.approx(0.318 - (0.112 + 0.163) / 2)
    assert heart.negated == pytest.approx(0.274 - 0.281)
    assert (negated.negated, negated.control) == (None, None)
    assert {row.margins.control for row in rows if row.kind is PromptKind.CONTROL} == {None}


def test_excluded_files_say_what_needs_a_person_first(known):
    assert [file.code for file in panels.excluded_files(known.files)] == ["F-02", "F-03"]
    assert [file.code for file in panels.excluded_files(known.files, FileFate.TEXT)] == ["F-04"]
    assert list(panels.fate_counts(known.files)) == [
        FileFate.FAILED,
        FileFate.NOT_DICOM,
        FileFate.TEXT,
        FileFate.AUDITED,
    ]


def test_every_fate_and_kind_has_a_name():
    assert set(panels.FATES) == set(FileFate)
    assert set(panels.KINDS) == set(PromptKind)


def test_facts_repeat_the_run(known, image):
    facts = panels.run_facts(known.run)
    assert facts["sha256 of model.safetensors"] == "ab" * 32
    assert facts["Seed"] == "7"
    assert facts["Identifiers"] == "replaced by codes"
    assert panels.image_facts(image)["Stored size"] == "48 × 40 pixels"  # noqa: RUF001 - the sign that is shown
    facts = panels.attribution_facts(image.attributions[0])
    assert facts["Settings"] == "beta 0.1, steps 10, noise samples 10, layer 9"
    assert facts["Picture, solver"] == "capacity 14.2 nats, 3 passes, final loss 0.61"
    assert facts["Seed"] == "1000"


def test_no_path_anywhere(known):
    assert "path" not in {field.name for field in dataclasses.fields(panels.Score)}
    shown = panels.excluded_files([FileRecord("F-9", "DOE^JANE.dcm", FileFate.FAILED)])
    assert [file.code for file in shown] == ["F-9"]
