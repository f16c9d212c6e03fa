"""Checkpoints in open_clip's and OpenAI's layouts: BiomedCLIP, QuiltNet, CheXzero, UniMed-CLIP, fine-tuned CLIP.

Three image towers (timm's ViT, OpenAI's ViT and ResNet) and two text towers (BERT, OpenAI's) in any pairing; the
names of the tensors tell which, and their shapes the sizes. A folder holds the checkpoint, with
``open_clip_config.json`` where open_clip published it, and the tokenizer. Neither open_clip nor timm is needed, and
nothing is fetched: open_clip itself asks the network for the BERT's config at every load.

Radford et al., ICML 2021; Zhang et al. (BiomedCLIP), 2023; Tiu et al. (CheXzero), 2022; Khattak et al. (UniMed-CLIP),
2024.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from medaudit.errors import ModelLayoutError
from medaudit.models.assembly import assembled
from medaudit.models.checkpoint import only_checkpoint
from medaudit.models.interface import Score, ScoreKind, VisionLanguageModel
from medaudit.models.manifest import Manifest, read_manifest
from medaudit.models.openai_resnet import OpenaiResNet
from medaudit.models.openai_tokens import OPENAI_FILES, openai_tokenizer
from medaudit.models.published import open_clip_preprocessing, openai_preprocessing, overridden
from medaudit.models.tensors import Tensors
from medaudit.models.text import TextTower, open_clip_bert, openai_text
from medaudit.models.tokens import bert_tokenizer
from medaudit.models.vit import HEAD_WIDTH, VisionTransformer, activation, openai_vit, timm_vit
from medaudit.models.weights import read_json

CONFIG = "open_clip_config.json"

_WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "model.safetensors",
    "pytorch_model.bin",
)
_FILES = (CONFIG, "bert_config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", *OPENAI_FILES)
# What OpenAI's archives state beside the weights, and the causal mask that some training code keeps with them.
_NO_WEIGHTS = ("input_resolution", "context_length", "vocab_size", "attn_mask", "text.attn_mask")
# Buffers of older BERTs: 0, 1, 2 ... and zeros.
_BERT_BUFFERS = (".position_ids", ".token_type_ids")

_OTHERS = {
    "visual.attn_pool_contrast.": "CONCH, a CoCa with two pools",
    "text_decoder.": "CoCa, with a decoder that writes captions",
    "visual.trunk.attn_pool.": "SigLIP in open_clip's layout, in place of its Hugging Face folder",
}
"""Prefixes that tell another model, before a tensor of it is missed under the name of one of these."""

_Rule = tuple[str, object, tuple[object, ...]]
# A key of open_clip's config, what it means where it is left out, and what is computed here.
_VISION_RULES: tuple[_Rule, ...] = (
    ("pool_type", "tok", ("tok",)),
    ("attentional_pool", False, (False,)),
    ("no_ln_pre", False, (False,)),
    ("act_kwargs", None, (None, {})),
    ("norm_kwargs", None, (None, {})),
)
_TIMM_RULES: tuple[_Rule, ...] = (("timm_pool", "avg", ("", "token")),)
_TEXT_RULES: tuple[_Rule, ...] = (
    ("embed_cls", False, (False,)),
    ("pool_type", "argmax", ("argmax",)),
    ("no_causal_mask", False, (False,)),
    ("act_kwargs", None, (None, {})),
    ("norm_kwargs", None, (None, {})),
    ("tokenizer_kwargs", None, (None, {})),
)
_BERT_RULES: tuple[_Rule, ...] = (
    ("hf_pooler_type", "mean_pooler", ("cls_last_hidden_state_pooler",)),
    ("tokenizer_kwargs", None, (None, {})),
)
# As the key was spelled when BiomedCLIP was published.
_FORMER_KEYS = {"hf_pooler_type": "pooler_type"}
_TEXT_HEADS, _TEXT_CONTEXT = 8, 77
"""open_clip's own, where its config is there and does not say."""

_BERT_CONTEXT = 256
"""open_clip's context for BiomedCLIP, and UniMed-CLIP's, where no config states one."""


@dataclass(frozen=True, slots=True)
class _Config:
    """What ``open_clip_config.json`` says, or nothing; ``stated`` tells which."""

    path: Path
    whole: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def stated(self) -> bool:
        return bool(self.whole)

    def section(self, name: str) -> Mapping[str, Any]:
        found = self.whole.get("model_cfg", {}) if name == "model" else self.section("model").get(name, {})
        if not isinstance(found, dict):
            msg = f"{self.path}: {name}: expected an object; got {type(found).__name__}"
            raise ModelLayoutError(msg)
        return found


def recognises(names: frozenset[str]) -> bool:
    """Whether tensors of these names lie in one of these layouts."""
    return bool(names & {"visual.conv1.weight", "visual.trunk.patch_embed.proj.weight"})


