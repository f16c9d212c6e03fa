"""What an attribution method is, and the noise it may draw."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from medaudit.imaging.preprocess import ModelInput
from medaudit.models.interface import VisionLanguageModel
from medaudit.records import Attribution, Prompt

Draw = Callable[[tuple[int, ...]], Tensor]
"""Draws standard normal float32 noise of a shape, on the CPU."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Noise that depends on the run's seed, the image, the prompt and the side, and on nothing else.

    So a map is the same alone, in any batch, in any order, and after a resume.
    """

    seed: int
    image: str

    def seed_for(self, prompt: str, side: str) -> int:
        """Return a seed in 0 .. 2**63 - 1 for one prompt and one side ("image" or "text")."""
        parts = (str(self.seed), self.image, prompt, side)
        digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
        return int.from_bytes(digest[:8], "big") >> 1

    def draw(self, prompt: str, side: str) -> Draw:
        """Return a fresh stream; it is drawn on the CPU, so every device gets the same values."""
        generator = torch.Generator().manual_seed(self.seed_for(prompt, side))
        return lambda shape: torch.randn(shape, generator=generator)


class Method(Protocol):
    """An attribution method: settings at construction, then one call an image."""

    name: ClassVar[str]

    def explain(
        self, model: VisionLanguageModel, image: ModelInput, prompts: Sequence[Prompt], noise: Noise
    ) -> tuple[Attribution, ...]:
        """Attribute each prompt's similarity with the image to image tokens and to words.

        Returns one attribution a prompt, in order.

        Raises
        ------
        AttributionError
            The method cannot run on this model with these settings, or did not end in finite numbers.

        """
        ...
