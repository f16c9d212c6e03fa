"""Grad-CAM on tokens: the states entering a block, weighted by their mean gradient.

Selvaraju et al., "Grad-CAM", ICCV 2017, equations 1 and 2, with a token of the last block's input for a place of the
last convolution. The gradient is averaged over patches (or words), not over class, begin and end tokens as some
public code does: they have no place on the map.

The mean over places rests on a convolution that treats all of them alike. A pooled token looks at few places, and the
mean forgets which. ``pooled: false`` keeps each token's own gradient (element-wise, as HiResCAM: Draelos and Carin,
"Use HiResCAM instead of Grad-CAM", 2020; the public code of NIB calls that Grad-CAM).
"""

from dataclasses import dataclass
from typing import ClassVar

from medaudit.attribution.method import MethodInfo, Needs
from medaudit.attribution.sides import Found, Side, SidedMethod
from medaudit.attribution.spaces import Space
from medaudit.records import Quantity


@dataclass(frozen=True, slots=True)
class GradCAMSettings:
    """``image_block`` and ``text_block``: the states entering this block; 0-based, negative from the end.

    ``pooled`` False weighs each token by its own gradient and not by the mean one.
    """

    image_block: int = -1
    text_block: int = -1
    pooled: bool = True


@dataclass(frozen=True, slots=True)
class GradCAM(SidedMethod):
    """One forward pass for all prompts of an image, one backward pass through the last block a prompt."""

    settings: GradCAMSettings = GradCAMSettings()
    name: ClassVar[str] = "grad-cam"
    info: ClassVar[MethodInfo] = MethodInfo(
        "Grad-CAM",
        "Selvaraju et al., ICCV 2017, equations 1-2",
        "1 forward, 1 backward through the last block",
        Quantity.SCORE,
        needs=Needs.BLOCKS,
    )

    def relevance(self, side: Side) -> Found:
        """See :meth:`SidedMethod.relevance`."""
        space = Space.before(side, side.block(self.settings))
        gradients = space.gradients(space.point)[:, 0]
        weights = gradients[:, side.content].mean(1, keepdim=True) if self.settings.pooled else gradients
        return Found((weights * space.point).sum(-1).relu())
