"""More in the way means less light, and the response is fixed."""

from dataclasses import replace

import numpy as np
import pytest

from medaudit.phantom.grid import Grid
from medaudit.phantom.physics import (
    BONE,
    ENERGIES_KEV,
    FAT,
    METAL,
    SOFT,
    Exposure,
    Thickness,
    beam,
    detect,
    primary,
    scattered,
)
from medaudit.phantom.vendors import VENDORS, vendor_named

GRID = Grid(64, 40.0)


def slab(soft=0.0, fat=0.0, bone=0.0, metal=0.0):
    def plane(cm):
        return np.full((64, 64), cm, dtype=np.float32)

    return Thickness(plane(soft), plane(fat), plane(bone), plane(metal))


def test_one_energy_follows_beer_and_lambert_by_hand():
    # A slab so thin that the exponential is a line: the mean coefficient weighs each energy by its share.
    thin = primary(slab(soft=1e-3), high_kv=True)[0, 0]
    mean = sum(share * mu for share, mu in zip((0.20, 0.38, 0.28, 0.14), SOFT, strict=True))
    assert 1 - thin == pytest.approx(mean * 1e-3, rel=0.01)


@pytest.mark.parametrize("tissue", ["soft", "fat", "bone", "metal"])
@pytest.mark.parametrize("high_kv", [True, False])
def test_thicker_lets_less_through(tissue, high_kv):
    light = [float(primary(slab(**{tissue: cm}), high_kv=high_kv)[0, 0]) for cm in (0, 0.5, 1, 2, 4)]
    assert light[0] == pytest.approx(1)
    assert light == sorted(light, reverse=True)
    assert len(set(light)) == len(light)


def test_metal_absorbs_more_than_bone_than_tissue_than_fat_at_every_energy():
    assert len(ENERGIES_KEV) == len(SOFT)
    assert all(m > b > s > f for m, b, s, f in zip(METAL, BONE, SOFT, FAT, strict=True))


def test_the_beam_hardens():
    def effective(cm):
        return -np.log(primary(slab(soft=cm), high_kv=True)[0, 0]) / cm

    assert effective(20.0) < effective(1.0)


def test_higher_voltage_lowers_bone_contrast():
    def contrast(high_kv):
        return np.log(
            primary(slab(soft=15), high_kv=high_kv)[0, 0] / primary(slab(soft=15, bone=1), high_kv=high_kv)[0, 0]
        )

    assert contrast(high_kv=True) < contrast(high_kv=False)


def test_scatter_is_smooth_needs_tissue_and_scales():
    tissue = slab(soft=15)
    through = primary(tissue, high_kv=True)
    light = scattered(through, tissue, GRID, 0.3)
    assert (light > 0).all()
    assert light[32, 32] > light[0, 0]  # what leaves the field is lost
    assert np.allclose(2 * light, scattered(through, tissue, GRID, 0.6))
    air = slab()
    assert not scattered(primary(air, high_kv=True), air, GRID, 0.3).any()


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.key)
def test_more_exposure_is_darker_by_a_fixed_amount(vendor):
    def mean(signal):
        pixels = detect(np.full((64, 64), signal, dtype=np.float32), vendor, 0, GRID).astype(float)
        return (4095 - pixels if vendor.inverted else pixels).mean()

    # No scaling by the picture: a tenth of the signal is one decade of gain, whatever the picture holds.
    assert mean(0.01) - mean(0.1) == pytest.approx(vendor.gain, rel=0.02)


def test_noise_is_the_seeds_and_falls_with_dose():
    vendor = vendor_named("alder")

    def spread(signal, seed=1):
        return detect(np.full((64, 64), signal, dtype=np.float32), vendor, seed, GRID).astype(float)

    assert spread(0.002).std() > 2 * spread(0.05).std()
    assert not np.array_equal(spread(0.05, 1), spread(0.05, 2))
    # One field in units of standard deviations: pictures of different signal have the same noise pattern.
    low, high = spread(0.01), spread(0.02)
    assert np.corrcoef(low.ravel(), high.ravel())[0, 1] > 0.9


def test_the_collimator_and_the_heel_shape_the_beam():
    exposure = Exposure(1.0, high_kv=True, scatter=0.2, heel=0.1, collimation_cm=(4.0, 0.0, 0.0, 0.0))
    field = beam(exposure, GRID)
    assert field[:, :5].max() < 0.01
    assert field[32, 40] == pytest.approx(1, abs=0.02)
    assert field[-1, 40] > field[0, 40]
    with pytest.raises(ValueError, match="collimation_cm"):
        replace(exposure, collimation_cm=(40.0, 0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="dose"):
        replace(exposure, dose=0.0)
