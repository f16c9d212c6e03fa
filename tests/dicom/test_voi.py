"""Window functions against values computed by hand from the formulas of PS3.3 C.11.2."""

import numpy as np
import pytest

from medaudit.dicom.voi import linear, linear_exact, sigmoid

VALUES = np.array([-1.0, 0.0, 1.0, 2.0, 3.0, 4.0])


def test_linear_by_hand():
    # c = 2, w = 4: black at x <= 2 - 0.5 - 3/2 = 0, white at x > 3, ((x - 1.5) / 3 + 0.5) between.
    assert linear(VALUES, 2, 4) == pytest.approx([0, 0, 1 / 3, 2 / 3, 1, 1])


def test_linear_of_the_standards_table():
    # PS3.3 C.11.2.1.2.1, note: c = 2048, w = 4096 maps 0 .. 4095 onto the whole output.
    assert linear(np.array([0.0, 4095.0]), 2048, 4096) == pytest.approx([0, 1])
    # c = 0, w = 100: black at -50, white above 49.
    assert linear(np.array([-50.0, 49.0, -0.5]), 0, 100) == pytest.approx([0, 1, 0.5])


def test_linear_of_width_one_is_a_step():
    assert linear(np.array([9.4, 9.5, 9.6]), 10, 1) == pytest.approx([0, 0, 1])


def test_linear_exact_by_hand():
    # c = 2, w = 4: black at 0, white above 4, (x - 2) / 4 + 0.5 between.
    assert linear_exact(VALUES, 2, 4) == pytest.approx([0, 0, 0.25, 0.5, 0.75, 1])


def test_sigmoid_by_hand():
    # 1 / (1 + exp(-4 (x - c) / w)); at x = c + w/4 that is 1 / (1 + 1/e).
    expected = [1 / (1 + np.e), 0.5, 1 / (1 + 1 / np.e)]
    assert sigmoid(np.array([1.0, 2.0, 3.0]), 2, 4) == pytest.approx(expected)
    assert sigmoid(np.array([-1e9, 1e9]), 0, 1) == pytest.approx([0, 1])


@pytest.mark.parametrize(("function", "width"), [(linear, 0.5), (linear_exact, 0.0), (sigmoid, -1.0)])
def test_unusable_width_is_refused(function, width):
    with pytest.raises(ValueError, match="width: expected"):
        function(VALUES, 0, width)
