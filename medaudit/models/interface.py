"""The tower: the one abstraction that every attribution method is written against.

A CLIP-like model is two towers; a tower is ``embed -> block 0 .. block D-1 -> head``. A method computes a
prefix once (``embed`` and ``run`` up to its block, without gradients) and repeats only the suffix. Weights
are frozen and nothing is ever patched into a module, so nothing has to be put back.

Shapes: B items, N tokens, D channels, E embedding dimensions.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor

from medaudit.errors import AttributionError
from medaudit.imaging.preprocess import PreprocessingSpec
from medaudit.models.calibration import Calibration
from medaudit.records import ModelCard, TokenGrid


@dataclass(frozen=True, slots=True, eq=False)
class Hidden:
    """Token states between two blocks.

    ``states`` is (B, N, D). ``pooled`` (B,) int64 is the index of the token that the head reads, or None
    where the head reads all. ``mask`` (B, N) bool is True for tokens that may be attended to, or None
    where all may. ``carried`` (B, D) is what a head reads of earlier blocks, None where it reads none.
    """

    states: Tensor
    pooled: Tensor | None
    mask: Tensor | None = None
    carried: Tensor | None = None

    def with_states(self, states: Tensor) -> "Hidden":
        """Return these tokens with other states (B * k, N, D): each item k times in a row."""
        repeats = states.shape[0] // self.states.shape[0]
        if repeats == 1:
            return replace(self, states=states)
        pooled, mask, carried = (
            None if value is None else value.repeat_interleave(repeats, dim=0)
            for value in (self.pooled, self.mask, self.carried)
        )
        return Hidden(states, pooled, mask, carried)


@dataclass(frozen=True, slots=True, eq=False)
class AttentionHeads:
    """What one block's attention computes, head by head.

    ``read`` (B, N, D) is what queries, keys and values are made from (the normed states of a pre-norm block);
    ``query``, ``key`` and ``value`` are (B, heads, N, d); ``weights`` (B, heads, N, N) has rows that sum to one,
    zero where a token may not look.
    """

    read: Tensor
    query: Tensor
    key: Tensor
    value: Tensor
    weights: Tensor

    def gathered(self, weights: Tensor | None = None) -> Tensor:
        """(B, N, D) what every token gathers, heads side by side: ``weights`` (its own if None) times values."""
        mixed = (self.weights if weights is None else weights) @ self.value
        return mixed.transpose(1, 2).flatten(2)


class Tower(ABC):
    """One side of an image-text model.

    ``depth`` is the number of blocks; ``grid`` the layout of image tokens that the head reads, None for text.
    Every block of a plain ViT has that grid; convolutional and hierarchical towers answer :meth:`grid_at`.
    """

    depth: int
    grid: TokenGrid | None

    def grid_at(self, block: int) -> TokenGrid | None:
        """Layout of the image tokens at the output of ``block`` (0-based; -1 is before block 0)."""
        if not -1 <= block < self.depth:
            msg = f"block: expected -1 .. {self.depth - 1}; got {block}"
            raise ValueError(msg)
        return self.grid

    @abstractmethod
    def embed(self, inputs: Tensor, mask: Tensor | None = None) -> Hidden:
        """Tokens before block 0.

        ``inputs`` is (B, 3, H, W) float32 normalised pixels, or (B, N) int64 token ids with an optional
        (B, N) bool ``mask``.
        """

    @abstractmethod
    def run(self, hidden: Hidden, start: int, stop: int, *, only: Tensor | None = None) -> Hidden:
        """Blocks ``start`` .. ``stop - 1``.

        ``only`` (B, K) int64 are the tokens that later code needs: the last of these blocks computes their
        queries alone, and the result holds just them. Which of them a head reads is not looked for, as that would
        wait for the device: ``pooled`` is None.
        """

    @abstractmethod
    def head(self, hidden: Hidden) -> Tensor:
        """(B, E) pooled, projected, L2-normalised embedding."""

    @abstractmethod
    def attention(self, hidden: Hidden, block: int) -> Tensor:
        """(B, heads, N, N) attention weights of one block whose input is ``hidden``.

        Raises
        ------
        AttributionError
            The tower has no attention: a convolutional one.

        """

    def heads(self, hidden: Hidden, block: int) -> AttentionHeads:  # noqa: ARG002 - towers with attention override it
        """Attention heads of one block whose input is ``hidden``; gradients flow through them.

        Raises
        ------
        AttributionError
            The blocks of this tower have none.

        """
        raise self._no_heads()

    def write(self, gathered: Tensor, block: int) -> Tensor:  # noqa: ARG002
        """(B, N, D) what the block's attention adds to the states for ``gathered`` (B, N, D): its output projection.

        Raises
        ------
        AttributionError
            The blocks of this tower have no attention heads.

        """
        raise self._no_heads()

    def finish(self, hidden: Hidden, block: int, gathered: Tensor) -> Hidden:  # noqa: ARG002
        """Return the block's output for its input ``hidden`` where attention gathered ``gathered`` (B, N, D).

        ``finish(hidden, block, heads(hidden, block).gathered())`` is ``run(hidden, block, block + 1)``.

        Raises
        ------
        AttributionError
            The blocks of this tower have no attention heads.

        """
        raise self._no_heads()

    def _no_heads(self) -> AttributionError:
        msg = (
            f"{type(self).__name__}: its blocks have no attention heads to read; use a method that needs none, "
            "such as integrated-gradients, nib, occlusion or rise"
        )
        return AttributionError(msg)

    def suffix(self, hidden: Hidden, start: int) -> Tensor:
        """(B, E) embedding from the states before block ``start``: the last block for the pooled token alone."""
        if start == self.depth:
            return self.head(hidden)
        if hidden.pooled is None:
            return self.head(self.run(hidden, start, self.depth))
        last = self.run(hidden, start, self.depth, only=hidden.pooled[:, None])
        return self.head(replace(last, pooled=torch.zeros_like(hidden.pooled)))

    def encode(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, E) L2-normalised embedding of images or token ids."""
        return self.suffix(self.embed(inputs, mask), 0)


