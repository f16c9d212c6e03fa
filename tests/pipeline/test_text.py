"""Which sentences of a report become prompts."""

import pytest

from medaudit.dicom.report_sentences import Section
from medaudit.dicom.scan import scan
from medaudit.pipeline.spec import ReportSection, ReportText
from medaudit.pipeline.text import Sentences
from medaudit.records import Assertion

REPORT = """\
INDICATION: Cough.
FINDINGS: No effusion. Heart enlarged. No effusion.
IMPRESSION: Possible pneumonia.
RECOMMENDATION: Follow-up.
"""


@pytest.fixture
def study(tmp_path, write_radiograph):
    write_radiograph(tmp_path / "in" / "image.dcm", 1, AccessionNumber="A-1")
    (study,) = scan(tmp_path / "in").studies
    return study


def asked(study, **settings):
    found = Sentences(ReportText(sources=["sidecar"], **settings), {"A-1": REPORT}).of(study).prompts
    return [(prompt.text, prompt.section, prompt.assertion) for prompt in found]


def test_sentences_of_this_image_are_asked_once_with_section_and_assertion(study):
    assert asked(study) == [
        ("No effusion.", "findings", Assertion.NEGATED),
        ("Heart enlarged.", "findings", Assertion.AFFIRMED),
        ("Possible pneumonia.", "impression", Assertion.UNCERTAIN),
    ]


def test_sections_and_number_are_the_pipelines_choice(study):
    assert [text for text, _, _ in asked(study, sections=["indication", "recommendation"])] == ["Cough.", "Follow-up."]
    assert [text for text, _, _ in asked(study, max_sentences=1)] == ["No effusion."]


def test_a_pipeline_names_every_section():
    assert set(ReportSection.__args__) == {section.value for section in Section}


def test_reports_are_searched_for_what_is_named_and_no_sentence_need_be_kept(study):
    terms = {
        "effusion": ("effusion",),
        "cardiomegaly": ("heart enlarged",),
        "pneumonia": ("pneumonia",),
        "chest drain": ("chest drain", "chest tube"),
        "cough": ("cough",),
    }
    reading = Sentences(ReportText(sources=["sidecar"], max_sentences=0), {"A-1": REPORT}, terms)
    found = reading.of(study)
    assert found.prompts == ()
    # What the indication says is not said of the picture.
    assert found.said == {"effusion": -1.0, "cardiomegaly": 1.0, "pneumonia": 0.5, "chest drain": 0.0, "cough": 0.0}


def test_without_a_report_nothing_is_said(study):
    assert Sentences(ReportText(sources=["sidecar"]), {}, {"effusion": ("effusion",)}).of(study).said == {}
