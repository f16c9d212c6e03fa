"""Which adapter reads a model folder."""

from collections.abc import Callable
from pathlib import Path

import torch

from medaudit.errors import ModelLayoutError
from medaudit.models import biomedclip, hf_clip
from medaudit.models.interface import VisionLanguageModel
from medaudit.models.weights import read_json

ADAPTERS: dict[str, Callable[[Path, torch.device], VisionLanguageModel]] = {hf_clip.FAMILY: hf_clip.load}
"""``model_type`` of a folder's config.json -> the adapter that loads it."""


def load_model(folder: Path, device: torch.device) -> VisionLanguageModel:
    """Load a model folder with the adapter that its config asks for.

    Raises
    ------
    ModelError
        No config, no adapter for what it describes, or the adapter refuses the folder.

    """
    published = folder / biomedclip.CONFIG
    if published.is_file():
        if biomedclip.is_biomedclip(read_json(published)):
            return biomedclip.load(folder, device)
        msg = f"{published}: of open_clip's layouts only timm vision with Hugging Face text (BiomedCLIP) is supported"
        raise ModelLayoutError(msg)
    family = read_json(folder / "config.json").get("model_type")
    adapter = ADAPTERS.get(str(family))
    if adapter is None:
        msg = f"{folder / 'config.json'}: model_type {family!r} is not supported; supported: {', '.join(ADAPTERS)}"
        raise ModelLayoutError(msg)
    return adapter(folder, device)
