"""Every language says everything, with the same places to fill in, and the code asks for no text that is not there."""

import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from string import Formatter

import pypdf
import pytest

from medaudit.errors import LayoutError
from medaudit.figures import curves, wording
from medaudit.report.catalogue import REFERENCE, find_catalogue
from medaudit.report.curves import chart_words
from medaudit.report.html import study_html
from medaudit.report.layout import Layout
from medaudit.report.study_pdf import study_pdf
from medaudit.resources import languages_folder, shipped

LANGUAGES = shipped(languages_folder())
# Names that a language may leave to the words of the key, or to the sentences of the audit.
OPTIONAL = ("element.", "quantity.", "kind.", "told.")
CODE = Path(__file__).parents[2] / "medaudit" / "report"


def _required(language):
    return {key: text for key, text in find_catalogue(language).texts.items() if not key.startswith(OPTIONAL)}


def _places(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_texts_and_places(language):
    own, reference = _required(language), _required(REFERENCE)
    assert own.keys() == reference.keys()
    for key, text in reference.items():
        assert _places(own[key]) == _places(text), key
        assert own[key].count("|") == text.count("|"), key


def test_what_the_code_asks_for_is_there():
    asked = set()
    for path in CODE.glob("*.py"):
        asked |= set(re.findall(r'say\(\s*[\'"]([a-z_A-Z.]+)[\'"]', path.read_text(encoding="utf-8")))
    assert len(asked) > 80
    assert asked <= _required(REFERENCE).keys()


def test_report_and_viewer_say_the_same_sentences():
    texts = find_catalogue("en").texts
    assert texts["footer"] == f"A similarity is a cosine. {wording.SIMILARITY_IS_NOT} {wording.EVIDENCE}"
    assert texts["cohort.verdict.none"] == wording.NONE_CROSSED
    assert texts["study.within"].startswith(wording.NO_CLEARANCE)
    assert wording.SIMILARITY_IS in texts["method.study.1"]
    assert (texts["curves.how"], texts["curves.none"]) == (curves.HOW_TO_READ, curves.NO_CURVE)
    assert chart_words(find_catalogue("en")) == replace(curves.ENGLISH, number=find_catalogue("en").number)


def test_an_unknown_language_is_refused():
    with pytest.raises(LayoutError, match="expected one of de, en"):
        find_catalogue("xx")
    with pytest.raises(ValueError, match="expected one of de, en; got 'xx'"):
        Layout(language="xx")


@pytest.fixture(scope="module")
def german(build):
    reader = pypdf.PdfReader(BytesIO(study_pdf(build.run, build.study(), Layout(language="de"))))
    return reader, " ".join(" ".join(page.extract_text() for page in reader.pages).split())


def test_a_german_report_is_german(german):
    reader, text = german
    assert reader.trailer["/Root"]["/Lang"] == "de"
    for said in (
        "Studie S-4F2A91C7",
        "2 Auffälligkeiten in 5 Messungen",
        "Schwelle 0,8",
        "0 bis 3,2 nats je Token",
        "Was dies nicht zeigt",
        "Name in Druckschrift",
        "Seite 1 von",
        "Orientierung R links",
    ):
        assert said in text, said
    for english in ("Margin", "Measurements", "(threshold 0.8)", "What this does not show", "Provenance", "page 1"):
        assert english not in text, english


def test_html_follows_the_language(build):
    page = study_html(build.run, build.study(), Layout(language="de"))
    assert '<html lang="de">' in page
    assert "Was dies nicht zeigt" in page


def test_findings_of_known_checks_are_told_in_german(build):
    from dataclasses import replace

    finding = build.image().findings[0]
    measurement = replace(finding.measurement, check="negation", quantity="absolute_margin")
    told = find_catalogue("de").told(replace(finding, measurement=measurement), "claim")
    assert told.startswith("Das Modell unterscheidet „Findings suggesting pleural effusion.“ kaum von")
    assert "0,007 auseinander (Schwelle 0,02)" in told
    assert find_catalogue("en").told(finding, "claim") == finding.claim
