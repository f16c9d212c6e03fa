"""Four detectors that nobody sells. Each has one response and one window for all its pictures, as a preset is."""

from dataclasses import dataclass
from typing import Final

from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)


@dataclass(frozen=True, slots=True)
class Vendor:
    """A detector: its header, its geometry and its response.

    Parameters
    ----------
    key
        Short name, as shortcuts call it.
    manufacturer, model
        Manufacturer (0008,0070) and Manufacturer's Model Name (0008,1090).
    modality
        DX or CR.
    photometric
        Photometric Interpretation (0028,0004): MONOCHROME1 or MONOCHROME2.
    field_cm
        Edge of the square detector.
    photons_per_mm2
        Detected photons of the unattenuated beam at nominal exposure, times quantum efficiency; approximate.
    blur
        Weight of either neighbour in the detector's point spread, 0 .. 0.3.
    electrons
        Electronic noise, standard deviation in photons.
    line_noise
        Relative standard deviation of the gain from row to row.
    detail
        Weight of what differs from its surroundings, in the processing for presentation.
    offset, gain
        Stored value at opacity 0 and stored values a decade of signal; opacity is -log10(signal).
    window
        (centre, width) of opacity that the header's window shows.
    transfer_syntaxes
        UIDs with which its files are written, in turn.

    """

    key: str
    manufacturer: str
    model: str
    modality: str
    photometric: str
    field_cm: float
    photons_per_mm2: float
    blur: float
    electrons: float
    line_noise: float
    detail: float
    offset: float
    gain: float
    window: tuple[float, float]
    transfer_syntaxes: tuple[str, ...]

    @property
    def inverted(self) -> bool:
        """Whether high stored values are dark."""
        return self.photometric == "MONOCHROME1"

    @property
    def white(self) -> int:
        """The stored value that shows white."""
        return 0 if self.inverted else 4095

    @property
    def black(self) -> int:
        """The stored value that shows black."""
        return 4095 - self.white

    @property
    def stored_window(self) -> tuple[float, float]:
        """(Window Center (0028,1050), Window Width (0028,1051)) in stored values."""
        center = self.offset + self.gain * self.window[0]
        return (4095 - center if self.inverted else center), self.gain * self.window[1]


VENDORS: Final = (
    Vendor(
        "alder", "Alder Roentgen", "Stand 43", "DX", "MONOCHROME2", 39.0, 4.0e5, 0.10, 14, 0.0, 0.9,
        500, 1050, (1.45, 1.9), (ExplicitVRLittleEndian, JPEG2000Lossless),
    ),
    Vendor(
        "birch", "Birch Imaging", "Panel B2", "DX", "MONOCHROME1", 38.0, 3.2e5, 0.14, 20, 0.0, 1.2,
        450, 1150, (1.45, 1.8), (ImplicitVRLittleEndian, RLELossless),
    ),
    Vendor(
        "cedar", "Cedar Medical", "Plate C1", "CR", "MONOCHROME1", 40.0, 1.8e5, 0.20, 30, 0.004, 0.7,
        500, 1000, (1.42, 1.9), (ExplicitVRLittleEndian, JPEGLSLossless),
    ),
    Vendor(
        "dogwood", "Dogwood", "Mobile D", "DX", "MONOCHROME2", 38.5, 2.4e5, 0.12, 40, 0.002, 1.0,
        550, 950, (1.45, 2.0), (RLELossless, ExplicitVRLittleEndian),
    ),
)  # fmt: skip
"""Every vendor."""


def vendor_named(key: str) -> Vendor:
    """The vendor of one key.

    Raises
    ------
    ValueError
        No such vendor.

    """
    for vendor in VENDORS:
        if vendor.key == key:
            return vendor
    msg = f"vendor: expected one of {', '.join(vendor.key for vendor in VENDORS)}; got {key!r}"
    raise ValueError(msg)
