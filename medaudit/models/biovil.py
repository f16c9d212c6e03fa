"""BioViL and BioViL-T: ResNet-50 with a projector beside CXR-BERT, as Microsoft publishes them.

Boecking et al., "Making the Most of Text Semantics to Improve Biomedical Vision-Language Processing", ECCV 2022;
Bannur et al., "Learning to Exploit Temporal Structure" (BioViL-T), CVPR 2023. A folder holds CXR-BERT (config.json,
pytorch_model.bin, tokenizer) and ``biovil_*.pt``. The model was published without a temperature: its score is a cosine.
BioViL-T is asked with the current image alone, as its authors do without a prior: a learnt embedding stands for it.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, relu

from medaudit.errors import ModelLayoutError, ModelMissingError
from medaudit.imaging.preprocess import Fit, PreprocessingSpec
from medaudit.models.assembly import assembled
from medaudit.models.hf_config import HF_FILES, HF_WEIGHTS
from medaudit.models.interface import Hidden, Score, ScoreKind, VisionLanguageModel
from medaudit.models.manifest import read_manifest
from medaudit.models.published import overridden
from medaudit.models.spatial import ResNet50
from medaudit.models.tensors import Tensors, linear
from medaudit.models.text import BERT_EPS, TextTower, bert_blocks, bert_heads, bert_words, token_head
from medaudit.models.tokens import bert_tokenizer
from medaudit.models.weights import read_json

FAMILY = "biovil"

_PREFIX = "biovil"
_SUFFIXES = (".pt", ".safetensors")
_RESIZE, _CROP, _TEMPORAL_CROP = 512, 480, 448
_TEMPORAL = "encoder.backbone_to_vit.weight"
# The classifier of a ResNet that is not used, and BioViL-T's pooler, which needs a prior image.
_UNUSED = ("encoder.encoder.fc.", "encoder.vit_pooler.", "classifier.")


def recognises(names: frozenset[str]) -> bool:
    """Whether tensors of these names are BioViL's image tower."""
    return {"encoder.encoder.conv1.weight", "projector.model.0.weight"} <= names


def has_image_weights(folder: Path) -> bool:
    """Whether a folder holds a checkpoint under BioViL's published name."""
    return folder.is_dir() and bool(_image_files(folder))


class BioVilVisionTower(ResNet50):
    """ResNet-50, then the projector at every place of the final grid; the embedding is the mean of them."""

    def __init__(self, tensors: Tensors, image_size: int) -> None:
        self._to_vit, self._prior = None, None
        if tensors.has(_TEMPORAL):
            self._to_vit = linear(tensors.take(_TEMPORAL, (None, None, 1, 1)).flatten(1), None)
            shape = (1, self._to_vit.out_features, 1, 1)
            self._prior = tensors.take("encoder.missing_previous_emb", shape).flatten(1)
        name = "projector.model"
        self._hidden = linear(tensors.take(f"{name}.0.weight", (None, None, 1, 1)).flatten(1), None)
        self._hidden_norm = tensors.batch_norm(f"{name}.1", self._hidden.out_features)
        weight = tensors.take(f"{name}.3.weight", (None, self._hidden.out_features, 1, 1))
        self._output = linear(weight.flatten(1), tensors.take(f"{name}.3.bias", (weight.shape[0],)))
        super().__init__(tensors, "encoder.encoder.", image_size, lambda hidden: self._projected(hidden).mean(dim=1))

    def patch_embeddings(self, hidden: Hidden) -> Tensor:
        """(B, N, E) normalised embeddings of the final grid's places, for grounding a phrase."""
        return normalize(self._projected(hidden), dim=-1)

    def _projected(self, hidden: Hidden) -> Tensor:
        states = hidden.states
        if self._to_vit is not None and self._prior is not None:
            states = self._to_vit(states)
            states = torch.cat([states, self._prior[:, None].expand(*states.shape[:2], -1)], dim=-1)
        projected: Tensor = self._output(relu(_normed(self._hidden_norm, self._hidden(states))))
        return projected


def _normed(norm: nn.BatchNorm2d, states: Tensor) -> Tensor:
    """Batch norm in evaluation over the channels of (B, N, C), written out.

    torch's own gives a wrong gradient on the CPU for the strides of these states.
    """
    mean, variance = (statistic for _, statistic in norm.named_buffers())
    normed: Tensor = (states - mean) / (variance + norm.eps).sqrt() * norm.weight + norm.bias
    return normed


def load(folder: Path, device: torch.device) -> VisionLanguageModel:
    """Load a BioViL or BioViL-T folder.

    Raises
    ------
    ModelError
        The folder lacks a file or holds something else; the message says which and what to do.

    """
    manifest = read_manifest(folder)
    images = _image_files(folder)
    if len(images) != 1:
        msg = f"{folder}: expected one image checkpoint ({_PREFIX}*.pt); got {', '.join(images) or 'none'}"
        raise (ModelLayoutError if images else ModelMissingError)(msg)
    words = Tensors.read(folder, HF_WEIGHTS, device)
    text = _text(words, folder)
    tensors = Tensors.read(folder, (images[0],), device)
    side = _TEMPORAL_CROP if tensors.has(_TEMPORAL) else _CROP
    spec = PreprocessingSpec((side, side), _RESIZE, Fit.CROP, "bilinear", (0.0,) * 3, (1.0,) * 3, rounds_crop=True)
    spec = overridden(folder, spec, manifest)
    vision = BioVilVisionTower(tensors, side)
    tensors.ignore(lambda name: name.startswith(_UNUSED))
    tensors.finish()
    return assembled(
        folder,
        manifest,
        family=FAMILY,
        vision=vision,
        text=text,
        tokenize=bert_tokenizer(folder),
        context=text.context,
        spec=spec,
        score=Score(ScoreKind.COSINE),
        device=device,
        files=(images[0], *HF_FILES),
    )


def _image_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(_PREFIX) and path.suffix in _SUFFIXES)


def _text(tensors: Tensors, folder: Path) -> TextTower:
    config = folder / "config.json"
    heads = read_json(config).get("num_attention_heads") if config.is_file() else None
    words = bert_words(tensors, "bert.embeddings")
    width = words.words.shape[1]
    blocks = bert_blocks(tensors, "bert.encoder.layer", width, bert_heads(width, heads))
    name = "cls_projection_head"
    first = tensors.linear(f"{name}.dense_to_hidden", width)
    head = nn.Sequential(
        first,
        nn.GELU(),
        tensors.norm(f"{name}.LayerNorm", first.out_features, BERT_EPS),
        tensors.linear(f"{name}.dense_to_output", first.out_features),
    )
    # The head that guesses masked words is no part of an embedding.
    tensors.ignore(lambda key: key.startswith(("cls.", "bert.pooler.")) or key.endswith(".position_ids"))
    tensors.finish()
    return TextTower(words, blocks, token_head(head), causal=False)
