import pytest

from medaudit.metrics.kappa import cohen_kappa


def test_the_example_of_the_paper_by_hand():
    # 50 cases: both yes 20, first yes second no 5, first no second yes 10, both no 15: (0.7 - 0.5) / (1 - 0.5).
    first = "y" * 25 + "n" * 25
    second = "y" * 20 + "n" * 5 + "y" * 10 + "n" * 15
    assert cohen_kappa(first, second) == pytest.approx(0.4)


def test_ends():
    assert cohen_kappa("aabbc", "aabbc") == 1
    assert cohen_kappa("ab", "ba") == -1
    assert cohen_kappa("abab", "aabb") == 0
    assert cohen_kappa("", "") is None
    assert cohen_kappa("aa", "aa") is None
    with pytest.raises(ValueError, match="got 1 and 2"):
        cohen_kappa("a", "ab")
