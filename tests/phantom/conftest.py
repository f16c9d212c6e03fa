"""A plain study, and every kind of finding on it."""

from dataclasses import replace

import pytest

from medaudit.phantom.anatomy import Anatomy, Sex, View
from medaudit.phantom.findings import SIZES_MM, ZONED, FindingKind, FindingSpec, Side, Zone
from medaudit.phantom.physics import Exposure
from medaudit.phantom.study import StudySpec
from medaudit.phantom.vendors import vendor_named

SIDE = 256


@pytest.fixture
def anatomy() -> Anatomy:
    return Anatomy(
        sex=Sex.M,
        age=50,
        habitus=0.0,
        view=View.PA,
        inspiration=0.6,
        rotation_deg=0.0,
        tilt_deg=0.0,
        shift_cm=(0.0, 0.0),
        heart=0.44,
        seed=5,
    )


@pytest.fixture
def exposure() -> Exposure:
    return Exposure(dose=1.0, high_kv=True, scatter=0.25, heel=0.0, collimation_cm=(0.0, 0.0, 0.0, 0.0))


@pytest.fixture
def study(anatomy, exposure) -> StudySpec:
    return StudySpec(anatomy, exposure, vendor_named("alder"), noise_seed=3)


def finding(kind: FindingKind, side: Side = Side.LEFT, zone: Zone = Zone.MID, share: float = 0.6) -> FindingSpec:
    low, high = SIZES_MM[kind]
    return FindingSpec(
        kind,
        None if kind is FindingKind.CARDIOMEGALY else side,
        zone if kind in ZONED else None,
        low + share * (high - low),
        seed=4,
    )


@pytest.fixture
def twin():
    def make(spec: StudySpec, kind: FindingKind, **where) -> StudySpec:
        return replace(spec, findings=(finding(kind, **where),))

    return make
