import math

import numpy as np
import pytest

from medaudit.records import Assertion, Prompt, PromptKind, ReadingCopy, SolverTrace, TokenRelevance


def test_words_gather_the_nats_of_their_tokens_and_special_tokens_belong_to_none():
    text = TokenRelevance(
        ("<s>", "pleu", "ral", "fluid", "</s>"),
        np.array([9, 1, 2, 4, 9], np.float32),
        ("pleural", "fluid"),
        (-1, 0, 0, 1, -1),
    )
    assert text.by_word().tolist() == [3, 4]


@pytest.mark.parametrize("index", [2, -2])
def test_a_token_of_an_unknown_word_is_refused(index):
    with pytest.raises(ValueError, match="word_of_token"):
        TokenRelevance(("a",), np.zeros(1, np.float32), ("a", "b"), (index,))


def test_a_finding_prompt_names_its_finding():
    with pytest.raises(ValueError, match="finding"):
        Prompt("a chest radiograph showing fluid", PromptKind.FINDING)


def test_a_window_acts_on_modality_values_and_keeps_the_inversion():
    values = np.array([[0, 50, 100]], np.uint16)
    shown = np.zeros((1, 3), np.uint8)
    copy = ReadingCopy(shown, values, slope=2.0, intercept=-100.0, window=(0.0, 200.0))
    # Modality values -100, 0, 100 under a window -50 .. 50.
    assert copy.windowed(0, 100).tolist() == [[0, 128, 255]]
    inverted = ReadingCopy(shown, values, slope=2.0, intercept=-100.0, window=(0.0, 200.0), inverted=True)
    assert inverted.windowed(0, 100).tolist() == [[255, 128, 0]]
    with pytest.raises(ValueError, match="width"):
        copy.windowed(0, 0)


@pytest.mark.parametrize("nats", [math.nan, math.inf, -math.inf])
def test_a_capacity_is_finite(nats):
    with pytest.raises(ValueError, match=r"SolverTrace\.capacity_nats: expected a finite number"):
        SolverTrace((0.5,), nats, 0)


def test_a_signed_method_may_have_a_negative_capacity():
    assert SolverTrace((), -0.25, 0).capacity_nats == -0.25


def test_findings_and_report_sentences_are_compared():
    assert [kind for kind in PromptKind if kind.is_compared] == [PromptKind.FINDING, PromptKind.REPORT]


def test_section_and_assertion_belong_to_report_sentences():
    kept = Prompt("No effusion.", PromptKind.REPORT, section="findings", assertion=Assertion.NEGATED)
    assert (kept.section, kept.assertion) == ("findings", "negated")
    with pytest.raises(ValueError, match="for report sentences alone; got them for control"):
        Prompt("fruit", PromptKind.CONTROL, section="findings")
