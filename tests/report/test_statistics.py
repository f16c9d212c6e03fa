import math

import numpy as np
import pytest

from medaudit.report.statistics import (
    RESAMPLES,
    by_group,
    difference_interval,
    mean_interval,
    share_interval,
    spread,
)


def test_quantiles_are_those_of_the_values():
    one = spread(range(101))
    assert (one.low, one.lower, one.median, one.upper, one.high) == (5, 25, 50, 75, 95)
    assert (one.count, one.points) == (101, ())
    assert spread([3.0, 1.0]).points == (1.0, 3.0)


def test_a_mean_interval_is_that_of_the_central_limit_theorem():
    values = np.random.default_rng(1).normal(2, 3, 400)
    one = mean_interval(values)
    half = 1.96 * values.std(ddof=1) / math.sqrt(400)
    assert one.value == pytest.approx(values.mean())
    assert one.ends == pytest.approx((one.value - half, one.value + half), abs=0.12 * half)
    assert mean_interval(values) == one


def test_blocks_give_the_same_number_of_resamples(monkeypatch):
    from medaudit.report import statistics

    monkeypatch.setattr(statistics, "_BLOCK", 50)
    means = statistics._resampled_means(np.arange(7.0), 0)
    assert means.shape == (RESAMPLES,)


def test_a_difference_covers_its_truth_and_excludes_zero_where_it_is_large():
    generator = np.random.default_rng(2)
    one, other = generator.normal(1, 1, 60), generator.normal(0, 1, 80)
    difference = difference_interval(one, other)
    assert difference.ends[0] < 1 < difference.ends[1]
    assert difference.excludes(0)
    assert not difference_interval(other, other).excludes(0)


def test_one_value_has_no_interval():
    assert mean_interval([0.5]).ends is None
    assert difference_interval([0.5], [0.1, 0.2]).ends is None
    assert not mean_interval([0.5]).excludes(0)


@pytest.mark.parametrize(
    ("hits", "count", "ends"),
    # Brown, Cai, DasGupta 2001, and the limits at both ends.
    [(10, 100, (0.0552, 0.1744)), (0, 10, (0.0, 0.2775)), (10, 10, (0.7225, 1.0))],
)
def test_wilsons_interval_is_the_published_one(hits, count, ends):
    assert share_interval(hits, count).ends == pytest.approx(ends, abs=1e-4)


def test_groups_smaller_than_the_smallest_are_left_out():
    values = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
    groups = {"a": "F", "b": "F", "c": "M"}
    assert by_group(values, groups, 2) == {"F": [1.0, 2.0]}
