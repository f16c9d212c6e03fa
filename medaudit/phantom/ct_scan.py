"""Scanners that nobody sells, the table, and the noise of a reconstruction."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from medaudit.phantom.ct_chest import CtChest
from medaudit.phantom.ct_grid import CtGrid, Section
from medaudit.phantom.grid import Plane, blur3

LOWEST_HU: Final = -1024
HIGHEST_HU: Final = 3071
"""What 12 bits hold at Rescale Intercept -1024: more and less is cut off, as on a scanner."""

WINDOWS: Final = (("LUNG", -600, 1500), ("MEDIASTINUM", 40, 400))
"""(explanation, centre, width) of the header's two windows, in HU."""


@dataclass(frozen=True, slots=True)
class Scanner:
    """A scanner with its one chest protocol.

    Parameters
    ----------
    key, manufacturer, model
        Short name and header.
    kvp
        Tube voltage (0018,0060).
    kernel
        Convolution Kernel (0018,1210).
    slice_mm
        Slice thickness; slices are contiguous.
    noise_hu
        Standard deviation in the middle of a chest of medium size at nominal dose; approximate.
    peak
        Spatial frequency, in cycles a mm, at which the noise is strongest; approximate.
    blur
        Weight of either neighbour pixel in the kernel's point spread.
    transfer_syntaxes
        UIDs with which its series are written, in turn.

    """

    key: str
    manufacturer: str
    model: str
    kvp: int
    kernel: str
    slice_mm: float
    noise_hu: float
    peak: float
    blur: float
    transfer_syntaxes: tuple[str, ...]


SCANNERS: Final = (
    Scanner("elm", "Elm Tomography", "Ring 64", 120, "S40", 7.0, 11, 0.16, 0.09,
            (ExplicitVRLittleEndian, JPEG2000Lossless)),
    Scanner("fir", "Fir Imaging", "Helix F", 120, "L60", 6.0, 26, 0.24, 0.03,
            (RLELossless, ImplicitVRLittleEndian)),
    Scanner("hazel", "Hazel Medical", "Cone 16", 130, "S30", 8.0, 9, 0.12, 0.13,
            (JPEGLSLossless, ExplicitVRLittleEndian)),
    Scanner("juniper", "Juniper", "Turn J2", 100, "M50", 7.5, 17, 0.2, 0.06,
            (JPEG2000Lossless, RLELossless)),
)  # fmt: skip
"""Every scanner."""


def scanner_named(key: str) -> Scanner:
    """The scanner of one key.

    Raises
    ------
    ValueError
        No such scanner.

    """
    for scanner in SCANNERS:
        if scanner.key == key:
            return scanner
    msg = f"scanner: expected one of {', '.join(scanner.key for scanner in SCANNERS)}; got {key!r}"
    raise ValueError(msg)


def paint_table(chest: CtChest, section: Section) -> None:
    """A mattress on a hollow, curved table top, in the scanner's frame: it does not roll with the patient."""
    grid = section.grid
    centres = ((np.arange(grid.side) + 0.5) * grid.pixel_cm - grid.fov_cm / 2).astype(np.float32)
    # Where the back of a patient of this build rests; the table is the same from head to foot.
    back = chest.outline(8.0).skin
    top = float((back * -np.cos((np.arange(len(back)) + 0.5) * math.pi / len(back))).max()) + grid.shift_cm[1]
    x, y = np.abs(centres[None, :] - np.float32(grid.shift_cm[0])), centres[:, None]
    depth = y - np.float32(top) + np.float32(0.009) * x * x
    on = section.edge(np.float32(21.0) - x)
    section.fill(on * section.edge(np.minimum(depth, np.float32(1.6) - depth)), -930.0)
    section.fill(on * section.edge(np.float32(0.14) - np.abs(depth - np.float32(1.75))), -250.0)
    hollow = np.abs(depth - np.float32(4.4) + np.float32(0.012) * x * x)
    section.fill(on * section.edge(np.float32(0.14) - hollow), -250.0)


def reconstruct(mean_hu: Plane, scanner: Scanner) -> Plane:
    """What the kernel makes of the true slice."""
    return blur3(mean_hu, scanner.blur)


class Noise:
    """The noise field of a series: the same for every volume of one seed, scanner and chest.

    Filtered back projection leaves little noise of low frequency and cuts off the high: its power is a ramp times
    the kernel's fall (Kijewski and Judy, Phys. Med. Biol. 32 (1987) 565). Its strength follows the build of the
    chest and the dose, never a finding.
    """

    def __init__(self, chest: CtChest, grid: CtGrid, scanner: Scanner, dose: float, seed: int) -> None:
        self._rng = np.random.Generator(np.random.SFC64([seed, 25]))
        self._chest, self._grid = chest, grid
        self._sigma = scanner.noise_hu / math.sqrt(dose)
        per_mm = 0.1 / grid.pixel_cm
        down, across = np.fft.fftfreq(grid.side) * per_mm, np.fft.rfftfreq(grid.side) * per_mm
        frequency = np.hypot(down[:, None], across[None, :])
        power = frequency * np.exp(-frequency / scanner.peak)
        # Mean power over the whole plane of frequencies; the half plane holds all but its edges twice.
        twice = np.full(across.shape, 2.0)
        twice[0] = twice[-1] = 1.0
        self._filter = np.sqrt(power / ((power * twice).sum() / grid.side**2)).astype(np.float32)

    def slice(self, z: float, radius: Plane) -> Plane:
        """The noise of the next slice, (side, side) float32 HU: stronger in the middle and at the shoulders."""
        white = self._rng.standard_normal((self._grid.side, self._grid.side), dtype=np.float32)
        coloured = np.fft.irfft2(np.fft.rfft2(white) * self._filter, s=white.shape).astype(np.float32)
        skin = self._chest.outline(z).skin
        width = 2 * float(skin[len(skin) // 2])
        # Half as much tissue again doubles the noise, approximate; 36 cm is a medium chest.
        local = self._sigma * math.exp(0.035 * (width - 36)) * (0.5 + 0.55 * np.exp(-((radius / (0.36 * width)) ** 2)))
        return np.asarray(coloured * local, dtype=np.float32)


def to_hu(values: Plane) -> NDArray[np.int16]:
    """Whole HU within what the file can hold."""
    return np.clip(np.rint(values), LOWEST_HU, HIGHEST_HU).astype(np.int16)
