"""One image's audit: what every check may ask of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from statistics import pstdev

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medaudit.attribution.batches import automatic_batch, in_batches
from medaudit.attribution.method import Method, Noise
from medaudit.attribution.prefixes import text_prefix
from medaudit.imaging.areas import Area, Mask
from medaudit.imaging.preprocess import ModelInput
from medaudit.models.interface import VisionLanguageModel
from medaudit.records import Attribution, Prompt, PromptKind


class Depth(StrEnum):
    """How much is measured."""

    MAPS = "maps"
    """Only what the maps and similarities that are there anyway can tell."""
    FAST = "fast"
    """Also what some forward passes of changed pictures tell."""
    FULL = "full"
    """Also what takes many passes, or further maps."""


@dataclass(frozen=True, slots=True)
class Questions:
    """Sentences that are scored and get no map, by finding.

    ``sides`` are the sentences that put the finding on the patient's left and right; ``paraphrases`` are
    ways to say the same.
    """

    sides: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    paraphrases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Case:
    """One image with its maps, and the model to ask again.

    ``seen`` is what the model saw; ``areas`` are (H, W) bool on it. What a check draws comes from ``noise``, so a
    result does not depend on order or company.
    """

    model: VisionLanguageModel
    method: Method
    seen: ModelInput
    attributions: tuple[Attribution, ...]
    noise: Noise
    areas: Mapping[Area, Mask] = field(default_factory=dict)
    questions: Questions = Questions()
    depth: Depth = Depth.FAST

    @cached_property
    def picture(self) -> Tensor:
        """(3, H, W) float32 in 0 .. 1 on the CPU: the model's input before its normalisation."""
        return self.model.preprocessing.shown(self.seen.pixels[0].cpu())

    @cached_property
    def findings(self) -> tuple[Attribution, ...]:
        """Attributions of the finding prompts, in the order asked."""
        return tuple(item for item in self.attributions if item.prompt.kind is PromptKind.FINDING)

    @cached_property
    def seen_findings(self) -> tuple[Attribution, ...]:
        """Those of :attr:`findings` that the model sees, see :meth:`sees`."""
        return tuple(item for item in self.findings if self.sees(item.prompt.finding))

    def sees(self, finding: str) -> bool:
        """Whether the model itself prefers a finding to its negation; so of every finding that nothing denies."""

        def best(kind: PromptKind) -> float:
            about = (item for item in self.attributions if (item.prompt.kind, item.prompt.finding) == (kind, finding))
            return max((item.similarity for item in about), default=-math.inf)

        return best(PromptKind.FINDING) > best(PromptKind.NEGATED)

    @cached_property
    def spread(self) -> float:
        """Standard deviation of the similarities of this image with all prompts: what a change is held against."""
        return pstdev(item.similarity for item in self.attributions) if self.attributions else 0.0

    @cached_property
    def untouched(self) -> NDArray[np.float64]:
        """(F,) cosines of the picture with the finding prompts, as :meth:`scores` computes them."""
        return np.asarray(_cosines(self.embedding[None], self._words(self.findings))[0], dtype=np.float64)

    @cached_property
    def embedding(self) -> Tensor:
        """(E,) float32 of the picture, on the CPU; one pass, shared by all checks that ask."""
        return self._embedded(self.picture[None])[0]

    def before(self, asked: Sequence[Attribution]) -> NDArray[np.float64]:
        """(F,) the same of some of the findings."""
        return self.untouched[[self.findings.index(item) for item in asked]]

    def scores(self, pictures: Tensor, asked: Sequence[Attribution | str]) -> NDArray[np.float64]:
        """(B, T) cosines of pictures (B, 3, H, W) in 0 .. 1 with prompts or sentences."""
        return _cosines(self._embedded(pictures), self._words(asked))

    def _words(self, asked: Sequence[Attribution | str]) -> Tensor:
        """(T, E) embeddings of prompts or sentences, on the CPU."""
        texts = [one if isinstance(one, str) else one.prompt.text for one in asked]
        return torch.cat([text_prefix(self.model, text, -1).embedding for text in texts]).cpu()

    def _embedded(self, pictures: Tensor) -> Tensor:
        """(B, E) embeddings of pictures (B, 3, H, W) in 0 .. 1, on the CPU."""
        model = self.model

        def embed(chunk: Sequence[Tensor]) -> Sequence[Tensor]:
            with torch.no_grad():
                return list(model.vision.encode(self._inputs(torch.stack(list(chunk)))).cpu())

        size = automatic_batch(model.grid.tokens, 1024, 1, model.device)
        return torch.stack(in_batches(list(pictures), size, embed))

    def explain(self, picture: Tensor, prompts: Sequence[Prompt], seed: int | None = None) -> tuple[Attribution, ...]:
        """Maps of another picture (3, H, W) of the same geometry, or with another seed."""
        noise = self.noise if seed is None else replace(self.noise, seed=seed)
        return self.method.explain(
            self.model, ModelInput(self._inputs(picture[None]), self.seen.grid_map), prompts, noise
        )

    def generator(self, purpose: str) -> torch.Generator:
        """A stream of randomness of this image for one purpose."""
        return torch.Generator().manual_seed(self.noise.seed_for(purpose, "check"))

    def _inputs(self, pictures: Tensor) -> Tensor:
        spec = self.model.preprocessing
        mean, std = (torch.tensor(values, dtype=torch.float32).view(3, 1, 1) for values in (spec.mean, spec.std))
        return ((pictures - mean) / std).to(self.model.device)


def _cosines(pictures: Tensor, words: Tensor) -> NDArray[np.float64]:
    """(B, T) products of embeddings (B, E) and (T, E)."""
    return np.asarray((pictures @ words.T).double().numpy(), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Load:
    """What the cost of a check depends on; ``areas`` is how many candidate areas a picture usually has."""

    findings: int
    depth: Depth
    sided: int = 0
    areas: int = 4


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one picture: forward passes of the image tower, and maps (one a prompt)."""

    passes: int = 0
    maps: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.passes + other.passes, self.maps + other.maps)
