"""BiomedCLIP as it is published: an open_clip folder with a timm ViT and a BERT.

Zhang et al., "BiomedCLIP: a multimodal biomedical foundation model pretrained from fifteen million scientific
image-text pairs", 2023. The folder holds ``open_clip_config.json``, ``open_clip_pytorch_model.bin`` (or
safetensors) and the tokenizer; it holds no config of the BERT, so sizes are read off the tensors. open_clip
itself fetches that config from the network at every load; here nothing is fetched, and neither open_clip nor
timm is needed.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, normalize

from medaudit.errors import ModelLayoutError
from medaudit.imaging.preprocess import Fit, PreprocessingSpec
from medaudit.models.interface import Hidden, VisionLanguageModel
from medaudit.models.tensors import Tensors, frozen, linear
from medaudit.models.tokens import bert_tokenizer, limited
from medaudit.models.transformer import (
    PostNormBlock,
    PreNormBlock,
    SelfAttention,
    TransformerTower,
    pooled_state,
)
from medaudit.models.weights import checksums, read_json
from medaudit.records import ModelCard, TokenGrid

FAMILY = "biomedclip"
CONFIG = "open_clip_config.json"

_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin")
_FILES = (*_WEIGHTS, CONFIG, "bert_config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt")
# A buffer of older BERTs that counts 0, 1, 2 ... and holds nothing learnt.
_IGNORED = ("text.transformer.embeddings.position_ids",)

# timm's ViT uses 1e-6 where torch and Hugging Face default to others; BERT uses 1e-12.
_VIT_EPS = 1e-6
_BERT_EPS = 1e-12
# Every published ViT and BERT of these layouts has 64 channels a head. Tensors do not show it.
_HEAD_WIDTH = 64
# Narrower text towers exist as test checkpoints only; theirs have four heads.
_NARROW, _NARROW_HEADS = 128, 4
# open_clip's default context, where text_cfg.context_length is absent.
_CONTEXT = 256


def is_biomedclip(config: dict[str, Any]) -> bool:
    """Whether an open_clip config describes a timm image tower and a Hugging Face text tower."""
    model = config.get("model_cfg", {})
    return "timm_model_name" in model.get("vision_cfg", {}) and "hf_model_name" in model.get("text_cfg", {})


class TimmVisionTower(TransformerTower):
    """timm's VisionTransformer with a class token, and open_clip's linear head; ``patch`` is its side in pixels."""

    def __init__(self, tensors: Tensors, image_size: int) -> None:
        trunk = "visual.trunk"
        kernel = tensors.take(f"{trunk}.patch_embed.proj.weight", (None, 3, None, None))
        width, _, patch, _ = kernel.shape
        self.patch: int = patch
        self._patch = nn.Conv2d(3, width, patch, stride=patch, device="meta")
        self._patch.weight = frozen(kernel)
        self._patch.bias = frozen(tensors.take(f"{trunk}.patch_embed.proj.bias", (width,)))
        side = image_size // patch
        grid = TokenGrid(rows=side, columns=side, prefix=1)
        self.grid = grid
        self._class_token = tensors.take(f"{trunk}.cls_token", (1, 1, width))
        self._position = tensors.take(f"{trunk}.pos_embed", (1, grid.tokens, width))
        blocks = [_vit_block(tensors, f"{trunk}.blocks.{i}", width) for i in range(tensors.count(f"{trunk}.blocks"))]
        self._norm = tensors.norm(f"{trunk}.norm", width, _VIT_EPS)
        self._head = tensors.linear("visual.head.proj", width, bias=False)
        super().__init__(blocks, causal=False)

    def embed(self, inputs: Tensor, mask: Tensor | None = None) -> Hidden:
        """(B, 3, H, W) normalised pixels -> tokens before block 0; images have no mask."""
        if mask is not None:
            msg = "TimmVisionTower.embed: images take no mask"
            raise ValueError(msg)
        patches = self._patch(inputs).flatten(2).transpose(1, 2)
        states = torch.cat([self._class_token.expand(len(inputs), -1, -1), patches], dim=1) + self._position
        return Hidden(states, torch.zeros(len(inputs), dtype=torch.int64, device=states.device))

    def head(self, hidden: Hidden) -> Tensor:
        """(B, E) normalised embedding of the class token."""
        return normalize(self._head(self._norm(pooled_state(hidden))), dim=-1)


class BertTextTower(TransformerTower):
    """BERT without its pooler, and open_clip's head: linear, or linear - GELU - linear."""

    def __init__(self, tensors: Tensors, heads: int | None) -> None:
        self.grid = None
        names = "text.transformer.embeddings"
        words = tensors.take(f"{names}.word_embeddings.weight", (None, None))
        width = words.shape[1]
        self._words = words
        self._positions = tensors.take(f"{names}.position_embeddings.weight", (None, width))
        self._segments = tensors.take(f"{names}.token_type_embeddings.weight", (None, width))
        self._norm = tensors.norm(f"{names}.LayerNorm", width, _BERT_EPS)
        layers = "text.transformer.encoder.layer"
        heads = heads or (_NARROW_HEADS if width < _NARROW else width // _HEAD_WIDTH)
        blocks = [_bert_block(tensors, f"{layers}.{i}", width, heads) for i in range(tensors.count(layers))]
        self._head: nn.Module
        if tensors.count("text.proj"):
            first = tensors.linear("text.proj.0", width, bias=False)
            second = tensors.linear("text.proj.2", first.out_features, bias=False)
            self._head = nn.Sequential(first, nn.GELU(), second)
        else:
            self._head = tensors.linear("text.proj", width, bias=False)
        super().__init__(blocks, causal=False)

    @property
    def context(self) -> int:
        """The longest prompt, in tokens, that has positions."""
        return self._positions.shape[0]

    def embed(self, inputs: Tensor, mask: Tensor | None = None) -> Hidden:
        """(B, N) token ids, with a (B, N) bool ``mask`` where they are padded -> tokens before block 0."""
        states = embedding(inputs, self._words) + self._positions[: inputs.shape[1]] + self._segments[0]
        return Hidden(self._norm(states), torch.zeros(len(inputs), dtype=torch.int64, device=states.device), mask)

    def head(self, hidden: Hidden) -> Tensor:
        """(B, E) normalised embedding of the [CLS] token."""
        return normalize(self._head(pooled_state(hidden)), dim=-1)


def load(folder: Path, device: torch.device) -> VisionLanguageModel:
    """Load a BiomedCLIP folder.

    Raises
    ------
    ModelError
        The folder lacks a file or holds something else; the message says which and what to do.

    """
    config = read_json(folder / CONFIG)
    spec = _preprocessing(folder / CONFIG, config)
    tensors = Tensors.read(folder, _WEIGHTS, device)
    vision = TimmVisionTower(tensors, spec.input_size[0])
    text = BertTextTower(tensors, _stated_heads(folder))
    tensors.take("logit_scale", ())
    tensors.finish(ignored=_IGNORED)
    tokenizer = bert_tokenizer(folder)
    context = min(text.context, int(config["model_cfg"]["text_cfg"].get("context_length", _CONTEXT)))
    side = spec.input_size[0] // vision.patch
    card = ModelCard(
        name=folder.name,
        family=FAMILY,
        files=checksums(folder, _FILES),
        input_size=spec.input_size,
        grid=(side, side),
        score="softmax over prompts of the scaled cosine",
    )

    return VisionLanguageModel(vision, text, limited(tokenizer, context, card.name), spec, card, device)


def _vit_block(tensors: Tensors, name: str, width: int) -> PreNormBlock:
    weights = tensors.take(f"{name}.attn.qkv.weight", (3 * width, width)).chunk(3)
    biases = tensors.take(f"{name}.attn.qkv.bias", (3 * width,)).chunk(3)
    query, key, value = (linear(weight, bias) for weight, bias in zip(weights, biases, strict=True))
    out = tensors.linear(f"{name}.attn.proj", width)
    first = tensors.linear(f"{name}.mlp.fc1", width)
    second = tensors.linear(f"{name}.mlp.fc2", first.out_features)
    return PreNormBlock(
        norm1=tensors.norm(f"{name}.norm1", width, _VIT_EPS),
        attention=SelfAttention(query, key, value, out, width // _HEAD_WIDTH),
        norm2=tensors.norm(f"{name}.norm2", width, _VIT_EPS),
        mlp=nn.Sequential(first, nn.GELU(), second),
    )


def _bert_block(tensors: Tensors, name: str, width: int, heads: int) -> PostNormBlock:
    query, key, value = (tensors.linear(f"{name}.attention.self.{part}", width) for part in ("query", "key", "value"))
    out = tensors.linear(f"{name}.attention.output.dense", width)
    first = tensors.linear(f"{name}.intermediate.dense", width)
    second = tensors.linear(f"{name}.output.dense", first.out_features)
    return PostNormBlock(
        attention=SelfAttention(query, key, value, out, heads),
        norm1=tensors.norm(f"{name}.attention.output.LayerNorm", width, _BERT_EPS),
        mlp=nn.Sequential(first, nn.GELU(), second),
        norm2=tensors.norm(f"{name}.output.LayerNorm", width, _BERT_EPS),
    )


def _stated_heads(folder: Path) -> int | None:
    """Heads of the text tower where the folder has a BERT config after all; the tensors do not show them."""
    path = folder / "bert_config.json"
    return int(read_json(path)["num_attention_heads"]) if path.is_file() else None


def _preprocessing(path: Path, config: dict[str, Any]) -> PreprocessingSpec:
    """open_clip's preprocessing: bicubic, shortest side, centre crop, unless ``preprocess_cfg`` says otherwise."""
    try:
        given = config.get("preprocess_cfg", {})
        size = given.get("size") or config["model_cfg"]["vision_cfg"].get("image_size", 224)
        side = int(size[0] if isinstance(size, list) else size)
        mean, std = (tuple(float(value) for value in given[key]) for key in ("mean", "std"))
        return PreprocessingSpec(
            input_size=(side, side),
            resize=side,
            fit={"shortest": Fit.CROP, "longest": Fit.PAD, "squash": Fit.SQUASH}[given.get("resize_mode", "shortest")],
            interpolation=given.get("interpolation", "bicubic"),
            mean=(mean[0], mean[1], mean[2]),
            std=(std[0], std[1], std[2]),
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        msg = f"{path}: cannot be used as open_clip preprocessing: {type(error).__name__}: {error}"
        raise ModelLayoutError(msg) from error
