import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from medaudit.records import (
    Attribution,
    AxisMap,
    CohortAudit,
    CohortFinding,
    CohortMeasurement,
    FaithfulnessCurve,
    FileFate,
    FileRecord,
    Finding,
    GridMap,
    ImageAudit,
    ImageRecord,
    Measurement,
    ModelCard,
    Observation,
    Prompt,
    PromptKind,
    ReadingCopy,
    RelevanceMap,
    RunRecord,
    Severity,
    SolverTrace,
    StudyAudit,
    StudyRecord,
    TokenGrid,
    TokenRelevance,
    Walk,
)
from medaudit.store.audit_store import AuditStore

GRID_MAP = GridMap((40, 30), (28, 28), TokenGrid(4, 4, 1), AxisMap(30 / 28, 5.0), AxisMap(30 / 28, 0.0), (4, 34, 0, 29))


def make_run(started: str = "2026-01-01T00:00:00+00:00") -> RunRecord:
    model = ModelCard("small", "clip", {"model.safetensors": "ab" * 32}, (28, 28), (4, 4), "softmax", "MIT", ("note",))
    return RunRecord(
        "chest",
        "name: chest\n",
        "cd" * 32,
        "study",
        model,
        2**63,
        keeps_identifiers=False,
        started=started,
        versions={"numpy": "2.0"},
        environment={"python": "3.11"},
    )


def make_attribution(text: str, kind: PromptKind, seed: int) -> Attribution:
    numbers = np.random.default_rng(seed)
    trace = SolverTrace((1.5, 0.5, float("inf")), 3.25, 2**64 - 1 - seed)
    return Attribution(
        Prompt(text, kind, "" if kind in (PromptKind.CONTROL, PromptKind.REPORT) else "effusion"),
        float(numbers.uniform(-1, 1)),
        RelevanceMap(numbers.random((4, 4), dtype=np.float32), GRID_MAP),
        TokenRelevance(
            ("<s>", "an", "effu", "sion"), numbers.random(4, dtype=np.float32), ("an", "effusion"), (-1, 0, 1, 1)
        ),
        "m2ib",
        trace,
        trace,
        {"beta": 0.1, "steps": 10, "layer": "9", "exact": True, "whole": 1.0},
    )


def make_image(study: str, code: str, seed: int = 0, findings: tuple[Severity, ...] = ()) -> ImageAudit:
    numbers = np.random.default_rng(seed)
    measurement = Measurement("negation", "margin", 0.01 * seed, "an effusion", "no effusion")
    record = ImageRecord(
        study,
        "series-1",
        code,
        0,
        40,
        30,
        {"Modality": "CR", "Manufacturer": f"Maker {seed % 2}"},
        "1.2.840.10008.1.2.1",
        "pydicom",
        "modality LUT, window, MONOCHROME2",
        "ef" * 32,
        ("L", "F"),
        (0.14, 0.15),
        None,
        ("first", "second"),
    )
    copy = ReadingCopy(
        numbers.integers(0, 256, (40, 30), dtype=np.uint8),
        numbers.integers(0, 4096, (40, 30), dtype=np.uint16),
        1.0,
        -1024.0,
        (40.0, 400.0),
        inverted=True,
    )
    return ImageAudit(
        record,
        copy,
        GRID_MAP,
        (
            make_attribution("an effusion", PromptKind.FINDING, seed),
            make_attribution("no effusion", PromptKind.NEGATED, seed + 1),
            make_attribution("a bicycle", PromptKind.CONTROL, seed + 2),
        ),
        (measurement,),
        tuple(Finding(measurement, 0.05, severity, "claim", "limits", "advice") for severity in findings),
        (Observation("report", "effusion", 0.5), Observation("picture", "burned-in text", 0.0)),
        numbers.random(5, dtype=np.float32),
        {"no effusion": numbers.random(5, dtype=np.float32)},
        tuple(
            FaithfulnessCurve(
                "an effusion", walk, (0.0, 0.5, 1.0), *(tuple(numbers.random(3).tolist()) for _ in range(4))
            )
            for walk in Walk
        ),
    )


def make_study(code: str, images: int = 2, findings: tuple[Severity, ...] = (), seconds: float = 1.5) -> StudyAudit:
    return StudyAudit(
        StudyRecord(code, {"StudyDate": "2020", "PatientSex": "F"}),
        tuple(make_image(code, f"image-{index}", index, findings if index == 0 else ()) for index in range(images)),
        seconds,
    )


def make_files(study: str) -> tuple[FileRecord, ...]:
    return (
        FileRecord(f"{study}-file-1", f"{study}/a.dcm", FileFate.AUDITED, study=study),
        FileRecord(
            f"{study}-file-2", f"{study}/b\udce4.dcm", FileFate.FAILED, "re-export it", study, "read", "DecodeError"
        ),
    )


def same(one: Any, other: Any) -> bool:
    """Equality of records, arrays included (type, shape and every value)."""
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    if dataclasses.is_dataclass(one):
        fields = dataclasses.fields(one)
        return type(one) is type(other) and all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields)
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple):
        return (
            type(other) is tuple and len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
        )
    return bool(type(one) is type(other) and (one == other or (one != one and other != other)))  # noqa: PLR0124 - NaN


def make_cohort_audit(value: float) -> CohortAudit:
    drain = CohortMeasurement(
        "shortcut", "difference", value, "a <prompt>", "chest drain", 12, 80, (1.0, 4.0), 1e-12, 1e-9, ("ST-1",)
    )
    own = CohortMeasurement("report_text", "own_image", 0.5, "", "the images of other studies", 20)
    finding = CohortFinding(drain, 1.0, Severity.WARNING, "claim", "limits", "advice")
    return CohortAudit(92, 0.02, (drain, own), (finding,), ("a note",))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AuditStore]:
    with AuditStore.create(tmp_path / "audit", make_run()) as made:
        yield made


@pytest.fixture
def filled(store: AuditStore) -> AuditStore:
    store.save_study(make_study("calm"), make_files("calm"))
    store.save_study(make_study("grave", findings=(Severity.NOTE, Severity.WARNING)), make_files("grave"))
    store.save_study(make_study("bland", images=1, findings=(Severity.NOTE,)), make_files("bland"))
    store.save_cohort_audit(make_cohort_audit(2.5))
    return store


@pytest.fixture(scope="session")
def build() -> SimpleNamespace:
    """The builders above, for tests: a test module cannot import a conftest."""
    return SimpleNamespace(
        run=make_run, study=make_study, image=make_image, files=make_files, cohort=make_cohort_audit, grid_map=GRID_MAP
    )


@pytest.fixture(scope="session")
def equal() -> Callable[[Any, Any], bool]:
    return same
