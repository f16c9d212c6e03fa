"""The last step of every adapter: towers, tokenizer and preprocessing become a model with its card."""

from pathlib import Path

import torch

from medaudit.imaging.preprocess import PreprocessingSpec
from medaudit.models.cards import model_card
from medaudit.models.interface import Score, Tower, VisionLanguageModel
from medaudit.models.manifest import Manifest
from medaudit.models.tokens import Tokenize, limited


def assembled(
    folder: Path,
    manifest: Manifest,
    *,
    family: str,
    vision: Tower,
    text: Tower,
    tokenize: Tokenize,
    context: int,
    spec: PreprocessingSpec,
    score: Score,
    device: torch.device,
    files: tuple[str, ...],
    notes: tuple[str, ...] = (),
) -> VisionLanguageModel:
    """Return the model of ``folder``.

    ``context`` is the longest prompt in tokens, longer ones are refused; ``files`` are the names whose checksums the
    card states, where they are there; ``notes`` go into the card after the manifest's own.

    Raises
    ------
    ValueError
        The image tower has no grid.

    """
    if vision.grid is None:
        msg = f"{type(vision).__name__}.grid: expected the layout of the image tokens; got None"
        raise ValueError(msg)
    card = model_card(
        folder, manifest, family=family, spec=spec, grid=vision.grid, score=score, files=files, notes=notes
    )
    return VisionLanguageModel(vision, text, limited(tokenize, context, card.name), spec, card, device, score)
