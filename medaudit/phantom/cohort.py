"""Many studies, each drawn from (seed, index) alone: the same study whatever the size of the cohort."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from medaudit.phantom.anatomy import MAX_AGE, MAX_HABITUS, MIN_AGE, Anatomy, Sex, View
from medaudit.phantom.devices import DeviceKind, DeviceSpec
from medaudit.phantom.findings import SIZES_MM, ZONED, FindingKind, FindingSpec, Side, Zone
from medaudit.phantom.marks import Corner, MarkKind, MarkSpec
from medaudit.phantom.physics import Exposure
from medaudit.phantom.shortcuts import BASE_RATES, Feature, Shortcut
from medaudit.phantom.study import StudySpec
from medaudit.phantom.vendors import VENDORS, Vendor

PREVALENCE: Final = 0.15
"""How often each finding is drawn, independently of all others: one study in three has none."""

DRAWN_MM: Final = {**SIZES_MM, FindingKind.NODULE: (12, 30)}
"""Sizes of the findings that are drawn. A nodule of less than a centimetre no reader would report from a radiograph."""

OLD_AGE: Final = 65
_SUPINE_SHARE: Final = 0.35
_BILATERAL_EFFUSION: Final = 0.2
DEVICE_OF: Final = {
    Feature.PACEMAKER: DeviceKind.PACEMAKER,
    Feature.TUBE: DeviceKind.TUBE,
    Feature.LINE: DeviceKind.LINE,
    Feature.DRAIN: DeviceKind.DRAIN,
    Feature.ECG: DeviceKind.ECG,
}
_SIDES: Final = (Side.RIGHT, Side.LEFT)
# Streams of randomness: what one of them draws never depends on another.
_FINDINGS, _PATIENT, _POSITION, _EXPOSURE, _VENDOR, _DEVICE, _MARK = range(1, 8)


def draw_cohort(studies: int, seed: int, shortcuts: Sequence[Shortcut] = ()) -> list[StudySpec]:
    """Draw studies 0 .. ``studies`` - 1 of a cohort.

    Raises
    ------
    ValueError
        ``studies`` or ``seed`` is negative.

    """
    if studies < 0 or seed < 0:
        msg = f"draw_cohort: expected studies >= 0 and seed >= 0; got {studies}, {seed}"
        raise ValueError(msg)
    return [draw_study(seed, index, shortcuts) for index in range(studies)]


def draw_study(seed: int, index: int, shortcuts: Sequence[Shortcut] = ()) -> StudySpec:
    """Draw one study. A shortcut changes the features that it names and nothing else.

    What is not a finding is drawn independently of all findings, but for the shortcuts.
    """
    chance = _Chance(seed, index)
    findings = _findings(chance)
    wanted = _Features(chance, findings, shortcuts)
    anatomy = _anatomy(chance, female=wanted.has(Feature.FEMALE), old=wanted.has(Feature.OLD))
    return StudySpec(
        anatomy=anatomy,
        exposure=_exposure(chance, anatomy.view),
        vendor=_vendor(chance, wanted),
        noise_seed=chance.seed(_EXPOSURE),
        findings=findings,
        devices=_devices(chance, wanted, findings),
        marks=_marks(chance, wanted),
    )


def features_of(spec: StudySpec) -> frozenset[Feature]:
    """Which features a study has, however it came to them."""
    devices, marks = {one.kind for one in spec.devices}, {one.kind for one in spec.marks}
    has = {
        Feature.MARKER: bool(marks & {MarkKind.LEFT, MarkKind.RIGHT}),
        Feature.PORTABLE: MarkKind.PORTABLE in marks,
        Feature.TEXT: MarkKind.TEXT in marks,
        Feature(f"vendor-{spec.vendor.key}"): True,
        Feature.FEMALE: spec.anatomy.sex is Sex.F,
        Feature.OLD: spec.anatomy.age >= OLD_AGE,
        **{feature: kind in devices for feature, kind in DEVICE_OF.items()},
    }
    return frozenset(feature for feature, here in has.items() if here)


class _Chance:
    """The random streams of one study."""

    def __init__(self, seed: int, index: int) -> None:
        self._key = (seed, index)

    def stream(self, *names: int) -> np.random.Generator:
        return np.random.default_rng([*self._key, *names])

    def seed(self, *names: int) -> int:
        return int(self.stream(*names, 99).integers(0, 2**31))


class _Features:
    """Which features one study has, each by its own coin, thrown against the probability that holds."""

    def __init__(self, chance: _Chance, findings: Sequence[FindingSpec], shortcuts: Sequence[Shortcut]) -> None:
        self._chance = chance
        self._present = {finding.kind for finding in findings}
        self._shortcuts = shortcuts

    def tied(self, feature: Feature) -> Shortcut | None:
        """The first shortcut to this feature whose finding is present, else the first to this feature."""
        named = [shortcut for shortcut in self._shortcuts if shortcut.feature is feature]
        return next((one for one in named if one.finding in self._present), named[0] if named else None)

    def has(self, feature: Feature) -> bool:
        shortcut = self.tied(feature)
        probability = BASE_RATES[feature]
        if shortcut is not None:
            probability = shortcut.given if shortcut.finding in self._present else shortcut.otherwise
        return bool(self._chance.stream(_PATIENT, 1 + list(Feature).index(feature)).random() < probability)


def _findings(chance: _Chance) -> tuple[FindingSpec, ...]:
    found: list[FindingSpec] = []
    for number, kind in enumerate(FindingKind):
        rng = chance.stream(_FINDINGS, number)
        if rng.random() >= PREVALENCE:
            continue
        side = None if kind is FindingKind.CARDIOMEGALY else _SIDES[int(rng.integers(2))]
        zone = list(Zone)[int(rng.integers(3))] if kind in ZONED else None
        sides = [side]
        if kind is FindingKind.EFFUSION and rng.random() < _BILATERAL_EFFUSION:
            sides = list(_SIDES)
        for one in sides:
            size = round(float(rng.uniform(*DRAWN_MM[kind])), 1)
            found.append(FindingSpec(kind, one, zone, size, int(rng.integers(0, 2**31))))
    return _in_the_open(found, chance.stream(_FINDINGS, len(FindingKind)))


def is_hidden(finding: FindingSpec, findings: Sequence[FindingSpec]) -> bool:
    """Whether a nodule lies in a zone that one of ``findings`` fills with more than air.

    In fluid or in a consolidation it changes nothing in the picture, and a truth that nobody can see is none.
    """
    return finding.kind is FindingKind.NODULE and (finding.side, finding.zone) in _taken(findings)


def _taken(findings: Sequence[FindingSpec]) -> set[tuple[Side | None, Zone | None]]:
    return {
        (one.side, Zone.LOWER if one.kind is FindingKind.EFFUSION else one.zone)
        for one in findings
        if one.kind is not FindingKind.NODULE
    }


def _in_the_open(findings: Sequence[FindingSpec], rng: np.random.Generator) -> tuple[FindingSpec, ...]:
    """The findings, a hidden nodule in a free zone instead: of six at most five are taken."""
    taken = _taken(findings)
    free = [(side, zone) for side in _SIDES for zone in Zone if (side, zone) not in taken]
    side, zone = free[int(rng.integers(len(free)))]
    return tuple(replace(one, side=side, zone=zone) if is_hidden(one, findings) else one for one in findings)


def _anatomy(chance: _Chance, *, female: bool, old: bool) -> Anatomy:
    patient, position = chance.stream(_PATIENT, 0), chance.stream(_POSITION)
    low, high = (OLD_AGE, MAX_AGE) if old else (MIN_AGE, OLD_AGE - 1)
    # The young are mostly middle-aged, the old mostly not very old.
    age = low + (high - low) * float(patient.beta(1.4, 2.6) if old else patient.beta(2.2, 1.3))
    return Anatomy(
        sex=Sex.F if female else Sex.M,
        age=round(age),
        habitus=round(float(np.clip(patient.normal(0, 0.95), -MAX_HABITUS, MAX_HABITUS)), 3),
        heart=round(float(patient.uniform(0.44, 0.485)), 4),
        view=View.AP if position.random() < _SUPINE_SHARE else View.PA,
        inspiration=round(float(position.beta(1.7, 1.4)), 3),
        rotation_deg=round(float(np.clip(position.normal(0, 3.0), -10, 10)), 2),
        tilt_deg=round(float(np.clip(position.normal(0, 1.3), -5, 5)), 2),
        shift_cm=(round(float(position.normal(0, 0.9)), 2), round(float(position.normal(0, 1.9)), 2)),
        seed=int(patient.integers(0, 2**31)),
    )


def _exposure(chance: _Chance, view: View) -> Exposure:
    rng = chance.stream(_EXPOSURE)
    # At lower tube voltage less of the beam crosses the patient: the tube gives more of it.
    nominal = 2.0 if view is View.AP else 1.0
    left, right, top, bottom = (float(edge) for edge in rng.gamma(1.3, 1.0, size=4))
    return Exposure(
        dose=round(float(np.clip(nominal * np.exp(rng.normal(0, 0.45)), 0.3, 4.8)), 4),
        high_kv=view is View.PA,
        scatter=round(float(rng.uniform(0.08, 0.6)), 3),
        heel=round(float(np.clip(rng.normal(0.06, 0.06), -0.15, 0.25)), 3),
        collimation_cm=tuple(round(min(edge, 5.0), 2) for edge in (0.7 * left, 0.7 * right, top, 1.5 * bottom)),  # type: ignore[arg-type]
    )


def _vendor(chance: _Chance, wanted: _Features) -> Vendor:
    rng = chance.stream(_VENDOR)
    features = {Feature(f"vendor-{vendor.key}"): vendor for vendor in VENDORS}
    tied = [feature for feature in features if wanted.tied(feature) is not None]
    for feature in tied:
        if wanted.has(feature):
            return features[feature]
    free = [vendor for feature, vendor in features.items() if feature not in tied] or list(VENDORS)
    return free[int(rng.integers(len(free)))]


def _devices(chance: _Chance, wanted: _Features, findings: Sequence[FindingSpec]) -> tuple[DeviceSpec, ...]:
    devices = []
    for number, (feature, kind) in enumerate(DEVICE_OF.items()):
        rng = chance.stream(_DEVICE, number)
        side: Side | None = _SIDES[int(rng.random() < 0.5)]
        if kind is DeviceKind.PACEMAKER:
            side = Side.LEFT if rng.random() < 0.8 else Side.RIGHT
        if kind is DeviceKind.LINE:
            side = Side.RIGHT if rng.random() < 0.7 else Side.LEFT
        if kind in (DeviceKind.TUBE, DeviceKind.ECG):
            side = None
        seed = int(rng.integers(0, 2**31))
        if not wanted.has(feature):
            continue
        shortcut = wanted.tied(feature)
        if shortcut is not None and side is not None:
            # What comes with a finding comes on its side.
            side = next((found.side for found in findings if found.kind is shortcut.finding and found.side), side)
        devices.append(DeviceSpec(kind, side, seed))
    return tuple(devices)


def _marks(chance: _Chance, wanted: _Features) -> tuple[MarkSpec, ...]:
    rng = chance.stream(_MARK)

    def inset() -> tuple[float, float]:
        return round(float(rng.uniform(0.02, 0.16)), 3), round(float(rng.uniform(0.02, 0.09)), 3)

    marks = []
    left = bool(rng.random() < 0.6)
    corner = Corner.TOP_RIGHT if left else Corner.TOP_LEFT
    marker = MarkSpec(
        MarkKind.LEFT if left else MarkKind.RIGHT,
        "L" if left else "R",
        corner,
        inset(),
        round(float(rng.uniform(0.03, 0.06)), 3),
    )
    portable = MarkSpec(
        MarkKind.PORTABLE,
        ("PORTABLE", "PORTABLE AP", "MOBILE")[int(rng.integers(3))],
        Corner.BOTTOM_LEFT if rng.random() < 0.5 else Corner.TOP_LEFT if left else Corner.TOP_RIGHT,
        inset(),
        round(float(rng.uniform(0.02, 0.032)), 3),
    )
    number, hour, minute = int(rng.integers(10000, 99999)), int(rng.integers(24)), int(rng.integers(60))
    note = MarkSpec(
        MarkKind.TEXT,
        (f"ID {number}", f"{hour:02d}:{minute:02d}", f"ROOM {number % 40}  {hour:02d}:{minute:02d}")[
            int(rng.integers(3))
        ],
        Corner.BOTTOM_RIGHT,
        inset(),
        round(float(rng.uniform(0.018, 0.028)), 3),
    )
    for feature, mark in ((Feature.MARKER, marker), (Feature.PORTABLE, portable), (Feature.TEXT, note)):
        if wanted.has(feature):
            marks.append(mark)
    return tuple(marks)
