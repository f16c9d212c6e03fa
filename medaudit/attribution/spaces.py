"""Where gradients are taken: a model's input, or the states before a block; and their way back to tokens."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from medaudit.attribution.sides import Side
from medaudit.errors import AttributionError


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """The points that a similarity is differentiated at.

    ``block`` is None for the model's own input: normalised pixels (B, 3, H, W), or on the text side, whose input is
    not continuous, the states before block 0. Else points are the states (B, N, D) before that block.
    ``point`` is where this image or prompt lies, one item without gradients.
    """

    side: Side
    block: int | None
    point: Tensor

    @classmethod
    def of_input(cls, side: Side) -> "Space":
        """Build the space of pixels, or of the text's states before block 0."""
        return cls(side, 0, side.start.states) if side.pixels is None else cls(side, None, side.pixels)

    @classmethod
    def before(cls, side: Side, block: int) -> "Space":
        """Build the space of the states before ``block``.

        Raises
        ------
        AttributionError
            Tokens lie on another grid there than the model's last, as in a convolutional tower.

        """
        point = side.hidden(block).states
        if point.shape[1] != len(side.content):
            msg = (
                f"block {block}: expected {len(side.content)} tokens before it, the grid of the last block; got "
                f"{point.shape[1]}; choose a later block, or m2ib, occlusion or rise, which serve every grid"
            )
            raise AttributionError(msg)
        return cls(side, block, point)

    def baseline(self) -> Tensor:
        """Where nothing is seen or said in the input, one item.

        Of pixels the mean colour of the model's training (0 after normalisation). Of words the end token in the place
        of each, as a text is padded; class, begin and end tokens stay as they are. Zero would be no baseline for
        words: layer norm makes every point on the way from zero look the same, and all change falls on its start.
        """
        if self.block is None:
            return torch.zeros_like(self.point)
        content = self.side.content
        special = (~content).nonzero().flatten()
        end = self.point[:, special[-1:]] if len(special) else torch.zeros_like(self.point[:, :1])
        return torch.where(content[None, :, None], end, self.point)

    def embed(self, points: Tensor) -> Tensor:
        """(B, E) embeddings of points."""
        if self.block is None:
            return self.side.tower.encode(points)
        return self.side.tower.suffix(self.side.start.with_states(points), self.block)

    def gradients(self, points: Tensor) -> Tensor:
        """(P, B, ...) gradients of the similarity with each target at points (B, ...): one forward, P backwards."""
        points = points.detach().requires_grad_()
        embedded = self.embed(points)
        scores = [(embedded * target).sum() for target in self.side.targets]
        last = len(scores) - 1
        return torch.stack(
            [torch.autograd.grad(score, points, retain_graph=i < last)[0] for i, score in enumerate(scores)]
        )

    def similarity(self, points: Tensor) -> Tensor:
        """(P, B) similarities of points with each target, without gradients."""
        with torch.no_grad():
            embedded = self.embed(points)
            return torch.stack([embedded @ target for target in self.side.targets])

    def sums(self, values: Tensor) -> Tensor:
        """(P, N) what values (P, ...) of one point's shape add up to, token by token; nothing gets lost."""
        if self.block is None:
            return self._patches(values.sum(1))
        return values.sum(-1)

    def magnitudes(self, values: Tensor) -> Tensor:
        """(P, N) size of values (P, ...), token by token.

        Of pixels the largest absolute channel (Simonyan et al. 2014, section 3.1), summed over the patch; of states
        the Euclidean norm.
        """
        if self.block is None:
            return self._patches(values.abs().amax(1))
        lengths: Tensor = values.norm(dim=-1)
        return lengths

    def _patches(self, plane: Tensor) -> Tensor:
        """(P, N) sums of a plane (P, H, W) over patches; pixels beyond the last whole patch count to it."""
        grid = self.side.model.grid
        rows, columns = patch_of(plane.shape[-2], grid.rows), patch_of(plane.shape[-1], grid.columns)
        across = torch.zeros(len(plane), plane.shape[1], grid.columns, dtype=plane.dtype, device=plane.device)
        across.index_add_(2, columns.to(plane.device), plane)
        patches = torch.zeros(len(plane), grid.rows, grid.columns, dtype=plane.dtype, device=plane.device)
        patches.index_add_(1, rows.to(plane.device), across)
        tokens: Tensor = pad(patches.flatten(1), (grid.prefix, 0))
        return tokens


def patch_of(pixels: int, patches: int) -> Tensor:
    """(pixels,) index of the patch that each pixel along one axis belongs to."""
    return torch.clamp(torch.arange(pixels) // (pixels // patches), max=patches - 1)
