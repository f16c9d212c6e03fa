"""The preprocessing that a model's folder publishes, read into a :class:`PreprocessingSpec`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medaudit.errors import ModelLayoutError
from medaudit.imaging.preprocess import Fit, PreprocessingSpec
from medaudit.models.manifest import MANIFEST, Manifest
from medaudit.models.weights import read_json

HF_PREPROCESSING = "preprocessor_config.json"
HF_PROCESSOR = "processor_config.json"

# Pillow's filter numbers, as ``resample`` in preprocessor_config.json.
_FILTERS = {2: "bilinear", 3: "bicubic"}
_OPEN_CLIP_FITS = {"shortest": Fit.CROP, "longest": Fit.PAD, "squash": Fit.SQUASH}

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)


def hugging_face_preprocessing(folder: Path, *, crops: bool, resample: int) -> PreprocessingSpec:
    """Preprocessing of ``preprocessor_config.json`` (or ``processor_config.json``, its newer place).

    ``crops`` and ``resample`` are the family's own where the file does not say.

    Raises
    ------
    ModelMissingError
        Neither file is there.
    ModelLayoutError
        The file describes something else.

    """
    path = folder / HF_PREPROCESSING
    if not path.is_file() and (folder / HF_PROCESSOR).is_file():
        path = folder / HF_PROCESSOR
        config = read_json(path).get("image_processor", {})
    else:
        config = read_json(path)
    try:
        crops = bool(config.get("do_center_crop", crops))
        size = _size(config["crop_size" if crops else "size"])
        resize = config["size"]
        shortest = resize.get("shortest_edge", size[0]) if isinstance(resize, dict) else int(resize)
        return PreprocessingSpec(
            input_size=size,
            resize=int(shortest),
            fit=Fit.CROP if crops else Fit.SQUASH,
            interpolation=_FILTERS[config.get("resample", resample)],
            mean=_triple(config["image_mean"]),
            std=_triple(config["image_std"]),
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        msg = f"{path}: cannot be used as preprocessing: {type(error).__name__}: {error}"
        raise ModelLayoutError(msg) from error


def open_clip_preprocessing(path: Path, config: Mapping[str, Any]) -> PreprocessingSpec:
    """open_clip's preprocessing: bicubic, shortest side, centre crop, unless ``preprocess_cfg`` says otherwise.

    Raises
    ------
    ModelLayoutError
        The config describes something else.

    """
    try:
        given = config.get("preprocess_cfg", {})
        size = given.get("size") or config["model_cfg"]["vision_cfg"].get("image_size", 224)
        side = int(size[0] if isinstance(size, list) else size)
        return PreprocessingSpec(
            input_size=(side, side),
            resize=side,
            fit=_OPEN_CLIP_FITS[given.get("resize_mode", "shortest")],
            interpolation=given.get("interpolation", "bicubic"),
            mean=_triple(given.get("mean", OPENAI_MEAN)),
            std=_triple(given.get("std", OPENAI_STD)),
            rounds_crop=True,
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        msg = f"{path}: cannot be used as open_clip preprocessing: {type(error).__name__}: {error}"
        raise ModelLayoutError(msg) from error


def openai_preprocessing(side: int) -> PreprocessingSpec:
    """Return OpenAI's preprocessing for square images of ``side`` pixels."""
    return PreprocessingSpec((side, side), side, Fit.CROP, "bicubic", OPENAI_MEAN, OPENAI_STD, rounds_crop=True)


def overridden(folder: Path, spec: PreprocessingSpec, manifest: Manifest) -> PreprocessingSpec:
    """Return ``spec`` with what the folder's manifest says instead.

    Keys: ``resize`` (pixels), ``fit`` (crop, pad, squash), ``interpolation``, ``antialias``, ``mean``, ``std``.

    Raises
    ------
    ModelLayoutError
        A key or value is none.

    """
    given = dict(manifest.preprocessing)
    try:
        changed = PreprocessingSpec(
            input_size=spec.input_size,
            resize=int(given.pop("resize", spec.resize)),
            fit=Fit(given.pop("fit", spec.fit)),
            interpolation=given.pop("interpolation", spec.interpolation),
            mean=_triple(given.pop("mean", spec.mean)),
            std=_triple(given.pop("std", spec.std)),
            antialias=bool(given.pop("antialias", spec.antialias)),
            rounds_crop=spec.rounds_crop,
        )
    except (IndexError, TypeError, ValueError) as error:
        msg = f"{folder / MANIFEST}: preprocessing: {error}"
        raise ModelLayoutError(msg) from error
    if given:
        msg = f"{folder / MANIFEST}: preprocessing: unknown keys: {', '.join(sorted(given))}"
        raise ModelLayoutError(msg)
    return changed


def _size(value: int | dict[str, int]) -> tuple[int, int]:
    if isinstance(value, dict):
        return (value["height"], value["width"]) if "height" in value else (value["shortest_edge"],) * 2
    return value, value


def _triple(values: Any) -> tuple[float, float, float]:  # noqa: ANN401 - a list of JSON numbers, or a tuple
    red, green, blue = (float(value) for value in values)
    return red, green, blue
