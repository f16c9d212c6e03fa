"""Transformer blocks computed from a model's own weights.

The libraries' blocks changed their signatures, return types and attention switches between versions; their
sub-modules did not. So a block is written out here once, in the words of the equations, and given the
modules that hold the weights. That also lets the last block compute one query instead of all.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from medaudit.models.interface import Hidden, Tower

Module = Callable[[Tensor], Tensor]
"""A borrowed torch module, called and never changed."""


@dataclass(frozen=True, slots=True)
class SelfAttention:
    """Multi-head self-attention: softmax(Q K^T / sqrt(d)) V, then ``out``."""

    query: Module
    key: Module
    value: Module
    out: Module
    heads: int

    def mix(self, asking: Tensor, states: Tensor, allowed: Tensor | None) -> Tensor:
        """What each of ``asking`` (B, K, D) gathers from ``states`` (B, N, D): (B, K, D)."""
        mixed = scaled_dot_product_attention(
            self._split(self.query(asking)),
            self._split(self.key(states)),
            self._split(self.value(states)),
            attn_mask=allowed,
        )
        return self.out(mixed.transpose(1, 2).flatten(2))

    def weights(self, states: Tensor, allowed: Tensor | None) -> Tensor:
        """(B, heads, N, N) attention weights; rows sum to one."""
        query, key = self._split(self.query(states)), self._split(self.key(states))
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        if allowed is not None:
            scores = scores.masked_fill(~allowed, float("-inf"))
        weights: Tensor = scores.softmax(dim=-1)
        return weights

    def _split(self, states: Tensor) -> Tensor:
        batch, tokens, width = states.shape
        return states.view(batch, tokens, self.heads, width // self.heads).transpose(1, 2)


class Block(ABC):
    """One transformer block.

    ``allowed`` is bool, broadcastable to (B, heads, queries, N); None where every token sees every other.
    """

    __slots__ = ()

    @abstractmethod
    def forward(self, states: Tensor, allowed: Tensor | None, only: Tensor | None) -> Tensor:
        """(B, N, D) -> (B, N, D), or (B, K, D) for the tokens ``only`` (B, K)."""

    @abstractmethod
    def weights(self, states: Tensor, allowed: Tensor | None) -> Tensor:
        """(B, heads, N, N) attention weights for the block's input ``states``."""


@dataclass(frozen=True, slots=True)
class PreNormBlock(Block):
    """``x + attention(norm1(x))``, then ``x + mlp(norm2(x))``: ViT, CLIP."""

    norm1: Module
    attention: SelfAttention
    norm2: Module
    mlp: Module

    def forward(self, states: Tensor, allowed: Tensor | None, only: Tensor | None) -> Tensor:
        """See :meth:`Block.forward`."""
        normed = self.norm1(states)
        wanted, asking = (states, normed) if only is None else (gather(states, only), gather(normed, only))
        attended = wanted + self.attention.mix(asking, normed, allowed)
        return attended + self.mlp(self.norm2(attended))

    def weights(self, states: Tensor, allowed: Tensor | None) -> Tensor:
        """See :meth:`Block.weights`."""
        return self.attention.weights(self.norm1(states), allowed)


@dataclass(frozen=True, slots=True)
class PostNormBlock(Block):
    """``norm1(x + attention(x))``, then ``norm2(x + mlp(x))``: BERT."""

    attention: SelfAttention
    norm1: Module
    mlp: Module
    norm2: Module

    def forward(self, states: Tensor, allowed: Tensor | None, only: Tensor | None) -> Tensor:
        """See :meth:`Block.forward`."""
        asking = states if only is None else gather(states, only)
        attended = self.norm1(asking + self.attention.mix(asking, states, allowed))
        return self.norm2(attended + self.mlp(attended))

    def weights(self, states: Tensor, allowed: Tensor | None) -> Tensor:
        """See :meth:`Block.weights`."""
        return self.attention.weights(states, allowed)


def gather(states: Tensor, index: Tensor) -> Tensor:
    """(B, N, D) states of the tokens ``index`` (B, K): (B, K, D)."""
    return states.gather(1, index[..., None].expand(-1, -1, states.shape[-1]))


def pooled_state(hidden: Hidden) -> Tensor:
    """(B, D) state of the token that the head reads.

    Raises
    ------
    ValueError
        It is not among these states.

    """
    if hidden.pooled is None:
        msg = "head: the pooled token is not among these states; run the last block with it in `only`"
        raise ValueError(msg)
    return gather(hidden.states, hidden.pooled[:, None])[:, 0]


class TransformerTower(Tower):
    """A tower of :class:`Block`; adapters add ``embed`` and ``head``."""

    def __init__(self, blocks: Sequence[Block], *, causal: bool) -> None:
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
