"""The information bottleneck on a layer's tokens: the maths of M2IB, apart from any model.

Wang, Rudner, Wilson, "Visual Explanations of Image-Text Representations via Multi-Modal Information
Bottleneck Attribution", NeurIPS 2023, after Schulz et al., "Restricting the Flow", ICLR 2020.

Tokens X (T, C) pass through ``Z = lambda X + (1 - lambda) eps`` with ``eps ~ N(0, 1)`` and
``lambda = sigmoid(alpha)`` per token and channel. Measured against the prior N(0, 1), each element carries

    KL = -1/2 [ 1 + log (1 - lambda)^2 - (lambda x)^2 - (1 - lambda)^2 ]   nats,

an upper bound on the information about X that Z lets through (its capacity).
"""

from torch import Tensor
from torch.nn.functional import softplus


def blend(states: Tensor, alpha: Tensor, noise: Tensor) -> Tensor:
    """Let ``lambda`` of each element through and fill up with noise.

    Shapes: ``states`` and ``alpha`` (I, T, C), ``noise`` (I, S, T, C); returns (I, S, T, C).
    """
    passed = alpha.sigmoid()
    return (passed * states)[:, None] + (1 - passed)[:, None] * noise


def capacity(states: Tensor, alpha: Tensor) -> Tensor:
    """Nats that each element may carry; same shape as ``states`` and ``alpha``, non-negative.

    ``log (1 - lambda)^2`` is taken as ``-2 softplus(alpha)``: from alpha = 18 on, 1 - sigmoid(alpha) is 0 in
    float32 and its logarithm infinite.
    """
    log_blocked = -softplus(alpha)
    return -0.5 * (1 + 2 * log_blocked - (alpha.sigmoid() * states) ** 2 - (2 * log_blocked).exp())
