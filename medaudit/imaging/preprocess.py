"""DisplayImage -> ModelInput: the tensor that a model sees, and the way back to stored pixels.

Every spatial step is a MONAI transform on a ``MetaTensor`` whose affine starts as the identity over stored
pixels, so the geometry travels with the data and is read off at the end, never guessed back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate

from medaudit.dicom.grayscale import DisplayImage
from medaudit.errors import UsageError
from medaudit.imaging.transforms import TARGET, build_transform
from medaudit.records import AxisMap, GridMap, TokenGrid

# Beyond [0, 1] by more than this, an intensity transform of the pipeline has left the display range.
RANGE_TOLERANCE = 1e-4


class Fit(StrEnum):
    """How an image that is not square meets a model's input."""

    CROP = "crop"
    """Shortest side to size, then the centre: what most published CLIP models do."""
    PAD = "pad"
    """Longest side to size, then black borders: nothing is lost."""
    SQUASH = "squash"
    """Both sides to size: nothing is lost, the aspect ratio is."""


@dataclass(frozen=True, slots=True)
class PreprocessingSpec:
    """The preprocessing that a model was trained with; the model carries it.

    ``input_size`` is (rows, columns) in pixels. ``resize`` is the length in pixels that the shortest
    side takes before a crop. ``mean`` and ``std`` are per channel of an image in [0, 1]. ``antialias`` is
    Pillow's rule, which nearly every published model uses; without it a smaller picture is sampled, not averaged.
    Where a centred crop leaves half a pixel over, it starts at the smaller of the two places, as Hugging Face's does;
    with ``rounds_crop`` at the even one, as torchvision's.
    """

    input_size: tuple[int, int]
    resize: int
    fit: Fit
    interpolation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    antialias: bool = True
    rounds_crop: bool = False

    def __post_init__(self) -> None:
        if self.interpolation not in ("bicubic", "bilinear"):
            msg = f"PreprocessingSpec.interpolation: expected 'bicubic' or 'bilinear'; got {self.interpolation!r}"
            raise ValueError(msg)
        if self.fit is Fit.CROP and self.resize < max(self.input_size):
            msg = f"PreprocessingSpec.resize: expected >= {max(self.input_size)} for a crop; got {self.resize}"
            raise ValueError(msg)
        if min(self.std) <= 0:
            msg = f"PreprocessingSpec.std: expected values > 0; got {self.std}"
            raise ValueError(msg)

    def shown(self, pixels: torch.Tensor) -> torch.Tensor:
        """(..., 3, H, W) in 0 .. 1: a model's input before its normalisation."""
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        return (pixels * std + mean).clamp(0, 1)


@dataclass(frozen=True, slots=True, eq=False)
class ModelInput:
    """What a model sees: ``pixels`` (1, 3, H, W) float32, normalised, and its geometry."""

    pixels: torch.Tensor
    grid_map: GridMap


def preprocess(
    image: DisplayImage,
    spec: PreprocessingSpec,
    grid: TokenGrid,
    *,
    transforms: Sequence[Mapping[str, Any]] = (),
    fit: Fit | None = None,
) -> ModelInput:
    """Carry a displayed image into a model's input.

    Parameters
    ----------
    image
        Values in [0, 1], (H, W) or (H, W, 3).
    spec
        The model's own preprocessing.
    grid
        The vision tower's token grid.
    transforms
        MONAI transforms in ``_target_`` notation, applied before the model's own preprocessing.
    fit
        Another way to meet the input size than the model's own.

    Raises
    ------
    UsageError
        A transform is not allowed, leaves no image, leaves [0, 1], or turns the axes.

    """
    from monai.data.meta_tensor import MetaTensor  # noqa: PLC0415 - 7 seconds; only the audit path pays them

    values = image.values if image.values.ndim == 3 else image.values[..., None]
    stored = (values.shape[0], values.shape[1])
    picture = MetaTensor(
        torch.from_numpy(np.ascontiguousarray(np.moveaxis(values, -1, 0))), affine=torch.eye(4, dtype=torch.float64)
    )
    seen = _Seen(stored)
    for entry in transforms:
        picture = build_transform(entry)(picture)
        _check_picture(picture, str(entry[TARGET]))
        seen.clip_to(picture)
    for step in _fit_steps(fit or spec.fit, spec, picture.shape[1:]):
        picture = step(picture)
        seen.clip_to(picture)
    pixels = picture.as_tensor().clamp(0, 1).expand(3, -1, -1)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (spec.mean, spec.std))
    row, column = _axes(picture)
    grid_map = GridMap(stored, spec.input_size, grid, row, column, seen.edges())
    return ModelInput(((pixels - mean) / std).float()[None].contiguous(), grid_map)


