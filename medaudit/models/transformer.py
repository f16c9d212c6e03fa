"""Transformer blocks computed from a model's own weights.

The libraries' blocks changed their signatures, return types and attention switches between versions; their
sub-modules did not. So a block is written out here once, in the words of the equations, and given the
modules that hold the weights. That also lets the last block compute one query instead of all.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from medaudit.models.interface import AttentionHeads, Hidden, Tower

Module = Callable[[Tensor], Tensor]
"""A borrowed torch module, called and never changed."""

_FEW_TOKENS = 128
"""Up to so many, attention's products are written out on a processor."""


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
        if asking.shape[1] * self.heads * 2 <= asking.shape[2] and self._is_linear():
            return self.out(self._mix_few(asking, states, allowed))
        query, key, value = (
            self._split(self.query(asking)),
            self._split(self.key(states)),
            self._split(self.value(states)),
        )
        return self.out(_attend(query, key, value, allowed).transpose(1, 2).flatten(2))

    def _is_linear(self) -> bool:
        return isinstance(self.key, nn.Linear) and isinstance(self.value, nn.Linear)

    def _mix_few(self, asking: Tensor, states: Tensor, allowed: Tensor | None) -> Tensor:
        """(B, K, D) for few queries, before ``out``: no key and no value of any token is ever formed.

        q . (W_k s + b_k): W_k goes to the query's side, and q . b_k, the same for every token, leaves the softmax
        as it is. Weights sum to one, so W_v and b_v go behind the sum. For one query of H heads a token costs
        4 H D multiplications in place of 2 D^2; the numbers are the same to rounding.
        """
        key: Any = self.key
        value: Any = self.value
        batch, count, width = asking.shape
        query = self._split(self.query(asking))
        weight = (part.weight.view(self.heads, -1, width) for part in (key, value))
        asked = torch.einsum("bhkd,hde->bhke", query, next(weight)).flatten(1, 2)
        scores = (asked @ states.transpose(1, 2)).view(batch, self.heads, count, -1) / query.shape[-1] ** 0.5
        if allowed is not None:
            scores = scores.masked_fill(~allowed, float("-inf"))
        # Under autocast the scores are bfloat16; the softmax is taken in the precision of the states.
        weights = scores.to(states.dtype).softmax(dim=-1)
        gathered = (weights.flatten(1, 2) @ states).view(batch, self.heads, count, width)
        mixed = torch.einsum("bhke,hde->bkhd", gathered, next(weight)).flatten(2)
        return mixed if value.bias is None else mixed + value.bias

    def split(self, states: Tensor, allowed: Tensor | None) -> AttentionHeads:
        """Queries, keys, values and weights of all tokens, head by head."""
        query, key, value = (self._split(part(states)) for part in (self.query, self.key, self.value))
        return AttentionHeads(states, query, key, value, _weights(query, key, allowed))

    def _split(self, states: Tensor) -> Tensor:
        batch, tokens, width = states.shape
        return states.view(batch, tokens, self.heads, width // self.heads).transpose(1, 2)


def _attend(query: Tensor, key: Tensor, value: Tensor, allowed: Tensor | None) -> Tensor:
    """(B, heads, K, d) softmax(Q K^T / sqrt(d)) V.

    The library's fused kernel never holds the matrix of weights, which pays on a GPU and with many tokens. On a
    processor and with as few tokens as a tower has, the written-out products take a third to a seventh of its time.
    """
    few = key.shape[2] <= _FEW_TOKENS or value.dtype == torch.bfloat16
    if query.device.type != "cpu" or not few:
        return scaled_dot_product_attention(query, key, value, attn_mask=allowed)
    mixed: Tensor = _weights(query, key, allowed).to(value.dtype) @ value
    return mixed


def _weights(query: Tensor, key: Tensor, allowed: Tensor | None) -> Tensor:
    """(B, heads, K, N) softmax(Q K^T / sqrt(d)), zero where a token may not be seen."""
    scores: Tensor = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    if allowed is not None:
        scores = scores.masked_fill(~allowed, float("-inf"))
    return scores.softmax(dim=-1)


class Block(ABC):
    """One transformer block.

    ``allowed`` is bool, broadcastable to (B, heads, queries, N); None where every token sees every other.
    """

    __slots__ = ()

    @abstractmethod
    def forward(self, states: Tensor, allowed: Tensor | None, only: Tensor | None) -> Tensor:
        """(B, N, D) -> (B, N, D), or (B, K, D) for the tokens ``only`` (B, K)."""

    @abstractmethod
    def heads(self, states: Tensor, allowed: Tensor | None) -> AttentionHeads:
        """Attention heads for the block's input ``states``."""

    @abstractmethod
    def write(self, gathered: Tensor) -> Tensor:
        """(B, N, D) output projection of what attention gathered."""

    @abstractmethod
    def finish(self, states: Tensor, gathered: Tensor) -> Tensor:
        """(B, N, D) the block's output for its input ``states`` and what attention gathered from them."""


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
        return self._rest(wanted, self.attention.mix(asking, normed, allowed))

    def heads(self, states: Tensor, allowed: Tensor | None) -> AttentionHeads:
        """See :meth:`Block.heads`."""
        return self.attention.split(self.norm1(states), allowed)

    def write(self, gathered: Tensor) -> Tensor:
        """See :meth:`Block.write`."""
        return self.attention.out(gathered)

    def finish(self, states: Tensor, gathered: Tensor) -> Tensor:
        """See :meth:`Block.finish`."""
        return self._rest(states, self.attention.out(gathered))

    def _rest(self, states: Tensor, written: Tensor) -> Tensor:
        attended = states + written
        return attended + self.mlp(self.norm2(attended))


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
        return self._rest(asking, self.attention.mix(asking, states, allowed))

    def heads(self, states: Tensor, allowed: Tensor | None) -> AttentionHeads:
        """See :meth:`Block.heads`."""
        return self.attention.split(states, allowed)

    def write(self, gathered: Tensor) -> Tensor:
        """See :meth:`Block.write`."""
        return self.attention.out(gathered)

    def finish(self, states: Tensor, gathered: Tensor) -> Tensor:
        """See :meth:`Block.finish`."""
        return self._rest(states, self.attention.out(gathered))

    def _rest(self, states: Tensor, written: Tensor) -> Tensor:
        attended = self.norm1(states + written)
        return self.norm2(attended + self.mlp(attended))


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
        msg = "head: which of these states is the pooled token is not known; set `pooled`, or call suffix"
        raise ValueError(msg)
    return gather(hidden.states, hidden.pooled[:, None])[:, 0]


class TransformerTower(Tower):
    """A tower of :class:`Block`; adapters add ``embed`` and ``head``."""

    def __init__(self, blocks: Sequence[Block], *, causal: bool) -> None:
        self._blocks = tuple(blocks)
        self._causal = causal
        self.depth = len(self._blocks)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks, in order."""
        return self._blocks

    def with_blocks(self, blocks: Sequence[Block]) -> "TransformerTower":
        """Return this tower with as many other blocks; everything else is shared."""
        if len(blocks) != self.depth:
            msg = f"with_blocks: expected {self.depth} blocks; got {len(blocks)}"
            raise ValueError(msg)
        other = copy.copy(self)
        other._blocks = tuple(blocks)  # noqa: SLF001 - a tower of the same class
        return other

    def run(self, hidden: Hidden, start: int, stop: int, *, only: Tensor | None = None) -> Hidden:
        """See :meth:`medaudit.models.interface.Tower.run`."""
        check_blocks(self, start, stop)
        states = hidden.states
        for index in range(start, stop):
            chosen = only if index == stop - 1 else None
            states = self._blocks[index].forward(states, self._allowed(hidden, chosen), chosen)
        if only is None or start == stop:
            return replace(hidden, states=states)
        mask = None if hidden.mask is None else hidden.mask.gather(1, only)
        return replace(hidden, states=states, pooled=None, mask=mask)

    def attention(self, hidden: Hidden, block: int) -> Tensor:
        """See :meth:`medaudit.models.interface.Tower.attention`."""
        return self.heads(hidden, block).weights

    def heads(self, hidden: Hidden, block: int) -> AttentionHeads:
        """See :meth:`medaudit.models.interface.Tower.heads`."""
        check_blocks(self, block, block + 1)
        return self._blocks[block].heads(hidden.states, self._allowed(hidden, None))

    def write(self, gathered: Tensor, block: int) -> Tensor:
        """See :meth:`medaudit.models.interface.Tower.write`."""
        check_blocks(self, block, block + 1)
        return self._blocks[block].write(gathered)

    def finish(self, hidden: Hidden, block: int, gathered: Tensor) -> Hidden:
        """See :meth:`medaudit.models.interface.Tower.finish`."""
        check_blocks(self, block, block + 1)
        return hidden.with_states(self._blocks[block].finish(hidden.states, gathered))

    def _allowed(self, hidden: Hidden, only: Tensor | None) -> Tensor | None:
        """Bool, broadcastable to (B, heads, queries, N): which token may look at which."""
        allowed = None if hidden.mask is None else hidden.mask[:, None, None, :]
        if not self._causal:
            return allowed
        position = torch.arange(hidden.states.shape[1], device=hidden.states.device)
        asking = position[None] if only is None else only
        earlier = (position[None, None, :] <= asking[:, :, None])[:, None]
        return earlier if allowed is None else earlier & allowed


def check_blocks(tower: Tower, start: int, stop: int) -> None:
    """Refuse blocks that a tower does not have.

    Raises
    ------
    ValueError
        It has none of these numbers.

    """
    if not 0 <= start <= stop <= tower.depth:
        msg = f"blocks: expected 0 <= start <= stop <= {tower.depth}; got {start}, {stop}"
        raise ValueError(msg)
