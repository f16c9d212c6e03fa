"""A cohort on disk: studies in one folder, their truth in another, which an audit never reads."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from medaudit.errors import UsageError
from medaudit.phantom.cohort import draw_study
from medaudit.phantom.ct_make import CT_SIDE, make_ct_study
from medaudit.phantom.grid import CELLS, MIN_SIDE
from medaudit.phantom.report_text import Report, known_sentences, write_report
from medaudit.phantom.shortcuts import Shortcut
from medaudit.phantom.study import Phantom, StudySpec, render
from medaudit.phantom.write import (
    IMAGE_FILE,
    REPORT_FILE,
    StudyIdentity,
    identify,
    radiograph_equipment,
    write_image,
    write_report_document,
)

RADIOGRAPH_SIDE: Final = 512
COHORT_FILE: Final = "cohort.json"
TRUTH_FILE: Final = "truth.json"


class PhantomKind(StrEnum):
    """What studies a phantom can be made of."""

    RADIOGRAPH = "chest-radiograph"
    CT = "chest-ct"


def phantom_kind(text: str) -> PhantomKind:
    """The kind of that name.

    Raises
    ------
    UsageError
        No such kind.

    """
    try:
        return PhantomKind(text)
    except ValueError:
        msg = f"kind: expected {' or '.join(PhantomKind)}; got {text!r}"
        raise UsageError(msg) from None


def make_studies(
    folder: Path,
    truth_folder: Path,
    studies: int,
    seed: int,
    shortcuts: Sequence[Shortcut] = (),
    *,
    kind: PhantomKind = PhantomKind.RADIOGRAPH,
    side: int | None = None,
    on_study: Callable[[int], None] | None = None,
) -> None:
    """Write studies 0 .. ``studies`` - 1 of a cohort and their truth; same arguments, same bytes.

    Parameters
    ----------
    folder
        Gets one folder a study, ``study-00000``, with ``report.dcm`` and ``image.dcm``, or for a CT a file a
        slice, ``image-0001.dcm`` and so on.
    truth_folder
        Gets ``cohort.json`` (seed, shortcuts) and a folder of the same name a study: ``truth.json`` (what is in
        the picture, where, and the known sentences) and a file a mask: PNG (255 where the finding or device is),
        for a CT ``.npz``.
    studies, seed, shortcuts
        See :func:`medaudit.phantom.cohort.draw_study`.
    kind
        Radiographs, or CT; a CT has no shortcuts.
    side
        Rows and columns; None for 512, 256 of a CT.
    on_study
        Called with the number of studies written so far.

    Raises
    ------
    UsageError
        One folder is or holds the other, or one of them is not empty; shortcuts are asked of a CT; or
        the side is not a multiple of 32.

    """
    side = side or (CT_SIDE if kind is PhantomKind.CT else RADIOGRAPH_SIDE)
    _check_request(kind, side, shortcuts)
    _check_folders(folder, truth_folder)
    truth_folder.mkdir(parents=True, exist_ok=True)
    ties = [str(shortcut) for shortcut in shortcuts]
    cohort = {"kind": kind, "studies": studies, "seed": seed, "side": side, "shortcuts": ties}
    _write_json(truth_folder / COHORT_FILE, cohort)
    for index in range(studies):
        name = f"study-{index:05d}"
        here, truth_here = folder / name, truth_folder / name
        truth_here.mkdir()
        if kind is PhantomKind.CT:
            truth = make_ct_study(here, truth_here, seed, index, side)
        else:
            truth = _make_radiograph(here, truth_here, draw_study(seed, index, shortcuts), (seed, index), side)
        _write_json(truth_here / TRUTH_FILE, truth)
        if on_study is not None:
            on_study(index + 1)


def _check_request(kind: PhantomKind, side: int, shortcuts: Sequence[Shortcut]) -> None:
    if kind is PhantomKind.CT and shortcuts:
        msg = "shortcut: expected none for chest-ct, which has no devices or marks to tie; leave it out, or make "
        msg += PhantomKind.RADIOGRAPH
        raise UsageError(msg)
    if side < MIN_SIDE or side % CELLS:
        msg = f"side: expected a multiple of {CELLS}, at least {MIN_SIDE}; got {side}"
        raise UsageError(msg)


def _check_folders(folder: Path, truth_folder: Path) -> None:
    studies, truth = folder.resolve(), truth_folder.resolve()
    if studies == truth or studies in truth.parents or truth in studies.parents:
        msg = "truth folder: expected a folder apart from the studies', so that no audit reads it; got one in the other"
        raise UsageError(msg)
    for name, path in (("studies folder", folder), ("truth folder", truth_folder)):
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            msg = f"{name}: expected an empty or new folder; got one with content; choose another or empty it"
            raise UsageError(msg)


def _make_radiograph(
    folder: Path, truth_folder: Path, spec: StudySpec, place: tuple[int, int], side: int
) -> dict[str, Any]:
    """Write one radiograph, its report and masks; its truth. ``place`` is (seed of the cohort, index)."""
    phantom, identity = render(spec, side), identify(spec, *place)
    report = write_report(spec, identity.seed)
    write_image(folder / IMAGE_FILE, spec, phantom, identity)
    equipment = radiograph_equipment(spec.vendor)
    write_report_document(folder / REPORT_FILE, spec.anatomy, equipment, report, identity)
    return _truth(truth_folder, spec, phantom, report, identity)


def _truth(folder: Path, spec: StudySpec, phantom: Phantom, report: Report, identity: StudyIdentity) -> dict[str, Any]:
    masks = [
        *((f"finding-{i}.png", mask) for i, mask in enumerate(phantom.finding_masks)),
        *((f"device-{i}.png", mask) for i, mask in enumerate(phantom.device_masks)),
    ]
    for name, mask in masks:
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / name)
    return {
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


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
