"""What unlabeled images and sentences look like inside a model: kept beside its weights, read with them.

A bottleneck replaces features by noise. What noise of the same kind is, the features of many images tell: their
mean and deviation for every block, as Schulz et al. ("Restricting the Flow", ICLR 2020) estimate them a feature:
one a token position and channel, because an anatomy that lies at one place in every image is no information about
this one. Of texts, whose words have no fixed place, the first token stands apart and all others share theirs.

What lies far from anything that the model was calibrated on, the same images tell: see :class:`Usual`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from medaudit.errors import ModelLayoutError
from medaudit.models.reference import Reference

FILE = "calibration.safetensors"
FORMAT = "1"
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Mean and deviation of one block's output, both (R, D), the deviation > 0.

    Row t is token position t; positions past the last row share it.
    """

    mean: Tensor
    deviation: Tensor

    def standardise(self, states: Tensor) -> Tensor:
        """(..., T, D) features -> in units of their deviation from the mean."""
        mean, deviation = self._rows(states)
        return (states - mean) / deviation

    def restore(self, states: Tensor) -> Tensor:
        """Undo :meth:`standardise`."""
        mean, deviation = self._rows(states)
        return states * deviation + mean

    def _rows(self, states: Tensor) -> tuple[Tensor, Tensor]:
        row = torch.arange(states.shape[-2], device=states.device).clamp(max=len(self.mean) - 1)
        return self.mean.to(states)[row], self.deviation.to(states)[row]


@dataclass(frozen=True, slots=True, eq=False)
class SideCalibration:
    """One tower's statistics: ``layers``, one a block; ``embedding`` (E,) the mean one; ``items`` seen."""

    layers: tuple[Statistics, ...]
    embedding: Tensor
    items: int


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """How images usually are: their ``embeddings``, and their :mod:`medaudit.imaging.statistics` (``pictures``)."""

    embeddings: Reference
    pictures: Reference


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Both towers' statistics. ``weights`` are the sha256 of the model files that they belong to.

    ``usual`` is None in a calibration of a medaudit that did not measure it.
    """

    image: SideCalibration
    text: SideCalibration
    weights: Mapping[str, str]
    usual: Usual | None = None


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Write ``calibration.safetensors``: tensors, and as its metadata what they were made from."""
    tensors: dict[str, Tensor] = {}
    metadata = {"format": FORMAT}
    for side, values in (("image", calibration.image), ("text", calibration.text)):
        for block, layer in enumerate(values.layers):
            tensors[f"{side}.{block}.mean"] = layer.mean.contiguous()
            tensors[f"{side}.{block}.deviation"] = layer.deviation.contiguous()
        tensors[f"{side}.embedding"] = values.embedding.contiguous()
        metadata |= {f"{side}.items": str(values.items), f"{side}.blocks": str(len(values.layers))}
    if calibration.usual is not None:
        for part in fields(Usual):
            reference = getattr(calibration.usual, part.name)
            for item in fields(Reference):
                tensors[f"usual.{part.name}.{item.name}"] = getattr(reference, item.name).contiguous()
    metadata |= {f"sha256.{name}": digest for name, digest in calibration.weights.items()}
    path.write_bytes(save(tensors, metadata=metadata))


def read_calibration(folder: Path, files: Mapping[str, str], device: torch.device) -> Calibration | None:
    """Read a model folder's calibration; None where it has none.

    ``files`` are the sha256 of the model's own files.

    Raises
    ------
    ModelLayoutError
        The file is damaged, or belongs to other weights.

    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt", device=str(device)) as content:
            metadata = content.metadata() or {}
            image, text = (_side(content, metadata, side) for side in ("image", "text"))
            usual = _usual(content)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        msg = f"{path}: not a calibration ({type(error).__name__}); make it again with `medaudit calibrate`"
        raise ModelLayoutError(msg) from error
    weights = {name.removeprefix("sha256."): value for name, value in metadata.items() if name.startswith("sha256.")}
    for name, digest in weights.items():
        if files.get(name) != digest:
            msg = f"{path}: made for another {name} than is here; make it again with `medaudit calibrate`"
            raise ModelLayoutError(msg)
    return Calibration(image, text, weights, usual)


def _side(content: Any, metadata: Mapping[str, str], side: str) -> SideCalibration:  # noqa: ANN401 - an open file
    layers = tuple(
        Statistics(content.get_tensor(f"{side}.{block}.mean"), content.get_tensor(f"{side}.{block}.deviation"))
        for block in range(int(metadata[f"{side}.blocks"]))
    )
    return SideCalibration(layers, content.get_tensor(f"{side}.embedding"), int(metadata[f"{side}.items"]))


def _usual(content: Any) -> Usual | None:  # noqa: ANN401 - an open file
    """What images usually are; on the CPU, as the checks that ask are."""
    if not any(name.startswith("usual.") for name in content.keys()):  # noqa: SIM118 - no mapping
        return None
    parts = (
        Reference(*(content.get_tensor(f"usual.{part.name}.{item.name}").cpu() for item in fields(Reference)))
        for part in fields(Usual)
    )
    return Usual(*parts)


def weight_files(files: Mapping[str, str]) -> dict[str, str]:
    """Those of a model's files that hold weights."""
    return {name: digest for name, digest in files.items() if Path(name).suffix in _WEIGHTS}
