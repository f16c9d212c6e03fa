import math

import pytest
import torch

from medaudit.attribution.controls import CentreGaussian, CentreSettings, ConstantMap, EdgeDetector, RandomMap
from medaudit.attribution.method import Noise


def test_random_values_are_uniform_and_others_for_every_image_and_side(plain):
    seen, written = plain.sides()
    values = RandomMap().relevance(seen).relevance[0]
    assert 0 <= values.min() < 0.1
    assert 0.9 < values.max() <= 1
    assert float(values.mean()) == pytest.approx(0.5, abs=0.1)
    other = RandomMap().relevance(plain.sides(Noise(5, "another image"))[0]).relevance[0]
    assert not torch.equal(values, other)
    assert not torch.equal(values[: len(plain.read.tokens)], RandomMap().relevance(written).relevance[0])


def test_the_bell_stands_over_the_middle(plain):
    bell = CentreGaussian(CentreSettings(spread=0.3)).relevance(plain.sides()[0]).relevance[0][1:].view(14, 14)
    offset = (torch.arange(14) + 0.5) / 14 - 0.5
    assert float(bell[3, 10]) == pytest.approx(math.exp(-(float(offset[3] ** 2 + offset[10] ** 2)) / 0.18), rel=1e-5)
    assert torch.allclose(bell, bell.flip(0).T)


def test_edges_are_where_neighbours_differ(plain):
    seen, _ = plain.sides()
    half = torch.zeros_like(plain.pixels)
    half[..., 60:] = 1  # an edge in the eighth column of patches, three pixels from its left
    side = type(seen)(seen.model, seen.tower, seen.start, half, seen.targets, seen.others, (), seen.draws, seen.shared)
    edges = EdgeDetector().relevance(side).relevance[0][1:].view(14, 14)
    assert (edges[:, 7] > 0).all()
    # Sobel's kernel of a unit step answers with 4 in the two columns beside it, in 8 rows of a patch.
    assert torch.allclose(edges[:, 7], torch.tensor(64.0).double())
    assert float(edges.sum()) == pytest.approx(14 * 64)


def test_a_constant_says_one_of_everything(plain):
    assert all(bool((ConstantMap().relevance(side).relevance == 1).all()) for side in plain.sides())
