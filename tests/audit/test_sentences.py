"""Laterality and paraphrase, on a model whose preferences are written down and on the bundled one."""

import numpy as np
import pytest

from medaudit.audit.case import Depth
from medaudit.audit.checks import laterality, paraphrase
from medaudit.phantom.cohort import draw_study
from medaudit.phantom.findings import FindingKind
from medaudit.records import Prompt, PromptKind

PROMPTS = (
    Prompt("with fluid", PromptKind.FINDING, "fluid"),
    Prompt("without fluid", PromptKind.NEGATED, "fluid"),
    Prompt("fruit", PromptKind.CONTROL),
)
# "with fluid" is read where the picture is bright on the weighted side, "without fluid" where it is dark.
SIDES = {"fluid": ("with fluid", "without fluid")}
RIGHT_MINUS_LEFT = np.zeros((14, 14))
RIGHT_MINUS_LEFT[:, :7], RIGHT_MINUS_LEFT[:, 7:] = 0.1, -0.1


@pytest.fixture(scope="module")
def one_sided():
    """Bright on the left half of the picture."""
    values = np.zeros((224, 224), np.float32)
    values[60:160, 20:90] = 0.8
    return values


def test_a_preference_that_turns_over_with_the_picture_is_no_finding(model_that_looks_at, case_of, one_sided):
    case = case_of(
        model_that_looks_at(RIGHT_MINUS_LEFT), one_sided, prompts=PROMPTS, nats=np.ones((14, 14)), sides=SIDES
    )
    (found,) = laterality.measure(case)
    assert found.value == pytest.approx(1, abs=0.01)


def test_a_preference_that_stays_is_one(model_that_looks_at, case_of, one_sided):
    case = case_of(
        model_that_looks_at(np.full((14, 14), 0.1)), one_sided, prompts=PROMPTS, nats=np.ones((14, 14)), sides=SIDES
    )
    (found,) = laterality.measure(case)
    assert found.value == pytest.approx(-1, abs=0.01)


def test_what_the_model_does_not_see_is_not_asked_for_its_side(model_that_looks_at, case_of, one_sided):
    weights = np.full((14, 14), -0.1)  # "without fluid" fits better
    case = case_of(model_that_looks_at(weights), one_sided, prompts=PROMPTS, nats=np.ones((14, 14)), sides=SIDES)
    assert laterality.measure(case) == []


def test_without_sides_and_without_other_ways_nothing_is_measured(model_that_looks_at, case_of, one_sided):
    case = case_of(model_that_looks_at(RIGHT_MINUS_LEFT), one_sided, prompts=PROMPTS, nats=np.ones((14, 14)))
    assert laterality.measure(case) == paraphrase.measure(case) == []


def test_the_bundled_model_turns_over_and_says_the_same_in_other_words(phantom_clip, case_of, picture_of):
    spec = next(
        spec
        for spec in (draw_study(2027, index) for index in range(200))
        if [one.kind for one in spec.findings] == [FindingKind.PNEUMOTHORAX]
    )
    asked = ["pneumothorax", "cardiomegaly", "consolidation"]
    prompts = [
        *(Prompt(f"a chest radiograph showing {one}", PromptKind.FINDING, one) for one in asked),
        *(Prompt(f"a chest radiograph without {one}", PromptKind.NEGATED, one) for one in asked),
        Prompt("a photograph of a bowl of fruit", PromptKind.CONTROL),
    ]
    ways = ("a chest radiograph showing pneumothorax", "There is pneumothorax.")
    case = case_of(
        phantom_clip,
        picture_of(spec),
        prompts=prompts,
        depth=Depth.FAST,
        sides={"pneumothorax": ("left pneumothorax", "right pneumothorax")},
        paraphrases={"pneumothorax": ways},
    )
    (side,), (ways_to_say,) = laterality.measure(case), paraphrase.measure(case)
    assert side.value > 0.3
    assert ways_to_say.value < 0.5
    assert ways_to_say.against == "1 other way to say it"


def test_other_words_with_another_meaning_are_spread_out(model_that_looks_at, case_of, one_sided):
    ways = {"fluid": ("with fluid", "without fluid")}
    case = case_of(
        model_that_looks_at(np.full((14, 14), 0.1)),
        one_sided,
        prompts=PROMPTS,
        nats=np.ones((14, 14)),
        paraphrases=ways,
    )
    (found,) = paraphrase.measure(case)
    assert found.value > 0.75
