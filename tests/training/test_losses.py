"""Each loss against the paper's sums, written out pair by pair."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from medaudit.training.losses import clip_loss, dhn_nce_loss, patch_loss, sigmoid_loss


@pytest.fixture
def pairs():
    generator = torch.Generator().manual_seed(3)
    return tuple(normalize(torch.randn(8, 5, generator=generator, dtype=torch.float64), dim=-1) for _ in range(2))


def cross_entropy(logit: float, truth: float) -> float:
    probability = 1 / (1 + math.exp(-logit))
    return -(truth * math.log(probability) + (1 - truth) * math.log(1 - probability))


def test_sigmoid_is_the_weighted_mean_over_pairs():
    logits = torch.tensor([[0.3, -1.2], [2.0, 0.1]])
    truth, weight = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 2.0], [0.0, 0.5]])
    expected = (cross_entropy(0.3, 1) + 2 * cross_entropy(-1.2, 0) + 0.5 * cross_entropy(0.1, 1)) / 3.5
    assert float(sigmoid_loss(logits, truth, weight)) == pytest.approx(expected, rel=1e-6)


def test_clip_is_the_mean_of_both_directions(pairs):
    images, texts = pairs
    logits = (4.0 * images @ texts.T).exp()
    rows = [-math.log(logits[i, i] / logits[i].sum()) for i in range(8)]
    columns = [-math.log(logits[i, i] / logits[:, i].sum()) for i in range(8)]
    expected = (sum(rows) + sum(columns)) / 16
    assert float(clip_loss(images, texts, torch.tensor(4.0, dtype=torch.float64))) == pytest.approx(expected)


@pytest.mark.parametrize("hardness", [0.0, 0.15, 1.0])
def test_dhn_nce_sums_its_negatives(pairs, hardness):
    images, texts = pairs
    similarity, count = (images @ texts.T / 0.6).tolist(), 8
    total = 0.0
    for rows in (similarity, [list(column) for column in zip(*similarity, strict=True)]):
        for i, row in enumerate(rows):
            norm = sum(math.exp(hardness * row[k]) for k in range(count) if k != i)
            negatives = sum(
                math.exp(row[j]) * (count - 1) * math.exp(hardness * row[j]) / norm for j in range(count) if j != i
            )
            total += (-row[i] + math.log(negatives)) / count
    assert float(dhn_nce_loss(images, texts, hardness=hardness)) == pytest.approx(total, rel=1e-9)


def test_dhn_nce_has_a_gradient_everywhere(pairs):
    images, texts = (tensor.requires_grad_() for tensor in pairs)
    dhn_nce_loss(images, texts).backward()
    assert torch.isfinite(images.grad).all()
    assert torch.isfinite(texts.grad).all()


def test_patch_loss_lets_found_and_spared_patches_count_alike():
    logits = torch.tensor([[[0.5, -1.0], [-2.0, 0.2], [-0.3, 0.1]]])  # (1 image, 3 patches, 2 sentences)
    shares = torch.tensor([[[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]])
    first = cross_entropy(0.5, 1) + (cross_entropy(-2.0, 0) + cross_entropy(-0.3, 0)) / 2
    second = (cross_entropy(-1.0, 0) + cross_entropy(0.2, 0) + cross_entropy(0.1, 0)) / 3
    assert float(patch_loss(logits, shares, torch.ones(3, 2))) == pytest.approx((first + second) / 2, rel=1e-6)


def test_half_of_what_is_spared_lies_where_such_things_are():
    logits = torch.tensor([[[0.5], [-2.0], [-0.3]], [[1.5], [0.2], [0.1]]])  # (2 images, 3 patches, 1 sentence)
    shares = torch.zeros(2, 3, 1)
    shares[0, 0] = 1
    common = torch.tensor([[0.4], [0.1], [0.0]])
    anywhere = sum(cross_entropy(logit, 0) for logit in (-2.0, -0.3, 1.5, 0.2, 0.1)) / 5
    there = (0.1 * cross_entropy(-2.0, 0) + 0.4 * cross_entropy(1.5, 0) + 0.1 * cross_entropy(0.2, 0)) / 0.6
    expected = cross_entropy(0.5, 1) + (anywhere + there) / 2
    assert float(patch_loss(logits, shares, common)) == pytest.approx(expected, rel=1e-6)


def test_knowing_where_such_things_usually_lie_earns_nothing():
    shares = torch.zeros(100, 3, 1)
    shares[:20, 0] = 1  # a fifth of the images show it, always at the same place
    common = shares.mean(dim=0)
    place = torch.tensor([[2.0], [-2.0], [-2.0]]).expand(100, 3, 1).clone()
    seen = place.clone()
    seen[20:, 0] = -2.0
    assert float(patch_loss(seen, shares, common)) < float(patch_loss(place, shares, common)) - 1