def load(folder: Path, device: torch.device) -> VisionLanguageModel:
    """Load a folder in one of these layouts.

    Raises
    ------
    ModelError
        The folder lacks a file or holds something else; the message says which and what to do.

    """
    manifest = read_manifest(folder)
    config = _Config(folder / CONFIG, read_json(folder / CONFIG) if (folder / CONFIG).is_file() else {})
    _refuse_unsupported(config)
    tensors = Tensors.read(folder, only_checkpoint(folder, _WEIGHTS), device)
    _refuse_others(tensors)
    act = _activation(config, manifest)
    spec = open_clip_preprocessing(config.path, config.whole) if config.stated else None
    vision = _vision(tensors, config, act, None if spec is None else spec.input_size[0])
    text, bert = _text(tensors, config, act, folder)
    score = Score(ScoreKind.SOFTMAX, float(tensors.scalar("logit_scale").exp()))
    if tensors.has("logit_bias"):
        score = Score(ScoreKind.SIGMOID, score.scale, float(tensors.scalar("logit_bias")))
    tensors.ignore(lambda name: name in _NO_WEIGHTS or name.endswith(_BERT_BUFFERS))
    tensors.finish()
    spec = overridden(folder, spec or openai_preprocessing(vision.grid.rows * vision.patch_side), manifest)
    assumed = _BERT_CONTEXT if bert else text.context
    unstated = _TEXT_CONTEXT if config.stated else assumed
    context = min(text.context, int(config.section("text_cfg").get("context_length", unstated)))
    return assembled(
        folder,
        manifest,
        family=_family(tensors, bert=bert),
        vision=vision,
        text=text,
        tokenize=bert_tokenizer(folder) if bert else openai_tokenizer(folder, text.vocabulary),
        context=context,
        spec=spec,
        score=score,
        device=device,
        files=(tensors.path.name, *_FILES),
        notes=() if config.stated else _assumed(manifest),
    )


def _refuse_unsupported(config: _Config) -> None:
    """Refuse what these towers would compute otherwise; a key that is left out means open_clip's own default."""
    vision, text = config.section("vision_cfg"), config.section("text_cfg")
    timm = str(vision.get("timm_model_name", ""))
    if timm and not timm.startswith("vit_"):
        msg = f"{config.path}: timm_model_name {timm!r} is not supported; of timm's models only plain ViTs are"
        raise ModelLayoutError(msg)
    rules = [(text, *rule) for rule in (_BERT_RULES if "hf_model_name" in text else _TEXT_RULES)]
    rules += [(vision, *rule) for rule in (_TIMM_RULES if timm else _VISION_RULES)]
    for section, key, default, allowed in rules:
        value = section.get(key, section.get(_FORMER_KEYS.get(key, ""), default))
        if value not in allowed:
            msg = f"{config.path}: {key} {value!r} is not supported; supported: {' and '.join(map(repr, allowed))}"
            raise ModelLayoutError(msg)


def _refuse_others(tensors: Tensors) -> None:
    """Name the published models that share prefixes with these layouts and are others."""
    for prefix, what in _OTHERS.items():
        if any(name.startswith(prefix) for name in tensors.names):
            msg = f"{tensors.path}: holds {prefix}*: {what}, which is not supported"
            raise ModelLayoutError(msg)


def _activation(config: _Config, manifest: Manifest) -> nn.Module:
    """Quick-GELU for OpenAI's weights, which come without a config; what the config says, else GELU, otherwise."""
    quick = bool(config.section("model").get("quick_gelu", False)) if config.stated else True
    try:
        return activation(manifest.activation or ("quick_gelu" if quick else "gelu"))
    except ValueError as error:
        msg = f"{config.path.parent}: {error}"
        raise ModelLayoutError(msg) from error


def _vision(
    tensors: Tensors, config: _Config, act: nn.Module, image_size: int | None
) -> VisionTransformer | OpenaiResNet:
    stated = config.section("vision_cfg")
    if tensors.has("visual.trunk.patch_embed.proj.weight"):
        return timm_vit(tensors, image_size)
    if tensors.has("visual.attnpool.positional_embedding"):
        return OpenaiResNet(tensors, image_size=image_size, head_width=stated.get("head_width"))
    heads = None
    if config.stated:
        width = tensors.take("visual.class_embedding", (None,)).shape[0]
        heads = width // int(stated.get("head_width", HEAD_WIDTH))
    return openai_vit(tensors, act, image_size=image_size, heads=heads)


def _text(tensors: Tensors, config: _Config, act: nn.Module, folder: Path) -> tuple[TextTower, bool]:
    """Text tower, and whether it is a BERT."""
    for prefix in ("text", "text_encoder"):
        if tensors.has(f"{prefix}.transformer.embeddings.word_embeddings.weight"):
            pooler = f"{prefix}.transformer.pooler."
            tensors.ignore(lambda name: name.startswith(pooler))  # noqa: B023 - called at once
            return open_clip_bert(tensors, prefix, _stated_bert_heads(folder)), True
    prefix = "text." if tensors.has("text.token_embedding.weight") else ""
    heads = config.section("text_cfg").get("heads", _TEXT_HEADS if config.stated else None)
    return openai_text(tensors, prefix, act, None if heads is None else int(heads)), False


def _stated_bert_heads(folder: Path) -> int | None:
    """Heads of the text tower where the folder has a BERT config after all; the tensors do not show them."""
    path = folder / "bert_config.json"
    return int(read_json(path)["num_attention_heads"]) if path.is_file() else None


def _family(tensors: Tensors, *, bert: bool) -> str:
    vision = "timm" if tensors.has("visual.trunk.patch_embed.proj.weight") else "openai"
    if (vision, bert) == ("timm", True):
        return "biomedclip"
    if any(name.startswith("text_encoder.") for name in tensors.names):
        return "unimed-clip"
    return {("openai", False): "openai-clip", ("openai", True): "openai-bert-clip"}.get((vision, bert), "open-clip")


def _assumed(manifest: Manifest) -> tuple[str, ...]:
    """Notes on what a checkpoint without a config leaves open."""
    notes = []
    if not manifest.preprocessing:
        notes.append("No config beside the weights: OpenAI's preprocessing is assumed.")
    if not manifest.activation:
        notes.append("No config beside the weights: OpenAI's activation, quick-GELU, is assumed.")
    return tuple(notes)
