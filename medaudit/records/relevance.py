"""Relevance of image tokens and words, in nats or another quantity, and the attribution that holds both."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from medaudit.records.geometry import GridMap

NO_WORD = -1
"""``TokenRelevance.word_of_token`` of a token that belongs to no word (begin, end, padding)."""


class PromptKind(StrEnum):
    """Why a prompt is asked."""

    FINDING = "finding"
    NEGATED = "negated"
    CONTROL = "control"
    REPORT = "report"

    @property
    def is_compared(self) -> bool:
        """Whether others are asked to compare such a prompt with: so for findings and report sentences."""
        return self in (PromptKind.FINDING, PromptKind.REPORT)


class Quantity(StrEnum):
    """What the numbers of a relevance map are. Numbers of two quantities are never compared."""

    NATS = "nats"
    """Information that may pass (bottleneck methods); zero or more."""
    CHANGE = "cosine change"
    """Share of a change of the similarity: occlusion, path integrals, Shapley values; signed."""
    COSINE = "token cosine"
    """Cosine of the token's own embedding with the other side's; signed."""
    GRADIENT = "gradient"
    """Slope of the similarity, per unit of the model's input; zero or more."""
    SCORE = "relevance score"
    """A number without unit, whose order alone means something."""


class Assertion(StrEnum):
    """How a report sentence stands to what it names; ``MIXED`` where it denies one thing and not another."""

    AFFIRMED = "affirmed"
    NEGATED = "negated"
    UNCERTAIN = "uncertain"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Prompt:
    """One sentence held against an image.

    ``finding`` names the finding that a finding or negated prompt is about; it is empty for
    controls and report sentences. ``section`` is the part of the report that a report sentence stands
    in, ``assertion`` how it stands to what it names; both are left out for other prompts.
    """

    text: str
    kind: PromptKind
    finding: str = ""
    section: str = ""
    assertion: Assertion | None = None

    def __post_init__(self) -> None:
        if not self.text.strip():
            msg = f"Prompt.text: expected words; got {self.text!r}"
            raise ValueError(msg)
        if self.kind in (PromptKind.FINDING, PromptKind.NEGATED) and not self.finding:
            msg = f"Prompt.finding: expected a name for a {self.kind} prompt; got ''"
            raise ValueError(msg)
        if (self.section or self.assertion) and self.kind is not PromptKind.REPORT:
            msg = f"Prompt: expected section and assertion for report sentences alone; got them for {self.kind}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class RelevanceMap:
    """Relevance of every image token.

    ``values`` is (rows, columns) float32 of the token grid: the information, in nats, that may pass
    this token while the similarity holds; for methods that do not measure information it holds their
    ``quantity`` instead, and whoever shows it names that. Signed where the quantity is.
    """

    values: NDArray[np.float32]
    grid_map: GridMap
    quantity: Quantity = Quantity.NATS

    def __post_init__(self) -> None:
        expected = (self.grid_map.grid.rows, self.grid_map.grid.columns)
        if self.values.shape != expected or self.values.dtype != np.float32:
            msg = f"RelevanceMap.values: expected float32 {expected}; got {self.values.dtype} {self.values.shape}"
            raise ValueError(msg)
        if not np.isfinite(self.values).all():
            msg = "RelevanceMap.values: expected finite values; got NaN or infinity"
            raise ValueError(msg)

    def pixels(self, shape: tuple[int, int] | None = None) -> NDArray[np.float32]:
        """Relevance per token spread over the stored image; NaN where the model saw nothing.

        See :meth:`medaudit.records.geometry.GridMap.project` for ``shape``.
        """
        return self.grid_map.project(self.values, shape)


@dataclass(frozen=True, slots=True, eq=False)
class TokenRelevance:
    """Relevance of every text token, and which word each belongs to.

    ``values`` is (T,) float32, of ``quantity`` as in :class:`RelevanceMap`; ``word_of_token[t]`` is an index into
    ``words`` or :data:`NO_WORD`. A method that says nothing of words leaves every field empty.
    """

    tokens: tuple[str, ...]
    values: NDArray[np.float32]
    words: tuple[str, ...]
    word_of_token: tuple[int, ...]
    quantity: Quantity = Quantity.NATS

    def __post_init__(self) -> None:
        count = len(self.tokens)
        if self.values.shape != (count,) or self.values.dtype != np.float32:
            msg = f"TokenRelevance.values: expected float32 ({count},); got {self.values.dtype} {self.values.shape}"
            raise ValueError(msg)
        if len(self.word_of_token) != count:
            msg = f"TokenRelevance.word_of_token: expected {count} entries; got {len(self.word_of_token)}"
            raise ValueError(msg)
        if any(not NO_WORD <= index < len(self.words) for index in self.word_of_token):
            msg = f"TokenRelevance.word_of_token: expected -1 .. {len(self.words) - 1}; got {self.word_of_token}"
            raise ValueError(msg)
        if not np.isfinite(self.values).all():
            msg = "TokenRelevance.values: expected finite values; got NaN or infinity"
            raise ValueError(msg)

    def by_word(self) -> NDArray[np.float32]:
        """(words,) float32: relevance of each word, the sum over its tokens. Special tokens belong to none."""
        sums = np.zeros(len(self.words), dtype=np.float32)
        for index, value in zip(self.word_of_token, self.values, strict=True):
            if index != NO_WORD:
                sums[index] += value
        return sums


@dataclass(frozen=True, slots=True)
class SolverTrace:
    """What a method says of its own run on one side.

    ``loss`` is the objective at each pass that was made, in order (empty where nothing is minimised);
    ``capacity_nats`` is the sum of the relevance over all tokens, prefix and special tokens included, in its own
    quantity (negative where a signed method finds more against the similarity than for it); ``seed`` is the
    run's (the noise depends on it, on the image and on the prompt). ``residual`` is how far the result misses
    what the method promises, zero or more: of a path method |sum of the relevance - change of the similarity|,
    of a solver its distance from a stationary point; None where nothing is promised.
    """

    loss: tuple[float, ...]
    capacity_nats: float
    seed: int
    residual: float | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.capacity_nats):
            msg = f"SolverTrace.capacity_nats: expected a finite number; got {self.capacity_nats}"
            raise ValueError(msg)
        if self.residual is not None and not (math.isfinite(self.residual) and self.residual >= 0):
            msg = f"SolverTrace.residual: expected a finite number >= 0, or None; got {self.residual}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """One prompt on one image: the similarity, and what it rests on.

    ``similarity`` is the cosine of the two embeddings, in -1 .. 1. It is neither a probability nor
    an accuracy.
    """

    prompt: Prompt
    similarity: float
    image: RelevanceMap
    text: TokenRelevance
    method: str
    image_trace: SolverTrace
    text_trace: SolverTrace
    settings: Mapping[str, str | int | float | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Rounding in float32 may carry a cosine of identical vectors a little past one.
        if not -1.001 <= self.similarity <= 1.001:
            msg = f"Attribution.similarity: expected a cosine in -1 .. 1; got {self.similarity}"
            raise ValueError(msg)
