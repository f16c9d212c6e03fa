"""Local bundles: a model folder with a manifest of its files, licence and origin. The only use of the network.

``fetch_model`` takes files from the hub (or copies what a person fetched by hand), writes ``medaudit.json`` with a
sha256 for each, and ``verify_bundle`` says later whether they are still the same. Nothing here loads a model.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from medaudit.errors import ModelError, ModelMissingError
from medaudit.models.calibration import FILE as CALIBRATION
from medaudit.models.catalogue import KnownModel, find_model, how_to_get, known_model
from medaudit.models.manifest import MANIFEST, read_manifest
from medaudit.models.weights import sha256

# Weights that can hold nothing but tensors go first; a pickle is fetched only where there are none, and is read
# as plain tensors or not at all.
_SAFE, _PICKLE = ".safetensors", ".bin"
_HUB_CACHE = ".cache"


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of a bundle's files: names that are ``same``, ``changed``, ``missing``, or not ``listed``."""

    same: tuple[str, ...]
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    unlisted: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether every listed file is there as it was fetched, and no weights beside them."""
        return not (self.changed or self.missing or self.unlisted)


def fetch_model(name: str, folder: Path, sources: Sequence[Path] = ()) -> Path:
    """Make a local bundle of a known model in ``folder``: from the hub, or from files that a person fetched.

    Returns ``folder``; a bundled model's own folder where nothing needs to be fetched.

    Raises
    ------
    ModelMissingError
        The name is unknown, a source is no file, or the model has to be fetched by hand.
    ModelError
        The download failed, or the model's terms have not been accepted.

    """
    model = known_model(name)
    if model.bundled:
        return find_model(name, folder)
    if not sources and model.by_hand:
        raise ModelMissingError(how_to_get(model, folder))
    revision = ""
    if sources:
        _copy(sources, folder)
    else:
        revision = _download(model, folder)
    _write_manifest(model, folder, revision)
    return folder


def verify_bundle(folder: Path) -> Verification:
    """Compare a bundle's files with its manifest.

    Raises
    ------
    ModelMissingError
        The folder has no manifest, or one that lists no files.

    """
    listed = read_manifest(folder).files
    if not listed:
        msg = f"{folder}: no {MANIFEST} with checksums; make a bundle with: medaudit models fetch NAME --to DIR"
        raise ModelMissingError(msg)
    here = {path.name for path in _files(folder)}
    present = sorted(here & listed.keys())
    same = tuple(name for name in present if sha256(folder / name) == listed[name])
    return Verification(
        same=same,
        changed=tuple(name for name in present if name not in same),
        missing=tuple(sorted(listed.keys() - here)),
        unlisted=tuple(sorted(here - listed.keys())),
    )


def _copy(sources: Sequence[Path], folder: Path) -> None:
    for source in sources:
        if not source.is_file():
            msg = f"--from {source}: no such file; give the files one by one"
            raise ModelMissingError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    for source in sources:
        if source.resolve().parent != folder.resolve():
            shutil.copyfile(source, folder / source.name)


def _download(model: KnownModel, folder: Path) -> str:
    """Fetch a model's files; the revision that they are of."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - a network client, loaded only when asked for
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError  # noqa: PLC0415

    names = [name for entry in model.files for name in entry.split(" or ")]
    pickles = [name for name in names if name.endswith(_PICKLE)]
    try:
        snapshot_download(model.source, local_dir=folder, allow_patterns=[n for n in names if n not in pickles])
        if pickles and not any(path.suffix == _SAFE for path in _files(folder)):
            snapshot_download(model.source, local_dir=folder, allow_patterns=pickles)
    except GatedRepoError as error:
        raise ModelMissingError(how_to_get(model, folder)) from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        msg = f"model {model.name!r}: the download from {model.address} failed: {reason}. {how_to_get(model, folder)}"
        raise ModelError(msg) from error
    revision = _revision(folder)
    shutil.rmtree(folder / _HUB_CACHE, ignore_errors=True)
    return revision


def _revision(folder: Path) -> str:
    """Commit of the repository that the files are of, as the hub's client notes it beside each download."""
    notes = sorted((folder / _HUB_CACHE).rglob("*.metadata"))
    lines = notes[0].read_text(encoding="utf-8").splitlines() if notes else []
    return lines[0].strip() if lines else ""


def _write_manifest(model: KnownModel, folder: Path, revision: str) -> None:
    content = {
        "model": model.name,
        "licence": model.licence,
        "intended_use": model.intended_use,
        "source": model.address,
        "revision": revision,
        "retrieved": datetime.now(UTC).date().isoformat(),
        **model.manifest,
        "files": {path.name: sha256(path) for path in _files(folder)},
    }
    text = json.dumps({key: value for key, value in content.items() if value}, indent=1)
    draft = folder / f"{MANIFEST}.part"
    draft.write_text(text + "\n", encoding="utf-8")
    draft.replace(folder / MANIFEST)


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    ours = (MANIFEST, f"{MANIFEST}.part", CALIBRATION)
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name not in ours)
