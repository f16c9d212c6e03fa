import numpy as np
import pytest

from medaudit.metrics.localisation import average_precision, contrast_to_noise, energy_share, pointing_hit

REGION = np.zeros((4, 4), dtype=bool)
REGION[1, 2] = True


def test_pointing_hits_where_the_largest_value_touches_the_region():
    relevance = np.zeros((4, 4))
    relevance[1, 2] = 1
    assert pointing_hit(relevance, REGION * 0.01)
    relevance[3, 3] = 2
    assert not pointing_hit(relevance, REGION)


def test_a_constant_map_points_at_the_first_token_alone():
    corner = np.zeros((4, 4))
    corner[0, 0] = 1
    assert pointing_hit(np.ones((4, 4)), corner)
    assert not pointing_hit(np.ones((4, 4)), REGION)


def test_contrast_to_noise_is_the_formula_and_ignores_scale_and_offset():
    rng = np.random.default_rng(0)
    relevance, region = rng.normal(size=(9, 9)), rng.random((9, 9)) < 0.3
    within, without = relevance[region], relevance[~region]
    expected = (within.mean() - without.mean()) / np.sqrt(within.var() + without.var())
    assert contrast_to_noise(relevance, region) == pytest.approx(expected)
    assert contrast_to_noise(3 * relevance - 7, region) == pytest.approx(expected)
    assert contrast_to_noise(-relevance, region) == pytest.approx(-expected)


def test_a_constant_map_has_no_contrast():
    assert contrast_to_noise(np.ones((4, 4)), REGION) == 0


def test_what_the_model_did_not_see_is_left_out():
    relevance = np.arange(16.0).reshape(4, 4)
    cropped = relevance.copy()
    cropped[3] = np.nan
    assert contrast_to_noise(cropped, REGION) == contrast_to_noise(relevance[:3], REGION[:3])


@pytest.mark.parametrize("region", [np.zeros((4, 4), bool), np.ones((4, 4), bool)])
def test_a_region_needs_an_inside_and_an_outside(region):
    with pytest.raises(ValueError, match="an inside and an outside"):
        contrast_to_noise(np.ones((4, 4)), region)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="one shape"):
        pointing_hit(np.ones((4, 4)), np.ones((2, 2)))


def test_energy_is_the_share_of_positive_relevance_inside():
    relevance = np.array([[1.0, -5.0], [2.0, np.nan]])
    assert energy_share(relevance, [[True, True], [False, True]]) == pytest.approx(1 / 3)
    assert energy_share(relevance, [[0.5, 0], [0, 0]]) == pytest.approx(1 / 6)
    assert energy_share(-np.ones((2, 2)), np.ones((2, 2))) == 0


def test_average_precision_is_that_of_its_definition():
    rng = np.random.default_rng(0)
    relevance, region = rng.integers(0, 30, (12, 12)).astype(float), rng.random((12, 12)) < 0.2
    relevance[0, 0] = np.nan
    seen = np.isfinite(relevance)
    expected, recall = 0.0, 0.0
    for level in sorted(set(relevance[seen]), reverse=True):
        chosen = seen & (relevance >= level)
        reached = (chosen & region).sum() / (seen & region).sum()
        expected += (reached - recall) * (chosen & region).sum() / chosen.sum()
        recall = reached
    assert average_precision(relevance, region) == pytest.approx(expected)


def test_a_constant_map_has_the_average_precision_of_chance():
    region = np.zeros((10, 10), dtype=bool)
    region[2:5, 3:7] = True
    assert average_precision(np.ones((10, 10)), region) == pytest.approx(0.12)
    assert average_precision(region.astype(float), region) == 1
    with pytest.raises(ValueError, match="that the map sees"):
        average_precision(np.ones((10, 10)), np.zeros((10, 10), dtype=bool))
