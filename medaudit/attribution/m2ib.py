"""M2IB: multi-modal information bottleneck attribution, as the paper sets it out, and as it should be.

Wang, Rudner, Wilson, NeurIPS 2023. For one side of the model, with the other side's embedding held
constant, it minimises over lambda (one value a token and channel of one block's output, or one a token)

    beta * mean over tokens and channels of KL  -  mean over noise samples of <embedding of Z, target>.

The relevance of a token is the KL that is left, summed over its channels. The target is the other side's
embedding (so the product is the cosine), or its difference from a mean one.

What is computed once: the blocks before the bottleneck (an image's once for all its prompts, a prompt's once
for all images) and the other side. What is repeated: the blocks behind it, many prompts in a pass. The paper's
code evaluates the map before its last step, so the last of its ``steps`` passes moves nothing; here it is not
run at all, and the map is the same.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from medaudit.attribution.m2ib_settings import CONTRASTIVE, M2IBSettings, sentences
from medaudit.attribution.m2ib_side import M2IBSide, solve
from medaudit.attribution.method import Noise
from medaudit.attribution.precision import (
    BFLOAT16,
    FLOAT32,
    PROBE_TEXT,
    Precision,
    choose,
    gains_by_bfloat16,
    probe_pixels,
    rank_agreement,
)
from medaudit.attribution.prefixes import TextPrefix, text_prefix
from medaudit.errors import AttributionError
from medaudit.imaging.preprocess import ModelInput
from medaudit.models.calibration import Calibration
from medaudit.models.interface import Hidden, VisionLanguageModel
from medaudit.models.lowered import lowered
from medaudit.records import Attribution, Prompt, RelevanceMap, TokenGrid, TokenRelevance

__all__ = ["M2IB", "M2IBSettings", "resolve_block", "solve"]

_PROBE_NOISE = Noise(0, "precision probe")
# Passes of a probe at most: agreement shows long before convergence.
_PROBE_STEPS, _PROBE_SAMPLES = 10, 10


@dataclass(frozen=True, slots=True)
class M2IB:
    """The method: image side and text side for every prompt, the image's prefix once for all."""

    settings: M2IBSettings = field(default_factory=M2IBSettings)
    name: ClassVar[str] = "m2ib"

    def explain(
        self, model: VisionLanguageModel, image: ModelInput, prompts: Sequence[Prompt], noise: Noise
    ) -> tuple[Attribution, ...]:
        """See :meth:`medaudit.attribution.method.Method.explain`."""
        if not prompts:
            return ()
        image_side, text_side = self._sides(model)
        texts = [text_prefix(model, prompt.text, text_side.block) for prompt in prompts]
        seen, embedding = _seen(model, image.pixels.to(model.device), image_side.block)
        on_image = [(seen, self._against_negatives(model, text), text.text) for text in texts]
        maps = image_side.solve(on_image, noise)
        target = self._against_mean_image(model, embedding)
        words = text_side.solve([(text.hidden, target, text.text) for text in texts], noise)
        said = self._said(image_side, text_side)
        return tuple(
            Attribution(
                prompt=prompt,
                similarity=float((embedding * text.embedding).sum()),
                image=_relevance_map(map_nats, image, model.vision.grid_at(image_side.block) or model.grid),
                text=TokenRelevance(text.read.tokens, word_nats.numpy(), text.read.words, text.read.word_of_token),
                method=self.name,
                image_trace=map_trace,
                text_trace=word_trace,
                settings=said,
            )
            for prompt, text, (map_nats, map_trace), (word_nats, word_trace) in zip(
                prompts, texts, maps, words, strict=True
            )
        )

    def _sides(self, model: VisionLanguageModel) -> tuple[M2IBSide, M2IBSide]:
        """Both sides with everything settled that does not depend on an image or a prompt."""
        key = ("m2ib sides", self.settings)
        if key not in model.memo:
            plain = tuple(_side(model, name, self.settings, FLOAT32) for name in ("image", "text"))
            model.memo[key] = tuple(_with_precision(model, side) for side in plain)
        image_side, text_side = model.memo[key]
        return image_side, text_side

    def _against_negatives(self, model: VisionLanguageModel, text: TextPrefix) -> Tensor:
        """(1, E) what the image side is held against."""
        if self.settings.target != CONTRASTIVE:
            return text.embedding
        named = sentences(self.settings.negatives)
        if not named:
            return text.embedding - _calibration(model, CONTRASTIVE).text.embedding
        block = resolve_block("text_block", self.settings.text_block, model.text.depth)
        others = [text_prefix(model, name, block).embedding for name in named if name != text.text]
        if not others:
            msg = "m2ib: negatives name the prompt itself and nothing else; add another sentence"
            raise AttributionError(msg)
        return text.embedding - torch.cat(others).mean(0, keepdim=True)

    def _against_mean_image(self, model: VisionLanguageModel, embedding: Tensor) -> Tensor:
        """(1, E) what the text side is held against."""
        if self.settings.target != CONTRASTIVE:
            return embedding
        return embedding - _calibration(model, CONTRASTIVE).image.embedding

    def _said(self, image_side: M2IBSide, text_side: M2IBSide) -> dict[str, str | int | float | bool]:
        """Settings as they were used: blocks counted from the start, and the precision of either side."""
        first, second = image_side.precision.name, text_side.precision.name
        precision = first if first == second else f"{first} (image), {second} (text)"
        blocks = {"image_block": image_side.block, "text_block": text_side.block}
        return asdict(self.settings) | blocks | {"precision": precision}


