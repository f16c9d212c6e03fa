"""Model folders on disk: what is in them, their checksums, and freezing what was loaded."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from medaudit.errors import ModelLayoutError, ModelMissingError

_CHUNK = 1 << 20


def sha256(path: Path) -> str:
    """Hex digest of a file, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def checksums(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """sha256 of each named file that exists in the folder, by name."""
    return {name: sha256(folder / name) for name in sorted(names) if (folder / name).is_file()}


def read_json(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file of a model folder holds.

    Raises
    ------
    ModelMissingError
        There is no such file.
    ModelLayoutError
        The file is no JSON object.

    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        msg = f"{path.parent}: {path.name} is missing; copy the whole model folder, not the weights alone"
        raise ModelMissingError(msg) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        msg = f"{path}: not valid JSON ({error}); fetch the file again"
        raise ModelLayoutError(msg) from error
    if not isinstance(content, dict):
        msg = f"{path}: expected a JSON object; got {type(content).__name__}"
        raise ModelLayoutError(msg)
    return content


def freeze(module: nn.Module) -> nn.Module:
    """Evaluation mode, no gradients for any weight."""
    return module.eval().requires_grad_(requires_grad=False)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Without transformers' own progress bars, which would tear medaudit's; restored afterwards."""
    from transformers.utils import logging as library_logging  # noqa: PLC0415 - keeps checksums free of a heavy import

    logging: Any = library_logging
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
