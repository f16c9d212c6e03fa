"""The CT is a pure function, its tissues have their CT numbers, and a finding acts where its mask is."""

from dataclasses import replace

import numpy as np
import pytest

from medaudit.phantom.anatomy import Anatomy, Sex, View
from medaudit.phantom.ct_chest import CtChest
from medaudit.phantom.ct_findings import place_finding
from medaudit.phantom.ct_grid import CtGrid, Polar
from medaudit.phantom.ct_scan import SCANNERS, scanner_named
from medaudit.phantom.ct_study import CtSpec, render_ct
from medaudit.phantom.findings import FindingKind, FindingSpec, Side, Zone

SIDE = 128


@pytest.fixture(scope="module")
def study() -> CtSpec:
    anatomy = Anatomy(
        sex=Sex.M,
        age=50,
        habitus=0.0,
        view=View.AP,
        inspiration=0.7,
        rotation_deg=0.0,
        tilt_deg=0.0,
        shift_cm=(0.0, 0.0),
        heart=0.45,
        seed=5,
    )
    return CtSpec(anatomy, scanner_named("hazel"), dose=5.0, fov_cm=38.0, overscan_cm=(1.5, 5.0), noise_seed=3)


@pytest.fixture(scope="module")
def plain(study):
    return render_ct(study, SIDE)


def nodule(side=Side.LEFT, zone=Zone.MID, size=20.0, seed=4):
    return FindingSpec(FindingKind.NODULE, side, zone, size, seed)


def effusion(side=Side.RIGHT, size=100.0):
    return FindingSpec(FindingKind.EFFUSION, side, None, size, 4)


def grown(mask, pixels):
    """A mask and the voxels within one slice and some pixels of it."""
    out = mask.copy()
    out[1:] |= mask[:-1]
    out[:-1] |= mask[1:]
    for _ in range(pixels):
        wide = out.copy()
        wide[:, 1:] |= out[:, :-1]
        wide[:, :-1] |= out[:, 1:]
        wide[:, :, 1:] |= out[:, :, :-1]
        wide[:, :, :-1] |= out[:, :, 1:]
        out = wide
    return out


def value_at(phantom, x, y, z):
    """Median HU of 3 x 3 pixels at a place in cm; the patient of these tests lies straight."""
    grid = phantom.grid
    column, row = (round((at + grid.fov_cm / 2) / grid.pixel_cm - 0.5) for at in (x, y))
    index = int((z - grid.top_cm) / grid.slice_cm)
    return float(np.median(phantom.volume[index, row - 1 : row + 2, column - 1 : column + 2]))


def test_the_same_study_is_the_same_volume(study, plain):
    again = render_ct(study, SIDE)
    assert np.array_equal(again.volume, plain.volume)
    assert plain.volume.dtype == np.int16
    assert plain.volume.shape == (plain.grid.slices, SIDE, SIDE)
    assert plain.voxel_mm == (8.0, 10 * 38 / SIDE, 10 * 38 / SIDE)
    assert 24 <= plain.grid.slices <= 50


def test_the_slices_reach_from_above_the_apices_to_below_the_domes(study, plain):
    chest = CtChest.of(study.anatomy)
    assert plain.grid.top_cm == -1.5
    bottom = plain.grid.top_cm + plain.grid.slices * plain.grid.slice_cm
    assert bottom >= max(chest.measures.right_dome, chest.measures.left_dome) + 5


def test_tissues_have_their_ct_numbers(study, plain):
    chest = CtChest.of(study.anatomy)
    z = 15.0
    outline, spine = chest.outline(z), chest.spine(z)
    assert value_at(plain, 0, -float(outline.skin[0]) - 3, z) == pytest.approx(-1000, abs=15)
    fat = -float(outline.skin[0] + outline.muscle[0]) / 2
    assert -120 < value_at(plain, 0, fat, z) < -60
    assert 35 < value_at(plain, 2.5, chest.back(z) + 0.7, z) < 65  # erector muscle
    assert 35 < value_at(plain, 2.0, -2.0, chest.heart_middle) < 65
    assert 45 < value_at(plain, -7.0, 0.0, chest.measures.right_dome + 4) < 70  # liver
    bone = [value_at(plain, 0, spine, z + step) for step in (0, 0.8, 1.6)]
    assert 110 < max(bone) < 350  # cancellous; between two vertebrae lies a disc
    assert plain.volume.max() > 500
    carina = chest.measures.carina
    assert value_at(plain, 0.2, chest.spine(carina) - 3.1 * chest.measures.size, carina - 2) < -900  # trachea


def test_aerated_lung_is_about_minus_850(study, plain):
    chest, grid = CtChest.of(study.anatomy), plain.grid
    polar = Polar.of(*grid.planes())
    for index in range(8, grid.slices - 10, 4):
        deep = chest.lung(grid.heights(index)[1], polar) > 1.5
        assert -900 < np.median(plain.volume[index][deep]) < -800


@pytest.mark.parametrize("zone", Zone)
@pytest.mark.parametrize("side", Side)
def test_a_nodule_lies_where_it_is_said_to(study, side, zone):
    spec = nodule(side, zone, seed=9)
    chest = CtChest.of(study.anatomy)
    x, y, z = place_finding(spec, chest).centre
    assert x * side.sign > 0
    third = 3 * z / chest.measures.dome(side)
    assert list(Zone)[int(third)] is zone
    depth = chest.lung(z, Polar.of(np.array([x], np.float32), np.array([y], np.float32)))
    assert depth[0] > 0.5 * spec.size_mm / 10


