"""What an attribution method is, what it says of itself, and the noise it may draw."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from medaudit.imaging.preprocess import ModelInput
from medaudit.models.interface import VisionLanguageModel
from medaudit.records import Attribution, Prompt, Quantity

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


class Needs(StrEnum):
    """What a method asks of a model's towers; one that lacks it is refused with an AttributionError."""

    TOWER = "any tower"
    BLOCKS = "blocks"
    HEADS = "attention heads"
    TRANSFORMER = "transformer blocks"


@dataclass(frozen=True, slots=True)
class MethodInfo:
    """What a method says of itself; ``medaudit methods`` prints it.

    ``paper`` names authors, venue, year and the equations followed. ``cost`` counts forward and backward passes at
    the default settings: an image side and a prompt where nothing else is said. ``noise`` is True where it draws
    any (from the run's seed: the result is still the same at every run). ``sides`` are "image", "text" or both.
    """

    title: str
    paper: str
    cost: str
    quantity: Quantity
    sides: tuple[str, ...] = ("image", "text")
    needs: Needs = Needs.TOWER
    noise: bool = False


def check_positive(settings: object, *names: str) -> None:
    """Refuse settings whose ``names`` are not all > 0.

    Raises
    ------
    ValueError
        One is not.

    """
    for name in names:
        value = getattr(settings, name)
        if not value > 0:
            msg = f"{type(settings).__name__}.{name}: expected a value > 0; got {value}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class NoSettings:
    """Settings of a method that has none."""


NO_SETTINGS = NoSettings()


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
