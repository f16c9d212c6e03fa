"""Shares within strata, against Fisher's test, a count over all deals, and simulated coverage."""

import itertools
import math

import numpy as np
import pytest

from medaudit.metrics.shares import share_difference


def columns(x, n, y, m):
    """``has`` and ``member`` of n members of which x have it, and m others of which y have it."""
    return np.r_[np.arange(n) < x, np.arange(m) < y], np.r_[np.ones(n, bool), np.zeros(m, bool)]


def test_one_stratum_is_fishers_test():
    has, member = columns(8, 12, 8, 24)
    found = share_difference(has, member, [""] * 36)
    assert found.value == pytest.approx(8 / 12 - 8 / 24)
    assert found.ends[0] < found.value < found.ends[1]
    assert (found.members, found.others) == (12, 24)
    tables = [math.comb(16, k) * math.comb(20, 12 - k) / math.comb(36, 12) for k in range(13)]
    expected = sum(chance for k, chance in enumerate(tables) if abs(k - 16 / 3) >= 8 - 16 / 3 - 1e-9)
    assert found.p == pytest.approx(expected)


def test_p_counts_all_deals_of_two_strata():
    has = np.array([1, 1, 0, 0, 1, 0, 1, 0, 0], bool)
    member = np.array([1, 1, 0, 0, 1, 1, 0, 0, 0], bool)
    strata = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    deals = [
        has[list(one)].sum() + has[list(two)].sum()
        for one in itertools.combinations(range(4), 2)
        for two in itertools.combinations(range(4, 9), 2)
    ]
    off = np.abs(np.array(deals) - np.mean(deals))
    expected = (off >= abs(has[member].sum() - np.mean(deals)) - 1e-9).mean()
    assert share_difference(has, member, strata.tolist()).p == pytest.approx(expected)


def test_what_comes_with_the_stratum_is_no_difference():
    """Members are mostly of the stratum where nine of ten have it, and have it as often as the others there."""
    one, two = columns(27, 30, 9, 10), columns(1, 10, 3, 30)
    has, member = (np.concatenate(pair) for pair in zip(one, two, strict=True))
    found = share_difference(has, member, ["told"] * 40 + ["not told"] * 40)
    assert found.value == pytest.approx(0, abs=1e-12)
    assert found.p == pytest.approx(1)
    assert share_difference(has, member, [""] * 80).p < 0.001


def test_an_interval_is_no_point_where_all_have_it():
    found = share_difference(*columns(12, 12, 0, 12), [""] * 24)
    assert found.value == 1
    assert found.ends[0] == pytest.approx(0.68, abs=1e-3)
    assert found.ends[1] == pytest.approx(1)


def test_the_interval_covers_the_truth():
    draw, hits = np.random.default_rng(5), 0
    strata = np.repeat([0, 1], [60, 60]).tolist()
    member = np.tile([True, False, False], 40)
    chance = np.where(np.array(strata) == 0, 0.1, 0.4) + np.where(member, 0.25, 0)
    for _ in range(1000):
        low, high = share_difference(draw.random(120) < chance, member, strata).ends
        hits += low <= 0.25 <= high
    assert hits / 1000 == pytest.approx(0.95, abs=0.015)


def test_nothing_to_compare():
    has, member = columns(3, 5, 3, 20)
    assert share_difference(has, member, [""] * 25, smallest=6) is None
    assert share_difference(np.ones(25), member, [""] * 25) is None
    assert share_difference(has, member, member.tolist()) is None
