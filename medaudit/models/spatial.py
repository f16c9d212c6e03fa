"""Towers whose token grid changes from stage to stage: ResNet-50 and Swin.

States are (B, N, D) at every block, as in any tower; N and D are the block's own, and ``grid_at`` tells the rows and
columns. A block's output is what it hands on before the next stage makes the grid coarser. Their blocks have no
attention over all tokens, so methods that read attention refuse them.

He et al., "Deep Residual Learning", CVPR 2016; Liu et al., "Swin Transformer", ICCV 2021.
"""

from abc import abstractmethod
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, normalize, relu, scaled_dot_product_attention

from medaudit.errors import ModelLayoutError
from medaudit.models.interface import Hidden, Tower
from medaudit.models.tensors import Tensors
from medaudit.models.transformer import Module, check_blocks, gather
from medaudit.models.vit import Head
from medaudit.records import TokenGrid

_SWIN_EPS = 1e-5
# What Hugging Face adds to the score of tokens that a shifted window brought together from afar.
_APART = -100.0
_STAGES = 4


class SpatialTower(Tower):
    """A tower of stages; ``sizes`` are (rows, columns) before block 0 and at the output of every block."""

    grid: TokenGrid

    def __init__(self, sizes: list[tuple[int, int]], head: Head, *, reads_first: bool = False) -> None:
        self._grids = [TokenGrid(rows, columns, prefix=0) for rows, columns in sizes]
        self._head = head
        self._reads_first = reads_first
        self.grid = self._grids[-1]
        self.depth = len(sizes) - 1

    def grid_at(self, block: int) -> TokenGrid:
        """See :meth:`medaudit.models.interface.Tower.grid_at`."""
        super().grid_at(block)
        return self._grids[block + 1]

    def embed(self, inputs: Tensor, mask: Tensor | None = None) -> Hidden:
        """(B, 3, H, W) normalised pixels -> tokens before block 0; images have no mask."""
        if mask is not None:
            msg = f"{type(self).__name__}.embed: images take no mask"
            raise ValueError(msg)
        states = self._stem(inputs)
        expected = self._grids[0].tokens
        if states.shape[1] != expected:
            msg = f"{type(self).__name__}.embed: expected an image of {expected} tokens; got {states.shape[1]}"
            raise ValueError(msg)
        first = torch.zeros(len(inputs), dtype=torch.int64, device=inputs.device) if self._reads_first else None
        return Hidden(states, first)

    def run(self, hidden: Hidden, start: int, stop: int, *, only: Tensor | None = None) -> Hidden:
        """See :meth:`medaudit.models.interface.Tower.run`; ``only`` is taken from the last block's whole result."""
        check_blocks(self, start, stop)
        states = hidden.states
        for index in range(start, stop):
            states = self._block(index, states)
        if only is None or start == stop:
            return replace(hidden, states=states)
        return replace(hidden, states=gather(states, only), pooled=None)

    def attention(self, hidden: Hidden, block: int) -> Tensor:  # noqa: ARG002
        """See :meth:`medaudit.models.interface.Tower.attention`; there is none over all tokens."""
        raise self._no_heads()

    def head(self, hidden: Hidden) -> Tensor:
        """(B, E) normalised embedding."""
        return normalize(self._head(hidden), dim=-1)

    @abstractmethod
    def _stem(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, N, D) before block 0."""

    @abstractmethod
    def _block(self, index: int, states: Tensor) -> Tensor:
        """(B, N, D) at the output of the block before -> (B, N, D) at this one's."""


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """Three convolutions with their norms and a shortcut around them; ``pool`` goes before the third one."""

    convolutions: tuple[nn.Conv2d, nn.Conv2d, nn.Conv2d]
    norms: tuple[nn.BatchNorm2d, nn.BatchNorm2d, nn.BatchNorm2d]
    shortcut: Module | None
    pool: Module | None = None

    def __call__(self, picture: Tensor) -> Tensor:
        """(B, C, rows, columns) -> (B, D, rows or half, columns or half)."""
        states = picture
        for index, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            if index == 2 and self.pool is not None:
                states = self.pool(states)
            states = norm(convolution(states))
            if index < 2:
                states = relu(states)
        return relu(states + (picture if self.shortcut is None else self.shortcut(picture)))


