"""The reference's closed forms against a slower truth, and what a quantile promises."""

import numpy as np
import pytest
import torch

from medaudit.models.reference import reference_of


def slow_shrinkage(off):
    """Ledoit and Wolf's weight and level, item by item."""
    count, width = off.shape
    sample = off.T @ off / count
    level = np.trace(sample) / width
    spread = ((sample - level * np.eye(width)) ** 2).sum()
    noise = sum(((np.outer(row, row) - sample) ** 2).sum() for row in off) / count**2
    return min(1, noise / spread), level


@pytest.mark.parametrize(("count", "width"), [(40, 3), (12, 20)])
def test_distances_are_those_from_a_reference_without_the_item(count, width):
    items = np.random.default_rng(count).normal(size=(count, width)) @ np.diag(np.arange(1, width + 1) / width)
    found = reference_of(torch.from_numpy(items))
    deviation = items.std(0)
    off = (items - items.mean(0)) / deviation
    weight, level = slow_shrinkage(off)
    expected = []
    for index in range(count):
        others = np.delete(items, index, axis=0)
        others_off = (others - others.mean(0)) / deviation
        shrunk = (1 - weight) * others_off.T @ others_off / (count - 1) + weight * level * np.eye(width)
        away = (items[index] - others.mean(0)) / deviation
        expected.append(np.sqrt(away @ np.linalg.solve(shrunk, away)))
    assert found.distances.numpy() == pytest.approx(np.sort(expected))
    whole = (1 - weight) * off.T @ off / count + weight * level * np.eye(width)
    assert found.distance(torch.from_numpy(items[0])) == pytest.approx(np.sqrt(off[0] @ np.linalg.solve(whole, off[0])))


def test_one_more_of_the_same_kind_is_rarely_rare_and_one_of_another_kind_is():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(30, 30))
    found = reference_of(torch.from_numpy(rng.normal(size=(160, 30)) @ mixing))
    same = [found.quantile(torch.from_numpy(rng.normal(size=30) @ mixing)) for _ in range(400)]
    assert np.mean(np.array(same) > 0.95) < 0.08
    assert 0.42 < np.mean(same) < 0.58
    assert found.quantile(torch.from_numpy(4 * rng.normal(size=30) @ mixing)) == pytest.approx(160 / 161)


def test_a_reference_of_few_items_calls_nothing_rare():
    few = reference_of(torch.randn(8, 5, generator=torch.Generator().manual_seed(0)))
    assert few.quantile(torch.full((5,), 1e6)) == pytest.approx(8 / 9)


def test_what_never_differed_may_differ_a_little():
    items = torch.randn(30, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    items[:, 1] = 0.5
    found = reference_of(items)
    assert torch.isfinite(found.distances).all()
    assert found.quantile(torch.tensor([0.0, 0.5002])) < 0.8
    assert found.quantile(torch.tensor([0.0, 0.6])) == pytest.approx(30 / 31)


def test_two_items_are_no_reference():
    with pytest.raises(ValueError, match="n >= 3"):
        reference_of(torch.zeros(2, 4))
