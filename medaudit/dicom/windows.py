"""Windows that have a name, and several of them on one picture."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np

from medaudit.dicom.grayscale import DisplayImage, VoiPolicy, display
from medaudit.dicom.read import DicomImage
from medaudit.errors import UnsupportedImageError

CT_WINDOWS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "lung": (-600, 1500),
        "mediastinum": (40, 400),
        "soft-tissue": (40, 400),
        "abdomen": (50, 400),
        "liver": (30, 150),
        "bone": (400, 1800),
        "brain": (40, 80),
        "subdural": (80, 200),
        "stroke": (35, 40),
        "angio": (300, 600),
    }
)
"""(centre, width) in HU, as commonly set on workstations; sites differ, and a pipeline may name its own."""

MR_WINDOWS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType({"mr": (1, 99), "mr-wide": (0.1, 99.9)})
"""(low, high) in percent of an image's own values, as MR has no scale: from black to white."""


def named_window(name: str) -> VoiPolicy:
    """The policy of a window with a name.

    Raises
    ------
    ValueError
        There is none of this name.

    """
    if name in CT_WINDOWS:
        center, width = CT_WINDOWS[name]
        return VoiPolicy("window", center=center, width=width, name=name)
    if name in MR_WINDOWS:
        return VoiPolicy("percentiles", percentiles=MR_WINDOWS[name], name=name)
    msg = f"expected a window among {', '.join((*CT_WINDOWS, *MR_WINDOWS))}; got {name!r}"
    raise ValueError(msg)


def display_view(image: DicomImage, policies: Sequence[VoiPolicy], *, overlays: bool = False) -> DisplayImage:
    """One picture of an image: through one window, or through three as its channels."""
    if len(policies) == 1:
        return display(image, policies[0], overlays=overlays)
    return display_channels(image, policies, overlays=overlays)


def display_channels(image: DicomImage, policies: Sequence[VoiPolicy], *, overlays: bool = False) -> DisplayImage:
    """One picture of three windows, as red, green and blue.

    ``modality_values`` and ``window`` are those of the first. A picture that is in colour has no windows, and is shown
    as it is.

    Raises
    ------
    UnsupportedImageError
        There are not three windows.

    """
    if image.is_colour:
        return display(image)
    if len(policies) != 3:
        msg = f"windows: expected three for the channels of one picture; got {len(policies)}; use images instead"
        raise UnsupportedImageError(msg)
    shown = [display(image, policy, overlays=overlays) for policy in policies]
    words = "; ".join(
        f"{colour}: {one.description}" for colour, one in zip(("red", "green", "blue"), shown, strict=True)
    )
    return DisplayImage(
        values=np.stack([one.values for one in shown], axis=-1),
        modality_values=shown[0].modality_values,
        inverted=shown[0].inverted,
        window=shown[0].window,
        description=words,
    )
