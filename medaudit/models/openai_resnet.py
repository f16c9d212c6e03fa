"""OpenAI's ResNet image towers (RN50 .. RN50x64), as CLIP and open_clip publish them.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021, 2.4: a stem of three
convolutions, average pooling in place of strides, and attention pooling, where the mean of the final grid asks all its
places.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, relu, scaled_dot_product_attention

from medaudit.errors import ModelError, ModelLayoutError
from medaudit.models.spatial import SpatialTower, bottleneck, picture_of, tokens_of
from medaudit.models.tensors import Tensors
from medaudit.models.vit import HEAD_WIDTH, square_grid

_STAGES = 4
_STRIDE = 32
"""Pixels of the image to one place of the final grid, along each side."""


class OpenaiPool(nn.Module):
    """Attention pooling: the mean of all places asks the mean and every place."""

    def __init__(self, tensors: Tensors, name: str, head_width: int | None) -> None:
        super().__init__()
        self._positions = tensors.take(f"{name}.positional_embedding", (None, None))
        width = self._positions.shape[1]
        self._query, self._key, self._value = (tensors.linear(f"{name}.{part}_proj", width) for part in "qkv")
        self._out = tensors.linear(f"{name}.c_proj", width)
        self._heads = max(1, width // (head_width or HEAD_WIDTH))

    @property
    def tokens(self) -> int:
        """Positions: the mean's, then one for each place."""
        return len(self._positions)

    def forward(self, states: Tensor) -> Tensor:
        """(B, N, D) places of the final grid, all of them -> (B, E)."""
        if states.shape[1] + 1 != self.tokens:
            msg = f"attention pool: expected all {self.tokens - 1} places of the grid; got {states.shape[1]}"
            raise ModelError(msg)
        states = torch.cat([states.mean(dim=1, keepdim=True), states], dim=1) + self._positions
        query, key, value = (
            self._split(part(read))
            for part, read in ((self._query, states[:, :1]), (self._key, states), (self._value, states))
        )
        mixed = scaled_dot_product_attention(query, key, value)
        pooled: Tensor = self._out(mixed.transpose(1, 2).flatten(2))[:, 0]
        return pooled

    def _split(self, states: Tensor) -> Tensor:
        batch, tokens, width = states.shape
        return states.view(batch, tokens, self._heads, width // self._heads).transpose(1, 2)


class OpenaiResNet(SpatialTower):
    """``visual.conv1`` .. ``conv3``, ``visual.layer1`` .. ``layer4``, ``visual.attnpool``.

    Raises
    ------
    ModelLayoutError
        A tensor is missing or misshapen, or the attention pool belongs to another image size than the one stated.

    """

    patch_side = _STRIDE

    def __init__(self, tensors: Tensors, *, image_size: int | None, head_width: int | None) -> None:
        self._stems = []
        for index in range(1, 4):
            convolution = tensors.convolution(f"visual.conv{index}", stride=2 if index == 1 else 1, padding=1)
            self._stems.append((convolution, tensors.batch_norm(f"visual.bn{index}", convolution.out_channels)))
        pool = OpenaiPool(tensors, "visual.attnpool", head_width)
        side = _side(tensors, pool.tokens, image_size) * _STRIDE // 4
        sizes, blocks = [(side, side)], []
        for stage in range(1, _STAGES + 1):
            side = side if stage == 1 else side // 2
            for index in range(tensors.count(f"visual.layer{stage}")):
                stride = 2 if index == 0 and stage > 1 else 1
                blocks.append(bottleneck(tensors, f"visual.layer{stage}.{index}", stride, pools=True))
                sizes.append((side, side))
        self._blocks = tuple(blocks)
        super().__init__(sizes, lambda hidden: pool(hidden.states))

    def _stem(self, pixels: Tensor) -> Tensor:
        states = pixels
        for convolution, norm in self._stems:
            states = relu(norm(convolution(states)))
        return tokens_of(avg_pool2d(states, 2))

    def _block(self, index: int, states: Tensor) -> Tensor:
        return tokens_of(self._blocks[index](picture_of(states, self._grids[index])))


def _side(tensors: Tensors, tokens: int, image_size: int | None) -> int:
    """Side of the final grid that an attention pool of ``tokens`` positions, the mean's among them, reads."""
    name = "visual.attnpool.positional_embedding"
    side = square_grid(tensors, name, tokens, 1).rows
    if image_size is not None and side != image_size // _STRIDE:
        msg = (
            f"{tensors.path}: {name}: {side} x {side} places, an image of {image_size} pixels makes "
            f"{image_size // _STRIDE} x {image_size // _STRIDE}; the config is another model's"
        )
        raise ModelLayoutError(msg)
    return side
