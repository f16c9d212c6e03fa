"""Checkpoint files: ``.safetensors`` (one or in shards) and pickles of plain tensors; nothing that could run code.

Files are memory-mapped: a tensor that is used as it lies costs no second copy.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePath

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from medaudit.errors import ModelLayoutError, ModelMissingError
from medaudit.models.calibration import FILE as CALIBRATION
from medaudit.models.catalogue import CHECKPOINT_SUFFIXES
from medaudit.models.weights import read_json

# Where training code puts the tensors of a checkpoint that holds more.
_INNER = ("state_dict", "model", "model_state_dict")
# What training code puts in front of every name, in this order.
_WRAPPINGS = ("module.", "_orig_mod.", "module.")
_FORMER_NORMS = ((".LayerNorm.gamma", ".LayerNorm.weight"), (".LayerNorm.beta", ".LayerNorm.bias"))
_SHARDS = ".index.json"
_ZIP = b"PK\x03\x04"


def find_weights(folder: Path, names: tuple[str, ...]) -> Path:
    """Return the first of ``names`` that the folder holds.

    Raises
    ------
    ModelMissingError
        It holds none of them.

    """
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None:
        msg = f"{folder}: no weights; expected one of {', '.join(names)}"
        raise ModelMissingError(msg)
    return path


def checkpoints_in(folder: Path) -> list[str]:
    """Names of the files of a folder that may hold weights; medaudit's own calibration does not."""
    paths = (path for path in folder.iterdir() if path.suffix in CHECKPOINT_SUFFIXES and path.name != CALIBRATION)
    return sorted(path.name for path in paths)


def only_checkpoint(folder: Path, published: tuple[str, ...]) -> tuple[str, ...]:
    """Names to look for in a folder: the published ones, else the one checkpoint that it holds under any name.

    Raises
    ------
    ModelLayoutError
        It holds several, none of them under a published name.

    """
    found = checkpoints_in(folder)
    if any((folder / name).is_file() for name in published):
        return published
    if len(found) > 1:
        msg = f"{folder}: {len(found)} checkpoints ({', '.join(found)}); keep the one that is to be audited"
        raise ModelLayoutError(msg)
    return (*published, *found)


def read_checkpoint(folder: Path, names: tuple[str, ...]) -> tuple[Path, dict[str, Tensor], Mapping[str, object]]:
    """Read the first of ``names`` that the folder holds: the file, its tensors by name, and its plain values.

    Names lose the ``module.`` of parallel training and the ``_orig_mod.`` of compilation, and BERT's norms of before
    2019 (``gamma``, ``beta``) get today's. Tensors lie on the CPU, memory-mapped.

    Raises
    ------
    ModelMissingError
        The folder holds none of them, or a shard is missing.
    ModelLayoutError
        The file is damaged, or holds anything but tensors and plain values.

    """
    path = find_weights(folder, names)
    if path.name.endswith(_SHARDS):
        return path, _renamed(_read_shards(path)), {}
    if path.suffix == ".safetensors":
        return path, _renamed(_read_safetensors(path)), {}
    content = _read_pickle(path)
    held = (content.get(key) for key in _INNER)
    inner = next((value for value in held if isinstance(value, dict)), content)
    values = {str(name): value for name, value in inner.items() if torch.is_tensor(value)}
    return path, _renamed(values), {str(key): value for key, value in content.items() if key not in _INNER}


def _renamed(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {_name(name): value for name, value in values.items()}


def _name(name: str) -> str:
    for wrapping in _WRAPPINGS:
        name = name.removeprefix(wrapping)
    for former, today in _FORMER_NORMS:
        if name.endswith(former):
            return name.removesuffix(former) + today
    return name


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        msg = f"{path}: not a readable safetensors file ({error}); fetch the file again"
        raise ModelLayoutError(msg) from error


def _read_shards(index: Path) -> dict[str, Tensor]:
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict):
        msg = f"{index}: expected a weight_map; got {type(places).__name__}"
        raise ModelLayoutError(msg)
    values: dict[str, Tensor] = {}
    for name in sorted(set(map(str, places.values()))):
        path = index.parent / name
        if PurePath(name).name != name or path.suffix != ".safetensors":
            msg = f"{index}: {name!r} is not the name of a safetensors file in this folder"
            raise ModelLayoutError(msg)
        if not path.is_file():
            msg = f"{index.parent}: {name} is missing; fetch every file that {index.name} names"
            raise ModelMissingError(msg)
        values |= _read_safetensors(path)
    return values


def _read_pickle(path: Path) -> dict[object, object]:
    try:
        with path.open("rb") as stream:
            zipped = stream.read(len(_ZIP)) == _ZIP
        if zipped:
            _refuse_program(path)
        # weights_only: a pickle may run code when it is read; this reader builds tensors and plain values only.
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except (OSError, RuntimeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        msg = f"{path}: not a readable checkpoint ({type(error).__name__}); fetch the file again"
        raise ModelLayoutError(msg) from error
    except Exception as error:
        if type(error).__name__ != "UnpicklingError":
            raise
        msg = (
            f"{path}: holds more than tensors and is refused; ask its makers for safetensors, or save its state dict "
            "alone, with safetensors.torch.save_file, on a machine where you trust the file"
        )
        raise ModelLayoutError(msg) from error
    if not isinstance(content, dict):
        msg = f"{path}: expected tensors by name; got {type(content).__name__}"
        raise ModelLayoutError(msg)
    return content


def _refuse_program(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = archive.namelist()
    if any("/code/" in name or name.endswith("/constants.pkl") for name in members):
        msg = (
            f"{path}: is a TorchScript archive, a program with weights inside, and is refused; where you trust it, "
            "write its tensors alone: safetensors.torch.save_file(torch.jit.load(path).state_dict(), "
            "'model.safetensors')"
        )
        raise ModelLayoutError(msg)
