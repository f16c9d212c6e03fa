"""Each check with a positive and a negative control, and the verdict's words."""

import numpy as np
import pytest

from medaudit.audit.checks import negation, prompt_control
from medaudit.audit.verdict import WORDINGS, Threshold, findings
from medaudit.records import (
    Attribution,
    AxisMap,
    GridMap,
    Prompt,
    PromptKind,
    RelevanceMap,
    Severity,
    SolverTrace,
    TokenGrid,
    TokenRelevance,
)

GRID_MAP = GridMap((7, 7), (7, 7), TokenGrid(7, 7, 1), AxisMap(1, 0), AxisMap(1, 0), (-0.5, 6.5, -0.5, 6.5))
THRESHOLDS = {
    "prompt_control.map_rank_correlation": Threshold(0.5, Severity.WARNING),
    "negation.absolute_margin": Threshold(0.01, Severity.CAUTION),
}


def attribution(kind, text, seed, similarity=0.2, finding=""):
    nats = np.random.default_rng(seed).random((7, 7)).astype(np.float32)
    words = TokenRelevance(("a",), np.ones(1, np.float32), ("a",), (0,))
    trace = SolverTrace((1.0,), 2.0, 0)
    prompt = Prompt(text, kind, finding)
    return Attribution(prompt, similarity, RelevanceMap(nats, GRID_MAP), words, "m2ib", trace, trace)


def judge(attributions, thresholds):
    measurements = (*prompt_control.measure(attributions), *negation.measure(attributions))
    return measurements, findings(measurements, thresholds)


def case(*, map_follows_prompt, negation_is_read):
    return [
        attribution(PromptKind.FINDING, "with fluid", 0, 0.25, "fluid"),
        attribution(PromptKind.NEGATED, "without fluid", 3, 0.15 if negation_is_read else 0.249, "fluid"),
        attribution(PromptKind.CONTROL, "fruit", 1 if map_follows_prompt else 0),
    ]


def test_a_model_that_reads_its_prompt_is_cleared():
    measurements, raised = judge(case(map_follows_prompt=True, negation_is_read=True), THRESHOLDS)
    assert len(measurements) == 2
    assert raised == ()


def test_the_same_map_for_a_nonsense_prompt_is_found():
    _, (finding,) = judge(case(map_follows_prompt=False, negation_is_read=True), THRESHOLDS)
    assert finding.measurement.value == pytest.approx(1)
    assert finding.severity is Severity.WARNING
    assert "with fluid" in finding.claim
    assert "1.00" in finding.claim
    assert finding.limits
    assert finding.advice


def test_a_negation_that_changes_nothing_is_found_and_the_worst_comes_first():
    _, raised = judge(case(map_follows_prompt=False, negation_is_read=False), THRESHOLDS)
    assert [finding.severity for finding in raised] == [Severity.WARNING, Severity.CAUTION]
    assert raised[1].measurement.value == pytest.approx(0.001)
    assert "without fluid" in raised[1].claim


def test_without_a_threshold_a_number_stays_a_number():
    measurements, raised = judge(case(map_follows_prompt=False, negation_is_read=False), {})
    assert len(measurements) == 2
    assert raised == ()


def test_without_controls_or_negations_nothing_is_measured():
    measurements, _ = judge([attribution(PromptKind.FINDING, "with fluid", 0, finding="fluid")], THRESHOLDS)
    assert measurements == ()


def test_no_wording_calls_a_similarity_a_probability_or_speaks_of_bias():
    for wording in WORDINGS.values():
        text = f"{wording.claim} {wording.limits} {wording.advice}".lower()
        assert not any(word in text for word in ("probability", "accuracy", "bias", "confidence"))
