"""MedCLIP: Swin-T or ResNet-50 beside BioClinicalBERT, as RyanWangZf/MedCLIP publishes ``pytorch_model.bin``.

Wang et al., "MedCLIP: Contrastive Learning from Unpaired Medical Images and Text", EMNLP 2022. Its text embedding is
the mean over all tokens of the states after layers 1, 2 and the last: what the first two leave is carried along.
"""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from medaudit.imaging.preprocess import Fit, PreprocessingSpec
from medaudit.models.assembly import assembled
from medaudit.models.checkpoint import only_checkpoint
from medaudit.models.interface import Hidden, Score, ScoreKind, VisionLanguageModel
from medaudit.models.manifest import read_manifest
from medaudit.models.published import overridden
from medaudit.models.spatial import ResNet50, SpatialTower, Swin, mean_head
from medaudit.models.tensors import Tensors
from medaudit.models.text import TextTower, bert_blocks, bert_heads, bert_words
from medaudit.models.tokens import bert_tokenizer
from medaudit.models.transformer import check_blocks, gather

FAMILY = "medclip"

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt")
_SIDE, _CONTEXT = 224, 77
_MEAN, _STD = 0.5862785803043838, 0.27950088968644304
_EARLY = (0, 1)
"""Blocks whose outputs the text embedding averages with the last one's."""
_LARGEST_LOG_SCALE = 4.6052
_VISION = "vision_model.model."
_PATCH = f"{_VISION}embeddings.patch_embeddings.projection.weight"


def recognises(names: frozenset[str]) -> bool:
    """Whether tensors of these names are MedCLIP's."""
    return "text_model.projection_head.weight" in names and bool(names & {_PATCH, f"{_VISION}conv1.weight"})


class MedClipTextTower(TextTower):
    """BERT whose head reads the mean of three blocks' outputs over all tokens."""

    def embed(self, inputs: Tensor, mask: Tensor | None = None) -> Hidden:
        """See :meth:`TextTower.embed`; nothing is carried yet."""
        hidden = super().embed(inputs, mask)
        return replace(hidden, pooled=None, carried=torch.zeros_like(hidden.states[:, 0]))

    def run(self, hidden: Hidden, start: int, stop: int, *, only: Tensor | None = None) -> Hidden:
        """See :meth:`medaudit.models.interface.Tower.run`; the first two blocks leave their means behind."""
        check_blocks(self, start, stop)
        # Early blocks run alone and whole: their means are over every token.
        early = min(stop, _EARLY[-1] + 1)
        for block in range(start, early):
            hidden = self._carry(super().run(hidden, block, block + 1), block)
        return super().run(hidden, max(start, early), stop, only=only) if stop > early else _chosen(hidden, only)

    def finish(self, hidden: Hidden, block: int, gathered: Tensor) -> Hidden:
        """See :meth:`medaudit.models.interface.Tower.finish`."""
        return self._carry(super().finish(hidden, block, gathered), block)

    @staticmethod
    def _carry(hidden: Hidden, block: int) -> Hidden:
        if block not in _EARLY or hidden.carried is None:
            return hidden
        return replace(hidden, carried=hidden.carried + mean_of(hidden))


def _chosen(hidden: Hidden, only: Tensor | None) -> Hidden:
    if only is None:
        return hidden
    mask = None if hidden.mask is None else hidden.mask.gather(1, only)
    return replace(hidden, states=gather(hidden.states, only), mask=mask)


def mean_of(hidden: Hidden) -> Tensor:
    """(B, D) mean over the tokens that are not padding."""
    if hidden.mask is None:
        return hidden.states.mean(dim=1)
    weights = hidden.mask[..., None].to(hidden.states.dtype)
    return (hidden.states * weights).sum(dim=1) / weights.sum(dim=1)


def load(folder: Path, device: torch.device) -> VisionLanguageModel:
    """Load a MedCLIP folder: ``pytorch_model.bin`` and BioClinicalBERT's tokenizer.

    Raises
    ------
    ModelError
        The folder lacks a file or holds something else; the message says which and what to do.

    """
    manifest = read_manifest(folder)
    tensors = Tensors.read(folder, only_checkpoint(folder, _WEIGHTS), device)
    spec = PreprocessingSpec((_SIDE, _SIDE), _SIDE, Fit.PAD, "bicubic", (_MEAN,) * 3, (_STD,) * 3)
    spec = overridden(folder, spec, manifest)
    vision, text = _vision(tensors), _text(tensors)
    scale = tensors.scalar("logit_scale").clamp(0, _LARGEST_LOG_SCALE).exp()
    score = Score(ScoreKind.SOFTMAX, float(scale))
    tensors.ignore(lambda name: name.startswith("text_model.model.pooler.") or name.endswith(".position_ids"))
    tensors.finish()
    return assembled(
        folder,
        manifest,
        family=FAMILY,
        vision=vision,
        text=text,
        tokenize=bert_tokenizer(folder),
        context=min(text.context, _CONTEXT),
        spec=spec,
        score=score,
        device=device,
        files=(tensors.path.name, *_FILES),
    )


def _vision(tensors: Tensors) -> SpatialTower:
    if tensors.has(_PATCH):
        projection = tensors.linear("vision_model.projection_head", bias=False)
        return Swin(tensors, _VISION, _SIDE, mean_head(projection), reads_first=False)
    return ResNet50(tensors, _VISION, _SIDE, mean_head(tensors.linear(f"{_VISION}fc", bias=False)))


def _text(tensors: Tensors) -> MedClipTextTower:
    name = "text_model.model"
    words = bert_words(tensors, f"{name}.embeddings")
    width = words.words.shape[1]
    blocks = bert_blocks(tensors, f"{name}.encoder.layer", width, bert_heads(width, None))
    projection = tensors.linear(
        "text_model.projection_head", width, bias=tensors.has("text_model.projection_head.bias")
    )

    def head(hidden: Hidden) -> Tensor:
        early = torch.zeros_like(hidden.states[:, 0]) if hidden.carried is None else hidden.carried
        projected: Tensor = projection((early + mean_of(hidden)) / (len(_EARLY) + 1))
        return projected

    return MedClipTextTower(words, blocks, head, causal=False)
