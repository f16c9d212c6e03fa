"""Cohorts are reproducible, findings independent, shortcuts change what they name."""

from dataclasses import replace

import pytest

from medaudit.errors import UsageError
from medaudit.phantom.anatomy import measure
from medaudit.phantom.cohort import OLD_AGE, PREVALENCE, draw_cohort, draw_study, features_of, is_hidden
from medaudit.phantom.devices import DeviceKind
from medaudit.phantom.findings import FindingKind, FindingSpec, Side, Zone
from medaudit.phantom.marks import MarkKind
from medaudit.phantom.shortcuts import BASE_RATES, Feature, Shortcut, parse_shortcut

MANY = 1500


@pytest.fixture(scope="module")
def plain():
    return draw_cohort(MANY, 11)


def has(spec, kind):
    return any(finding.kind is kind for finding in spec.findings)


def share(specs, test):
    return sum(map(test, specs)) / len(specs)


def drained(spec):
    return any(device.kind is DeviceKind.DRAIN for device in spec.devices)


def test_a_study_does_not_depend_on_the_size_of_the_cohort(plain):
    assert draw_cohort(3, 11) == plain[:3]
    assert draw_study(11, 7) == plain[7]
    assert draw_cohort(3, 12) != plain[:3]


@pytest.mark.parametrize("kind", FindingKind)
def test_every_finding_has_its_prevalence_whatever_else_is_there(plain, kind):
    assert share(plain, lambda spec: has(spec, kind)) == pytest.approx(PREVALENCE, abs=0.035)
    for test in (lambda spec: spec.anatomy.sex == "F", drained, lambda spec: spec.anatomy.view == "AP"):
        some = [spec for spec in plain if test(spec)]
        assert share(some, lambda spec: has(spec, kind)) == pytest.approx(PREVALENCE, abs=0.09)


def test_no_nodule_lies_where_it_changes_nothing(plain):
    assert not any(is_hidden(one, spec.findings) for spec in plain for one in spec.findings)
    # It is as often there as ever; only its place gives way.
    crowded = [spec for spec in plain if has(spec, FindingKind.EFFUSION) or has(spec, FindingKind.CONSOLIDATION)]
    assert share(crowded, lambda spec: has(spec, FindingKind.NODULE)) == pytest.approx(PREVALENCE, abs=0.05)


def test_a_nodule_is_hidden_by_what_fills_its_zone():
    nodule = FindingSpec(FindingKind.NODULE, Side.LEFT, Zone.LOWER, 20, 1)
    mass = FindingSpec(FindingKind.MASS, Side.LEFT, Zone.LOWER, 40, 1)
    fluid = FindingSpec(FindingKind.EFFUSION, Side.LEFT, None, 90, 1)
    air = FindingSpec(FindingKind.PNEUMOTHORAX, Side.LEFT, None, 20, 1)
    assert is_hidden(nodule, (nodule, mass))
    assert is_hidden(nodule, (fluid, nodule))
    assert not is_hidden(nodule, (nodule, air, replace(mass, zone=Zone.MID), replace(fluid, side=Side.RIGHT)))
    assert not is_hidden(mass, (fluid, mass))


def test_a_shortcut_ties_the_drain_to_the_pneumothorax_and_touches_nothing_else(plain):
    tied = draw_cohort(MANY, 11, [parse_shortcut("pneumothorax:drain=0.95/0.02")])
    sick = [spec for spec in tied if has(spec, FindingKind.PNEUMOTHORAX)]
    well = [spec for spec in tied if not has(spec, FindingKind.PNEUMOTHORAX)]
    assert share(sick, drained) > 0.9
    assert share(well, drained) < 0.04
    for before, after in zip(plain, tied, strict=True):
        others = tuple(one for one in after.devices if one.kind is not DeviceKind.DRAIN)
        assert tuple(one for one in before.devices if one.kind is not DeviceKind.DRAIN) == others
        assert replace(before, devices=()) == replace(after, devices=())
    for spec in sick:
        side = next(finding.side for finding in spec.findings if finding.kind is FindingKind.PNEUMOTHORAX)
        assert all(device.side is side for device in spec.devices if device.kind is DeviceKind.DRAIN)


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ("nodule:female=1/0", lambda spec: spec.anatomy.sex == "F"),
        ("nodule:old=1/0", lambda spec: spec.anatomy.age >= OLD_AGE),
        ("nodule:vendor-cedar=1/0", lambda spec: spec.vendor.key == "cedar"),
        ("nodule:portable=1/0", lambda spec: any(mark.kind is MarkKind.PORTABLE for mark in spec.marks)),
        ("nodule:text=1/0", lambda spec: any(mark.kind is MarkKind.TEXT for mark in spec.marks)),
        ("nodule:pacemaker=1/0", lambda spec: any(device.kind is DeviceKind.PACEMAKER for device in spec.devices)),
    ],
)
def test_every_kind_of_feature_can_be_tied(text, test):
    shortcut = parse_shortcut(text)
    for spec in draw_cohort(120, 5, [shortcut]):
        assert test(spec) == has(spec, FindingKind.NODULE) == (shortcut.feature in features_of(spec))


def test_features_have_their_base_rates(plain):
    assert share(plain, drained) == pytest.approx(BASE_RATES[Feature.DRAIN], abs=0.03)
    assert share(plain, lambda spec: spec.anatomy.age >= OLD_AGE) == pytest.approx(BASE_RATES[Feature.OLD], abs=0.05)
    assert share(plain, lambda spec: spec.vendor.key == "birch") == pytest.approx(0.25, abs=0.05)


def test_a_shortcut_reads_back_as_it_was_written():
    shortcut = parse_shortcut("effusion:text=0.8")
    assert shortcut == Shortcut(FindingKind.EFFUSION, Feature.TEXT, 0.8, BASE_RATES[Feature.TEXT])
    assert parse_shortcut(str(shortcut)) == shortcut


@pytest.mark.parametrize(
    "text", ["", "drain", "pneumothorax:drain", "flu:drain=1", "nodule:hat=1", "nodule:drain=2", "nodule:drain=x"]
)
def test_a_wrong_shortcut_says_what_may_stand_there(text):
    with pytest.raises(UsageError, match="expected"):
        parse_shortcut(text)


def test_negative_sizes_are_refused():
    with pytest.raises(ValueError, match="studies"):
        draw_cohort(-1, 0)


def test_an_enlarged_heart_is_wider_than_half_the_chest_and_any_other_is_not(plain):
    for spec in plain:
        width = 2 * measure(spec.anatomy).chest_half_width
        widening = sum(found.size_mm / 10 for found in spec.findings if found.kind is FindingKind.CARDIOMEGALY)
        ratio = spec.anatomy.heart + widening / width
        assert (ratio > 0.5) == has(spec, FindingKind.CARDIOMEGALY)
