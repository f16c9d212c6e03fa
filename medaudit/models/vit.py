"""Vision transformers from a checkpoint's tensors: patches, blocks, and the head that each family adds.

One class serves every layout; the functions below know under which names each library publishes its weights.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from medaudit.errors import ModelLayoutError
from medaudit.models.interface import Hidden
from medaudit.models.tensors import Tensors, linear
from medaudit.models.transformer import Block, Module, PreNormBlock, SelfAttention, TransformerTower, pooled_state
from medaudit.records import TokenGrid

Head = Callable[[Hidden], Tensor]
"""Tokens after the last block -> (B, E), before normalisation."""

# Every published BERT and most ViTs of these layouts have 64 channels a head. Tensors do not show it.
HEAD_WIDTH = 64
# Widths of ViT-SO400M, -H, -g and -G, whose heads are wider.
_SIXTEEN_HEADS = (1152, 1280, 1408, 1664)
# timm's ViT uses 1e-6, the others 1e-5 unless a config says otherwise.
TIMM_EPS = 1e-6
OPENAI_EPS = 1e-5


class QuickGelu(nn.Module):
    """``x sigmoid(1.702 x)``: the activation that OpenAI's models were trained with."""

    def forward(self, states: Tensor) -> Tensor:
        """Apply it, element by element."""
        return states * torch.sigmoid(1.702 * states)


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "gelu": nn.GELU,
    "quick_gelu": QuickGelu,
    "gelu_pytorch_tanh": lambda: nn.GELU(approximate="tanh"),
    "relu": nn.ReLU,
}
"""Activations by the names that Hugging Face configs give them."""


def activation(name: object) -> nn.Module:
    """Activation of a config's ``hidden_act``.

    Raises
    ------
    ValueError
        medaudit does not know it.

    """
    if name not in ACTIVATIONS:
        msg = f"hidden_act: expected one of {', '.join(ACTIVATIONS)}; got {name!r}"
        raise ValueError(msg)
    return ACTIVATIONS[str(name)]()


@dataclass(frozen=True, slots=True)
class Patches:
    """Pixels -> tokens: the patch convolution, a class token in front if there is one, positions (1, N, D)."""

    convolution: nn.Conv2d
    positions: Tensor
    class_token: Tensor | None
    norm: Module | None = None

    @property
    def side(self) -> int:
        """Side of a patch in pixels."""
        return self.convolution.kernel_size[0]

    def __call__(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, N, D)."""
        states = self.convolution(pixels).flatten(2).transpose(1, 2)
        if self.class_token is not None:
            states = torch.cat([self.class_token.expand(len(pixels), -1, -1), states], dim=1)
        states = states + self.positions
        return states if self.norm is None else self.norm(states)


class VisionTransformer(TransformerTower):
    """A ViT with any head. With a class token the head reads that token; without, it reads all."""

    def __init__(self, patches: Patches, grid: TokenGrid, blocks: list[Block], head: Head) -> None:
        super().__init__(blocks, causal=False)
        self.grid: TokenGrid = grid
        self.patch_side = patches.side
        self._patches = patches
        self._head = head

    def embed(self, inputs: Tensor, mask: Tensor | None = None) -> Hidden:
        """(B, 3, H, W) normalised pixels -> tokens before block 0; images have no mask."""
        if mask is not None:
            msg = "VisionTransformer.embed: images take no mask"
            raise ValueError(msg)
        states = self._patches(inputs)
        pooled = None
        if self._patches.class_token is not None:
            pooled = torch.zeros(len(inputs), dtype=torch.int64, device=states.device)
        return Hidden(states, pooled)

    def head(self, hidden: Hidden) -> Tensor:
        """(B, E) normalised embedding."""
        return normalize(self._head(hidden), dim=-1)


def vision_heads(width: int) -> int:
    """Attention heads of a published ViT of this width; the tensors do not show them."""
    return 16 if width in _SIXTEEN_HEADS else width // HEAD_WIDTH


def class_head(norm: Module, projection: Module) -> Head:
    """Head that projects the normed class token."""
    return lambda hidden: projection(norm(pooled_state(hidden)))


def square_grid(tensors: Tensors, name: str, tokens: int, prefix: int) -> TokenGrid:
    """Grid of ``tokens`` positions of which ``prefix`` lie before the patches.

    Where a config states the image size it was asked of the tensor before; a checkpoint without one is square.

    Raises
    ------
    ModelLayoutError
        No square has so many patches.

    """
    rows = round(max(tokens - prefix, 0) ** 0.5)
    if rows < 1 or rows * rows != tokens - prefix:
        msg = f"{tensors.path}: {name}: {tokens} positions are not {prefix} and a square of patches"
        raise ModelLayoutError(msg)
    return TokenGrid(rows=rows, columns=rows, prefix=prefix)


def timm_vit(tensors: Tensors, image_size: int | None) -> VisionTransformer:
    """Build timm's VisionTransformer with a class token, and open_clip's linear head (``visual.trunk.*``)."""
    trunk = "visual.trunk"
    convolution = _patch_convolution(tensors, f"{trunk}.patch_embed.proj", bias=True)
    width = convolution.out_channels
    side = None if image_size is None else image_size // convolution.kernel_size[0]
    positions = tensors.take(f"{trunk}.pos_embed", (1, None if side is None else 1 + side * side, width))
    grid = square_grid(tensors, f"{trunk}.pos_embed", positions.shape[1], 1)
    patches = Patches(
        convolution,
        positions=positions,
        class_token=tensors.take(f"{trunk}.cls_token", (1, 1, width)),
    )
    blocks: list[Block] = [
        _timm_block(tensors, f"{trunk}.blocks.{i}", width) for i in range(tensors.count(f"{trunk}.blocks"))
    ]
    head = class_head(
        tensors.norm(f"{trunk}.norm", width, TIMM_EPS), tensors.linear("visual.head.proj", width, bias=False)
    )
    return VisionTransformer(patches, grid, blocks, head)


def openai_vit(tensors: Tensors, act: nn.Module, *, image_size: int | None, heads: int | None) -> VisionTransformer:
    """Build OpenAI's VisionTransformer (``visual.*``), as CLIP and open_clip publish it."""
    convolution = _patch_convolution(tensors, "visual.conv1", bias=False)
    width, patch = convolution.out_channels, convolution.kernel_size[0]
    side = None if image_size is None else image_size // patch
    positions = tensors.take("visual.positional_embedding", (None if side is None else 1 + side * side, width))
    grid = square_grid(tensors, "visual.positional_embedding", len(positions), 1)
    patches = Patches(
        convolution,
        positions=positions[None],
        class_token=tensors.take("visual.class_embedding", (width,))[None, None],
        norm=tensors.norm("visual.ln_pre", width, OPENAI_EPS),
    )
    blocks = openai_blocks(tensors, "visual.transformer.resblocks", width, heads or vision_heads(width), act)
    # Published the other way round: (width, embedding).
    projection = linear(tensors.take("visual.proj", (width, None)).T, None)
    head = class_head(tensors.norm("visual.ln_post", width, OPENAI_EPS), projection)
    return VisionTransformer(patches, grid, blocks, head)


