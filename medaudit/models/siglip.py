"""SigLIP, SigLIP 2 of fixed resolution, and MedSigLIP, from Hugging Face's layout (``SiglipModel``).

Zhai et al., "Sigmoid Loss for Language Image Pre-Training", ICCV 2023; Tschannen et al., "SigLIP 2", 2025. There is
no class token: a probe attends to all patches. Text is padded to its full length and attends to the padding, as
trained; its last token is read. The score is a sigmoid with a bias, each prompt for itself.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from medaudit.errors import ModelLayoutError
from medaudit.imaging.preprocess import Fit, PreprocessingSpec
from medaudit.models.assembly import assembled
from medaudit.models.hf_config import HF_FILES, HF_WEIGHTS, Section
from medaudit.models.interface import Hidden, Score, ScoreKind, VisionLanguageModel
from medaudit.models.manifest import read_manifest
from medaudit.models.published import hugging_face_preprocessing, overridden
from medaudit.models.siglip_tokens import SIGLIP_FILES, siglip_tokenizer
from medaudit.models.tensors import Tensors, linear
from medaudit.models.text import LastWordTower, TextTower, Words, token_head
from medaudit.models.transformer import Block
from medaudit.models.vit import (
    Patches,
    VisionTransformer,
    hugging_face_clip_block,
    square_grid,
)
from medaudit.models.weights import read_json

FAMILY = "siglip"

_BICUBIC = 3
# MedSigLIP alone has this input; its card asks for another resize than its preprocessor_config.json.
_MEDSIGLIP = (448, 14)
_MEDSIGLIP_NOTE = (
    "Bilinear resize without antialiasing, as MedSigLIP's card asks; its preprocessor_config.json would use another."
)


class AttentionPool(nn.Module):
    """SigLIP's head: a learnt probe attends to every patch, then a residual MLP."""

    def __init__(self, tensors: Tensors, name: str, section: Section) -> None:
        super().__init__()
        width = section.width
        weights = tensors.take(f"{name}.attention.in_proj_weight", (3 * width, width)).chunk(3)
        biases = tensors.take(f"{name}.attention.in_proj_bias", (3 * width,)).chunk(3)
        self._query, self._key, self._value = (linear(w, b) for w, b in zip(weights, biases, strict=True))
        self._out = tensors.linear(f"{name}.attention.out_proj", width)
        self._probe = tensors.take(f"{name}.probe", (1, 1, width))
        self._norm = tensors.norm(f"{name}.layernorm", width, section.eps)
        first = tensors.linear(f"{name}.mlp.fc1", width)
        self._mlp = nn.Sequential(first, section.activation(), tensors.linear(f"{name}.mlp.fc2", first.out_features))
        self._heads = section.heads

    def forward(self, states: Tensor) -> Tensor:
        """(B, N, D) -> (B, D)."""
        query = self._split(self._query(self._probe)).expand(len(states), -1, -1, -1)
        mixed = scaled_dot_product_attention(query, self._split(self._key(states)), self._split(self._value(states)))
        pooled = self._out(mixed.transpose(1, 2).flatten(2))[:, 0]
        result: Tensor = pooled + self._mlp(self._norm(pooled))
        return result

    def _split(self, states: Tensor) -> Tensor:
        batch, tokens, width = states.shape
        return states.view(batch, tokens, self._heads, width // self._heads).transpose(1, 2)


class FullLengthTower(LastWordTower):
    """SigLIP's text: padding is attended to and the last token read, so every prompt has all its positions."""

    def embed(self, inputs: Tensor, mask: Tensor | None = None) -> Hidden:
        """(B, N) token ids, N the full length -> tokens before block 0; no mask, as trained."""
        if mask is not None:
            msg = "FullLengthTower.embed: the model attends to its padding and takes no mask"
            raise ValueError(msg)
        if inputs.shape[1] != self.context:
            msg = f"FullLengthTower.embed: expected {self.context} tokens, padding included; got {inputs.shape[1]}"
            raise ValueError(msg)
        return super().embed(inputs)


def load(folder: Path, device: torch.device) -> VisionLanguageModel:
    """Load a ``SiglipModel`` folder: config.json, weights, tokenizer, preprocessor_config.json.

    Raises
    ------
    ModelError
        The folder lacks a file or holds something else; the message says which and what to do.

    """
    manifest = read_manifest(folder)
    config = read_json(folder / "config.json")
    image, words = (
        Section(folder, config, "vision_config", _VISION_DEFAULTS),
        Section(folder, config, "text_config", _TEXT_DEFAULTS),
    )
    spec, notes = _preprocessing(folder, image)
    spec = overridden(folder, spec, manifest)
    tensors = Tensors.read(folder, HF_WEIGHTS, device)
    vision, text = _vision(tensors, image), _text(tensors, words)
    scale, bias = (float(tensors.scalar(name)) for name in ("logit_scale", "logit_bias"))
    tensors.ignore(lambda name: name.endswith("embeddings.position_ids"))
    tensors.finish()
    score = Score(ScoreKind.SIGMOID, float(torch.tensor(scale).exp()), bias)
    return assembled(
        folder,
        manifest,
        family=FAMILY,
        vision=vision,
        text=text,
        tokenize=siglip_tokenizer(folder, length=text.context, vocabulary=text.vocabulary),
        context=text.context,
        spec=spec,
        score=score,
        device=device,
        files=(*HF_FILES, *SIGLIP_FILES),
        notes=notes,
    )


_COMMON: dict[str, Any] = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "hidden_act": "gelu_pytorch_tanh",
    "layer_norm_eps": 1e-6,
}
_VISION_DEFAULTS = _COMMON | {"image_size": 224, "patch_size": 16, "vision_use_head": True}
_TEXT_DEFAULTS = _COMMON | {"max_position_embeddings": 64}