@dataclass(frozen=True, slots=True, eq=False)
class TokenizedPrompt:
    """One prompt as its text tower reads it.

    ``ids`` is (1, T) int64, ``mask`` (1, T) bool or None; ``tokens``, ``words`` and ``word_of_token`` are
    as in :class:`medaudit.records.TokenRelevance`.
    """

    ids: Tensor
    mask: Tensor | None
    tokens: tuple[str, ...]
    words: tuple[str, ...]
    word_of_token: tuple[int, ...]


class ScoreKind(StrEnum):
    """What a model was trained to make of a cosine; none of them is a probability of a finding."""

    SOFTMAX = "softmax over prompts of the scaled cosine"
    SIGMOID = "sigmoid of the scaled and shifted cosine, each prompt for itself"
    COSINE = "plain cosine"


@dataclass(frozen=True, slots=True)
class Score:
    """The trained score: ``kind`` of ``scale * cosine + bias``."""

    kind: ScoreKind
    scale: float = 1.0
    bias: float = 0.0

    def of(self, cosines: Tensor) -> Tensor:
        """(B, P) cosines of B images with P prompts -> (B, P) scores as the model was trained."""
        if self.kind is ScoreKind.COSINE:
            return cosines
        logits = self.scale * cosines + self.bias
        return logits.sigmoid() if self.kind is ScoreKind.SIGMOID else logits.softmax(dim=-1)


@dataclass(frozen=True, slots=True, eq=False)
class VisionLanguageModel:
    """Two towers, the way into each, and what the model is. Adapters build it; methods only read it."""

    vision: Tower
    text: Tower
    tokenize: Callable[[str], TokenizedPrompt]
    preprocessing: PreprocessingSpec
    card: ModelCard
    device: torch.device
    score: Score = Score(ScoreKind.COSINE)
    calibration: Calibration | None = None
    memo: dict[Hashable, Any] = field(default_factory=dict, repr=False)
    """What methods have worked out about this model and need not again: by key, of no influence on any result."""

    @property
    def grid(self) -> TokenGrid:
        """Layout of the image tokens."""
        if self.vision.grid is None:
            msg = "VisionLanguageModel.vision: expected a tower with a token grid; got one without"
            raise ValueError(msg)
        return self.vision.grid