def resolve_block(name: str, block: int, depth: int) -> int:
    """0-based block of a tower of ``depth`` blocks; a negative ``block`` counts from the end.

    Raises
    ------
    AttributionError
        The tower has no such block.

    """
    resolved = block + depth if block < 0 else block
    if not 0 <= resolved < depth:
        msg = f"{name}: expected -{depth} .. {depth - 1} for a tower of {depth} blocks; got {block}"
        raise AttributionError(msg)
    return resolved


def _side(
    model: VisionLanguageModel, name: Literal["image", "text"], settings: M2IBSettings, precision: str
) -> M2IBSide:
    is_image = name == "image"
    tower = model.vision if is_image else model.text
    block = resolve_block(f"{name}_block", settings.image_block if is_image else settings.text_block, tower.depth)
    statistics = None
    if settings.standardise:
        calibration = _calibration(model, "standardise")
        statistics = (calibration.image if is_image else calibration.text).layers[block]
    return M2IBSide(
        name=name,
        tower=lowered(tower, block + 1) if precision == BFLOAT16 else tower,
        block=block,
        beta=settings.image_beta if is_image else settings.text_beta,
        nats=settings.image_nats if is_image else settings.text_nats,
        statistics=statistics,
        settings=settings,
        precision=Precision(precision, model.device.type),
    )


def _with_precision(model: VisionLanguageModel, side: M2IBSide) -> M2IBSide:
    """The same side in the precision that its settings ask for, measured where they leave it open."""
    probe = replace(
        side.settings,
        image_nats=0,
        text_nats=0,
        tolerance=0,
        steps=min(side.settings.steps, _PROBE_STEPS),
        samples=min(side.settings.samples, _PROBE_SAMPLES),
    )
    state, target = _probe(model, side)

    def nats(precision: str) -> Tensor:
        found = _side(model, side.name, probe, precision).solve([(state, target, PROBE_TEXT)], _PROBE_NOISE)
        return found[0][0]

    name = choose(
        side.settings.precision,
        gains=lambda: gains_by_bfloat16(model, state.states.shape[-1]),
        agreement=lambda: rank_agreement(nats(FLOAT32), nats(BFLOAT16)),
    )
    return side if name == FLOAT32 else _side(model, side.name, side.settings, name)


def _probe(model: VisionLanguageModel, side: M2IBSide) -> tuple[Hidden, Tensor]:
    """State (1, T, C) and target (1, E) of a picture and a sentence that are the same for every model."""
    block = side.block if side.name == "image" else model.vision.depth - 1
    seen, embedding = _seen(model, probe_pixels(model), block)
    text = text_prefix(model, PROBE_TEXT, side.block if side.name == "text" else model.text.depth - 1)
    return (seen, text.embedding) if side.name == "image" else (text.hidden, embedding)


def _seen(model: VisionLanguageModel, pixels: Tensor, block: int) -> tuple[Hidden, Tensor]:
    """Return an image's states at the output of a block, and its embedding."""
    with torch.no_grad():
        seen = model.vision.run(model.vision.embed(pixels), 0, block + 1)
        return seen, model.vision.suffix(seen, block + 1)


def _calibration(model: VisionLanguageModel, setting: str) -> Calibration:
    if model.calibration is None:
        msg = (
            f"m2ib: {setting} needs to know what features are usual, and {model.card.name} has no calibration; "
            f"make it from unlabeled images: medaudit calibrate --model {model.card.name} INPUT"
        )
        raise AttributionError(msg)
    return model.calibration


def _relevance_map(nats: Tensor, image: ModelInput, grid: TokenGrid) -> RelevanceMap:
    """Map of ``nats`` (T,) on the bottleneck's own grid, which in a tower of stages is not the last block's."""
    patches = nats[grid.prefix : grid.tokens].reshape(grid.rows, grid.columns)
    grid_map = replace(image.grid_map, grid=grid)
    return RelevanceMap(np.ascontiguousarray(patches.numpy(), dtype=np.float32), grid_map)
