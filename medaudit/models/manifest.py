"""``medaudit.json``: what a model folder says of itself beside its published files.

``medaudit models fetch`` writes it; a person may. Every key is optional.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from medaudit.errors import ModelLayoutError
from medaudit.models.weights import read_json

MANIFEST = "medaudit.json"

_TEXTS = ("model", "licence", "intended_use", "source", "revision", "family", "activation", "retrieved")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a maker or ``models fetch`` says of a folder.

    ``family`` names the adapter where the files do not; ``activation`` (``gelu`` or ``quick_gelu``) and
    ``preprocessing`` (fields of :class:`medaudit.imaging.preprocess.PreprocessingSpec`) replace what the
    layout's default would be. ``files`` maps each file name to its sha256.
    """

    model: str = ""
    licence: str = ""
    intended_use: str = ""
    source: str = ""
    revision: str = ""
    retrieved: str = ""
    family: str = ""
    activation: str = ""
    preprocessing: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    notes: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def all_notes(self) -> tuple[str, ...]:
        """Notes for the card: the intended use first."""
        use = (f"Intended use: {self.intended_use}",) if self.intended_use else ()
        return (*use, *self.notes)


def read_manifest(folder: Path) -> Manifest:
    """Read a folder's manifest; an empty one where there is none.

    Raises
    ------
    ModelLayoutError
        The file is no manifest; the message names the key.

    """
    path = folder / MANIFEST
    if not path.is_file():
        return Manifest()
    content = read_json(path)
    kinds: dict[str, type] = dict.fromkeys(_TEXTS, str) | {"preprocessing": dict, "notes": list, "files": dict}
    for key, value in content.items():
        expected = kinds.get(key)
        if expected is None:
            msg = f"{path}: unknown key {key!r}; known are {', '.join(kinds)}"
            raise ModelLayoutError(msg)
        if not isinstance(value, expected):
            msg = f"{path}: {key}: expected a JSON {expected.__name__}; got {type(value).__name__}"
            raise ModelLayoutError(msg)
    notes = tuple(str(note) for note in content.get("notes", ()))
    return Manifest(**{**content, "notes": notes})
