"""Closeness and neighbours of embeddings, against pairs counted one by one and deals drawn one by one."""

import itertools

import numpy as np
import pytest

from medaudit.metrics import neighbours
from medaudit.metrics.neighbours import closeness, directions, nearest


def slow_cosine(vectors):
    return np.mean([one @ two for one, two in itertools.combinations(vectors, 2)])


def test_directions_have_length_one_and_leave_the_common_part_out():
    draw = np.random.default_rng(0)
    embeddings = draw.normal(size=(50, 8)) + 20
    embeddings[3] = np.nan
    found = directions(embeddings.astype(np.float32))
    kept = np.delete(found, 3, axis=0)
    assert np.isnan(found[3]).all()
    assert np.allclose(np.linalg.norm(kept, axis=1), 1)
    assert abs(slow_cosine(kept)) < 0.03
    assert not directions(np.ones((4, 3))).any()


@pytest.mark.parametrize("block", [4_000_000, 25])
def test_nearest_are_those_of_a_full_sort(monkeypatch, block):
    monkeypatch.setattr(neighbours, "_BLOCK", block)
    found = directions(np.random.default_rng(1).normal(size=(12, 4)))
    expected = [sorted(set(range(12)) - {one}, key=lambda other: -(found[one] @ found[other]))[:3] for one in range(12)]
    assert nearest(found, 3).tolist() == expected
    assert nearest(found, 50).shape == (12, 11)
    assert nearest(found[:1], 3).shape == (1, 0)


def test_numbers_are_those_of_pairs_and_of_deals(monkeypatch):
    monkeypatch.setattr(neighbours, "_ENOUGH", neighbours.DRAWS)
    draw = np.random.default_rng(2)
    embeddings = draw.normal(size=(40, 5))
    strata = np.repeat(["told", "not told"], [15, 25])
    member = np.zeros(40, bool)
    member[[0, 1, 2, 3, 4, 15, 16, 17]] = True
    embeddings[member] += (0.8, 0, 0, 0, 0)
    embeddings[:15] += (0, 0.5, 0, 0, 0)
    found = directions(embeddings)
    one = closeness(found, member, strata.tolist())
    pairs = [a @ b for a, b in itertools.combinations(found, 2)]
    dealt = [slow_cosine(found[np.r_[draw.permutation(15)[:5], 15 + draw.permutation(25)[:3]]]) for _ in range(4000)]
    assert (one.members, one.others) == (8, 32)
    assert one.cosine == pytest.approx(slow_cosine(found[member]))
    assert one.expected == pytest.approx(np.mean(dealt), abs=0.005)
    assert one.effect == pytest.approx((one.cosine - one.expected) / np.std(pairs))
    assert one.ends[0] < one.effect < one.ends[1]
    assert one.p == pytest.approx(np.mean(np.array(dealt) >= one.cosine), abs=0.01)


def test_p_is_of_chance_where_members_are_dealt():
    """As often small as it says: of 200 deals about a tenth lie below 0.1."""
    draw = np.random.default_rng(3)
    found = directions(draw.normal(size=(60, 6)) * (3, 1, 1, 1, 1, 1))
    strata = (np.arange(60) % 2).tolist()
    p = [closeness(found, draw.permutation(60) < 15, strata, seed=seed).p for seed in range(200)]
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.06)


def test_few_members_or_no_difference_give_nothing():
    found = directions(np.random.default_rng(4).normal(size=(20, 3)))
    member = np.arange(20) < 4
    assert closeness(found, member, [""] * 20, smallest=5) is None
    assert closeness(found, member, member.tolist()) is None
    assert closeness(np.zeros((20, 3)), member, [""] * 20) is None
