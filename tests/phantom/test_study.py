"""The generator is a pure function, and a finding acts where its mask is."""

from dataclasses import replace

import numpy as np
import pytest

from medaudit.phantom.anatomy import Sex, View, measure
from medaudit.phantom.cohort import draw_cohort
from medaudit.phantom.devices import DeviceKind, DeviceSpec
from medaudit.phantom.findings import FindingKind, FindingSpec, Side, Zone
from medaudit.phantom.marks import Corner, MarkKind, MarkSpec
from medaudit.phantom.study import render
from medaudit.phantom.vendors import VENDORS

SIDE = 256


def opacity(spec, side=SIDE):
    pixels = render(spec, side).pixels.astype(float)
    return 4095 - pixels if spec.vendor.inverted else pixels


def grown(mask, steps):
    for _ in range(steps):
        wide = mask.copy()
        wide[1:] |= mask[:-1]
        wide[:-1] |= mask[1:]
        wide[:, 1:] |= mask[:, :-1]
        wide[:, :-1] |= mask[:, 1:]
        mask = wide
    return mask


def test_the_same_study_is_the_same_picture(study):
    assert np.array_equal(render(study, SIDE).pixels, render(study, SIDE).pixels)


def test_pixels_are_twelve_bits_with_lungs_darker_than_the_mediastinum(study):
    phantom = render(study, SIDE)
    assert phantom.pixels.dtype == np.uint16
    assert phantom.pixels.max() <= 4095
    assert phantom.pixel_mm == pytest.approx(10 * study.vendor.field_cm / SIDE)
    rows = slice(int(0.4 * SIDE), int(0.5 * SIDE))
    middle, right, left = (
        np.median(phantom.pixels[rows, int(c * SIDE) - 5 : int(c * SIDE) + 5]) for c in (0.5, 0.3, 0.7)
    )
    assert middle > right + 500
    assert middle > left + 500


@pytest.mark.parametrize("kind", FindingKind)
def test_a_twin_differs_in_its_mask_and_hardly_beyond(study, twin, kind):
    with_it = twin(study, kind)
    (mask,) = render(with_it, SIDE).finding_masks
    change = np.abs(opacity(with_it) - opacity(study))
    # Six pixels are a centimetre: detector blur, and borders thinner than the mask's threshold.
    beyond = ~grown(mask, 6)
    assert 0.001 < mask.mean() < 0.2
    assert change[mask].mean() > 8 * change[beyond].mean()
    # What is left is scatter and the processing's low pass: both fade, neither has an edge.
    assert np.percentile(change[beyond], 99) < 0.5 * np.percentile(change[mask], 90)


@pytest.mark.parametrize(
    "kind", [FindingKind.NODULE, FindingKind.MASS, FindingKind.CONSOLIDATION, FindingKind.EFFUSION]
)
def test_what_replaces_lung_is_brighter_and_gas_is_darker(study, twin, kind):
    denser, gas = twin(study, kind), twin(study, FindingKind.PNEUMOTHORAX)
    plain = opacity(study)
    assert (opacity(denser) - plain)[render(denser, SIDE).finding_masks[0]].mean() > 50
    assert (opacity(gas) - plain)[render(gas, SIDE).finding_masks[0]].mean() < -50


@pytest.mark.parametrize("zone", Zone)
@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("kind", [FindingKind.NODULE, FindingKind.CONSOLIDATION, FindingKind.ATELECTASIS])
def test_a_finding_lies_on_its_side_and_in_its_zone(study, twin, kind, side, zone):
    (mask,) = render(twin(study, kind, side=side, zone=zone, share=0.2), SIDE).finding_masks
    rows, columns = np.nonzero(mask)
    assert (columns.mean() < SIDE / 2) == (side is Side.RIGHT)
    thirds = {Zone.UPPER: (0.15, 0.4), Zone.MID: (0.33, 0.55), Zone.LOWER: (0.45, 0.75)}
    low, high = thirds[zone]
    assert low < rows.mean() / SIDE < high


@pytest.mark.parametrize("kind", [FindingKind.EFFUSION, FindingKind.PNEUMOTHORAX])
@pytest.mark.parametrize("side", Side)
def test_pleural_findings_keep_to_their_side(study, twin, kind, side):
    (mask,) = render(twin(study, kind, side=side), SIDE).finding_masks
    _, columns = np.nonzero(mask)
    assert ((columns < SIDE / 2) == (side is Side.RIGHT)).all()


def test_cardiomegaly_makes_the_heart_wider_than_half_the_chest(study, twin):
    (mask,) = render(twin(study, FindingKind.CARDIOMEGALY, share=0.0), SIDE).finding_masks
    width_cm = np.ptp(np.nonzero(mask.any(axis=0))[0]) * study.vendor.field_cm / SIDE
    assert width_cm > 0.5 * 2 * measure(study.anatomy).chest_half_width


