"""Pre-norm transformer blocks computed from a model's own weights.

The library's blocks changed their signatures, return types and attention switches between versions; their
sub-modules did not. So a block is written out here once, in the words of the equations, and given the
modules that hold the weights. That also lets the last block compute one query instead of all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from medaudit.models.interface import Hidden, Tower

Module = Callable[[Tensor], Tensor]
"""A borrowed torch module, called and never changed."""


@dataclass(frozen=True, slots=True)
class PreNormBlock:
    """``x + attention(norm1(x))``, then ``x + mlp(norm2(x))``; the modules are borrowed, never changed."""

    norm1: Module
    query: Module
    key: Module
    value: Module
    out: Module
    norm2: Module
    mlp: Module
    heads: int

    def forward(self, states: Tensor, allowed: Tensor | None, only: Tensor | None) -> Tensor:
        """(B, N, D) -> (B, N, D), or (B, K, D) for the tokens ``only`` (B, K).

        ``allowed`` is bool, broadcastable to (B, heads, queries, N); None where every token sees every other.
        """
        normed = self.norm1(states)
        wanted, asking = (states, normed) if only is None else (gather(states, only), gather(normed, only))
        mixed = scaled_dot_product_attention(
            self._split(self.query(asking)),
            self._split(self.key(normed)),
            self._split(self.value(normed)),
            attn_mask=allowed,
        )
        attended: Tensor = wanted + self.out(mixed.transpose(1, 2).flatten(2))
        return attended + self.mlp(self.norm2(attended))

    def weights(self, states: Tensor, allowed: Tensor | None) -> Tensor:
        """(B, heads, N, N) attention weights; rows sum to one."""
        normed = self.norm1(states)
        query, key = self._split(self.query(normed)), self._split(self.key(normed))
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        if allowed is not None:
            scores = scores.masked_fill(~allowed, float("-inf"))
        weights: Tensor = scores.softmax(dim=-1)
        return weights

    def _split(self, states: Tensor) -> Tensor:
        batch, tokens, width = states.shape
        return states.view(batch, tokens, self.heads, width // self.heads).transpose(1, 2)


def gather(states: Tensor, index: Tensor) -> Tensor:
    """(B, N, D) states of the tokens ``index`` (B, K): (B, K, D)."""
    return states.gather(1, index[..., None].expand(-1, -1, states.shape[-1]))


class TransformerTower(Tower):
    """A tower whose blocks are :class:`PreNormBlock`; adapters add ``embed`` and ``head``."""

    def __init__(self, blocks: Sequence[PreNormBlock], *, causal: bool) -> None:
        self._blocks = tuple(blocks)
        self._causal = causal
        self.depth = len(self._blocks)

    def run(self, hidden: Hidden, start: int, stop: int, *, only: Tensor | None = None) -> Hidden:
        """See :meth:`medaudit.models.interface.Tower.run`."""
        self._check(start, stop)
        states = hidden.states
        for index in range(start, stop):
            chosen = only if index == stop - 1 else None
            states = self._blocks[index].forward(states, self._allowed(hidden, chosen), chosen)
        if only is None or start == stop:
            return Hidden(states, hidden.pooled, hidden.mask)
        mask = None if hidden.mask is None else hidden.mask.gather(1, only)
        return Hidden(states, _recount(hidden.pooled, only), mask)

    def attention(self, hidden: Hidden, block: int) -> Tensor:
        """See :meth:`medaudit.models.interface.Tower.attention`."""
        self._check(block, block + 1)
        return self._blocks[block].weights(hidden.states, self._allowed(hidden, None))

    def _allowed(self, hidden: Hidden, only: Tensor | None) -> Tensor | None:
        """Bool, broadcastable to (B, heads, queries, N): which token may look at which."""
        allowed = None if hidden.mask is None else hidden.mask[:, None, None, :]
        if not self._causal:
            return allowed
        position = torch.arange(hidden.states.shape[1], device=hidden.states.device)
        asking = position[None] if only is None else only
        earlier = (position[None, None, :] <= asking[:, :, None])[:, None]
        return earlier if allowed is None else earlier & allowed

    def _check(self, start: int, stop: int) -> None:
        if not 0 <= start <= stop <= self.depth:
            msg = f"blocks: expected 0 <= start <= stop <= {self.depth}; got {start}, {stop}"
            raise ValueError(msg)


def _recount(pooled: Tensor | None, only: Tensor) -> Tensor | None:
    """Index of ``pooled`` (B,) within ``only`` (B, K), or None if some item lacks it."""
    if pooled is None:
        return None
    found = only == pooled[:, None]
    return found.int().argmax(dim=1) if bool(found.any(dim=1).all()) else None
