import numpy as np
import pytest

from medaudit.metrics.faithfulness import Curve, change_curve, ordered_steps


def test_places_change_in_the_order_of_their_relevance():
    assert ordered_steps([[0.1, 0.9], [0.4, 0.2]], 4).tolist() == [[3, 0], [1, 2]]
    assert ordered_steps([3.0, 1.0, 2.0, 0.0], 2).tolist() == [0, 1, 0, 1]
    assert ordered_steps([1.0, 1.0, 1.0], 99).tolist() == [0, 1, 2]


def test_a_score_that_is_the_sum_of_places_is_best_changed_by_its_own_map():
    worth = np.array([5.0, 1.0, 3.0, 1.0])

    def score(changed):
        return changed @ worth

    best, worst = change_curve(worth, 4, score), change_curve(-worth, 4, score)
    assert best.score.tolist() == [0, 5, 8, 9, 10]
    assert best.area == pytest.approx((2.5 + 6.5 + 8.5 + 9.5) / 4)
    assert best.relative_area == pytest.approx(best.area / 10)
    assert worst.area < 5 < best.area
    # Deleting is the same walk downwards: the same share is reached as early.
    assert change_curve(worth, 4, lambda changed: 10 - changed @ worth).relative_area == pytest.approx(
        best.relative_area
    )


def test_a_straight_line_has_half_and_a_flat_one_no_relative_area():
    share = np.linspace(0, 1, 5)
    assert Curve(share, 2 + 3 * share).relative_area == pytest.approx(0.5)
    assert np.isnan(Curve(share, np.ones(5)).relative_area)


@pytest.mark.parametrize("share", [[0.0, 0.5], [0.1, 1.0], [0.0, 0.0, 1.0]])
def test_a_curve_goes_from_none_to_all(share):
    with pytest.raises(ValueError, match="rise from 0 to 1"):
        Curve(np.array(share), np.zeros(len(share)))


def test_steps_and_relevance_are_checked():
    with pytest.raises(ValueError, match="at least 1 step"):
        ordered_steps([1.0], 0)
    with pytest.raises(ValueError, match="finite"):
        ordered_steps([np.nan], 1)
