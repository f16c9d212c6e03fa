from dataclasses import replace

import numpy as np
import pytest

from medaudit.records import (
    Attribution,
    AxisMap,
    FaithfulnessCurve,
    GridMap,
    ImageAudit,
    ImageRecord,
    Margins,
    Prompt,
    PromptKind,
    ReadingCopy,
    RelevanceMap,
    SolverTrace,
    TokenGrid,
    TokenRelevance,
    Walk,
)

ASKED = (
    (PromptKind.FINDING, "effusion", 0.412),
    (PromptKind.NEGATED, "effusion", 0.405),
    (PromptKind.NEGATED, "effusion", 0.301),
    (PromptKind.NEGATED, "mass", 0.9),
    (PromptKind.CONTROL, "", 0.051),
    (PromptKind.CONTROL, "", 0.083),
    (PromptKind.REPORT, "", 0.3),
)
CONTROLS = (0.051 + 0.083) / 2


def audit(asked):
    grid_map = GridMap((2, 2), (2, 2), TokenGrid(1, 1, 0), AxisMap(1, 0), AxisMap(1, 0), (-0.5, 1.5, -0.5, 1.5))
    relevance = RelevanceMap(np.zeros((1, 1), np.float32), grid_map)
    words = TokenRelevance((), np.zeros(0, np.float32), (), ())
    trace = SolverTrace((), 0.0, 0)
    attributions = tuple(
        Attribution(Prompt(f"prompt {index}", kind, finding), similarity, relevance, words, "m2ib", trace, trace)
        for index, (kind, finding, similarity) in enumerate(asked)
    )
    record = ImageRecord("S-1", "E-1", "I-1", 0, 2, 2, {}, "", "", "", "")
    return ImageAudit(record, ReadingCopy(np.zeros((2, 2), np.uint8)), grid_map, attributions)


def test_margins_are_over_the_mean_negation_of_the_same_finding_and_the_mean_control():
    image = audit(ASKED)
    effusion = image.margins(image.attributions[0])
    assert effusion.negated == pytest.approx(0.412 - (0.405 + 0.301) / 2)
    assert effusion.control == pytest.approx(0.412 - CONTROLS)


def test_negated_and_control_prompts_have_no_margins():
    image = audit(ASKED)
    assert {image.margins(one) for one in image.attributions[1:6]} == {Margins(None, None)}


def test_a_report_sentence_has_a_margin_to_controls_only():
    image = audit(ASKED)
    sentence = image.margins(image.attributions[6])
    assert sentence.negated is None
    assert sentence.control == pytest.approx(0.3 - CONTROLS)


def test_margins_need_something_to_compare():
    image = audit(ASKED[:1])
    assert image.margins(image.attributions[0]) == Margins(None, None)


def test_curves_belong_to_a_finding_prompt_one_a_walk():
    image = audit(ASKED)
    curves = tuple(
        FaithfulnessCurve(subject, walk, (0.0, 1.0), *[(0.0, 0.4)] * 4)
        for subject in ("prompt 0", "prompt 6", "prompt 0")
        for walk in reversed(Walk)
    )
    image = replace(image, curves=curves)
    assert [(one.subject, one.walk) for one in image.curves_of(image.attributions[0])] == [
        ("prompt 0", Walk.INSERTION),
        ("prompt 0", Walk.DELETION),
    ]
    assert image.curves_of(image.attributions[6]) == ()
