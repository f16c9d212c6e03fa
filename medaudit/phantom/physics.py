"""From path lengths to stored values: attenuation, scatter, heel, blur, noise, and a fixed logarithmic response.

Mass attenuation coefficients (cm2/g) at 40, 60, 80 and 100 keV and densities (g/cm3) of soft tissue and bone are
those of Hubbell and Seltzer, "Tables of X-Ray Mass Attenuation Coefficients", NIST Standard Reference Database 126,
table 4 (tissues after ICRU Report 44). Everything else that is a number here is approximate and says so.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from medaudit.phantom.grid import CELLS, Box, Grid, Plane, blur3
from medaudit.phantom.vendors import Vendor

ENERGIES_KEV: Final = (40, 60, 80, 100)
STORED_BITS: Final = 12
_MAX_STORED: Final = 2**STORED_BITS - 1

SOFT: Final = tuple(1.06 * mu for mu in (0.2688, 0.2048, 0.1823, 0.1693))  # soft tissue (ICRU-44)
FAT: Final = tuple(0.95 * mu for mu in (0.2396, 0.1974, 0.1800, 0.1688))  # adipose tissue; approximate
BONE: Final = tuple(1.92 * mu for mu in (0.6655, 0.3148, 0.2229, 0.1855))  # cortical bone (ICRU-44)
METAL: Final = tuple(4.54 * mu for mu in (2.214, 0.7661, 0.4052, 0.2721))  # titanium; approximate
"""Linear attenuation coefficients (1/cm) at :data:`ENERGIES_KEV`."""

# Share of the detected signal in each energy bin before the patient; approximate, for a caesium iodide detector.
_HIGH_KV: Final = (0.20, 0.38, 0.28, 0.14)  # about 120 kVp, wall stand
_LOW_KV: Final = (0.34, 0.44, 0.22, 0.0)  # about 90 kVp, mobile unit

_SCATTER_SIGMA_CM: Final = 4.0  # approximate width of the scatter from 20 cm of tissue
_SCATTER_MEAN_PATH: Final = 0.2  # 1/cm, about the attenuation of soft tissue at 60 keV
_PENUMBRA_CM: Final = 0.12  # approximate half-shadow of the collimator
_LEAKAGE: Final = 2e-3  # approximate share of the beam that passes the collimator's blades
_FLOOR: Final = 1e-4  # a pixel without a photon still has a logarithm
_LOW_PASS_CM: Final = 1.6  # approximate: where vendors part the large structures from the fine ones
_OPEN_FIELD: Final = 0.35  # opacity up to which a detector treats a region as air around the patient


@dataclass(frozen=True, slots=True)
class Exposure:
    """How the picture was taken.

    Parameters
    ----------
    dose
        Relative to the detector's nominal exposure, 0.2 .. 5.
    high_kv
        About 120 kVp if true, else about 90 kVp.
    scatter
        Scattered over primary signal per unit of scattering tissue, behind the grid, 0 .. 1.5.
    heel
        Relative fall of the beam from the middle to the upper edge of the field, -0.3 .. 0.3.
    collimation_cm
        (left, right, top, bottom): how far the blades reach into the field.

    """

    dose: float
    high_kv: bool
    scatter: float
    heel: float
    collimation_cm: tuple[float, float, float, float]

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("dose", self.dose, 0.2, 5.0),
            ("scatter", self.scatter, 0.0, 1.5),
            ("heel", self.heel, -0.3, 0.3),
            *(("collimation_cm", edge, 0.0, 12.0) for edge in self.collimation_cm),
        ):
            if not low <= value <= high:
                msg = f"Exposure.{name}: expected {low} .. {high}; got {value}"
                raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Thickness:
    """Path lengths along the beam, each (side, side) float32 in cm; ``soft`` counts lung by its tissue alone.

    ``bone`` is cortical bone, ``metal`` titanium.
    """

    soft: Plane
    fat: Plane
    bone: Plane
    metal: Plane


def primary(thickness: Thickness, *, high_kv: bool) -> Plane:
    """Share of the beam that crosses the patient unscattered, Beer-Lambert over the spectrum.

    Returns
    -------
    (side, side) float32, 0 .. 1.

    """
    out = np.zeros_like(thickness.soft)
    weights = _HIGH_KV if high_kv else _LOW_KV
    has_metal = bool(thickness.metal.any())
    for weight, soft, fat, bone, metal in zip(weights, SOFT, FAT, BONE, METAL, strict=True):
        if weight == 0:
            continue
        line = thickness.soft * np.float32(-soft)
        line -= thickness.fat * np.float32(fat)
        line -= thickness.bone * np.float32(bone)
        if has_metal:
            line -= thickness.metal * np.float32(metal)
        out += np.float32(weight) * np.exp(line)
    return out


def scattered(transmitted: Plane, thickness: Thickness, grid: Grid, ratio: float) -> Plane:
    """Scattered signal behind the anti-scatter grid, in units of the unattenuated beam.

    What a cell scatters grows with its own transmission and with the tissue above it, and falls on its
    surroundings as a Gaussian.
    """
    tissue = block_mean(thickness.soft) + block_mean(thickness.fat)
    source = block_mean(transmitted) * (1 - np.exp(np.float32(-_SCATTER_MEAN_PATH) * tissue))
    return fall_on(np.float32(ratio) * source, grid, _SCATTER_SIGMA_CM)


def block_mean(plane: Plane) -> Plane:
    """(CELLS, CELLS) means over equal blocks."""
    block = plane.shape[0] // CELLS
    rows = plane.reshape(CELLS, block, -1).sum(axis=1)
    return np.asarray(rows.reshape(CELLS, CELLS, block).sum(axis=2) / np.float32(block * block), dtype=np.float32)


def fall_on(coarse: Plane, grid: Grid, sigma_cm: float, *, closed: bool = False) -> Plane:
    """Coarse cells blurred by a Gaussian and spread over the grid, (side, side) float32.

    What leaves the field is lost, unless ``closed``: then every pixel is a weighted mean of cells.
    """
    centres = (np.arange(CELLS) + 0.5) * grid.field_cm / CELLS
    falls = np.exp(-0.5 * ((centres[:, None] - centres[None, :]) / sigma_cm) ** 2)
    falls /= falls.sum(axis=1, keepdims=True) if closed else sigma_cm * math.sqrt(2 * math.pi) * CELLS / grid.field_cm
    position = np.clip((np.arange(grid.side) + 0.5) * CELLS / grid.side - 0.5, 0, CELLS - 1)
    lower = np.minimum(position.astype(int), CELLS - 2)
    up = np.zeros((grid.side, CELLS))
    rows = np.arange(grid.side)
    up[rows, lower] = 1 - (position - lower)
    up[rows, lower + 1] = position - lower
    spread = (up @ falls).astype(np.float32)
    return np.asarray(spread @ coarse @ spread.T, dtype=np.float32)


def beam(exposure: Exposure, grid: Grid) -> Plane:
    """The beam before the patient, (side, side) float32: heel effect and collimation, 1 in the middle."""
    centres = ((np.arange(grid.side) + 0.5) / grid.side * grid.field_cm).astype(np.float32)
    heel = 1 + np.float32(exposure.heel) * (2 * centres / grid.field_cm - 1)
    left, right, top, bottom = exposure.collimation_cm
    rows = _open(centres, top, grid.field_cm - bottom) * heel
    return np.asarray(rows[:, None] * _open(centres, left, grid.field_cm - right)[None, :], dtype=np.float32)


def _open(centres: Plane, start: float, stop: float) -> Plane:
    share = np.clip((centres - start) / _PENUMBRA_CM + 0.5, 0, 1) if start > 0 else np.ones_like(centres)
    if stop < float(centres[-1]):
        share = share * np.clip((stop - centres) / _PENUMBRA_CM + 0.5, 0, 1)
    return np.asarray(np.maximum(share, _LEAKAGE), dtype=np.float32)


def detect(signal: Plane, vendor: Vendor, noise_seed: int, grid: Grid) -> NDArray[np.uint16]:
    """Turn a signal into stored values, with noise, through the vendor's fixed response.

    The noise is one field of standard normal deviates for each seed, scaled by the local signal: two
    pictures with one seed differ in nothing but their signal. Quantum noise is Poisson's in its normal
    limit (hundreds of photons a pixel and more); it passes the detector's blur, electronic noise does not.

    Parameters
    ----------
    signal
        (side, side), the unattenuated beam at nominal exposure is 1.
    vendor, noise_seed
        See their classes.
    grid
        Photons are counted per area.

    Returns
    -------
    (side, side) uint16, 0 .. 4095: MONOCHROME2 (more attenuation is brighter) or the vendor's MONOCHROME1.

    """
    rng = np.random.Generator(np.random.SFC64([noise_seed, 7]))
    shape = signal.shape
    nominal = np.float32(vendor.photons_per_mm2 * (10 * grid.pixel_cm) ** 2)
    noisy = signal * nominal
    noisy += np.sqrt(noisy) * rng.standard_normal(shape, dtype=np.float32)
    noisy = blur3(noisy, vendor.blur)
    noisy += np.float32(vendor.electrons) * rng.standard_normal(shape, dtype=np.float32)
    if vendor.line_noise:
        noisy *= 1 + np.float32(vendor.line_noise) * rng.standard_normal((shape[0], 1), dtype=np.float32)
    opacity = -np.log10(np.maximum(noisy / nominal, np.float32(_FLOOR)))
    # The fixed processing of a picture for presentation: fine structures weigh more than large ones.
    large = np.maximum(block_mean(opacity), np.float32(_OPEN_FIELD))
    opacity += np.float32(vendor.detail) * (opacity - fall_on(large, grid, _LOW_PASS_CM, closed=True))
    stored = np.float32(vendor.offset) + np.float32(vendor.gain) * opacity
    if vendor.inverted:
        stored = _MAX_STORED - stored
    return np.asarray(np.clip(np.rint(stored), 0, _MAX_STORED), dtype=np.uint16)


def close_shutter(pixels: NDArray[np.uint16], opened: Box, black: int) -> None:
    """Blacken in place what the collimator covers, as a detector's electronic shutter does."""
    shown = pixels[opened].copy()
    pixels[:] = black
    pixels[opened] = shown


def open_box(exposure: Exposure, grid: Grid) -> Box:
    """Rows and columns that the collimator leaves open."""
    left, right, top, bottom = (round(edge / grid.pixel_cm) for edge in exposure.collimation_cm)
    return slice(top, grid.side - bottom), slice(left, grid.side - right)
