import numpy as np
import pytest

from medaudit.metrics.ranking import auc


def test_auc_counts_the_pairs_in_order_and_ties_by_half():
    rng = np.random.default_rng(1)
    score, truth = rng.integers(0, 6, size=40), rng.random(40) < 0.4
    pairs = [(p > n) + 0.5 * (p == n) for p in score[truth] for n in score[~truth]]
    assert auc(score, truth) == pytest.approx(np.mean(pairs))


def test_auc_of_order_reversal_and_constant():
    truth = np.array([False, False, True, True])
    assert auc([1, 2, 3, 4], truth) == 1
    assert auc([4, 3, 2, 1], truth) == 0
    assert auc([5, 5, 5, 5], truth) == 0.5


def test_auc_needs_both_kinds():
    with pytest.raises(ValueError, match="true and false items"):
        auc([1, 2], [True, True])
