"""A trained model as an ordinary Hugging Face CLIP folder, with a card that says what it is."""

import json
from pathlib import Path
from typing import Any, Final

from medaudit.errors import UsageError
from medaudit.models.weights import quiet_transformers
from medaudit.training.learner import Statistics
from medaudit.training.recipe import Recipe, recipe_of

WEIGHTS_FILE: Final = "model.safetensors"
_PREPROCESSOR_FILE: Final = "preprocessor_config.json"
_RECIPE_FILE: Final = "recipe.json"

NOTES: Final = (
    "Trained on synthetic chest radiographs (phantoms) alone. It has never seen a patient and is not for patients.",
    "Its score is a scaled cosine. It is neither a probability nor an accuracy.",
)


def write_model(folder: Path, model: Any, recipe: Recipe, statistics: Statistics, *, version: str) -> None:  # noqa: ANN401 - the library's CLIPModel
    """Write config, weights, preprocessing, recipe and card; the tokenizer's files are there already.

    Parameters
    ----------
    folder
        Gets ``config.json``, ``model.safetensors``, ``preprocessor_config.json``, ``medaudit.json``,
        ``recipe.json`` and ``README.md``, the model card.
    model
        A trained ``CLIPModel``.
    recipe, statistics
        What it was trained by, and the training images' mean and standard deviation.
    version
        Of medaudit.

    """
    with quiet_transformers():
        model.save_pretrained(folder, safe_serialization=True)
    size = recipe.corpus.image_size
    _write_json(
        folder / _PREPROCESSOR_FILE,
        {
            "image_processor_type": "CLIPImageProcessor",
            "do_convert_rgb": True,
            "do_resize": True,
            "size": {"shortest_edge": size},
            "resample": 3,
            "do_center_crop": True,
            "crop_size": {"height": size, "width": size},
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": [statistics.mean] * 3,
            "image_std": [statistics.std] * 3,
        },
    )
    notes = list(NOTES)
    if recipe.corpus.shortcuts:
        notes.append(
            "Trained on data with a planted shortcut, so that an audit has something to find: "
            + "; ".join(recipe.corpus.shortcuts)
        )
    _write_json(folder / "medaudit.json", {"notes": notes})
    _write_json(folder / _RECIPE_FILE, {"medaudit": version, "recipe": recipe.as_json()})


def read_recipe(folder: Path) -> Recipe:
    """The recipe that a trained model's folder names.

    Raises
    ------
    UsageError
        The folder is no model that :func:`write_model` wrote.

    """
    for name in (WEIGHTS_FILE, _PREPROCESSOR_FILE, _RECIPE_FILE):
        if not (folder / name).is_file():
            msg = f"{folder}: expected a model that `medaudit phantom train` made; {name} is missing"
            raise UsageError(msg)
    return recipe_in(folder / _RECIPE_FILE)


def recipe_in(path: Path) -> Recipe:
    """The recipe that a ``recipe.json`` holds.

    Raises
    ------
    UsageError
        It is no recipe.

    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))["recipe"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path}: expected the recipe.json of a trained model; {type(error).__name__}: {error}"
        raise UsageError(msg) from error
    return recipe_of(content)


def read_statistics(folder: Path) -> Statistics:
    """The mean and standard deviation by which a trained model's images are normalised."""
    said = json.loads((folder / _PREPROCESSOR_FILE).read_text(encoding="utf-8"))
    return Statistics(said["image_mean"][0], said["image_std"][0])


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
