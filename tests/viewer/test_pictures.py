import numpy as np
import pytest

from medaudit.records import ReadingCopy
from medaudit.viewer import pictures


@pytest.fixture
def image(known):
    return known.image("S-1", "I-1", 3, (), colour=False, size=(48, 40))


def test_scale_common_or_own(image):
    assert pictures.map_scale(image, 5, common=True).maximum_nats == 1.6
    own = pictures.map_scale(image, 5, common=False)
    assert own.maximum_nats < 0.2
    assert pictures.scale_sentence(own, "token", common=False).endswith("nats per token, for this prompt alone")


def test_window_range_spans_values_and_window(image):
    bounds = pictures.window_range(image.reading_copy)
    values = image.reading_copy.values
    assert (bounds.lowest, bounds.highest) == (values.min(), values.max())
    assert bounds.widest == 4095
    assert bounds.step == 10


@pytest.mark.parametrize("slope", [1.0, -1.0, 1e-4])
def test_window_range_follows_the_slope(slope):
    values = np.array([[0, 1000]], np.uint16)
    copy = ReadingCopy(np.zeros((1, 2), np.uint8), values, slope, -5.0, (slope * 500 - 5, abs(slope) * 10))
    bounds = pictures.window_range(copy)
    ends = sorted((-5.0, slope * 1000 - 5))
    assert (bounds.lowest, bounds.highest) == pytest.approx(ends)
    assert 0 < bounds.step <= (bounds.highest - bounds.lowest) / 10


def test_no_window_for_colour_or_one_value():
    assert pictures.window_range(ReadingCopy(np.zeros((4, 4, 3), np.uint8))) is None
    flat = ReadingCopy(np.zeros((4, 4), np.uint8), np.full((4, 4), 7, np.uint16), window=(7.0, 2.0))
    assert pictures.window_range(flat) is None
