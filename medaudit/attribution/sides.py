"""One side of a model at a time: what a method is given there, what it finds, and the record made of both sides."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medaudit.attribution.m2ib import resolve_block
from medaudit.attribution.method import Draw, MethodInfo, Noise
from medaudit.errors import AttributionError, ModelError
from medaudit.imaging.preprocess import ModelInput
from medaudit.models.interface import Hidden, TokenizedPrompt, Tower, VisionLanguageModel
from medaudit.records import Attribution, Prompt, Quantity, RelevanceMap, SolverTrace, TokenRelevance
from medaudit.records.relevance import NO_WORD


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One tower, what it is given, and what its similarity is taken with.

    ``start`` holds the tokens before block 0, (1, N, D) without gradients; ``pixels`` is (1, 3, H, W) on the image
    side and None on the text side. ``targets`` (P, E) are normalised embeddings of the other side: one a prompt on
    the image side, the image's alone on the text side; ``others`` are the other tower's tokens before its block 0,
    one a target. ``word_of_token`` is empty on the image side. ``draws`` are noise streams, one a target;
    ``shared`` is the same whatever the prompts are.
    """

    model: VisionLanguageModel
    tower: Tower
    start: Hidden
    pixels: Tensor | None
    targets: Tensor
    others: tuple[Hidden, ...]
    word_of_token: tuple[int, ...]
    draws: tuple[Draw, ...]
    shared: Draw

    @property
    def is_image(self) -> bool:
        """Whether this is the image side."""
        return self.pixels is not None

    @property
    def other(self) -> Tower:
        """The tower on the other side."""
        return self.model.text if self.is_image else self.model.vision

    @property
    def content(self) -> Tensor:
        """(N,) bool: tokens that have a place on the image, or belong to a word."""
        if self.is_image:
            return torch.arange(self.model.grid.tokens, device=self.targets.device) >= self.model.grid.prefix
        return torch.tensor([word != NO_WORD for word in self.word_of_token], device=self.targets.device)

    def hidden(self, block: int) -> Hidden:
        """Tokens before ``block``, without gradients."""
        with torch.no_grad():
            return self.tower.run(self.start, 0, block)

    def block(self, settings: Any) -> int:  # noqa: ANN401 - any settings with image_block and text_block
        """Return the 0-based block that ``settings`` name for this side."""
        name = "image_block" if self.is_image else "text_block"
        return resolve_block(name, getattr(settings, name), self.tower.depth)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a method finds on one side: ``relevance`` (P, N), one row a target, all tokens.

    ``losses`` and ``residuals`` have one entry a target, or none; see :class:`medaudit.records.SolverTrace`.
    """

    relevance: Tensor
    losses: tuple[tuple[float, ...], ...] = ()
    residuals: tuple[float, ...] = ()


class PairMethod(ABC):
    """A method that is given the image side and a text side for every prompt, and finds relevance on each.

    A subclass is a frozen dataclass with ``settings`` (a frozen dataclass), ``name`` and ``info``.
    """

    name: ClassVar[str]
    info: ClassVar[MethodInfo]
    settings: Any

    @abstractmethod
    def both(self, seen: Side, written: Sequence[Side]) -> tuple[Found | None, list[Found | None]]:
        """What is found on the image side for all prompts, and on each text side; None where nothing is defined."""

    def explain(
        self, model: VisionLanguageModel, image: ModelInput, prompts: Sequence[Prompt], noise: Noise
    ) -> tuple[Attribution, ...]:
        """See :meth:`medaudit.attribution.method.Method.explain`."""
        if not prompts:
            return ()
        read = tuple(model.tokenize(prompt.text) for prompt in prompts)
        seen, written = sides(model, image, prompts, read, noise)
        on_image, on_text = self.both(seen, written)
        settings = self._said(model)
        return tuple(
            Attribution(
                prompt=prompt,
                similarity=float((written[i].targets * seen.targets[i]).sum()),
                image=_map(self, on_image, i, image),
                text=_words(self, on_text[i], read[i]),
                method=self.name,
                image_trace=_trace(on_image, i, noise.seed),
                text_trace=_trace(on_text[i], 0, noise.seed),
                settings=settings,
            )
            for i, prompt in enumerate(prompts)
        )

    def _said(self, model: VisionLanguageModel) -> Mapping[str, str | int | float | bool]:
        """Settings as they were used: blocks counted from the start."""
        said = asdict(self.settings)
        for name, tower in (("image_block", model.vision), ("text_block", model.text)):
            if name in said:
                said[name] = resolve_block(name, said[name], tower.depth)
        return said


class SidedMethod(PairMethod):
    """A method that treats each side alone, with the other side's embedding held constant."""

    @abstractmethod
    def relevance(self, side: Side) -> Found:
        """Relevance of every token of one side to its similarity with each target."""

    def both(self, seen: Side, written: Sequence[Side]) -> tuple[Found | None, list[Found | None]]:
        """See :meth:`PairMethod.both`."""
        on_image = self.relevance(seen) if "image" in self.info.sides else None
        return on_image, [self.relevance(side) if "text" in self.info.sides else None for side in written]


