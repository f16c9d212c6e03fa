"""Second-order attribution: which word and which patch raise the similarity together.

Moeller et al., "Explaining Caption-Image Interactions in CLIP Models with Second-Order Attributions", TMLR 2025,
equations 5-8. With g the normalised embedding of one side, x its states entering a block, r a reference, and J the
Jacobian of g integrated on the straight way from r to x,

    A = (x_text - r_text)^T J_text^T J_image (x_image - r_image),   summed over channels: (words, patches),

complete: the sum of A is s(x, x) - s(x, r) - s(r, x) + s(r, r). What is missing is reported. They integrate the
embedding before it is normalised and divide at the end; here the way goes through the normalisation, so that the sum
is one of similarities. References are the states that the same tower makes of an empty input: mean colour, and the
end token in the place of every word.

Of the Jacobian only its product with the way is needed, token by token: (N, E). One backward pass a dimension of the
embedding; ``batch`` dimensions share a pass, which bounds memory. An image's serves all its prompts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from medaudit.attribution.method import MethodInfo, Needs, check_positive
from medaudit.attribution.sides import Found, PairMethod, Side
from medaudit.attribution.spaces import Space
from medaudit.records import Quantity


@dataclass(frozen=True, slots=True)
class SecondOrderSettings:
    """``image_block`` and ``text_block``: the states entering this block; ``steps`` of the integral."""

    image_block: int = -1
    text_block: int = -1
    steps: int = 10
    batch: int = 64

    def __post_init__(self) -> None:
        check_positive(self, "steps", "batch")


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """One side: what each token adds to the embedding, (N, E), and the whole way from reference to input, (E,)."""

    tokens: Tensor
    way: Tensor


@dataclass(frozen=True, slots=True)
class SecondOrder(PairMethod):
    """The record keeps the sums over patches and over words; :meth:`interactions` gives words x patches."""

    settings: SecondOrderSettings = SecondOrderSettings()
    name: ClassVar[str] = "second-order"
    info: ClassVar[MethodInfo] = MethodInfo(
        "Second-order attribution (exCLIP)",
        "Moeller et al., TMLR 2025, equations 5-8",
        "10 x embedding size forward and backward through the last block, an image's shared by all prompts",
        Quantity.CHANGE,
        needs=Needs.BLOCKS,
    )

    def both(self, seen: Side, written: Sequence[Side]) -> tuple[Found | None, list[Found | None]]:
        """See :meth:`PairMethod.both`."""
        image = self.parts(seen)
        texts = [self.parts(side) for side in written]
        matrices = [interactions(text, image) for text in texts]
        missing = [float((one.sum() - text.way @ image.way).abs()) for one, text in zip(matrices, texts, strict=True)]
        on_image = Found(torch.stack([one.sum(0) for one in matrices]), residuals=tuple(missing))
        on_text = [Found(one.sum(1)[None], residuals=(rest,)) for one, rest in zip(matrices, missing, strict=True)]
        return on_image, [*on_text]

    def parts(self, side: Side) -> Parts:
        """Integrate one side's Jacobian along the way from its reference to its input."""
        block = side.block(self.settings)
        space = Space.before(side, block)
        with torch.no_grad():
            empty = Space.of_input(side).baseline()
            start = side.tower.embed(empty) if side.is_image else side.start.with_states(empty)
            reference = side.tower.run(start, 0, block).states
            ends = space.embed(torch.cat([reference, space.point]))
        way = space.point - reference
        width = ends.shape[1]
        columns = []
        for chunk in torch.split(torch.arange(width, device=way.device), self.settings.batch):
            total = torch.zeros(len(chunk), *way.shape[1:]).to(way)
            for step in range(self.settings.steps):
                points = reference + (step + 0.5) / self.settings.steps * way
                points = points.repeat(len(chunk), 1, 1).requires_grad_()
                # Row i of the batch gives the gradient of dimension chunk[i]: items do not mix.
                wanted = space.embed(points).gather(1, chunk[:, None]).sum()
                total += torch.autograd.grad(wanted, points)[0]
            columns.append((total / self.settings.steps * way).sum(-1))
        return Parts(torch.cat(columns).T.contiguous(), ends[1] - ends[0])


def interactions(text: Parts, image: Parts) -> Tensor:
    """(text tokens, image tokens) cosine that each pair adds; prefix and special tokens included."""
    return text.tokens @ image.tokens.T
