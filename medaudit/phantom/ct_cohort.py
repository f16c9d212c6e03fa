"""Many CTs, each drawn from (seed, index) alone; what is not a finding is drawn independently of all findings."""

import math
from typing import Final

import numpy as np

from medaudit.phantom.anatomy import MAX_AGE, MAX_HABITUS, MIN_AGE, Anatomy, Sex, View
from medaudit.phantom.ct_chest import CtChest
from medaudit.phantom.ct_scan import SCANNERS
from medaudit.phantom.ct_study import CtSpec
from medaudit.phantom.findings import SIZES_MM, FindingKind, FindingSpec, Side, Zone

NODULE_PREVALENCE: Final = 0.35
SECOND_NODULE: Final = 0.25
"""Of those with a nodule, the share with a second one, anywhere."""

EFFUSION_PREVALENCE: Final = 0.3
BILATERAL_EFFUSION: Final = 0.25

_SIDES: Final = (Side.RIGHT, Side.LEFT)
# Streams of randomness, apart from those of the radiographs: what one of them draws never depends on another.
_NODULE, _EFFUSION, _PATIENT, _POSITION, _SCAN = range(201, 206)


def draw_ct_study(seed: int, index: int) -> CtSpec:
    """Draw study ``index`` of cohort ``seed``.

    Raises
    ------
    ValueError
        ``seed`` or ``index`` is negative.

    """
    if seed < 0 or index < 0:
        msg = f"draw_ct_study: expected seed >= 0 and index >= 0; got {seed}, {index}"
        raise ValueError(msg)
    anatomy = _anatomy(seed, index)
    rng = np.random.default_rng([seed, index, _SCAN])
    skin = CtChest.of(anatomy).outline(8.0).skin
    width = 2 * float(skin[len(skin) // 2])
    return CtSpec(
        anatomy=anatomy,
        scanner=SCANNERS[int(rng.integers(len(SCANNERS)))],
        dose=round(float(np.clip(math.exp(rng.normal(0, 0.4)), 0.3, 4.0)), 3),
        fov_cm=round(float(np.clip(width * rng.uniform(0.96, 1.12), 28, 50)), 1),
        overscan_cm=(round(float(rng.uniform(0.5, 2.5)), 2), round(float(rng.uniform(3.5, 6.0)), 2)),
        noise_seed=int(rng.integers(0, 2**31)),
        findings=_nodules(seed, index) + _effusions(seed, index),
    )


def _nodules(seed: int, index: int) -> tuple[FindingSpec, ...]:
    rng = np.random.default_rng([seed, index, _NODULE])
    if rng.random() >= NODULE_PREVALENCE:
        return ()
    found = []
    for _ in range(1 + int(rng.random() < SECOND_NODULE)):
        side, zone = _SIDES[int(rng.integers(2))], list(Zone)[int(rng.integers(3))]
        # Small ones are the more frequent.
        low, high = SIZES_MM[FindingKind.NODULE]
        size = round(low + (high - low) * float(rng.beta(1.1, 1.8)), 1)
        found.append(FindingSpec(FindingKind.NODULE, side, zone, size, int(rng.integers(0, 2**31))))
    return tuple(found)


def _effusions(seed: int, index: int) -> tuple[FindingSpec, ...]:
    rng = np.random.default_rng([seed, index, _EFFUSION])
    if rng.random() >= EFFUSION_PREVALENCE:
        return ()
    sides = _SIDES if rng.random() < BILATERAL_EFFUSION else (_SIDES[int(rng.integers(2))],)
    low, high = SIZES_MM[FindingKind.EFFUSION]
    return tuple(
        FindingSpec(
            FindingKind.EFFUSION, side, None, round(float(rng.uniform(low, high)), 1), int(rng.integers(0, 2**31))
        )
        for side in sides
    )


def _anatomy(seed: int, index: int) -> Anatomy:
    patient = np.random.default_rng([seed, index, _PATIENT])
    position = np.random.default_rng([seed, index, _POSITION])
    return Anatomy(
        sex=Sex.F if patient.random() < 0.5 else Sex.M,
        age=round(MIN_AGE + (MAX_AGE - MIN_AGE) * float(patient.beta(3.0, 2.2))),
        habitus=round(float(np.clip(patient.normal(0, 0.95), -MAX_HABITUS, MAX_HABITUS)), 3),
        heart=round(float(patient.uniform(0.42, 0.485)), 4),
        view=View.AP,
        inspiration=round(float(position.beta(3.0, 1.5)), 3),
        rotation_deg=round(float(np.clip(position.normal(0, 2.2), -8, 8)), 2),
        tilt_deg=0.0,
        shift_cm=(round(float(position.normal(0, 0.6)), 2), round(float(position.normal(0.5, 0.8)), 2)),
        seed=int(patient.integers(0, 2**31)),
    )
