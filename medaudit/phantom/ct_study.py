"""A chest CT as a frozen value, and the volume that follows from it."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from medaudit.phantom.anatomy import Anatomy, View
from medaudit.phantom.ct_chest import CtChest, paint_trunk
from medaudit.phantom.ct_findings import CT_FINDINGS, CtFinding, mask_of, place_finding
from medaudit.phantom.ct_grid import SUBSLICES, CtGrid, Polar, Section
from medaudit.phantom.ct_scan import Noise, Scanner, paint_table, reconstruct, to_hu
from medaudit.phantom.ct_skeleton import paint_skeleton
from medaudit.phantom.ct_tubes import LungTrees, Mediastinum, great_tubes, grow_trees, paint_great, paint_trees
from medaudit.phantom.findings import FindingSpec
from medaudit.phantom.grid import Mask, Plane, spread

_TEXTURE_HU: Final = 9.0  # how uneven aerated lung is over centimetres; approximate


@dataclass(frozen=True, slots=True)
class CtSpec:
    """Everything that a phantom CT follows from.

    A counterfactual twin is ``dataclasses.replace(spec, findings=...)``: it has the same noise, to the last voxel,
    and differs only where the finding is.

    Parameters
    ----------
    anatomy
        Lying supine (``view`` AP) and straight (``tilt_deg`` 0); ``rotation_deg`` is the roll to the left,
        ``shift_cm`` (x, y) off the scanner's axis.
    scanner
        With its protocol.
    dose
        Relative to the protocol's, 0.2 .. 5.
    fov_cm
        Edge of the reconstructed square, 25 .. 50.
    overscan_cm
        How far the scan begins above the lung apices and ends below the higher dome, each 0 .. 8.
    noise_seed
        Of the noise alone.
    findings
        Of the kinds :data:`medaudit.phantom.ct_findings.CT_FINDINGS`. The size of an effusion is its height.

    """

    anatomy: Anatomy
    scanner: Scanner
    dose: float
    fov_cm: float
    overscan_cm: tuple[float, float]
    noise_seed: int
    findings: tuple[FindingSpec, ...] = ()

    def __post_init__(self) -> None:
        if self.anatomy.view is not View.AP or self.anatomy.tilt_deg != 0:
            msg = "CtSpec.anatomy: expected view AP and tilt_deg 0, as the patient lies supine and straight; got "
            msg += f"{self.anatomy.view}, {self.anatomy.tilt_deg}"
            raise ValueError(msg)
        for name, value, low, high in (
            ("dose", self.dose, 0.2, 5.0),
            ("fov_cm", self.fov_cm, 25, 50),
            *(("overscan_cm", edge, 0, 8) for edge in self.overscan_cm),
        ):
            if not low <= value <= high:
                msg = f"CtSpec.{name}: expected {low} .. {high}; got {value}"
                raise ValueError(msg)
        if self.noise_seed < 0:
            msg = f"CtSpec.noise_seed: expected >= 0; got {self.noise_seed}"
            raise ValueError(msg)
        for finding in self.findings:
            if finding.kind not in CT_FINDINGS:
                msg = f"CtSpec.findings: expected {' or '.join(CT_FINDINGS)}; got {finding.kind}"
                raise ValueError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class CtPhantom:
    """A rendered series: ``volume`` is (slices, rows, columns) int16 HU, head first; masks are bool of its shape."""

    volume: NDArray[np.int16]
    grid: CtGrid
    finding_masks: tuple[NDArray[np.bool_], ...]

    @property
    def voxel_mm(self) -> tuple[float, float, float]:
        """(slice, row, column) spacing."""
        return 10 * self.grid.slice_cm, 10 * self.grid.pixel_cm, 10 * self.grid.pixel_cm


def ct_grid(spec: CtSpec, side: int) -> CtGrid:
    """The voxels of a study: as many slices as the lungs need."""
    chest = CtChest.of(spec.anatomy)
    above, below = spec.overscan_cm
    bottom = max(chest.measures.right_dome, chest.measures.left_dome) + below
    return CtGrid(
        side=side,
        fov_cm=spec.fov_cm,
        slices=math.ceil((bottom + above) / (spec.scanner.slice_mm / 10)),
        slice_cm=spec.scanner.slice_mm / 10,
        top_cm=-above,
        roll=math.radians(spec.anatomy.rotation_deg),
        shift_cm=spec.anatomy.shift_cm,
    )


def render_ct(spec: CtSpec, side: int = 256) -> CtPhantom:
    """The volume of a study; a pure function.

    Parameters
    ----------
    spec
        The study.
    side
        Rows and columns: a multiple of 32, at least 64.

    """
    grid, body = ct_grid(spec, side), _Body.of(spec)
    polar = Polar.of(*grid.planes())
    noise = Noise(body.chest, grid, spec.scanner, spec.dose, spec.noise_seed)
    texture = np.random.default_rng([spec.anatomy.seed, 26])
    volume = np.empty((grid.slices, side, side), dtype=np.int16)
    masks = np.zeros((len(body.findings), grid.slices, side, side), dtype=np.bool_)
    for index in range(grid.slices):
        uneven = spread(texture.standard_normal((24, 24), dtype=np.float32), (side, side))
        mean, masks[:, index] = body.slice(grid, polar, index, uneven)
        seen = reconstruct(mean, spec.scanner)
        seen += noise.slice(grid.heights(index)[SUBSLICES // 2], polar.radius)
        volume[index] = to_hu(seen)
    return CtPhantom(volume, grid, tuple(masks))


@dataclass(frozen=True, slots=True, eq=False)
class _Body:
    """A chest with all that is in it."""

    chest: CtChest
    tubes: Mediastinum
    trees: LungTrees
    findings: tuple[CtFinding, ...]

    @classmethod
    def of(cls, spec: CtSpec) -> "_Body":
        chest = CtChest.of(spec.anatomy)
        findings = tuple(place_finding(finding, chest) for finding in spec.findings)
        return cls(chest, great_tubes(chest), grow_trees(chest), findings)

    def slice(self, grid: CtGrid, polar: Polar, index: int, uneven: Plane) -> tuple[Plane, Mask]:
        """(mean HU of a slice before the scanner, (findings, side, side) where each finding is)."""
        mean = np.zeros_like(polar.x)
        covers = np.zeros((len(self.findings), *mean.shape), dtype=np.float32)
        for z in grid.heights(index):
            section = Section(grid, polar, z)
            self._paint(section, uneven)
            for finding, total in zip(self.findings, covers, strict=True):
                met = finding.cover(section)
                if met is not None:
                    box, cover = met[0], met[1] * section.lung[met[0]]
                    section.fill(cover, finding.hu, box)
                    total[box] += cover
            mean += section.hu
        return mean / np.float32(SUBSLICES), mask_of(covers / np.float32(SUBSLICES))

    def _paint(self, section: Section, uneven: Plane) -> None:
        paint_table(self.chest, section)
        paint_trunk(self.chest, section)
        section.hu += section.lung * uneven * np.float32(_TEXTURE_HU)
        paint_great(self.tubes, section)
        paint_skeleton(self.chest, section)
        paint_trees(self.trees, section)
