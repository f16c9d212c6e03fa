"""CXR-CLIP: Swin-T or ResNet-50 beside BioClinicalBERT, as kakaobrain/cxr-clip publishes its checkpoints.

You et al., "CXR-CLIP: Toward Large Scale Chest X-ray Language-Image Pre-training", MICCAI 2023. The checkpoint holds
its tensors under ``model`` and its configuration under ``config``. The image embedding of its Swin is the first of
the 49 final tokens, as in its code (``image_features[:, 0]``); of its ResNet the mean.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

from medaudit.errors import ModelLayoutError
from medaudit.imaging.preprocess import Fit, PreprocessingSpec
from medaudit.models.assembly import assembled
from medaudit.models.checkpoint import only_checkpoint
from medaudit.models.interface import Score, ScoreKind, VisionLanguageModel
from medaudit.models.manifest import read_manifest
from medaudit.models.published import overridden
from medaudit.models.spatial import ResNet50, SpatialTower, Swin, mean_head
from medaudit.models.tensors import Tensors
from medaudit.models.text import LastWordTower, TextTower, bert_blocks, bert_heads, bert_words, token_head
from medaudit.models.tokens import bert_tokenizer

FAMILY = "cxr-clip"

_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt")
_SIDE, _CONTEXT = 224, 256
_STATISTICS = {
    "huggingface": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
_SWIN, _RESNET = "image_encoder.image_encoder.", "image_encoder.resnet."
_PATCH = "embeddings.patch_embeddings.projection.weight"


def recognises(names: frozenset[str]) -> bool:
    """Whether tensors of these names are CXR-CLIP's."""
    return bool(names & {f"{_SWIN}{_PATCH}", f"{_RESNET}conv1.weight"})


def load(folder: Path, device: torch.device) -> VisionLanguageModel:
    """Load a CXR-CLIP folder: the checkpoint and BioClinicalBERT's tokenizer.

    Raises
    ------
    ModelError
        The folder lacks a file or holds something else; the message says which and what to do.

    """
    manifest = read_manifest(folder)
    tensors = Tensors.read(folder, only_checkpoint(folder, ()), device)
    statistics = _stated(tensors, "normalize", tuple(_STATISTICS), "huggingface")
    mean, std = _STATISTICS[statistics]
    side = _image_size(tensors)
    spec = overridden(folder, PreprocessingSpec((side, side), side, Fit.CROP, "bilinear", mean, std), manifest)
    vision, text = _vision(tensors, side), _text(tensors)
    score = Score(ScoreKind.SOFTMAX, float(tensors.scalar("logit_scale").exp()))
    tensors.ignore(lambda name: name.startswith("text_encoder.text_encoder.pooler.") or name.endswith(".position_ids"))
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


def _vision(tensors: Tensors, side: int) -> SpatialTower:
    if tensors.has(f"{_SWIN}{_PATCH}"):
        projection = tensors.linear("image_projection.projection")
        return Swin(tensors, _SWIN, side, token_head(projection), reads_first=True)
    return ResNet50(tensors, _RESNET, side, mean_head(tensors.linear("image_projection.projection")))


def _text(tensors: Tensors) -> TextTower:
    name = "text_encoder.text_encoder"
    pooling = _stated(tensors, "pooling", ("eos", "bos"), "eos")
    words = bert_words(tensors, f"{name}.embeddings")
    width = words.words.shape[1]
    blocks = bert_blocks(tensors, f"{name}.encoder.layer", width, bert_heads(width, None))
    tower = LastWordTower if pooling == "eos" else TextTower
    return tower(words, blocks, token_head(tensors.linear("text_projection.projection", width)), causal=False)


def _image_size(tensors: Tensors) -> int:
    found = {value for value in _values(tensors.header.get("config"), "image_size") if isinstance(value, int)}
    return found.pop() if len(found) == 1 else _SIDE


def _stated(tensors: Tensors, key: str, allowed: tuple[str, ...], default: str) -> str:
    """What the checkpoint's own configuration says of ``key``; the published models' value where it is silent."""
    found = {str(value) for value in _values(tensors.header.get("config"), key)} or {default}
    value = found.pop()
    if found or value not in allowed:
        msg = f"{tensors.path}: config: {key}: expected one of {', '.join(allowed)}; got {', '.join({value, *found})}"
        raise ModelLayoutError(msg)
    return value


def _values(config: object, key: str) -> Iterator[object]:
    """Every plain value that stands under ``key``, at any depth."""
    if isinstance(config, Mapping):
        for name, value in config.items():
            if name == key and not isinstance(value, Mapping):
                yield value
            else:
                yield from _values(value, key)