def sides(
    model: VisionLanguageModel,
    image: ModelInput,
    prompts: Sequence[Prompt],
    read: Sequence[TokenizedPrompt],
    noise: Noise,
) -> tuple[Side, tuple[Side, ...]]:
    """Return the image side with every prompt as a target, and a text side for every prompt."""
    pixels = image.pixels.to(model.device)
    with torch.no_grad():
        seen = model.vision.embed(pixels)
        embedding = model.vision.suffix(seen, 0)
        masks = [None if one.mask is None else one.mask.to(model.device) for one in read]
        starts = tuple(model.text.embed(one.ids.to(model.device), mask) for one, mask in zip(read, masks, strict=True))
        targets = torch.cat([model.text.suffix(start, 0) for start in starts])
    shared = noise.draw("", "image")
    own = tuple(noise.draw(prompt.text, "image") for prompt in prompts)
    first = Side(model, model.vision, seen, pixels, targets, starts, (), own, shared)
    written = []
    for prompt, one, start in zip(prompts, read, starts, strict=True):
        draw = noise.draw(prompt.text, "text")
        written.append(Side(model, model.text, start, None, embedding, (seen,), one.word_of_token, (draw,), draw))
    return first, tuple(written)


def each_token(tower: Tower, hidden: Hidden) -> Tensor:
    """(N, E) normalised embedding that the head makes of every token of one item alone.

    Raises
    ------
    AttributionError
        The head reads all tokens of a grid together or none.

    """
    states = hidden.states[0][:, None]
    pooled = None if hidden.pooled is None else torch.zeros(len(states), dtype=torch.int64, device=states.device)
    try:
        return tower.head(Hidden(states, pooled))
    except ModelError as error:
        msg = f"this tower's head makes no embedding of a token alone ({error}); choose m2ib or occlusion"
        raise AttributionError(msg) from error


def read_row(hidden: Hidden, matrix: Tensor) -> Tensor:
    """(B, N) the pooled token's row of (B, N, N); the mean row where the head reads every token."""
    if hidden.pooled is not None:
        return matrix.gather(1, hidden.pooled[:, None, None].expand(-1, -1, matrix.shape[-1]))[:, 0]
    if hidden.mask is None:
        return matrix.mean(1)
    weights = hidden.mask.to(matrix.dtype)
    return (matrix * weights[..., None]).sum(1) / weights.sum(1, keepdim=True)


def _map(method: PairMethod, found: Found | None, index: int, image: ModelInput) -> RelevanceMap:
    grid = image.grid_map.grid
    if found is None:  # no map at all: zero everywhere, in a quantity that claims nothing
        return RelevanceMap(np.zeros((grid.rows, grid.columns), np.float32), image.grid_map, Quantity.SCORE)
    values = _finite(method, found.relevance[index])
    if values.shape != (grid.tokens,):
        msg = (
            f"{method.name}: its block has {values.shape[0]} image tokens, the map {grid.tokens}: this tower's grid "
            "changes from stage to stage; choose image_block: -1, or m2ib"
        )
        raise AttributionError(msg)
    patches = values[grid.prefix : grid.tokens].reshape(grid.rows, grid.columns)
    return RelevanceMap(np.ascontiguousarray(patches), image.grid_map, method.info.quantity)


def _words(method: PairMethod, found: Found | None, read: TokenizedPrompt) -> TokenRelevance:
    if found is None:
        return TokenRelevance((), np.zeros(0, np.float32), (), (), method.info.quantity)
    values = _finite(method, found.relevance[0])
    return TokenRelevance(read.tokens, values, read.words, read.word_of_token, method.info.quantity)


def _finite(method: PairMethod, relevance: Tensor) -> NDArray[np.float32]:
    if not bool(torch.isfinite(relevance).all()):
        msg = (
            f"{method.name}: the relevance is not finite; check that the model's embedding of this image and prompt is"
        )
        raise AttributionError(msg)
    return np.ascontiguousarray(relevance.detach().float().cpu().numpy())


def _trace(found: Found | None, index: int, seed: int) -> SolverTrace:
    if found is None:
        return SolverTrace((), 0.0, seed)
    loss = found.losses[index] if found.losses else ()
    residual = found.residuals[index] if found.residuals else None
    return SolverTrace(loss, float(found.relevance[index].sum()), seed, residual)