def _fit_steps(fit: Fit, spec: PreprocessingSpec, size: Sequence[int]) -> list[Any]:
    """MONAI transforms that carry an image of ``size`` (rows, columns) to the model's input."""
    from monai.transforms.croppad.array import SpatialCrop, SpatialPad  # noqa: PLC0415

    rows, columns = spec.input_size
    if fit is Fit.SQUASH:
        return [_resize((rows, columns), spec)]
    height, width = size
    if fit is Fit.PAD:
        ratio = min(rows / height, columns / width)
        inner = (min(rows, max(1, round(height * ratio))), min(columns, max(1, round(width * ratio))))
        return [_resize(inner, spec), SpatialPad((rows, columns), mode="constant")]
    # The longer side is truncated: torchvision's and Hugging Face's rule.
    short = min(height, width)
    scaled = (int(spec.resize * height / short), int(spec.resize * width / short))
    start = tuple(_crop_start(over, rounds=spec.rounds_crop) for over in (scaled[0] - rows, scaled[1] - columns))
    crop = SpatialCrop(roi_start=start, roi_end=(start[0] + rows, start[1] + columns))
    return [_resize(scaled, spec), crop]


def _crop_start(over: int, *, rounds: bool) -> int:
    """Where a centred crop starts on a side that is ``over`` pixels longer."""
    return round(over / 2) if rounds else over // 2


def _resize(size: tuple[int, int], spec: PreprocessingSpec) -> Any:  # noqa: ANN401 - a callable on an untyped MetaTensor
    """Resize as the published models do (Pillow's rule, unless the spec says otherwise), keeping the affine.

    MONAI's own ``Resize`` smooths with a Gaussian and then samples, which is another picture.
    """

    def step(picture: Any) -> Any:  # noqa: ANN401
        resized = interpolate(picture.as_tensor()[None], size=size, mode=spec.interpolation, antialias=spec.antialias)[
            0
        ]
        scaling = torch.eye(4, dtype=torch.float64)
        for axis, (before, after) in enumerate(zip(picture.shape[1:], size, strict=True)):
            # Pixel edges stay on pixel edges, so centres move: index -> ratio * (index + 1/2) - 1/2.
            ratio = before / after
            scaling[axis, axis], scaling[axis, 3] = ratio, (ratio - 1) / 2
        return type(picture)(resized, affine=picture.affine @ scaling)

    return step


def _check_picture(picture: Any, name: str) -> None:  # noqa: ANN401
    channels, rows, columns = picture.shape
    if channels not in (1, 3) or min(rows, columns) < 1:
        msg = f"transforms: {name}: expected an image of 1 or 3 channels; got shape {tuple(picture.shape)}"
        raise UsageError(msg)
    low, high = float(picture.min()), float(picture.max())
    if not (low >= -RANGE_TOLERANCE and high <= 1 + RANGE_TOLERANCE):
        msg = (
            f"transforms: {name}: values {low:.4g} .. {high:.4g} left the display range 0 .. 1; "
            "scale back to 0 .. 1 in the same transform (b_min: 0, b_max: 1, clip: true)"
        )
        raise UsageError(msg)


def _axes(picture: Any) -> tuple[AxisMap, AxisMap]:  # noqa: ANN401
    affine = picture.affine.numpy()
    if affine[0, 1] != 0 or affine[1, 0] != 0:
        msg = "transforms: the chain turns or transposes the image; a map could not be laid back on stored pixels"
        raise UsageError(msg)
    return AxisMap(float(affine[0, 0]), float(affine[0, 3])), AxisMap(float(affine[1, 1]), float(affine[1, 3]))


class _Seen:
    """The part of the stored image that is still in the picture, clipped after every step."""

    def __init__(self, stored: tuple[int, int]) -> None:
        self._spans = [(-0.5, stored[0] - 0.5), (-0.5, stored[1] - 0.5)]

    def clip_to(self, picture: Any) -> None:  # noqa: ANN401
        for index, (axis, size) in enumerate(zip(_axes(picture), picture.shape[1:], strict=True)):
            ends = axis.to_stored(np.array([-0.5, size - 0.5]))
            low, high = self._spans[index]
            span = (max(low, float(ends.min())), min(high, float(ends.max())))
            if span[0] >= span[1]:
                msg = "transforms: the chain crops the whole image away; nothing is left to audit"
                raise UsageError(msg)
            self._spans[index] = span

    def edges(self) -> tuple[float, float, float, float]:
        return (*self._spans[0], *self._spans[1])