def openai_blocks(tensors: Tensors, name: str, width: int, heads: int, act: nn.Module) -> list[Block]:
    """Build OpenAI's residual attention blocks ``name.0``, ``name.1`` ..., of either tower."""
    return [_openai_block(tensors, f"{name}.{i}", width, heads, act) for i in range(tensors.count(name))]


def _openai_block(tensors: Tensors, name: str, width: int, heads: int, act: nn.Module) -> PreNormBlock:
    weights = tensors.take(f"{name}.attn.in_proj_weight", (3 * width, width)).chunk(3)
    biases = tensors.take(f"{name}.attn.in_proj_bias", (3 * width,)).chunk(3)
    query, key, value = (linear(weight, bias) for weight, bias in zip(weights, biases, strict=True))
    first = tensors.linear(f"{name}.mlp.c_fc", width)
    return PreNormBlock(
        norm1=tensors.norm(f"{name}.ln_1", width, OPENAI_EPS),
        attention=SelfAttention(query, key, value, tensors.linear(f"{name}.attn.out_proj", width), heads),
        norm2=tensors.norm(f"{name}.ln_2", width, OPENAI_EPS),
        mlp=nn.Sequential(first, act, tensors.linear(f"{name}.mlp.c_proj", first.out_features)),
    )


def hugging_face_clip_block(
    tensors: Tensors, name: str, width: int, *, heads: int, act: nn.Module, eps: float
) -> PreNormBlock:
    """Build a block that Hugging Face's CLIP and SigLIP publish as ``encoder.layers.i``, of either tower."""
    query, key, value, out = (tensors.linear(f"{name}.self_attn.{part}_proj", width) for part in ("q", "k", "v", "out"))
    first = tensors.linear(f"{name}.mlp.fc1", width)
    return PreNormBlock(
        norm1=tensors.norm(f"{name}.layer_norm1", width, eps),
        attention=SelfAttention(query, key, value, out, heads),
        norm2=tensors.norm(f"{name}.layer_norm2", width, eps),
        mlp=nn.Sequential(first, act, tensors.linear(f"{name}.mlp.fc2", first.out_features)),
    )


def _timm_block(tensors: Tensors, name: str, width: int) -> PreNormBlock:
    weights = tensors.take(f"{name}.attn.qkv.weight", (3 * width, width)).chunk(3)
    biases = tensors.take(f"{name}.attn.qkv.bias", (3 * width,)).chunk(3)
    query, key, value = (linear(weight, bias) for weight, bias in zip(weights, biases, strict=True))
    first = tensors.linear(f"{name}.mlp.fc1", width)
    return PreNormBlock(
        norm1=tensors.norm(f"{name}.norm1", width, TIMM_EPS),
        attention=SelfAttention(query, key, value, tensors.linear(f"{name}.attn.proj", width), vision_heads(width)),
        norm2=tensors.norm(f"{name}.norm2", width, TIMM_EPS),
        mlp=nn.Sequential(first, nn.GELU(), tensors.linear(f"{name}.mlp.fc2", first.out_features)),
    )


def _patch_convolution(tensors: Tensors, name: str, *, bias: bool) -> nn.Conv2d:
    patch = tensors.take(f"{name}.weight", (None, 3, None, None)).shape[-1]
    return tensors.convolution(name, stride=patch, bias=bias)
