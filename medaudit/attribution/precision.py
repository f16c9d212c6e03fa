"""In which precision a model's passes run: bfloat16 where it is faster and, measured, ranks tokens the same."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from medaudit.models.interface import VisionLanguageModel

AUTO, FLOAT32, BFLOAT16 = "auto", "float32", "bfloat16"
PRECISIONS = (AUTO, FLOAT32, BFLOAT16)

LEAST_RANK_CORRELATION = 0.99
"""Of a map in bfloat16 with the same in float32, below which ``auto`` stays with float32."""
LEAST_WIDTH = 512
"""Channels of a token below which casting costs what the products gain."""

PROBE_TEXT = "a radiograph that shows a finding on the left side"
_PROBE_SEED = 20231210
# Cells of the probe's random field along a side: a picture of coarse and fine structure, of no body.
_PROBE_CELLS = 24


@dataclass(frozen=True, slots=True)
class Precision:
    """One precision on one device."""

    name: str
    device: str

    def autocast(self) -> AbstractContextManager[object]:
        """Context for passes through a tower."""
        return torch.autocast(self.device, torch.bfloat16) if self.name == BFLOAT16 else nullcontext()


def probe_pixels(model: VisionLanguageModel) -> Tensor:
    """(1, 3, H, W): the same random field for every model of one input size."""
    generator = torch.Generator().manual_seed(_PROBE_SEED)
    field = torch.randn((1, 1, _PROBE_CELLS, _PROBE_CELLS), generator=generator)
    size = model.preprocessing.input_size
    return interpolate(field, size=size, mode="bicubic").expand(-1, 3, -1, -1).to(model.device)


def gains_by_bfloat16(model: VisionLanguageModel, width: int) -> bool:
    """Whether this machine multiplies bfloat16 faster, at this width. A property of the machine, never timed."""
    if width < LEAST_WIDTH:
        return False
    if model.device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return model.device.type == "cpu" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001


def choose(asked: str, gains: Callable[[], bool], agreement: Callable[[], float]) -> str:
    """The precision's name: as asked, or for ``auto`` bfloat16 where it gains and agrees with float32."""
    if asked != AUTO:
        return asked
    return BFLOAT16 if gains() and agreement() >= LEAST_RANK_CORRELATION else FLOAT32


def rank_agreement(first: Tensor, second: Tensor) -> float:
    """Spearman's rank correlation of two (T,) maps without ties; 1 where both are of one token."""
    if first.numel() < 2:
        return 1.0
    one, two = (values.flatten().double().argsort().argsort().double() for values in (first, second))
    return float(torch.corrcoef(torch.stack([one, two]))[0, 1])
