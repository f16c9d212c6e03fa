"""Which adapter reads a model folder.

An adapter is a function ``load(folder, device) -> VisionLanguageModel``. A folder names its own in
``medaudit.json`` (``family``), or by what it holds: an open_clip config, a Hugging Face ``model_type``, else the
names of the tensors in its only checkpoint. A package adds one under the entry point group ``medaudit.models``;
the entry point's name is the ``family`` or the ``model_type``. See ``docs/models.md``.
"""

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import torch

from medaudit.errors import ModelLayoutError, ModelMissingError
from medaudit.models import biovil, cxr_clip, dual_encoder, hf_clip, medclip, open_clip, siglip
from medaudit.models.calibration import FILE as CALIBRATION
from medaudit.models.calibration import read_calibration
from medaudit.models.checkpoint import checkpoints_in, read_checkpoint
from medaudit.models.interface import VisionLanguageModel
from medaudit.models.manifest import read_manifest
from medaudit.models.published import HF_PREPROCESSING
from medaudit.models.weights import checksums, read_json

Adapter = Callable[[Path, torch.device], VisionLanguageModel]

ENTRY_POINTS = "medaudit.models"
"""Entry point group of adapters in other packages."""

ADAPTERS: dict[str, Adapter] = {
    hf_clip.FAMILY: hf_clip.load,
    siglip.FAMILY: siglip.load,
    dual_encoder.FAMILY: dual_encoder.load,
}
"""``model_type`` of a folder's config.json -> the adapter that loads it."""

LAYOUTS: dict[str, tuple[Callable[[frozenset[str]], bool], Adapter]] = {
    "open-clip": (open_clip.recognises, open_clip.load),
    cxr_clip.FAMILY: (cxr_clip.recognises, cxr_clip.load),
    medclip.FAMILY: (medclip.recognises, medclip.load),
    biovil.FAMILY: (biovil.recognises, biovil.load),
}
"""Layouts that are told by the names of their tensors."""


def load_model(folder: Path, device: torch.device, *, calibrated: bool = True) -> VisionLanguageModel:
    """Load a model folder with the adapter that it asks for, and its calibration where it has one. Nothing is fetched.

    ``calibrated`` false leaves the calibration alone, as for making it anew.

    Raises
    ------
    ModelError
        No adapter for what the folder holds, or the adapter refuses it; the message names what is wrong.

    """
    model = _adapter(folder)(folder, device)
    if not calibrated:
        return model
    calibration = read_calibration(folder, model.card.files, device)
    if calibration is None:
        return model
    files = dict(model.card.files) | checksums(folder, [CALIBRATION])
    return replace(model, card=replace(model.card, files=files), calibration=calibration)


def _adapter(folder: Path) -> Adapter:
    family = read_manifest(folder).family
    if family:
        return _named(family, f"{folder / 'medaudit.json'}: family")
    if (folder / open_clip.CONFIG).is_file():
        return open_clip.load
    if biovil.has_image_weights(folder):
        return biovil.load
    config = folder / "config.json"
    if config.is_file() or (folder / HF_PREPROCESSING).is_file():
        return _named(str(read_json(config).get("model_type")), f"{config}: model_type")
    return _by_tensors(folder)


def _named(name: str, place: str) -> Adapter:
    known = ADAPTERS | {layout: adapter for layout, (_, adapter) in LAYOUTS.items()}
    adapter = known.get(name)
    if adapter is not None:
        return adapter
    plugins = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if name in plugins:
        return _plugin(plugins[name])
    hint = _NAFLEX if name == "siglip2" else ""
    msg = f"{place} {name!r} is not supported; supported: {', '.join(sorted({*known, *plugins}))}{hint}"
    raise ModelLayoutError(msg)


_NAFLEX = "; this is SigLIP 2's NaFlex, of free aspect ratio: its checkpoints of fixed resolution ('siglip') are"


def _plugin(point: EntryPoint) -> Adapter:
    try:
        adapter = point.load()
    except (ImportError, AttributeError) as error:
        msg = f"adapter {point.name!r} ({point.value}) cannot be imported: {error}; reinstall the package it comes from"
        raise ModelLayoutError(msg) from error
    if not callable(adapter):
        msg = f"adapter {point.name!r} ({point.value}): expected a function load(folder, device); got {type(adapter)}"
        raise ModelLayoutError(msg)
    loader: Adapter = adapter
    return loader


def _by_tensors(folder: Path) -> Adapter:
    if not folder.is_dir():
        msg = f"{folder}: no such folder; put the checkpoint and its tokenizer into a folder and give that"
        raise ModelMissingError(msg)
    found = checkpoints_in(folder)
    if not found:
        msg = f"{folder}: no config.json, no open_clip_config.json and no checkpoint; copy the whole model folder"
        raise ModelMissingError(msg)
    if len(found) > 1:
        msg = f"{folder}: {len(found)} checkpoints ({', '.join(found)}) and no config; keep the one to be audited"
        raise ModelLayoutError(msg)
    path, values, _ = read_checkpoint(folder, (found[0],))
    for recognises, adapter in LAYOUTS.values():
        if recognises(frozenset(values)):
            return adapter
    shown = ", ".join(sorted(values)[:3]) or "none"
    msg = f"{path}: its tensors ({shown} ...) are of no layout that medaudit knows: {', '.join(LAYOUTS)}"
    raise ModelLayoutError(msg)
