"""What can be said of a picture before any model looks at it: brightness, sharpness, and where it is bright."""

from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import conv2d

NAMES: Final = (
    "brightness",
    "contrast",
    "sharpness",
    "share of black",
    "share of white",
    "top against bottom",
    "left against right",
    "middle against rim",
)
"""What :func:`picture_statistics` gives, in order."""

# Of the range from black to white.
_BLACK, _WHITE = 0.02, 0.98
# Sharpness is a logarithm, so that noise twice as strong is as far off as noise half as strong; of a flat picture this.
_LEAST_SHARPNESS: Final = 1e-4
_LAPLACIAN: Final = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


def picture_statistics(pictures: Tensor) -> Tensor:
    """(B, 8) float64 of pictures (B, 3, H, W) in 0 .. 1; see :data:`NAMES`.

    Sharpness is the decimal logarithm of the mean absolute Laplacian; the last three are differences of mean
    brightness, the middle being the inner half of both sides.
    """
    grey = pictures.double().mean(1)
    rows, columns = grey.shape[-2:]
    edges = conv2d(grey[:, None], torch.tensor(_LAPLACIAN, dtype=torch.float64)[None, None])[:, 0]
    high, wide = (rows + 1) // 2, (columns + 1) // 2
    inner = grey[:, rows // 4 : rows // 4 + high, columns // 4 : columns // 4 + wide]
    flat = grey.flatten(1)
    rim = (flat.sum(1) - inner.flatten(1).sum(1)) / (flat.shape[1] - inner[0].numel())
    return torch.stack(
        [
            flat.mean(1),
            flat.std(1, unbiased=False),
            edges.abs().mean((1, 2)).clamp(min=_LEAST_SHARPNESS).log10(),
            (flat <= _BLACK).double().mean(1),
            (flat >= _WHITE).double().mean(1),
            grey[:, :high].mean((1, 2)) - grey[:, -high:].mean((1, 2)),
            grey[:, :, :wide].mean((1, 2)) - grey[:, :, -wide:].mean((1, 2)),
            inner.mean((1, 2)) - rim,
        ],
        dim=1,
    )
