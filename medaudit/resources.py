"""Where the data that ships with medaudit lies: in a checkout, or in an installed wheel.

The only module that knows. Nothing here reads the environment or the network.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _folder(installed: str, checkout: str) -> Path:
    in_wheel = _PACKAGE / "_data" / installed
    return in_wheel if in_wheel.is_dir() else _PACKAGE.parent / checkout


def pipelines_folder() -> Path:
    """Folder of the shipped pipeline files, ``<name>.yaml``."""
    return _folder("pipelines", "pipelines")


def layouts_folder() -> Path:
    """Folder of the shipped report layouts, ``<name>.yaml``."""
    return _folder("layouts", "reports/layouts")


def languages_folder() -> Path:
    """Folder of the texts of the reports, one ``<language>.yaml`` each."""
    return _folder("languages", "reports/languages")


def bundled_models_folder() -> Path:
    """Folder of the models that ship with medaudit, one folder each; they lie in the package in a checkout too."""
    return _PACKAGE / "_data" / "models"


def bundled_tokenizers_folder() -> Path:
    """Folder of the tokenizers that ship with medaudit; origin and licence in its README."""
    return _PACKAGE / "_data" / "tokenizers"


def shipped(folder: Path) -> tuple[str, ...]:
    """Names of the YAML files in a folder of shipped data, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))
