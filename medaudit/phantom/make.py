"""A cohort on disk: studies in one folder, their truth in another, which an audit never reads."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from medaudit.errors import UsageError
from medaudit.phantom.cohort import draw_study
from medaudit.phantom.report_text import Report, known_sentences, write_report
from medaudit.phantom.shortcuts import Shortcut
from medaudit.phantom.study import Phantom, StudySpec, render
from medaudit.phantom.write import (
    IMAGE_FILE,
    REPORT_FILE,
    StudyIdentity,
    identify,
    write_image,
    write_report_document,
)

COHORT_FILE: Final = "cohort.json"
TRUTH_FILE: Final = "truth.json"


def make_studies(
    folder: Path,
    truth_folder: Path,
    studies: int,
    seed: int,
    shortcuts: Sequence[Shortcut] = (),
    *,
    side: int = 512,
    on_study: Callable[[int], None] | None = None,
) -> None:
    """Write studies 0 .. ``studies`` - 1 of a cohort and their truth; same arguments, same bytes.

    Parameters
    ----------
    folder
        Gets one folder a study, ``study-00000``, with ``image.dcm`` and ``report.dcm``.
    truth_folder
        Gets ``cohort.json`` (seed, shortcuts) and a folder of the same name a study: ``truth.json`` (what is in
        the picture, where, and the known sentences) and a PNG a mask (255 where the finding or device is).
    studies, seed, shortcuts
        See :func:`medaudit.phantom.cohort.draw_study`.
    side
        Rows and columns.
    on_study
        Called with the number of studies written so far.

    Raises
    ------
    UsageError
        One folder is or holds the other, or one of them is not empty.

    """
    _check_folders(folder, truth_folder)
    truth_folder.mkdir(parents=True, exist_ok=True)
    cohort = {"studies": studies, "seed": seed, "side": side, "shortcuts": [str(shortcut) for shortcut in shortcuts]}
    _write_json(truth_folder / COHORT_FILE, cohort)
    for index in range(studies):
        spec = draw_study(seed, index, shortcuts)
        name = f"study-{index:05d}"
        phantom, identity = render(spec, side), identify(spec, seed, index)
        report = write_report(spec, identity.seed)
        write_image(folder / name / IMAGE_FILE, spec, phantom, identity)
        write_report_document(folder / name / REPORT_FILE, spec, report, identity)
        _write_truth(truth_folder / name, spec, phantom, report, identity)
        if on_study is not None:
            on_study(index + 1)


def _check_folders(folder: Path, truth_folder: Path) -> None:
    studies, truth = folder.resolve(), truth_folder.resolve()
    if studies == truth or studies in truth.parents or truth in studies.parents:
        msg = "truth folder: expected a folder apart from the studies', so that no audit reads it; got one in the other"
        raise UsageError(msg)
    for name, path in (("studies folder", folder), ("truth folder", truth_folder)):
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            msg = f"{name}: expected an empty or new folder; got one with content; choose another or empty it"
            raise UsageError(msg)


def _write_truth(folder: Path, spec: StudySpec, phantom: Phantom, report: Report, identity: StudyIdentity) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    masks = [
        *((f"finding-{i}.png", mask) for i, mask in enumerate(phantom.finding_masks)),
        *((f"device-{i}.png", mask) for i, mask in enumerate(phantom.device_masks)),
    ]
    for name, mask in masks:
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / name)
    truth = {
        "study_instance_uid": identity.study_uid,
        "sop_instance_uid": identity.image_uid,
        "findings": [asdict(one) | {"mask": f"finding-{i}.png"} for i, one in enumerate(spec.findings)],
        "devices": [asdict(one) | {"mask": f"device-{i}.png"} for i, one in enumerate(spec.devices)],
        "marks": [asdict(one) | {"box": phantom.mark_boxes[i]} for i, one in enumerate(spec.marks)],
        "anatomy": asdict(spec.anatomy),
        "exposure": asdict(spec.exposure),
        "vendor": spec.vendor.key,
        "report": asdict(report),
        "sentences": [asdict(sentence) for sentence in known_sentences(spec)],
    }
    _write_json(folder / TRUTH_FILE, truth)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
