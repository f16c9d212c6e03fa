"""Hugging Face's ``VisionTextDualEncoderModel``: a ViT or CLIP image tower beside a BERT, each with a projection.

Zhai et al., "LiT", CVPR 2022. Both towers are read after their libraries' pooling: a ViT's and a BERT's is
``tanh(linear(first token))``, CLIP's the normed class token.
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from medaudit.errors import ModelLayoutError
from medaudit.models.assembly import assembled
from medaudit.models.hf_config import HF_FILES, HF_WEIGHTS, Section
from medaudit.models.interface import Score, ScoreKind, VisionLanguageModel
from medaudit.models.manifest import read_manifest
from medaudit.models.published import hugging_face_preprocessing, overridden
from medaudit.models.tensors import Tensors
from medaudit.models.text import TextTower, bert_blocks, bert_words, token_head
from medaudit.models.tokens import bert_tokenizer
from medaudit.models.transformer import Block, PreNormBlock, SelfAttention
from medaudit.models.vit import Patches, VisionTransformer, class_head, hugging_face_clip_block, square_grid
from medaudit.models.weights import read_json

FAMILY = "vision-text-dual-encoder"

_BILINEAR, _BICUBIC = 2, 3

_COMMON: dict[str, Any] = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "hidden_act": "gelu",
    "image_size": 224,
}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "vit": _COMMON | {"patch_size": 16, "layer_norm_eps": 1e-12, "qkv_bias": True},
    "clip_vision_model": _COMMON | {"patch_size": 32, "layer_norm_eps": 1e-5, "hidden_act": "quick_gelu"},
    "bert": _COMMON | {"max_position_embeddings": 512, "layer_norm_eps": 1e-12},
}
# transformers 5 renamed the ViT's modules; a folder has the names of the version that wrote it.
_OLDER_VIT = ("attention.attention.query", "attention.attention.key", "attention.attention.value",
              "attention.output.dense", "intermediate.dense", "output.dense")  # fmt: skip
_NEWER_VIT = ("attention.q_proj", "attention.k_proj", "attention.v_proj", "attention.o_proj", "mlp.fc1", "mlp.fc2")


def load(folder: Path, device: torch.device) -> VisionLanguageModel:
    """Load a ``VisionTextDualEncoderModel`` folder.

    Raises
    ------
    ModelError
        The folder lacks a file or holds something else; the message says which and what to do.

    """
    manifest = read_manifest(folder)
    config = read_json(folder / "config.json")
    image = _section(folder, config, "vision_config", ("vit", "clip_vision_model"))
    words = _section(folder, config, "text_config", ("bert",))
    clip = image.values["model_type"] == "clip_vision_model"
    spec = hugging_face_preprocessing(folder, crops=clip, resample=_BICUBIC if clip else _BILINEAR)
    spec = overridden(folder, spec, manifest)
    side = image.integer("image_size")
    if spec.input_size != (side, side):
        msg = f"{folder}: preprocessor_config.json makes {spec.input_size} pixels, config.json expects {(side, side)}"
        raise ModelLayoutError(msg)
    tensors = Tensors.read(folder, HF_WEIGHTS, device)
    vision = _clip_vision(tensors, image) if clip else _vit(tensors, image)
    text = _bert(tensors, words)
    score = Score(ScoreKind.SOFTMAX, float(tensors.scalar("logit_scale").exp()))
    tensors.ignore(lambda name: name.endswith((".position_ids", ".token_type_ids")))
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
        score=score,
        device=device,
        files=HF_FILES,
    )


def _section(folder: Path, config: dict[str, Any], name: str, kinds: tuple[str, ...]) -> Section:
    kind = str(config.get(name, {}).get("model_type"))
    kind = "clip_vision_model" if (kind, name) == ("clip", "vision_config") else kind
    if kind not in kinds:
        msg = f"{folder / 'config.json'}: {name}.model_type {kind!r} is not supported; supported: {', '.join(kinds)}"
        raise ModelLayoutError(msg)
    section = Section(folder, config, name, _DEFAULTS[kind])
    section.values["model_type"] = kind
    return section


def _vit(tensors: Tensors, section: Section) -> VisionTransformer:
    name, width = "vision_model", section.width
    patch = section.integer("patch_size")
    side = section.integer("image_size") // patch
    positions = tensors.take(f"{name}.embeddings.position_embeddings", (1, 1 + side * side, width))
    patches = Patches(
        tensors.convolution(f"{name}.embeddings.patch_embeddings.projection", stride=patch, bias=True),
        positions,
        tensors.take(f"{name}.embeddings.cls_token", (1, 1, width)),
    )
    older = tensors.count(f"{name}.encoder.layer") > 0
    layers = f"{name}.encoder.layer" if older else f"{name}.layers"
    section.expect_depth(tensors.count(layers), tensors)
    blocks: list[Block] = [
        _vit_block(tensors, f"{layers}.{i}", section, _OLDER_VIT if older else _NEWER_VIT) for i in range(section.depth)
    ]
    pooler = nn.Sequential(
        tensors.norm(f"{name}.layernorm", width, section.eps), tensors.linear(f"{name}.pooler.dense", width), nn.Tanh()
    )
    head = class_head(pooler, tensors.linear("visual_projection", width, bias=False))
    grid = square_grid(tensors, f"{name}.embeddings.position_embeddings", positions.shape[1], 1)
    return VisionTransformer(patches, grid, blocks, head)


def _vit_block(tensors: Tensors, name: str, section: Section, parts: tuple[str, ...]) -> PreNormBlock:
    width, bias = section.width, bool(section.values["qkv_bias"])
    query, key, value = (tensors.linear(f"{name}.{part}", width, bias=bias) for part in parts[:3])
    first = tensors.linear(f"{name}.{parts[4]}", width)
    return PreNormBlock(
        norm1=tensors.norm(f"{name}.layernorm_before", width, section.eps),
        attention=SelfAttention(query, key, value, tensors.linear(f"{name}.{parts[3]}", width), section.heads),
        norm2=tensors.norm(f"{name}.layernorm_after", width, section.eps),
        mlp=nn.Sequential(first, section.activation(), tensors.linear(f"{name}.{parts[5]}", first.out_features)),
    )


def _clip_vision(tensors: Tensors, section: Section) -> VisionTransformer:
    # The library nests the tower once more in files of transformers 4.
    nested = any(name.startswith("vision_model.vision_model.") for name in tensors.names)
    name, width = "vision_model.vision_model" if nested else "vision_model", section.width
    patch = section.integer("patch_size")
    side = section.integer("image_size") // patch
    position_name = f"{name}.embeddings.position_embedding.weight"
    positions = tensors.take(position_name, (1 + side * side, width))
    patches = Patches(
        tensors.convolution(f"{name}.embeddings.patch_embedding", stride=patch),
        positions[None],
        tensors.take(f"{name}.embeddings.class_embedding", (width,))[None, None],
        tensors.norm(f"{name}.pre_layrnorm", width, section.eps),
    )
    layers = f"{name}.encoder.layers"
    section.expect_depth(tensors.count(layers), tensors)
    blocks: list[Block] = [
        hugging_face_clip_block(
            tensors, f"{layers}.{i}", width, heads=section.heads, act=section.activation(), eps=section.eps
        )
        for i in range(section.depth)
    ]
    head = class_head(
        tensors.norm(f"{name}.post_layernorm", width, section.eps),
        tensors.linear("visual_projection", width, bias=False),
    )
    return VisionTransformer(patches, square_grid(tensors, position_name, len(positions), 1), blocks, head)


def _bert(tensors: Tensors, section: Section) -> TextTower:
    name, width = "text_model", section.width
    act, eps = section.values["hidden_act"], section.eps
    if (act, eps) != ("gelu", 1e-12):
        msg = f"{section.place}: expected a BERT with hidden_act 'gelu' and layer_norm_eps 1e-12; got {act!r}, {eps}"
        raise ModelLayoutError(msg)
    layers = f"{name}.encoder.layer"
    section.expect_depth(tensors.count(layers), tensors)
    head = token_head(
        nn.Sequential(
            tensors.linear(f"{name}.pooler.dense", width),
            nn.Tanh(),
            tensors.linear("text_projection", width, bias=False),
        )
    )
    words = bert_words(tensors, f"{name}.embeddings")
    return TextTower(words, bert_blocks(tensors, layers, width, section.heads), head, causal=False)
