"""What a small CLIP is taught by. Embeddings are L2-normalised, ``(B, E)`` images and ``(S, E)`` sentences."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy


def sigmoid_loss(logits: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean of the binary cross-entropy over the image x sentence matrix.

    Zhai et al., "Sigmoid Loss for Language Image Pre-Training", ICCV 2023, with the truth of every pair in
    place of its identity.

    Parameters
    ----------
    logits
        (B, S): scaled cosine plus bias.
    truth
        (B, S), 1 where a sentence is true of an image.
    weight
        (B, S), 0 where the truth is not known.

    """
    loss = binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return (loss * weight).sum() / weight.sum().clamp(min=1)


def clip_loss(images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    """Symmetric cross-entropy of B pairs against each other (Radford et al., ICML 2021, figure 3)."""
    logits = scale * images @ texts.T
    pairs = torch.arange(len(logits), device=logits.device)
    return (cross_entropy(logits, pairs) + cross_entropy(logits.T, pairs)) / 2


def dhn_nce_loss(images: Tensor, texts: Tensor, *, temperature: float = 0.6, hardness: float = 0.15) -> Tensor:
    """Decoupled hard-negative noise contrastive estimation of B pairs (Koleilat et al., MedCLIP-SAM, MICCAI 2024).

    The positive is left out of the denominator, and the negatives of a row are **summed** with weights that
    grow with their similarity and have mean 1, as the paper's equations say. (The published ``hnl.py`` never sums
    them and leaves ``exp(0)`` on masked entries.)

    Parameters
    ----------
    images, texts
        (B, E), B >= 2; row i of one belongs to row i of the other.
    temperature
        The paper's tau.
    hardness
        The paper's beta, the same in both directions; 0 gives decoupled InfoNCE.

    """
    logits = images @ texts.T / temperature
    own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    return _one_direction(logits, own, hardness) + _one_direction(logits.T, own, hardness)


def _one_direction(logits: Tensor, own: Tensor, hardness: float) -> Tensor:
    others = logits.masked_fill(own, float("-inf"))
    weights = (len(logits) - 1) * (hardness * others).masked_fill(own, float("-inf")).softmax(dim=-1)
    # log of the weighted sum of exp(logits) over the negatives; a weight of 0 (the positive) drops out.
    negatives = torch.logsumexp(others + weights.clamp(min=1e-30).log(), dim=-1)
    return (negatives - logits.diagonal()).mean()


def patch_loss(logits: Tensor, shares: Tensor, common: Tensor) -> Tensor:
    """Binary cross-entropy of every patch against every sentence: is what the sentence speaks of in this patch?

    Positive patches are rare (a nodule fills one of 196), so for each sentence the positives and the negatives
    are averaged apart, over all images, and count alike. Half of the negatives' weight lies where such things
    usually are: otherwise a patch of the trachea says "tube" whether there is one or not, and is right often enough.

    Parameters
    ----------
    logits
        (B, N, S) for N patches.
    shares
        (B, N, S) in [0, 1]: 0 where the patch holds none of it, 1 where it holds as much as any patch could.
    common
        (N, S): how often, over many images, the patch holds some of it.

    """
    loss = binary_cross_entropy_with_logits(logits, shares, reduction="none")
    found = _weighted_mean(loss, (shares > 0).to(loss.dtype))
    absent = (shares == 0).to(loss.dtype)
    spared = (_weighted_mean(loss, absent) + _weighted_mean(loss, absent * common)) / 2
    return (found + spared).mean()


def _weighted_mean(loss: Tensor, weight: Tensor) -> Tensor:
    """Over images and patches; 0 where nothing weighs."""
    return (loss * weight).sum(dim=(0, 1)) / weight.sum(dim=(0, 1)).clamp(min=1e-6)
