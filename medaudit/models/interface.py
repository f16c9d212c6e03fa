"""The tower: the one abstraction that every attribution method is written against.

A CLIP-like model is two towers; a tower is ``embed -> block 0 .. block D-1 -> head``. A method computes a
prefix once (``embed`` and ``run`` up to its block, without gradients) and repeats only the suffix. Weights
are frozen and nothing is ever patched into a module, so nothing has to be put back.

Shapes: B items, N tokens, D channels, E embedding dimensions.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from medaudit.imaging.preprocess import PreprocessingSpec
from medaudit.records import ModelCard, TokenGrid


@dataclass(frozen=True, slots=True, eq=False)
class Hidden:
    """Token states between two blocks.

    ``states`` is (B, N, D). ``pooled`` (B,) int64 is the index of the token that the head reads, or None
    where the head reads all. ``mask`` (B, N) bool is True for tokens that may be attended to, or None
    where all may.
    """

    states: Tensor
    pooled: Tensor | None
    mask: Tensor | None = None

    def with_states(self, states: Tensor) -> "Hidden":
        """Return these tokens with other states (B * k, N, D): each item k times in a row."""
        repeats = states.shape[0] // self.states.shape[0]
        if repeats == 1:
            return replace(self, states=states)
        pooled, mask = (
            None if value is None else value.repeat_interleave(repeats, dim=0) for value in (self.pooled, self.mask)
        )
        return Hidden(states, pooled, mask)


class Tower(ABC):
    """One side of an image-text model.

    ``depth`` is the number of blocks; ``grid`` the layout of image tokens, None for text.
    """

    depth: int
    grid: TokenGrid | None

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
        queries alone, and the result holds just them, ``pooled`` counted anew (None if it is not among them).
        """

    @abstractmethod
    def head(self, hidden: Hidden) -> Tensor:
        """(B, E) pooled, projected, L2-normalised embedding."""

    @abstractmethod
    def attention(self, hidden: Hidden, block: int) -> Tensor:
        """(B, heads, N, N) attention weights of one block whose input is ``hidden``."""

    def suffix(self, hidden: Hidden, start: int) -> Tensor:
        """(B, E) embedding from the states before block ``start``: the last block for the pooled token alone."""
        if start < self.depth:
            only = None if hidden.pooled is None else hidden.pooled[:, None]
            hidden = self.run(hidden, start, self.depth, only=only)
        return self.head(hidden)

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


@dataclass(frozen=True, slots=True, eq=False)
class VisionLanguageModel:
    """Two towers, the way into each, and what the model is. Adapters build it; methods only read it."""

    vision: Tower
    text: Tower
    tokenize: Callable[[str], TokenizedPrompt]
    preprocessing: PreprocessingSpec
    card: ModelCard
    device: torch.device

    @property
    def grid(self) -> TokenGrid:
        """Layout of the image tokens."""
        if self.vision.grid is None:
            msg = "VisionLanguageModel.vision: expected a tower with a token grid; got one without"
            raise ValueError(msg)
        return self.vision.grid