def test_a_nodule_twin_differs_at_the_nodule_and_nowhere_else(study, plain):
    phantom = render_ct(replace(study, findings=(nodule(),)), SIDE)
    (mask,) = phantom.finding_masks
    change = phantom.volume.astype(int) - plain.volume
    assert mask.shape == phantom.volume.shape
    assert (change[~grown(mask, 3)] == 0).all()
    assert change[mask].mean() > 500
    middle = np.argwhere(mask).mean(axis=0)
    slice_, row, column = np.rint(middle).astype(int)
    assert 20 < phantom.volume[slice_, row, column] < 60
    volume = mask.sum() * np.prod(phantom.voxel_mm)
    assert volume == pytest.approx(4 / 3 * np.pi * 10**3, rel=0.3)
    assert column > SIDE / 2  # the patient's left is on the right of the picture


def test_an_effusion_lies_at_the_back_of_its_side_and_grows_downwards(study, plain):
    phantom = render_ct(replace(study, findings=(effusion(),)), SIDE)
    (mask,) = phantom.finding_masks
    change = phantom.volume.astype(int) - plain.volume
    assert np.abs(change[~grown(mask, 4)]).max() < 60
    assert not change[:, :, SIDE // 2 :].any()
    polar = Polar.of(*phantom.grid.planes())
    assert np.broadcast_to(polar.y, mask.shape)[mask].mean() > 4
    areas = mask.sum(axis=(1, 2))
    assert areas[-1] > 100
    assert (np.diff(areas[areas > 0][:8]) > 0).all()
    eroded = mask & ~grown(~mask, 2)
    assert 0 < np.median(phantom.volume[eroded]) < 25


def test_findings_do_not_act_outside_the_lungs(study):
    phantom = render_ct(replace(study, findings=(effusion(size=150.0), nodule(Side.RIGHT, Zone.LOWER, 30.0))), SIDE)
    chest, polar = CtChest.of(study.anatomy), Polar.of(*phantom.grid.planes())
    for index in range(phantom.grid.slices):
        depths = [chest.lung(z, polar) for z in phantom.grid.heights(index)]
        outside = np.max(depths, axis=0) < -phantom.grid.pixel_cm
        assert not any(mask[index][outside].any() for mask in phantom.finding_masks)


def test_noise_falls_with_dose_and_grows_with_the_body(study):
    def spread(spec):
        index = 12
        one, two = (render_ct(replace(spec, noise_seed=seed), 64).volume[index].astype(float) for seed in (1, 2))
        return (one - two)[24:40, 24:40].std()

    low = replace(study, dose=0.5)
    assert spread(low) == pytest.approx(spread(replace(study, dose=2.0)) * 2, rel=0.1)
    stout = replace(low, anatomy=replace(study.anatomy, habitus=2.0))
    assert spread(stout) > 1.15 * spread(low)


def test_noise_is_correlated_as_a_kernel_makes_it(study):
    fir = replace(study, scanner=scanner_named("fir"), dose=0.5)
    one, two = (render_ct(replace(fir, noise_seed=seed), SIDE).volume[12].astype(float) for seed in (1, 2))
    field = (one - two)[32:96, 32:96]
    power = np.abs(np.fft.fft2(field - field.mean())) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(64), np.fft.fftfreq(64)))
    bands = [power[(frequency > low) & (frequency <= high)].mean() for low, high in ((0, 0.05), (0.1, 0.4))]
    assert bands[1] > 2 * bands[0]  # little noise of low frequency


def test_a_rolled_and_shifted_patient_renders_with_its_findings(study):
    turned = replace(study.anatomy, rotation_deg=8.0, shift_cm=(1.0, -1.0), sex=Sex.F, habitus=-1.0)
    phantom = render_ct(replace(study, anatomy=turned, findings=(nodule(),)), 64)
    assert phantom.finding_masks[0].any()
    x, y = phantom.grid.planes()
    rows, columns = phantom.grid.box((0.0, 0.0), 0.5)
    inside = np.zeros_like(x, dtype=bool)
    inside[rows, columns] = True
    assert (np.hypot(x, y)[~inside] > 0.5).all()


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"dose": 9.0}, "dose"),
        ({"fov_cm": 80.0}, "fov_cm"),
        ({"overscan_cm": (-1.0, 5.0)}, "overscan_cm"),
        ({"noise_seed": -1}, "noise_seed"),
    ],
)
def test_impossible_scans_are_refused(study, change, name):
    with pytest.raises(ValueError, match=f"CtSpec.{name}"):
        replace(study, **change)


def test_what_a_ct_cannot_have_is_refused(study):
    with pytest.raises(ValueError, match="supine"):
        replace(study, anatomy=replace(study.anatomy, view=View.PA))
    with pytest.raises(ValueError, match=r"CtSpec.findings.*cardiomegaly"):
        replace(study, findings=(FindingSpec(FindingKind.CARDIOMEGALY, None, None, 20, 0),))
    with pytest.raises(ValueError, match="multiple of 32"):
        CtGrid(100, 38.0, 10, 0.7, 0.0)
    with pytest.raises(ValueError, match="elm, fir, hazel, juniper"):
        scanner_named("oak")
    assert len({scanner.key for scanner in SCANNERS}) == len(SCANNERS)