@pytest.mark.parametrize("kind", DeviceKind)
def test_a_device_absorbs_inside_its_mask_alone(study, kind):
    side = None if kind in (DeviceKind.TUBE, DeviceKind.ECG) else Side.LEFT
    with_it = replace(study, devices=(DeviceSpec(kind, side, 8),))
    (mask,) = render(with_it, SIDE).device_masks
    change = opacity(with_it) - opacity(study)
    assert 0.0005 < mask.mean() < 0.05
    assert change[mask].mean() > 15
    assert np.abs(change[~grown(mask, 3)]).mean() < 0.1 * np.abs(change[mask]).mean()


def test_a_mark_is_written_in_its_box_alone(study):
    mark = MarkSpec(MarkKind.LEFT, "L", Corner.TOP_RIGHT, (0.05, 0.05), 0.05)
    marked = replace(study, marks=(mark,))
    phantom = render(marked, SIDE)
    ((top, left, bottom, right),) = phantom.mark_boxes
    different = phantom.pixels != render(study, SIDE).pixels
    rows, columns = np.nonzero(different)
    assert top <= rows.min() <= rows.max() < bottom
    assert left <= columns.min() <= columns.max() < right
    assert (phantom.pixels[different] == study.vendor.white).all()
    assert columns.min() > SIDE / 2


def test_every_vendor_shows_lungs_dark(study):
    for vendor in VENDORS:
        spec = replace(study, vendor=vendor)
        center, width = vendor.stored_window
        shown = (render(spec, SIDE).pixels - center) / width
        shown = -shown if vendor.inverted else shown
        assert np.median(shown[int(0.45 * SIDE), int(0.25 * SIDE) : int(0.35 * SIDE)]) < -0.05
        assert np.median(shown[int(0.8 * SIDE), int(0.4 * SIDE) : int(0.6 * SIDE)]) > 0.05


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"age": 12}, "age"),
        ({"habitus": 9.0}, "habitus"),
        ({"heart": 0.9}, "heart"),
        ({"inspiration": -1.0}, "inspiration"),
    ],
)
def test_impossible_patients_are_refused(anatomy, change, name):
    with pytest.raises(ValueError, match=f"Anatomy.{name}"):
        replace(anatomy, **change)


def test_impossible_findings_are_refused():
    with pytest.raises(ValueError, match="side"):
        FindingSpec(FindingKind.NODULE, None, Zone.UPPER, 10, 0)
    with pytest.raises(ValueError, match="zone"):
        FindingSpec(FindingKind.EFFUSION, Side.LEFT, Zone.UPPER, 40, 0)
    with pytest.raises(ValueError, match="size_mm"):
        FindingSpec(FindingKind.NODULE, Side.LEFT, Zone.UPPER, 80, 0)
    with pytest.raises(ValueError, match="side"):
        DeviceSpec(DeviceKind.TUBE, Side.LEFT, 0)


def test_the_side_must_be_a_multiple_of_32(study):
    with pytest.raises(ValueError, match="multiple of 32"):
        render(study, 100)


def test_women_and_supine_patients_render_too(study):
    woman = replace(study, anatomy=replace(study.anatomy, sex=Sex.F, view=View.AP, age=80, habitus=2.0))
    assert render(woman, 64).pixels.std() > 100


def test_the_shutter_is_black_and_no_mask_lies_under_it(study, twin):
    shut = replace(study.exposure, collimation_cm=(1.0, 2.0, 3.0, 11.0))
    spec = replace(twin(study, FindingKind.EFFUSION), exposure=shut)
    phantom = render(spec, SIDE)
    covered = np.ones((SIDE, SIDE), dtype=bool)
    scale = SIDE / study.vendor.field_cm
    covered[round(3 * scale) : SIDE - round(11 * scale), round(scale) : SIDE - round(2 * scale)] = False
    assert (phantom.pixels[covered] == study.vendor.black).all()
    assert (phantom.pixels[~covered] != study.vendor.black).mean() > 0.9
    assert not phantom.finding_masks[0][covered].any()
    assert render(twin(study, FindingKind.EFFUSION), SIDE).finding_masks[0][covered].any()


def test_what_a_cohort_is_said_to_have_can_be_seen():
    for spec in draw_cohort(80, 9):
        whole = replace(spec, exposure=replace(spec.exposure, collimation_cm=(0.0, 0.0, 0.0, 0.0)))
        pairs = zip(render(spec, 64).finding_masks, render(whole, 64).finding_masks, strict=True)
        assert all(seen.sum() > 0.5 * full.sum() > 0 for seen, full in pairs)
