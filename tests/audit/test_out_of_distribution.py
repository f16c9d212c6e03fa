"""Out of distribution: what is no chest radiograph, or none as it should be, is told from fresh phantoms."""

from dataclasses import replace

import numpy as np
import pytest

from medaudit.audit.case import Depth
from medaudit.audit.checks import out_of_distribution
from medaudit.audit.verdict import Threshold, findings
from medaudit.dicom.windows import named_window
from medaudit.phantom.cohort import draw_study
from medaudit.phantom.ct_cohort import draw_ct_study
from medaudit.phantom.ct_study import render_ct
from medaudit.records import Prompt, PromptKind, Severity

PROMPTS = (Prompt("a chest radiograph showing pneumothorax", PromptKind.FINDING, "pneumothorax"),)
THRESHOLDS = {
    f"{out_of_distribution.CHECK}.{quantity}": Threshold(0.98, Severity.CAUTION)
    for quantity in (out_of_distribution.EMBEDDING_QUANTILE, out_of_distribution.PICTURE_QUANTILE)
}


@pytest.fixture(scope="module")
def raised(phantom_clip, case_of):
    """``raised(values)``: the quantities of the findings on a picture by the bundled model, and all measurements."""

    def build(values):
        case = case_of(phantom_clip, np.ascontiguousarray(values, dtype=np.float32), prompts=PROMPTS)
        measured = out_of_distribution.measure(case)
        return {one.measurement.quantity for one in findings(measured, THRESHOLDS)}, measured

    return build


@pytest.fixture(scope="module")
def radiograph(picture_of):
    return picture_of(draw_study(61, 0))


def test_fresh_phantoms_are_usual(raised, picture_of):
    assert not any(raised(picture_of(draw_study(61, index)))[0] for index in range(6))


def test_a_radiograph_upside_down_is_unlike_the_reference(raised, radiograph):
    found, measured = raised(radiograph[::-1])
    assert found == {"embedding_quantile"}
    assert [one.against for one in measured] == ["160 images"] * 2


def test_an_inverted_one_is_unlike_it_in_both_ways(raised, radiograph):
    assert raised(1 - radiograph)[0] == {"embedding_quantile", "picture_quantile"}


def test_noise_is_no_picture_wherever_the_model_puts_it(raised, radiograph):
    assert "picture_quantile" in raised(np.random.default_rng(0).random(radiograph.shape))[0]


def test_a_slice_of_a_ct_is_unlike_it(raised):
    window = named_window("lung")
    hu = render_ct(draw_ct_study(61, 0), 128).volume
    middle = (hu[len(hu) // 2] - window.center) / window.width + 0.5
    assert "embedding_quantile" in raised(np.clip(middle, 0, 1))[0]


def test_without_a_reference_nothing_is_measured(phantom_clip, case_of, radiograph):
    model = replace(phantom_clip, calibration=replace(phantom_clip.calibration, usual=None))
    for other in (model, replace(phantom_clip, calibration=None)):
        assert out_of_distribution.measure(case_of(other, radiograph, prompts=PROMPTS)) == []
    assert out_of_distribution.measure(case_of(phantom_clip, radiograph, prompts=PROMPTS, depth=Depth.MAPS)) == []
