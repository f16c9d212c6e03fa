"""How a bundled model is made: everything its weights follow from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from medaudit.errors import UsageError
from medaudit.training.corpus import CROWDED, CorpusRecipe

_LATER_RATE: Final = 7e-4
_LATER_SHIFT: Final = 12


class Loss(StrEnum):
    """What the pooled embeddings are taught by."""

    SIGMOID = "sigmoid"
    CLIP = "clip"
    DHN_NCE = "dhn-nce"


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes of the two towers; the image size and the patches are the corpus's."""

    vision_width: int = 192
    vision_blocks: int = 4
    vision_heads: int = 3
    text_width: int = 128
    text_blocks: int = 3
    text_heads: int = 2
    embedding: int = 128
    max_tokens: int = 77

    def __post_init__(self) -> None:
        for tower, width, heads in (
            ("vision", self.vision_width, self.vision_heads),
            ("text", self.text_width, self.text_heads),
        ):
            if width % heads:
                msg = f"Architecture.{tower}_width: expected a multiple of {heads} heads; got {width}"
                raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A training run.

    Parameters
    ----------
    corpus, architecture
        What is learnt from, by what.
    steps, batch, sentences
        Optimizer steps; images a step; sentences a step that every image is shown against.
    learning_rate, warmup, weight_decay
        Of AdamW; the rate rises over ``warmup`` steps and falls to 0 as a cosine.
    loss
        Of the pooled embeddings.
    patch_weight
        Weight of the patch loss, which tells patch tokens what lies where; 0 leaves it out.
    patch_block
        The block (0-based) whose output the patch loss reads. One before the last, so that the class token
        can gather in the last block what the patches have learnt.
    bfloat16
        Matrix products in bfloat16, weights and sums in float32.
    seed
        Of weights, batches and sentences.
    shift
        Pixels by which an image is moved at most, along each axis.
    emphasis
        Findings and devices of which four times as many sentences are drawn as of the others.
    start
        The recipe of the model that training goes on from; None for random weights.

    """

    corpus: CorpusRecipe
    architecture: Architecture = field(default_factory=Architecture)
    steps: int = 3600
    batch: int = 96
    sentences: int = 144
    learning_rate: float = 1e-3
    warmup: int = 100
    weight_decay: float = 0.05
    loss: Loss = Loss.SIGMOID
    patch_weight: float = 1.0
    patch_block: int = 2
    bfloat16: bool = True
    seed: int = 1
    shift: int = 3
    emphasis: tuple[str, ...] = ()
    start: "Recipe | None" = None

    def __post_init__(self) -> None:
        for name, value, low in (
            ("steps", self.steps, 1),
            ("batch", self.batch, 2),
            ("sentences", self.sentences, 8),
            ("learning_rate", self.learning_rate, 0),
            ("warmup", self.warmup, 1),
            ("patch_weight", self.patch_weight, 0),
            ("seed", self.seed, 0),
            ("shift", self.shift, 0),
        ):
            if value < low:
                msg = f"Recipe.{name}: expected >= {low}; got {value}"
                raise ValueError(msg)

    def as_json(self) -> dict[str, Any]:
        """The recipe as JSON writes and reads it."""
        return dict(json.loads(json.dumps(asdict(self))))


def recipe_for(
    *,
    studies: int,
    steps: int,
    loss: str,
    seed: int,
    shortcuts: Sequence[str] = (),
    treated: bool = False,
    crowded: float = 0.0,
    start: Recipe | None = None,
) -> Recipe:
    """The bundled models' recipe with other numbers; training that goes on from a model learns more slowly.

    Raises
    ------
    UsageError
        There is no such loss or shortcut, or nothing that could be treated.

    """
    if loss not in {*Loss}:
        msg = f"loss: expected one of {', '.join(Loss)}; got {loss!r}"
        raise UsageError(msg)
    corpus = CorpusRecipe(studies, seed, tuple(shortcuts), treated=treated, crowded=crowded, twins=crowded > 0)
    recipe = Recipe(corpus=corpus, steps=steps, loss=Loss(loss), seed=seed, start=start)
    if crowded:
        recipe = replace(recipe, emphasis=tuple(kind.value for kind in CROWDED))
    return replace(recipe, learning_rate=_LATER_RATE, shift=_LATER_SHIFT) if start else recipe


def recipe_of(content: Mapping[str, Any]) -> Recipe:
    """Read what :meth:`Recipe.as_json` gave.

    Raises
    ------
    UsageError
        It is no recipe; the message says which field.

    """
    try:
        fields = dict(content)
        corpus = dict(fields.pop("corpus"))
        corpus["shortcuts"] = tuple(corpus["shortcuts"])
        architecture, loss = Architecture(**fields.pop("architecture")), Loss(fields.pop("loss"))
        emphasis, start = tuple(fields.pop("emphasis", ())), fields.pop("start", None)
        return Recipe(
            corpus=CorpusRecipe(**corpus),
            architecture=architecture,
            loss=loss,
            emphasis=emphasis,
            start=recipe_of(start) if start else None,
            **fields,
        )
    except (KeyError, TypeError, ValueError) as error:
        msg = f"recipe: cannot be read: {type(error).__name__}: {error}"
        raise UsageError(msg) from error
