import numpy as np
import pytest

from medaudit.metrics.interval import bootstrap


def test_the_interval_of_a_mean_is_that_of_the_normal_theory():
    values = np.random.default_rng(1).normal(3, 2, 4000)
    found = bootstrap(values)
    assert found.value == pytest.approx(values.mean())
    half = 1.96 * values.std() / np.sqrt(values.size)
    assert found.low == pytest.approx(values.mean() - half, abs=half / 8)
    assert found.high == pytest.approx(values.mean() + half, abs=half / 8)


def test_what_is_undefined_is_left_out_and_the_seed_settles_the_rest():
    assert bootstrap([1.0, np.nan, 3.0]).value == 2
    assert bootstrap([1.0, 2.0, 9.0]) == bootstrap([1.0, 2.0, 9.0])
    assert bootstrap([1.0, 2.0, 9.0], statistic=np.median).value == 2


def test_a_sample_without_values_is_refused():
    with pytest.raises(ValueError, match="expected values"):
        bootstrap([np.nan])