class ResNet50(SpatialTower):
    """torchvision's ResNet with bottleneck blocks (``conv1``, ``layer1`` ... ``layer4``), and any head."""

    def __init__(self, tensors: Tensors, name: str, image_size: int, head: Head) -> None:
        self._first = tensors.convolution(f"{name}conv1", stride=2, padding=3)
        self._first_norm = tensors.batch_norm(f"{name}bn1", self._first.out_channels)
        side = _halved(_halved(image_size))
        sizes, blocks = [(side, side)], []
        for stage in range(1, _STAGES + 1):
            depth = tensors.count(f"{name}layer{stage}")
            side = side if stage == 1 else _halved(side)
            for index in range(depth):
                stride = 2 if index == 0 and stage > 1 else 1
                blocks.append(bottleneck(tensors, f"{name}layer{stage}.{index}", stride))
                sizes.append((side, side))
        self._blocks = tuple(blocks)
        super().__init__(sizes, head)

    def _stem(self, pixels: Tensor) -> Tensor:
        states = relu(self._first_norm(self._first(pixels)))
        return tokens_of(max_pool2d(states, kernel_size=3, stride=2, padding=1))

    def _block(self, index: int, states: Tensor) -> Tensor:
        return tokens_of(self._blocks[index](picture_of(states, self._grids[index])))


