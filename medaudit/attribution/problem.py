"""What the solvers of M2IB minimise: several bottlenecks at once, none of which influences another."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from medaudit.attribution.bottleneck import LEAST_BLOCKED, blend, capacity_of_blocked
from medaudit.attribution.method import Draw
from medaudit.errors import AttributionError
from medaudit.models.calibration import Statistics
from medaudit.models.interface import Hidden, Tower


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """Solved bottlenecks of I items.

    ``nats`` is (I, T) float32 on the CPU; ``passed`` the lambda that gives them, (I, T, C) or (I, T, 1); ``loss``
    holds one tuple an item, one value a pass; ``residual`` is, an item, the sum of |d objective / d alpha| at the
    last pass: to first order the most that the objective could still change if every alpha moved by one.
    """

    nats: Tensor
    passed: Tensor
    loss: tuple[tuple[float, ...], ...]
    residual: tuple[float, ...]


class Sampler:
    """Noise of a solver's passes: (I, S, T, C), each item from its own stream and of its own length.

    Items of one length that are given one and the same stream share its noise.

    ``antithetic`` draws half of the samples and takes their negatives for the others; ``common`` draws once and
    gives the same noise at every pass, so that the objective stands still while it is minimised.
    """

    def __init__(
        self, draws: Sequence[Draw], hidden: Hidden, samples: int, *, antithetic: bool = False, common: bool = False
    ) -> None:
        tokens = hidden.states.shape[1]
        lengths = [tokens] * len(draws)
        if hidden.mask is not None:
            places = torch.arange(1, tokens + 1, device=hidden.mask.device)
            lengths = (hidden.mask * places).amax(1).tolist()
        self._draws, self._lengths, self._samples = draws, lengths, samples
        self._antithetic, self._common = antithetic, common
        self._shape, self._like = (tokens, hidden.states.shape[2]), hidden.states
        self._last: Tensor | None = None

    def next(self) -> Tensor:
        """Noise of the next pass."""
        if self._last is None or not self._common:
            noise = self._all()
            # A copy from pinned memory does not wait for the passes that the GPU is still busy with.
            noise = noise.pin_memory() if self._like.is_cuda else noise
            self._last = noise.to(self._like.device, self._like.dtype, non_blocking=True)
        return self._last

    def _all(self) -> Tensor:
        first = self._draws[0]
        if len(set(self._lengths)) == 1 and all(draw is first for draw in self._draws):
            return self._draw(first, self._lengths[0])[None].expand(len(self._draws), -1, -1, -1)
        pairs = zip(self._draws, self._lengths, strict=True)
        return torch.stack([self._draw(draw, length) for draw, length in pairs])

    def _draw(self, draw: Draw, length: int) -> Tensor:
        tokens, width = self._shape
        if self._antithetic:
            half = draw((self._samples // 2, length, width))
            noise = torch.cat([half, -half])
        else:
            noise = draw((self._samples, length, width))
        # An item's noise does not depend on the longest item of its batch.
        return noise if length == tokens else torch.nn.functional.pad(noise, (0, 0, 0, tokens - length))


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """``beta * mean KL - mean over noise of <embedding of Z, target>`` for I items.

    Attributes
    ----------
    tower, block
        The bottleneck sits on the output of ``block``; what follows is repeated.
    hidden
        States (I, T, C) there, without gradients; masked tokens carry nothing and count for nothing.
    target
        (I, E): the other side's embedding, or a difference of embeddings.
    beta
        (I,) weight of the mean KL over tokens and channels.
    statistics
        Where features are standardised: their mean and deviation. Noise then has the features' own scale.
    autocast
        Called for the context of every pass through the tower.

    """

    tower: Tower
    hidden: Hidden
    block: int
    target: Tensor
    beta: Tensor
    sampler: Sampler
    statistics: Statistics | None
    autocast: Callable[[], AbstractContextManager[object]]

    @property
    def states(self) -> Tensor:
        """(I, T, C) features as the bottleneck sees them: standardised where there are statistics."""
        states = self.hidden.states
        return states if self.statistics is None else self.statistics.standardise(states)

    @property
    def weights(self) -> Tensor | None:
        """(I, T, 1) one where a token counts, zero where it is padding; None where all count."""
        return None if self.hidden.mask is None else self.hidden.mask[..., None].to(self.hidden.states.dtype)

    @property
    def elements(self) -> Tensor:
        """(I,) how many features the mean KL is taken over."""
        items, tokens, width = self.hidden.states.shape
        if self.hidden.mask is None:
            return self.hidden.states.new_full((items,), tokens * width)
        return self.hidden.mask.sum(1).to(self.hidden.states.dtype) * width

    def fit(self, states: Tensor, passed: Tensor, noise: Tensor) -> Tensor:
        """(I,) mean over noise of the embedding of Z times the target.

        ``states`` are :attr:`states`, ``passed`` (I, T, C) or (I, T, 1), ``noise`` (I, S, T, C).
        """
        mixed = blend(states, passed, noise)
        if self.statistics is not None:
            mixed = self.statistics.restore(mixed)
        with self.autocast():
            embedded = self.tower.suffix(self.hidden.with_states(mixed.flatten(0, 1)), self.block + 1)
        embedded = embedded.to(self.target.dtype).view(*noise.shape[:2], -1)
        return (embedded * self.target[:, None]).sum(-1).mean(1)

    def mean(self, values: Tensor) -> Tensor:
        """(I,) mean over tokens and channels of (I, T, C), over tokens that count."""
        if self.weights is None:
            return values.mean((1, 2))
        return (values * self.weights).sum((1, 2)) / self.elements

    @torch.no_grad()
    def objective(self, passed: Tensor, noise: Tensor) -> Tensor:
        """(I,) what the solvers minimise, on any noise: to compare them on noise that neither has seen."""
        states = self.states
        blocked = (1 - passed).clamp(min=LEAST_BLOCKED).expand_as(states)
        return self.beta * self.mean(capacity_of_blocked(states**2, blocked)) - self.fit(states, passed, noise)

    def solution(self, nats: Tensor, passed: Tensor, losses: Sequence[Tensor], residual: Tensor) -> Solution:
        """Carry (I, T, C) nats, (I,) losses of every pass and the (I,) residual to the CPU in one copy, beside lambda.

        Raises
        ------
        AttributionError
            The nats are not finite.

        """
        weighted = nats if self.weights is None else nats * self.weights
        columns = (weighted.sum(-1), *(loss[:, None] for loss in losses), residual[:, None])
        found = torch.cat(columns, dim=1).cpu()
        summed, trace, left = found[:, : nats.shape[1]].float(), found[:, nats.shape[1] : -1], found[:, -1]
        if not bool(torch.isfinite(summed).all()):
            msg = "m2ib: the bottleneck did not end in finite numbers; lower learning_rate or steps"
            raise AttributionError(msg)
        return Solution(summed, passed, tuple(map(tuple, trace.tolist())), tuple(left.tolist()))
