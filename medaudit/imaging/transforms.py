"""The MONAI transforms that a pipeline file may name, and how they are built.

A pipeline writes a transform as MONAI's bundles do, ``{_target_: ScaleIntensityRange, a_min: 0, ...}``.
A YAML file must never run code, so a name has to be on the list below and every argument has to be
plain data: ``$`` expressions, ``@`` references and nested targets are refused. Checking needs no MONAI;
building imports it (seconds, hundreds of MB), so only the audit path does.

Rotations, transpositions and random transforms are not on the list: a map must find its way back to the
stored pixels along each axis (:class:`medaudit.records.geometry.AxisMap`), and the same study must give
the same map.
"""

from collections.abc import Mapping
from typing import Any

from medaudit.errors import UsageError

TARGET = "_target_"
ALLOWED_TRANSFORMS = frozenset(
    {
        "AdjustContrast",
        "BorderPad",
        "CenterScaleCrop",
        "CenterSpatialCrop",
        "ClipIntensityPercentiles",
        "CropForeground",
        "DivisiblePad",
        "Flip",
        "GaussianSharpen",
        "GaussianSmooth",
        "HistogramNormalize",
        "MedianSmooth",
        "Resize",
        "ResizeWithPadOrCrop",
        "ScaleIntensity",
        "ScaleIntensityRange",
        "ScaleIntensityRangePercentiles",
        "SpatialCrop",
        "SpatialPad",
    }
)
_PREFIX = "monai.transforms."


def check_transform(entry: Mapping[str, Any]) -> str:
    """Name of the MONAI class that an entry asks for.

    Raises
    ------
    UsageError
        The entry has no ``_target_``, names a class that is not on the list, or holds anything but
        plain data.

    """
    target = entry.get(TARGET)
    if not isinstance(target, str):
        msg = f"a transform needs the key {TARGET!r} with the name of a MONAI transform; got {dict(entry)!r}"
        raise UsageError(msg)
    name = target.removeprefix(_PREFIX)
    if name not in ALLOWED_TRANSFORMS:
        msg = f"{TARGET}: {target!r} is not allowed; allowed are {', '.join(sorted(ALLOWED_TRANSFORMS))}"
        raise UsageError(msg)
    for key, value in entry.items():
        if key != TARGET:
            _check_plain(key, value)
    return name


def _check_plain(key: str, value: object) -> None:
    if key.startswith("_"):
        msg = f"{key}: keys that steer MONAI's parser are not allowed in a pipeline file; remove it"
        raise UsageError(msg)
    if isinstance(value, Mapping):
        msg = f"{key}: a transform's arguments are numbers, texts or lists of them; got a mapping"
        raise UsageError(msg)
    if isinstance(value, str) and value.lstrip()[:1] in ("$", "@", "%"):
        msg = f"{key}: {value!r} is an expression or a reference; a pipeline file runs no code, write the value itself"
        raise UsageError(msg)
    if isinstance(value, list | tuple):
        for item in value:
            _check_plain(key, item)


def build_transform(entry: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a MONAI transform; MONAI is not typed
    """Build the MONAI transform that a checked entry describes.

    Raises
    ------
    UsageError
        As :func:`check_transform`, or MONAI refuses the arguments.

    """
    import monai.transforms  # noqa: PLC0415 - 7 seconds; only the audit path pays them

    name = check_transform(entry)
    arguments = {key: value for key, value in entry.items() if key != TARGET}
    try:
        return getattr(monai.transforms, name)(**arguments)
    except (TypeError, ValueError) as error:
        msg = f"{TARGET}: {name}: MONAI refuses these arguments: {error}"
        raise UsageError(msg) from error