def _vision(tensors: Tensors, section: Section) -> VisionTransformer:
    if not section.values["vision_use_head"]:
        msg = f"{section.place}: vision_use_head is false: a SigLIP without its pooling head makes no embedding"
        raise ModelLayoutError(msg)
    name, width = "vision_model", section.width
    side = section.integer("image_size") // section.integer("patch_size")
    positions = tensors.take(f"{name}.embeddings.position_embedding.weight", (side * side, width))
    patch = section.integer("patch_size")
    patches = Patches(
        tensors.convolution(f"{name}.embeddings.patch_embedding", stride=patch, bias=True), positions[None], None
    )
    norm = tensors.norm(f"{name}.post_layernorm", width, section.eps)
    pool = AttentionPool(tensors, f"{name}.head", section)
    grid = square_grid(tensors, f"{name}.embeddings.position_embedding.weight", len(positions), 0)
    return VisionTransformer(patches, grid, _blocks(tensors, name, section), lambda hidden: pool(norm(hidden.states)))


def _text(tensors: Tensors, section: Section) -> TextTower:
    name, width = "text_model", section.width
    words = Words(
        tensors.take(f"{name}.embeddings.token_embedding.weight", (None, width)),
        tensors.take(
            f"{name}.embeddings.position_embedding.weight", (section.integer("max_position_embeddings"), width)
        ),
    )
    norm = tensors.norm(f"{name}.final_layer_norm", width, section.eps)
    head = token_head(nn.Sequential(norm, tensors.linear(f"{name}.head", width)))
    return FullLengthTower(words, _blocks(tensors, name, section), head, causal=False)


def _blocks(tensors: Tensors, name: str, section: Section) -> list[Block]:
    layers = f"{name}.encoder.layers"
    section.expect_depth(tensors.count(layers), tensors)
    return [
        hugging_face_clip_block(
            tensors,
            f"{layers}.{i}",
            section.width,
            heads=section.heads,
            act=section.activation(),
            eps=section.eps,
        )
        for i in range(section.depth)
    ]


def _preprocessing(folder: Path, section: Section) -> tuple[PreprocessingSpec, tuple[str, ...]]:
    spec = hugging_face_preprocessing(folder, crops=False, resample=_BICUBIC)
    side = section.integer("image_size")
    if spec.input_size != (side, side):
        msg = f"{folder}: preprocessor_config.json makes {spec.input_size} pixels, config.json expects {(side, side)}"
        raise ModelLayoutError(msg)
    if (side, section.integer("patch_size")) != _MEDSIGLIP:
        return spec, ()
    changed = PreprocessingSpec(
        spec.input_size, spec.resize, Fit.SQUASH, "bilinear", spec.mean, spec.std, antialias=False
    )
    return changed, (_MEDSIGLIP_NOTE,)
