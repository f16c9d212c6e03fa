"""Doubts about a model that loaded without an error: does it react to images and prompts as a trained one would?

Weights of another layout are refused by name; a model can load and still be useless: never trained, normalised for
another range of values, or read with another model's tokenizer. Three pictures and three prompts show it.
"""

from dataclasses import replace
from itertools import combinations

import torch
from torch import Tensor

from medaudit.errors import EmbeddingCollapseWarning, InputScaleWarning, ModelWarning, TokenizerWarning
from medaudit.models.interface import VisionLanguageModel

_PROMPTS = ("a chest radiograph of a person", "no pleural effusion", "a bowl of fruit")

# Trained models put pictures as unlike as noise, a disc and a ramp at cosines of 0.3 .. 0.95.
_COLLAPSED = 0.9999
# Statistics of images in 0 .. 1; those of 0 .. 255 are a hundred times as large.
_LARGEST_STD = 1.0
# More unknown tokens than words: the vocabulary is another one's.
_UNKNOWN_SHARE = 0.5
_UNKNOWN = ("[UNK]", "<unk>")


@torch.no_grad()
def doubts(model: VisionLanguageModel) -> tuple[ModelWarning, ...]:
    """Warnings about a loaded model, none for a sound one; takes three images and three prompts' time.

    Raises
    ------
    ModelError
        The model has no tokenizer, or cannot read an ordinary prompt.

    """
    found: list[ModelWarning] = []
    spec = model.preprocessing
    if not all(0 <= mean <= 1 for mean in spec.mean) or max(spec.std) > _LARGEST_STD:
        found.append(
            InputScaleWarning(
                f"mean {spec.mean} and std {spec.std} are not those of images in 0 .. 1; "
                "divide statistics of 0 .. 255 by 255"
            )
        )
    least = _least_cosine(model.vision.encode(_pictures(model)))
    if least > _COLLAPSED:
        found.append(
            EmbeddingCollapseWarning(
                f"noise, a disc and a ramp get the same image embedding (cosine {least:.6f} or more): the model barely "
                "reacts to the image; check that the weights are trained and the normalisation is the model's"
            )
        )
    return (*found, *_text_doubts(model))


def examined(model: VisionLanguageModel) -> VisionLanguageModel:
    """Return the model with its doubts named in the notes of its card, which go into every report.

    Raises
    ------
    ModelError
        As :func:`doubts`.

    """
    notes = tuple(f"{type(doubt).__name__}: {doubt}" for doubt in doubts(model))
    return replace(model, card=replace(model.card, notes=(*model.card.notes, *notes))) if notes else model


def _text_doubts(model: VisionLanguageModel) -> list[ModelWarning]:
    prompts = [model.tokenize(text) for text in _PROMPTS]
    unknown = sum(token in _UNKNOWN for prompt in prompts for token in prompt.tokens)
    words = sum(len(prompt.words) for prompt in prompts)
    if unknown > _UNKNOWN_SHARE * words:
        message = f"{unknown} unknown tokens for {words} English words; the tokenizer is not this model's"
        return [TokenizerWarning(message)]
    try:
        embeddings = torch.cat([model.text.encode(prompt.ids.to(model.device)) for prompt in prompts])
    except IndexError:
        return [TokenizerWarning("the tokenizer makes ids that the text tower does not know; it is another model's")]
    least = _least_cosine(embeddings)
    if least > _COLLAPSED:
        message = (
            f"three unlike prompts get the same text embedding (cosine {least:.6f} or more): the model barely reads "
            "them; check the weights and the tokenizer"
        )
        return [EmbeddingCollapseWarning(message)]
    return []


def _pictures(model: VisionLanguageModel) -> Tensor:
    """(3, 3, H, W) noise, a disc and a ramp over 0 .. 1, normalised as the model's preprocessing does."""
    rows, columns = model.card.input_size
    y, x = torch.meshgrid(torch.linspace(-1, 1, rows), torch.linspace(-1, 1, columns), indexing="ij")
    noise = torch.rand(rows, columns, generator=torch.Generator().manual_seed(0))
    shown = torch.stack([noise, ((x**2 + y**2) < 0.3).float(), (x + 1) / 2])[:, None].expand(-1, 3, -1, -1)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (model.preprocessing.mean, model.preprocessing.std))
    return ((shown - mean) / std).to(model.device)


def _least_cosine(embeddings: Tensor) -> float:
    return min(float(one @ other) for one, other in combinations(embeddings, 2))
