"""The permutation test within strata against all deals, and against chance."""

from itertools import combinations

import numpy as np
import pytest

from medaudit.metrics import stratified
from medaudit.metrics.multiplicity import benjamini_hochberg
from medaudit.metrics.stratified import stratified_difference


def test_p_of_few_is_the_share_of_all_deals():
    scores = np.array([5.0, 1.0, 4.0, 2.0, 9.0, 3.0, 0.5, 6.0])
    member = np.array([1, 0, 1, 0, 1, 0, 0, 0], dtype=bool)
    strata = ["a", "a", "a", "a", "b", "b", "b", "b"]

    def total(first, second):
        one, two = scores[:4] - scores[:4].mean(), scores[4:] - scores[4:].mean()
        return one[list(first)].sum() + two[list(second)].sum()

    deals = [abs(total(first, [second])) for first in combinations(range(4), 2) for second in range(4)]
    expected = np.mean(np.array(deals) >= abs(total((0, 2), (0,))) - 1e-12)
    assert stratified_difference(scores, member, strata).p == pytest.approx(expected, abs=0.005)


def test_normal_and_drawn_p_agree(monkeypatch):
    draw = np.random.default_rng(4)
    strata = draw.integers(3, size=200)
    member = draw.random(200) < 0.3
    scores = draw.gamma(2, size=200) + strata + 0.35 * member
    normal = stratified_difference(scores, member, strata.tolist())
    monkeypatch.setattr(stratified, "FEW", 1000)
    drawn = stratified_difference(scores, member, strata.tolist())
    assert 0.001 < normal.p < 0.2
    assert normal.p == pytest.approx(drawn.p, rel=0.25)
    assert normal.effect == drawn.effect


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_drawing_ends_where_p_is_large_and_says_about_the_same(shift, monkeypatch):
    draw = np.random.default_rng(2)
    member = np.arange(40) < 12
    scores = draw.normal(size=40) + shift * member
    soon = stratified_difference(scores, member, [0] * 40).p
    monkeypatch.setattr(stratified, "ENOUGH", stratified.DRAWS)
    assert soon == pytest.approx(stratified_difference(scores, member, [0] * 40).p, rel=0.2)


def test_what_is_rare_takes_every_draw():
    scores = np.concatenate([np.zeros(15), np.ones(15) * 9]) + np.random.default_rng(0).normal(size=30)
    assert stratified_difference(scores, scores > 5, [0] * 30).p == pytest.approx(1 / (1 + stratified.DRAWS))


def test_what_differs_between_strata_alone_is_no_difference():
    """Members are common where scores are high anyway: compared among their like, nothing is left."""
    draw = np.random.default_rng(1)
    strata = draw.integers(2, size=400)
    member = draw.random(400) < np.where(strata, 0.9, 0.1)
    scores = draw.normal(size=400) + 3 * strata
    assert stratified_difference(scores, member, strata.tolist()).p > 0.01
    assert stratified_difference(scores, member, [""] * 400).p < 1e-10


def test_effect_is_in_standard_deviations_and_lies_in_its_interval():
    draw = np.random.default_rng(2)
    member = np.arange(2000) < 600
    scores = 7 + 0.5 * (draw.normal(size=2000) + 1.2 * member)
    found = stratified_difference(scores, member, [""] * 2000)
    assert found.effect == pytest.approx(1.2, abs=0.12)
    assert found.ends[0] < found.effect < found.ends[1]
    assert found.ends[1] - found.ends[0] < 0.4
    assert (found.members, found.others) == (600, 1400)


def test_chance_is_told_as_often_as_p_says():
    draw = np.random.default_rng(3)
    few = [stratified_difference(draw.normal(size=40), np.arange(40) < 8, [""] * 40, seed=i).p for i in range(60)]
    many = [stratified_difference(draw.normal(size=80), np.arange(80) < 40, [""] * 80).p for i in range(400)]
    assert np.mean(few) == pytest.approx(0.5, abs=0.12)
    assert np.mean(np.array(many) < 0.05) == pytest.approx(0.05, abs=0.03)


@pytest.mark.parametrize(
    ("scores", "member", "strata"),
    [([1, 2, 3], [1, 1, 1], "aaa"), ([1, 2, 3, 4], [1, 1, 0, 0], "aabb"), ([2, 2, 2], [1, 0, 0], "aaa")],
)
def test_nothing_to_compare(scores, member, strata):
    assert stratified_difference(scores, member, list(strata)) is None


def test_groups_that_are_wholly_apart_differ_most():
    found = stratified_difference([1.0] * 30 + [0.0] * 60, [True] * 30 + [False] * 60, [""] * 90)
    assert found.effect > 2
    assert found.p < 1e-15


def test_corrected_p():
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert benjamini_hochberg([]).size == 0
    with pytest.raises(ValueError, match=r"expected values in 0 .. 1; got 1.5"):
        benjamini_hochberg([0.5, 1.5])
