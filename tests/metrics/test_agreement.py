import numpy as np
import pytest

from medaudit.metrics.agreement import rank_correlation, ranks


def test_ties_share_the_mean_of_their_ranks():
    assert ranks([3, 1, 3, 2]).tolist() == [3.5, 1, 3.5, 2]


def test_rank_correlation_by_the_textbook_formula():
    first, second = [86, 97, 99, 100, 101, 103, 106, 110, 112, 113], [2, 20, 28, 27, 50, 29, 7, 17, 6, 12]
    differences = ranks(first) - ranks(second)
    assert rank_correlation(first, second) == pytest.approx(1 - 6 * float(differences @ differences) / (10 * 99))


def test_monotone_maps_agree_and_a_constant_map_agrees_with_nothing():
    values = np.random.default_rng(0).random((7, 7))
    assert rank_correlation(values, np.exp(5 * values)) == pytest.approx(1)
    assert rank_correlation(values, -values) == pytest.approx(-1)
    assert rank_correlation(values, np.zeros((7, 7))) == 0


def test_maps_of_different_size_are_refused():
    with pytest.raises(ValueError, match="one size"):
        rank_correlation([1, 2], [1, 2, 3])
