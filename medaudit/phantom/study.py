"""A study as a frozen value, and the picture that follows from it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medaudit.phantom.anatomy import Anatomy, measure
from medaudit.phantom.devices import DeviceSpec, device_path
from medaudit.phantom.findings import FindingSpec, finding_change
from medaudit.phantom.grid import Grid, Mask, Plane
from medaudit.phantom.marks import MarkSpec, PixelBox, draw_mark
from medaudit.phantom.physics import Exposure, Thickness, beam, close_shutter, detect, open_box, primary, scattered
from medaudit.phantom.skeleton import build_skeleton
from medaudit.phantom.torso import Torso, build_torso
from medaudit.phantom.vendors import Vendor
from medaudit.phantom.vessels import build_vessels


@dataclass(frozen=True, slots=True)
class StudySpec:
    """Everything that a phantom study follows from.

    A counterfactual twin is ``dataclasses.replace(spec, findings=...)``: it has the same noise field, and
    differs only where the finding acts (and by the scatter and blur of that).
    """

    anatomy: Anatomy
    exposure: Exposure
    vendor: Vendor
    noise_seed: int
    findings: tuple[FindingSpec, ...] = ()
    devices: tuple[DeviceSpec, ...] = ()
    marks: tuple[MarkSpec, ...] = ()

    def __post_init__(self) -> None:
        if self.noise_seed < 0:
            msg = f"StudySpec.noise_seed: expected >= 0; got {self.noise_seed}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """A rendered study.

    ``pixels`` is (side, side) uint16 of 12 bits; ``pixel_mm`` the spacing at the detector. Masks are (side, side) bool,
    within the open field, in the order of the specification's findings and devices; mark boxes likewise.
    """

    pixels: NDArray[np.uint16]
    pixel_mm: float
    finding_masks: tuple[Mask, ...]
    device_masks: tuple[Mask, ...]
    mark_boxes: tuple[PixelBox, ...]


def render(spec: StudySpec, side: int = 512) -> Phantom:
    """The picture of a study; a pure function.

    Parameters
    ----------
    spec
        The study.
    side
        Rows and columns: a multiple of 32, at least 64.

    """
    anatomy = spec.anatomy
    grid = Grid(side, spec.vendor.field_cm, math.tan(math.radians(anatomy.tilt_deg)), anatomy.shift_cm)
    measures = measure(anatomy)
    field = grid.field()
    torso = build_torso(anatomy, measures, field)
    lung, gas, finding_masks = _with_findings(spec, torso)
    metal, device_masks = _with_devices(spec, torso)
    vessels = np.minimum(build_vessels(anatomy, measures, field) * np.clip(lung / 3, 0, 1), lung)
    bone = build_skeleton(anatomy, measures, field)
    bone *= np.clip(torso.body / 4, 0, 1)
    solid = np.maximum(torso.body - torso.fat - lung - gas - bone - torso.air, 0)
    solid += vessels + (lung - vessels) * measures.lung_density_at(field.y)
    thickness = Thickness(solid, torso.fat, bone, metal)
    through = primary(thickness, high_kv=spec.exposure.high_kv)
    signal = through + scattered(through, thickness, grid, spec.exposure.scatter)
    signal *= beam(spec.exposure, grid) * np.float32(spec.exposure.dose)
    pixels = detect(signal, spec.vendor, spec.noise_seed, grid)
    opened = open_box(spec.exposure, grid)
    close_shutter(pixels, opened, spec.vendor.black)
    boxes = tuple(draw_mark(pixels, mark, spec.vendor.white) for mark in spec.marks)
    for mask in finding_masks + device_masks:
        covered = np.ones_like(mask)
        covered[opened] = False
        mask[covered] = False
    return Phantom(pixels, 10 * grid.pixel_cm, finding_masks, device_masks, boxes)


def _with_findings(spec: StudySpec, torso: Torso) -> tuple[Plane, Plane, tuple[Mask, ...]]:
    """(lung, gas, masks) after every finding, each acting on what those before it left."""
    lung, gas = torso.lung.copy(), np.zeros_like(torso.lung)
    masks = []
    for finding in spec.findings:
        change = finding_change(finding, torso, lung)
        taken = np.minimum(change.to_solid + change.to_gas, lung[change.box])
        gas[change.box] += np.minimum(change.to_gas, taken)
        lung[change.box] -= taken
        mask = np.zeros(lung.shape, dtype=np.bool_)
        mask[change.box] = change.mask
        masks.append(mask)
    return lung, gas, tuple(masks)


def _with_devices(spec: StudySpec, torso: Torso) -> tuple[Plane, tuple[Mask, ...]]:
    metal, masks = np.zeros_like(torso.lung), []
    for device in spec.devices:
        path, mask = device_path(device, torso.measures, torso.field.grid)
        metal += path
        masks.append(mask)
    return metal, tuple(masks)
