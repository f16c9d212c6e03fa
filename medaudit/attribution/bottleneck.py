"""The information bottleneck on a layer's tokens: the maths of M2IB, apart from any model.

Wang, Rudner, Wilson, "Visual Explanations of Image-Text Representations via Multi-Modal Information
Bottleneck Attribution", NeurIPS 2023, after Schulz et al., "Restricting the Flow", ICLR 2020.

Tokens X (T, C) pass through ``Z = lambda X + (1 - lambda) eps`` with ``eps ~ N(0, 1)`` and
``lambda = sigmoid(alpha)`` per token and channel, or per token. Measured against the prior N(0, 1), each
element carries

    KL = -1/2 [ 1 + log (1 - lambda)^2 - (lambda x)^2 - (1 - lambda)^2 ]   nats,

an upper bound on the information about X that Z lets through (its capacity).
"""

import torch
from torch import Tensor
from torch.nn.functional import softplus

LEAST_BLOCKED = 1e-6
"""1 - lambda is kept above: float32 knows nothing between this and a closed logarithm."""


def blend(states: Tensor, passed: Tensor, noise: Tensor) -> Tensor:
    """Let the share ``passed`` (lambda) of each element through and fill up with noise.

    Shapes: ``states`` (I, T, C), ``passed`` (I, T, C) or (I, T, 1), ``noise`` (I, S, T, C); returns (I, S, T, C).
    """
    return torch.lerp(noise, states[:, None], passed[:, None])


def capacity(states: Tensor, alpha: Tensor) -> Tensor:
    """Nats that each element may carry; the shape of ``states``, non-negative. ``alpha`` is (I, T, C) or (I, T, 1).

    ``log (1 - lambda)^2`` is taken as ``-2 softplus(alpha)``: from alpha = 18 on, 1 - sigmoid(alpha) is 0 in
    float32 and its logarithm infinite.
    """
    log_blocked = -softplus(alpha)
    return -0.5 * (1 + 2 * log_blocked - (alpha.sigmoid() * states) ** 2 - (2 * log_blocked).exp())


def capacity_of_blocked(power: Tensor, blocked: Tensor) -> Tensor:
    """Nats for ``blocked`` = 1 - lambda > 0 and ``power`` = x^2 (or its mean over the channels that share lambda)."""
    return -0.5 * (1 + 2 * blocked.log() - (1 - blocked) ** 2 * power - blocked**2)


def price(power: Tensor, blocked: Tensor) -> Tensor:
    """dKL/dlambda at ``blocked`` = 1 - lambda: h = 1/(1 - lambda) - (1 - lambda) + lambda x^2."""
    return 1 / blocked - blocked + (1 - blocked) * power


def blocked_at_price(power: Tensor, paid: Tensor) -> Tensor:
    """Return 1 - lambda, in (0, 1], where the price of letting more through is ``paid``; 1 where nothing is paid.

    With u = 1 - lambda, ``h = paid`` times u is the quadratic ``(1 + x^2) u^2 + (paid - x^2) u - 1 = 0``. The
    product of its roots is negative, so one is positive: the answer, without any iteration. For paid = 0 it is 1.
    """
    surplus = paid.clamp(min=0) - power
    root = torch.sqrt(surplus**2 + 4 * (1 + power))
    # The same root twice; the one that adds two numbers of one sign does not cancel.
    upper = 2 / (surplus.clamp(min=0) + root)
    lower = (root - surplus.clamp(max=0)) / (2 * (1 + power))
    return torch.where(surplus > 0, upper, lower).clamp(max=1)
