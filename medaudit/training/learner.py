"""The model as training sees it: Hugging Face's CLIP modules, a start from the data, and a forward pass for speed."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize
from transformers import CLIPConfig, CLIPModel

from medaudit.training.corpus import Corpus
from medaudit.training.recipe import Recipe

# Of this many images the patches' principal components are taken; so many of them are structure, the rest is noise.
_PATCHES_FROM: Final = 500
_STRUCTURES: Final = 48
_LARGEST_SCALE: Final = 100.0

# The library's classes are typed differently from version to version; what is used of them is not.
LibraryClip = Any


@dataclass(frozen=True, slots=True)
class Statistics:
    """Mean and standard deviation of the training images in [0, 1], as the model's preprocessing publishes them."""

    mean: float
    std: float


def image_statistics(corpus: Corpus) -> Statistics:
    """Mean and standard deviation over all pixels of the corpus."""
    counts = np.zeros(256, dtype=np.int64)
    for image in corpus.images:
        counts += np.bincount(image.reshape(-1), minlength=256)
    levels = np.arange(256) / 255
    mean = float((counts * levels).sum() / counts.sum())
    return Statistics(round(mean, 4), round(math.sqrt(float((counts * (levels - mean) ** 2).sum() / counts.sum())), 4))


def new_model(recipe: Recipe, vocabulary: int) -> LibraryClip:
    """A CLIP with the recipe's sizes and random weights; the last two of ``vocabulary`` tokens begin and end a text."""
    sizes = recipe.architecture
    library: Any = CLIPConfig  # its signature differs from version to version
    config = library(
        vision_config={
            "hidden_size": sizes.vision_width,
            "intermediate_size": 4 * sizes.vision_width,
            "num_hidden_layers": sizes.vision_blocks,
            "num_attention_heads": sizes.vision_heads,
            "hidden_act": "gelu",
            "image_size": recipe.corpus.image_size,
            "patch_size": recipe.corpus.image_size // recipe.corpus.grid,
        },
        text_config={
            "hidden_size": sizes.text_width,
            "intermediate_size": 4 * sizes.text_width,
            "num_hidden_layers": sizes.text_blocks,
            "num_attention_heads": sizes.text_heads,
            "vocab_size": vocabulary,
            "max_position_embeddings": sizes.max_tokens,
            "bos_token_id": vocabulary - 2,
            "eos_token_id": vocabulary - 1,
            "pad_token_id": vocabulary - 1,
        },
        projection_dim=sizes.embedding,
        logit_scale_init_value=math.log(10.0),
        attn_implementation="eager",
    )
    torch.manual_seed(recipe.seed)
    return CLIPModel(config)


def start_from(model: LibraryClip, corpus: Corpus, statistics: Statistics) -> None:
    """Let the vision tower start where a long training would bring it anyway.

    The patch embedding starts as the whitened principal components of the training images' patches, so that an edge of
    a nodule counts from the first step beside the brightness of the lung around it, which is a hundred times as
    strong; the position embedding starts as sines of row and column.
    """
    embeddings = model.vision_model.embeddings
    weight, positions = embeddings.patch_embedding.weight, embeddings.position_embedding.weight
    width, channels, side, _ = weight.shape
    grid = corpus.images.shape[1] // side
    some = corpus.images[:: max(len(corpus.images) // _PATCHES_FROM, 1)].astype(np.float64)
    patches = ((some / 255 - statistics.mean) / statistics.std).reshape(len(some), grid, side, grid, side)
    rows = patches.transpose(0, 1, 3, 2, 4).reshape(-1, side * side)
    values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    values, vectors = values[::-1][:width], vectors[:, ::-1][:, :width]
    floor = values[min(_STRUCTURES, len(values) - 1)]
    components = (vectors / np.sqrt(values + floor)).T.reshape(-1, 1, side, side) / channels
    with torch.no_grad():
        weight[: len(components)] = torch.from_numpy(components).float().expand(-1, channels, -1, -1)
        positions[1:] = torch.from_numpy(_sines(grid, width)).float()


def _sines(grid: int, width: int) -> NDArray[np.float64]:
    """(grid * grid, width) sines and cosines of row and column at wavelengths from two cells to four images."""
    waves = 2 * np.pi / np.geomspace(2, 4 * grid, width // 4)
    angle = np.arange(grid)[:, None] * waves[None, :]
    axis = np.concatenate([np.sin(angle), np.cos(angle)], axis=1)
    row, column = np.repeat(axis, grid, axis=0), np.tile(axis, (grid, 1))
    return np.concatenate([row, column], axis=1) / 2


class Learner(nn.Module):
    """The model with what only training needs: a bias of the pooled logits, scale and bias of the patches'."""

    def __init__(self, model: LibraryClip, patch_block: int) -> None:
        super().__init__()
        self.model = model
        self.patch_block = patch_block
        self.bias = nn.Parameter(torch.tensor(0.0))
        self.patch_scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.patch_bias = nn.Parameter(torch.tensor(-4.0))

    def images(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(B, H, W) normalised pixels, the same for all channels -> (B, E) pooled and (B, N, E) patch embeddings."""
        vision = self.model.vision_model
        embeddings = vision.embeddings
        # Three equal channels meet the sum of their weights: a third of the work, the same result.
        weight = embeddings.patch_embedding.weight.sum(dim=1)
        side = weight.shape[-1]
        count, grid = len(pixels), pixels.shape[-1] // side
        patches = pixels.view(count, grid, side, grid, side).permute(0, 1, 3, 2, 4).reshape(count, grid * grid, -1)
        tokens = patches @ weight.reshape(len(weight), -1).T.to(patches.dtype)
        first = embeddings.class_embedding.to(tokens.dtype).expand(count, 1, -1)
        states = torch.cat([first, tokens], dim=1) + embeddings.position_embedding.weight.to(tokens.dtype)
        states = vision.pre_layrnorm(states)
        told = states
        for number, layer in enumerate(vision.encoder.layers):
            states = states + _attend(layer.self_attn, layer.layer_norm1(states))
            states = states + layer.mlp(layer.layer_norm2(states))
            if number == self.patch_block:
                told = states
        return self._embed(states[:, 0]), self._embed(told[:, 1:])

    def _embed(self, states: Tensor) -> Tensor:
        projected: Tensor = self.model.visual_projection(self.model.vision_model.post_layernorm(states))
        return normalize(projected.float(), dim=-1)

    def texts(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(S, T) token ids and mask -> (S, E)."""
        pooled = self.model.text_model(input_ids=ids, attention_mask=mask).pooler_output
        return normalize(self.model.text_projection(pooled).float(), dim=-1)

    def scale(self) -> Tensor:
        """Of the cosines; the model keeps its logarithm."""
        scale: Tensor = self.model.logit_scale.exp().clamp(max=_LARGEST_SCALE)
        return scale


def _attend(attention: LibraryClip, states: Tensor) -> Tensor:
    """The library's eager attention without its detour over float32 and its second set of copies: a third faster."""
    count, tokens, width = states.shape
    heads = attention.num_heads
    query, key, value = (
        projection(states).view(count, tokens, heads, width // heads).transpose(1, 2)
        for projection in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    weights = (query * (width // heads) ** -0.5) @ key.transpose(2, 3)
    mixed = weights.softmax(dim=-1) @ value
    out: Tensor = attention.out_proj(mixed.transpose(1, 2).reshape(count, tokens, width))
    return out