@dataclass(frozen=True, slots=True)
class _Window:
    """One Swin layer: attention within windows of ``side`` x ``side`` tokens, shifted by ``shift``."""

    norm1: Module
    query: Module
    key: Module
    value: Module
    out: Module
    bias: Tensor
    norm2: Module
    mlp: Module
    side: int
    shift: int

    def __call__(self, states: Tensor, grid: TokenGrid) -> Tensor:
        attended = states + self._attend(self.norm1(states), grid)
        return attended + self.mlp(self.norm2(attended))

    def _attend(self, states: Tensor, grid: TokenGrid) -> Tensor:
        batch, tokens, width = states.shape
        picture = states.view(batch, grid.rows, grid.columns, width)
        if self.shift:
            picture = picture.roll((-self.shift, -self.shift), (1, 2))
        windows = _partition(picture, self.side)
        allowed = self.bias if not self.shift else self.bias + self._apart(grid, windows).repeat(batch, 1, 1, 1)
        heads = self.bias.shape[1]
        query, key, value = (
            part(windows).view(len(windows), -1, heads, width // heads).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        written = self.out(mixed.transpose(1, 2).flatten(2))
        picture = _assemble(written, self.side, grid)
        if self.shift:
            picture = picture.roll((self.shift, self.shift), (1, 2))
        return picture.reshape(batch, tokens, width)

    def _apart(self, grid: TokenGrid, like: Tensor) -> Tensor:
        """(windows, 1, n, n): what keeps tokens apart that the shift brought together from two edges."""
        rows, columns = (
            (torch.arange(length) >= length - self.side).int() + (torch.arange(length) >= length - self.shift).int()
            for length in (grid.rows, grid.columns)
        )
        region = (3 * rows[:, None] + columns[None, :])[None, ..., None].to(like)
        marks = _partition(region, self.side)[..., 0]
        return ((marks[:, None, :] != marks[:, :, None]) * _APART)[:, None].to(like)


class Swin(SpatialTower):
    """Hugging Face's ``SwinModel``: stages of window attention, a final norm, and any head on the normed tokens."""

    def __init__(self, tensors: Tensors, name: str, image_size: int, head: Head, *, reads_first: bool) -> None:
        patch = tensors.take(f"{name}embeddings.patch_embeddings.projection.weight", (None, 3, None, None)).shape[-1]
        self._patch = tensors.convolution(f"{name}embeddings.patch_embeddings.projection", stride=patch, bias=True)
        width = self._patch.out_channels
        self._first_norm = tensors.norm(f"{name}embeddings.norm", width, _SWIN_EPS)
        side = image_size // patch
        sizes, blocks = [(side, side)], []
        # The merging of 2 x 2 tokens into one, by the number of the block that it goes before.
        self._merges: dict[int, tuple[Module, Module]] = {}
        for stage in range(tensors.count(f"{name}encoder.layers")):
            layer = f"{name}encoder.layers.{stage}"
            for index in range(tensors.count(f"{layer}.blocks")):
                blocks.append(_window(tensors, f"{layer}.blocks.{index}", width, side, shifted=index % 2 == 1))
                sizes.append((side, side))
            if tensors.has(f"{layer}.downsample.reduction.weight"):
                if side % 2:
                    msg = f"{tensors.path}: {layer}.downsample: {side} x {side} tokens cannot be merged two by two"
                    raise ModelLayoutError(msg)
                self._merges[len(blocks)] = (
                    tensors.norm(f"{layer}.downsample.norm", 4 * width, _SWIN_EPS),
                    tensors.linear(f"{layer}.downsample.reduction", 4 * width, bias=False),
                )
                width, side = 2 * width, side // 2
        self._norm = tensors.norm(f"{name}layernorm", width, _SWIN_EPS)
        self._blocks = tuple(blocks)
        super().__init__(
            sizes, lambda hidden: head(replace(hidden, states=self._norm(hidden.states))), reads_first=reads_first
        )

    def _stem(self, pixels: Tensor) -> Tensor:
        states: Tensor = self._first_norm(tokens_of(self._patch(pixels)))
        return states

    def _block(self, index: int, states: Tensor) -> Tensor:
        if index in self._merges:
            norm, reduction = self._merges[index]
            grid = self._grids[index]
            picture = states.view(len(states), grid.rows, grid.columns, -1)
            corners = [picture[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
            states = reduction(norm(torch.cat(corners, dim=-1).flatten(1, 2)))
        return self._blocks[index](states, self._grids[index + 1])


def mean_head(projection: Module) -> Head:
    """Head that projects the mean of all tokens."""
    return lambda hidden: projection(hidden.states.mean(dim=1))


def bottleneck(tensors: Tensors, name: str, stride: int, *, pools: bool = False) -> Bottleneck:
    """Build a bottleneck block; where it ``pools``, averages do what else the strides of its convolutions would."""
    pool = nn.AvgPool2d(stride) if pools and stride > 1 else None
    step = 1 if pools else stride
    first = tensors.convolution(f"{name}.conv1")
    second = tensors.convolution(f"{name}.conv2", stride=step, padding=1)
    third = tensors.convolution(f"{name}.conv3")
    norms = (
        tensors.batch_norm(f"{name}.bn1", first.out_channels),
        tensors.batch_norm(f"{name}.bn2", second.out_channels),
        tensors.batch_norm(f"{name}.bn3", third.out_channels),
    )
    shortcut = None
    if tensors.has(f"{name}.downsample.0.weight"):
        shortcut = nn.Sequential(
            nn.Identity() if pool is None else pool,
            tensors.convolution(f"{name}.downsample.0", stride=step),
            tensors.batch_norm(f"{name}.downsample.1", third.out_channels),
        )
    return Bottleneck((first, second, third), norms, shortcut, pool)


def _window(tensors: Tensors, name: str, width: int, resolution: int, *, shifted: bool) -> _Window:
    attention = f"{name}.attention.self"
    table = tensors.take(f"{attention}.relative_position_bias_table", (None, None))
    tensors.ignore(lambda key: key == f"{attention}.relative_position_index")
    side = (round(table.shape[0] ** 0.5) + 1) // 2
    if resolution % side:
        msg = f"{tensors.path}: {name}: windows of {side} do not fit {resolution} x {resolution} tokens"
        raise ModelLayoutError(msg)
    first = tensors.linear(f"{name}.intermediate.dense", width)
    return _Window(
        norm1=tensors.norm(f"{name}.layernorm_before", width, _SWIN_EPS),
        query=tensors.linear(f"{attention}.query", width),
        key=tensors.linear(f"{attention}.key", width),
        value=tensors.linear(f"{attention}.value", width),
        out=tensors.linear(f"{name}.attention.output.dense", width),
        bias=_relative_bias(table, side),
        norm2=tensors.norm(f"{name}.layernorm_after", width, _SWIN_EPS),
        mlp=nn.Sequential(first, nn.GELU(), tensors.linear(f"{name}.output.dense", first.out_features)),
        side=side,
        # One window covers the last stage, and there is nothing to shift.
        shift=side // 2 if shifted and resolution > side else 0,
    )


def _relative_bias(table: Tensor, side: int) -> Tensor:
    """(1, heads, n, n) bias for each pair of tokens of a window, from a table over their offsets."""
    rows, columns = (part.flatten() for part in torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij"))
    down, right = (part[:, None] - part[None, :] + side - 1 for part in (rows, columns))
    index = (down * (2 * side - 1) + right).to(table.device)
    bias: Tensor = table[index].permute(2, 0, 1)[None].contiguous()
    return bias


def _partition(picture: Tensor, side: int) -> Tensor:
    """(B, rows, columns, D) -> (B * windows, side * side, D)."""
    batch, rows, columns, width = picture.shape
    split = picture.view(batch, rows // side, side, columns // side, side, width)
    return split.transpose(2, 3).reshape(-1, side * side, width)


def _assemble(windows: Tensor, side: int, grid: TokenGrid) -> Tensor:
    """Undo :func:`_partition`."""
    down, across, width = grid.rows // side, grid.columns // side, windows.shape[-1]
    split = windows.view(-1, down, across, side, side, width)
    return split.transpose(2, 3).reshape(-1, grid.rows, grid.columns, width)


def _halved(length: int) -> int:
    """Length after a stride of 2 with the padding that these layers have."""
    return (length + 1) // 2


def tokens_of(picture: Tensor) -> Tensor:
    """(B, C, rows, columns) -> (B, rows * columns, C)."""
    return picture.flatten(2).transpose(1, 2)


def picture_of(states: Tensor, grid: TokenGrid) -> Tensor:
    """(B, N, C) -> (B, C, rows, columns)."""
    return states.transpose(1, 2).reshape(len(states), -1, grid.rows, grid.columns)
