import pytest

from medaudit.figures.wording import (
    by,
    count_of,
    leading_first,
    margin,
    moment,
    number,
    report_mark,
    sentences,
    words_of,
)
from medaudit.records import Assertion, Prompt, PromptKind


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("prompt_control", "prompt control"),
        ("rank_drop", "rank drop"),
        ("PatientSex", "Patient Sex"),
        ("KVP", "KVP"),
        ("StudyInstanceUID", "Study Instance UID"),
        ("XRayTubeCurrent", "X Ray Tube Current"),
        ("", ""),
    ],
)
def test_keys_are_put_into_words(key, words):
    assert words_of(key) == words


@pytest.mark.parametrize(
    ("value", "options", "text"),
    [
        (-0.5, {}, "\u22120.5"),
        (-0.0071, {}, "\u22120.0071"),
        (51.478, {}, "51.5"),
        (0.12345, {"decimals": 2}, "0.12"),
        (0.5, {"decimals": 1, "signed": True}, "+0.5"),
        (0.0071, {"decimals": 3, "signed": True}, "+0.007"),
        (999.4, {}, "999"),
        (999.6, {}, "1000"),
        (-23945.0, {}, "\u221223900"),
        (23945.0, {"signed": True}, "+23900"),
        (1.25e6, {}, "1.25e+06"),
    ],
)
def test_numbers_have_a_true_minus(value, options, text):
    assert number(value, **options) == text


@pytest.mark.parametrize("stated", ["2026-03-01T09:30:00+00:00", "2026-03-01T09:30:00Z", "2026-03-01 09:30:00"])
def test_a_moment_says_its_zone_once(stated):
    assert moment(stated) == "2026-03-01 09:30:00 UTC"


def test_notes_are_sentences():
    assert sentences(("One.", "Two", "Three?")) == "One. Two. Three?"


def test_a_margin_has_a_sign_and_none_is_a_dash():
    assert [margin(value) for value in (0.0071, -0.02, None)] == ["+0.007", "\u22120.020", "\u2013"]


def test_counts_have_their_nouns():
    assert [count_of(n, "study") for n in (0, 1, 2)] == ["0 studies", "1 study", "2 studies"]
    assert [count_of(n, "finding") for n in (1, 3)] == ["1 finding", "3 findings"]


def test_sizes_have_a_multiplication_sign():
    assert by(3, "4") == "3 \u00d7 4"


def test_what_a_reader_looks_for_comes_first_and_nothing_is_lost():
    elements = {"BitsStored": "12", "AgeBand": "60-69", "KVP": "120", "Modality": "DX"}
    assert leading_first(elements) == [("Modality", "DX"), ("AgeBand", "60-69"), ("BitsStored", "12"), ("KVP", "120")]


def test_a_report_sentence_is_marked_and_other_prompts_are_not():
    sentence = Prompt("No effusion.", PromptKind.REPORT, section="findings", assertion=Assertion.NEGATED)
    assert report_mark(sentence) == "negated, findings"
    assert report_mark(Prompt("No effusion.", PromptKind.REPORT)) == ""
    assert report_mark(Prompt("an effusion", PromptKind.FINDING, "effusion")) == ""
