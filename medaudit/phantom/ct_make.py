"""One CT on disk: its series and report in one folder, its masks in another; its truth as a record."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from medaudit.phantom.ct_cohort import draw_ct_study
from medaudit.phantom.ct_report import known_ct_sentences, write_ct_report
from medaudit.phantom.ct_study import CtPhantom, render_ct
from medaudit.phantom.ct_write import ct_equipment, slice_file, slice_uid, write_series
from medaudit.phantom.write import REPORT_FILE, identify, write_report_document

CT_SIDE: Final = 256


def make_ct_study(folder: Path, truth_folder: Path, seed: int, index: int, side: int) -> dict[str, Any]:
    """Write study ``index`` of cohort ``seed`` and its masks.

    Returns
    -------
    The study's truth: findings (with mask, extent and centre), slices, geometry, anatomy, scan, report, sentences.

    """
    spec = draw_ct_study(seed, index)
    phantom, identity = render_ct(spec, side), identify(spec, seed, index, cohort="medaudit phantom chest-ct")
    report = write_ct_report(spec, identity.seed)
    write_series(folder, spec, phantom, identity)
    equipment = ct_equipment(spec.scanner)
    write_report_document(folder / REPORT_FILE, spec.anatomy, equipment, report, identity)
    findings = []
    for number, (finding, mask) in enumerate(zip(spec.findings, phantom.finding_masks, strict=True)):
        name = f"finding-{number}.npz"
        np.savez_compressed(truth_folder / name, mask=mask)
        findings.append(asdict(finding) | {"mask": name} | extent(mask, phantom))
    slices = range(phantom.grid.slices)
    return {
        "study_instance_uid": identity.study_uid,
        "series_instance_uid": identity.image_series_uid,
        "slices": [{"file": slice_file(one), "sop_instance_uid": slice_uid(identity, one)} for one in slices],
        "voxel_mm": phantom.voxel_mm,
        "first_voxel_mm": phantom.grid.position_mm(0),
        "findings": findings,
        "anatomy": asdict(spec.anatomy),
        "scan": {"scanner": spec.scanner.key, "dose": spec.dose, "fov_cm": spec.fov_cm},
        "report": asdict(report),
        "sentences": [asdict(sentence) for sentence in known_ct_sentences(spec)],
    }


def extent(mask: NDArray[np.bool_], phantom: CtPhantom) -> dict[str, Any]:
    """Where a mask lies.

    Returns
    -------
    ``slices`` (0-based, those that it meets), ``volume_ml``, and its centre of mass: ``centre_voxel`` (slice, row,
    column), 0-based, and ``centre_mm`` (x, y, z) of the patient as DICOM has them (to the left, back and head).

    """
    where = np.argwhere(mask)
    thickness, row, column = phantom.voxel_mm
    down, low, across = (float(value) for value in where.mean(axis=0))
    left, back, _ = phantom.grid.position_mm(0)
    return {
        "slices": sorted({int(one) for one in where[:, 0]}),
        "volume_ml": round(len(where) * thickness * row * column / 1000, 3),
        "centre_voxel": [round(value, 2) for value in (down, low, across)],
        "centre_mm": [
            round(value, 2) for value in (left + across * column, back + low * row, phantom.grid.slice_mm(down))
        ],
    }
