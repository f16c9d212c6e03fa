"""An audit of three studies, made by hand: smooth chest-like pictures, six prompts each."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from playwright.sync_api import Browser, sync_playwright

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
from medaudit.viewer.serve import ADDRESS

SCRIPT = "<script>alert(1)</script>"
HOSTILE = f"{SCRIPT} ![x](http://example.invalid/x.png) *stars* $x^2$ :red[red] :smile: www.a.invalid b@c.invalid"

PROMPTS = (
    ("chest radiograph with pleural effusion", PromptKind.FINDING, "effusion"),
    ("chest radiograph with no pleural effusion", PromptKind.NEGATED, "effusion"),
    ("chest radiograph with an enlarged heart", PromptKind.FINDING, "cardiomegaly"),
    ("chest radiograph with a heart of normal size", PromptKind.NEGATED, "cardiomegaly"),
    ("a photograph of a bicycle", PromptKind.CONTROL, ""),
    ("an ultrasound of the liver", PromptKind.CONTROL, ""),
)


def chest(height: int, width: int, seed: int) -> np.ndarray:
    """A smooth picture (h, w) in 0 .. 1 that has a body, two lungs, ribs and a heart."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]

    def blob(row: float, column: float, tall: float, wide: float, power: float = 2) -> np.ndarray:
        return np.exp(-(np.abs((y - row) / tall) ** power + np.abs((x - column) / wide) ** power))

    body = blob(0.25, 0, 1.2, 0.88, 8)
    lungs = blob(-0.1, -0.42, 0.62, 0.27, 4) + blob(-0.1, 0.42, 0.62, 0.27, 4)
    ribs = 0.06 * np.cos(22 * (y - 0.25 * x**2)) * lungs
    heart = 0.34 * blob(0.28, 0.14, 0.34, 0.3)
    spine = 0.2 * blob(0, 0, 2, 0.08)
    noise = 0.01 * np.random.default_rng(seed).standard_normal((height, width))
    return np.clip(0.62 * body - 0.42 * lungs * body + ribs + heart + spine + noise, 0, 1)


def relevance(rows: int, columns: int, index: int, seed: int) -> np.ndarray:
    """Nats (rows, columns): a spot whose place and strength depend on the prompt, over a low floor."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    row, column = ((0.55, 0.5), (0.6, 0.4), (0.3, 0.1), (0.2, 0.0), (-0.9, -0.9), (0.0, 0.0))[index % 6]
    strength = (1.5, 1.1, 0.9, 0.6, 0.35, 0.12)[index % 6]
    spot = strength * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 0.06)
    return (spot + 0.03 * np.random.default_rng(seed + index).random((rows, columns))).astype(np.float32)


def words(text: str, index: int) -> TokenRelevance:
    split = tuple(text.split())
    heavy = {"effusion", "enlarged", "heart", "pleural", "bicycle", "no"}
    nats = np.array([0.02, *(0.9 if word in heavy else 0.05 + 0.04 * index for word in split), 0.01], dtype=np.float32)
    return TokenRelevance(("[CLS]", *split, "[SEP]"), nats, split, (-1, *range(len(split)), -1))


def make_image(
    study: str, code: str, seed: int, findings: tuple[Finding, ...], *, colour: bool, size: tuple[int, int]
) -> ImageAudit:
    rows, columns = size
    level = chest(rows, columns, seed)
    shown = np.rint(level * 255).astype(np.uint8)
    if colour:
        copy = ReadingCopy(np.stack([shown, shown // 2, shown // 3], axis=2))
    else:
        copy = ReadingCopy(shown, np.rint(level * 4095).astype(np.uint16), 1.0, 0.0, (2047.5, 4095.0))
    crop = (rows - columns) / 2
    scale = columns / 224
    grid_map = GridMap(
        (rows, columns),
        (224, 224),
        TokenGrid(14, 14, 1),
        AxisMap(scale, crop + (scale - 1) / 2),
        AxisMap(scale, (scale - 1) / 2),
        (crop - 0.5, rows - crop - 0.5, -0.5, columns - 0.5),
    )
    prompts = PROMPTS if not colour else (*PROMPTS, (HOSTILE, PromptKind.REPORT, ""))
    attributions = tuple(
        Attribution(
            Prompt(text, kind, finding),
            (0.318, 0.291, 0.274, 0.281, 0.112, 0.163, 0.2)[index],
            RelevanceMap(relevance(14, 14, index, seed), grid_map),
            words(text, index),
            "m2ib",
            SolverTrace((1.2, 0.8, 0.61), 14.2 + index, 1000 + index),
            SolverTrace((1.1, 0.5, 0.42), 2.6, 2000 + index),
            {"beta": 0.1, "steps": 10, "noise_samples": 10, "layer": 9},
        )
        for index, (text, kind, finding) in enumerate(prompts)
    )
    record = ImageRecord(
        study,
        "series-1",
        code,
        0,
        rows,
        columns,
        {
            "Modality": "DX",
            "BodyPartExamined": "CHEST",
            "ViewPosition": "PA",
            "PatientSex": "F",
            "Manufacturer": SCRIPT if colour else "Example Imaging",
            "KVP": "125",
        },
        "1.2.840.10008.1.2.4.90",
        "openjpeg",
        "Modality LUT, window 2047.5/4095 LINEAR, MONOCHROME2",
        "9f" * 32,
        None if colour else ("L", "F"),
        (0.143, 0.143),
    )
    margin = Measurement("negation", "margin", -0.007, PROMPTS[2][0], PROMPTS[3][0])
    control = Measurement("prompt_control", "rank_correlation", 0.31, PROMPTS[0][0], PROMPTS[4][0])
    mass = Measurement("border_mass", "share", 0.04, PROMPTS[0][0])
    measured = tuple(dict.fromkeys((margin, control, mass, *(finding.measurement for finding in findings))))
    share = (0.0, 0.25, 0.5, 0.75, 1.0)
    lines = (
        (0.1, 0.28, 0.31, 0.32, 0.32),
        (0.1, 0.16, 0.2, 0.27, 0.32),
        (0.1, 0.12, 0.21, 0.3, 0.32),
        (0.1,) * 4 + (0.32,),
    )
    curves = tuple(
        FaithfulnessCurve(
            PROMPTS[0][0], walk, share, *(line if walk is Walk.INSERTION else line[::-1] for line in lines)
        )
        for walk in Walk
    )
    return ImageAudit(record, copy, grid_map, attributions, measured, findings, curves=curves)


WARNING = Finding(
    Measurement("negation", "margin", -0.007, PROMPTS[2][0], PROMPTS[3][0]),
    0.0,
    Severity.WARNING,
    "The model holds “a heart of normal size” to fit this picture better than the finding that was asked for.",
    "Which of the two sentences is true: no reader's diagnosis entered this audit.",
    "Do not use the similarity for this finding before the prompts have been compared on your own cases.",
)
CAUTION = Finding(
    Measurement("crop", "unseen_share", 0.18, PROMPTS[0][0]),
    0.1,
    Severity.CAUTION,
    "18 % of the picture was cropped away before the model saw it.",
    "Whether what was cropped mattered here.",
    "Look at the hatched margins; consider a pipeline that pads instead.",
)
NOTE = Finding(
    Measurement("words", "function_share", 0.42, PROMPTS[0][0]),
    0.4,
    Severity.NOTE,
    "Much of the similarity rests on words that carry no finding.",
    "That the finding itself was ignored.",
    "Compare with a shorter prompt.",
)

STUDIES: tuple[tuple[str, tuple[tuple[Finding, ...], ...], bool], ...] = (
    ("S-4F0A21C7", ((CAUTION, WARNING), (NOTE,)), False),
    ("S-77B2D9E0", ((),), False),
    ("S-A913C054", ((NOTE,),), True),
)

MODEL_NOTE = "Trained on frontal radiographs of adults only."

RUN = RunRecord(
    "chest-radiograph",
    "name: chest-radiograph\nmethod:\n  name: m2ib\n  beta: 0.1\n",
    "5c" * 32,
    "study",
    ModelCard(
        "BiomedCLIP",
        "biomedclip",
        {"model.safetensors": "ab" * 32},
        (224, 224),
        (14, 14),
        "softmax",
        "MIT",
        (MODEL_NOTE,),
    ),
    7,
    keeps_identifiers=False,
    started="2026-03-01T09:30:00+00:00",
    versions={"medaudit": "0.1.0", "numpy": "2.0"},
    environment={"python": "3.11", "platform": "Linux", "device": "cpu"},
)

FILES = (
    FileRecord("F-01", "DOE^JANE/1.dcm", FileFate.AUDITED, study="S-4F0A21C7"),
    FileRecord("F-02", "DOE^JANE/2.dcm", FileFate.FAILED, "decode it with dcmtk first", "", "read", "DecodeError"),
    FileRecord("F-03", "notes.txt", FileFate.NOT_DICOM, "no DICOM preamble"),
    FileRecord("F-04", "notes.csv", FileFate.TEXT),
)


def across(study: str) -> CohortAudit:
    """A finding over all studies whose words would be markup, and a comparison that is none."""
    prompt = PROMPTS[0][0]
    drain = CohortMeasurement(
        "shortcut", "difference", 2.5, prompt, f"chest drain {SCRIPT}", 12, 80, (1.5, 3.5), 1e-9, 1e-7, (study,)
    )
    years = CohortMeasurement("drift", "trend", 0.1, prompt, "2019 to 2024", 92, p=0.4, q=0.4)
    finding = CohortFinding(drain, 1.0, Severity.WARNING, f"It seems to rely on {HOSTILE}.", "No cause.", "Look.")
    return CohortAudit(92, 0.01, (drain, years), (finding,))


def make_store(folder: Path, size: tuple[int, int] = (96, 80), studies: tuple = STUDIES) -> Path:
    with AuditStore.create(folder, RUN) as store:
        for seed, (study, images, colour) in enumerate(studies):
            audited = tuple(
                make_image(study, f"I-{index + 1}", seed + index, findings, colour=colour, size=size)
                for index, findings in enumerate(images)
            )
            store.save_study(StudyAudit(StudyRecord(study, {"StudyDate": "2026"}), audited, 41.5 + seed), ())
        store.save_files(FILES)
        store.save_cohort_audit(across(studies[0][0]))
        reports = folder / "reports"
        reports.mkdir()
        (reports / f"{studies[0][0]}.pdf").write_bytes(b"%PDF-1.7 small")
    return folder


@pytest.fixture(scope="session")
def audit_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("viewer") / "audit")


@pytest.fixture(scope="session")
def known() -> SimpleNamespace:
    """What the audit of :func:`audit_folder` holds, for tests."""
    return SimpleNamespace(
        script=SCRIPT,
        hostile=HOSTILE,
        prompts=PROMPTS,
        studies=[study for study, _, _ in STUDIES],
        run=RUN,
        files=FILES,
        findings=(CAUTION, WARNING, NOTE),
        image=make_image,
        study=lambda code: StudyRecord(code, {"StudyDate": "2026"}),
        store=make_store,
    )


_START = (
    "import json, sys; from pathlib import Path; from medaudit.viewer.serve import serve;"
    "from medaudit.viewer.settings import Settings;"
    "told = json.loads(sys.argv[1]); path = lambda name: Path(told[name]) if told.get(name) else None;"
    "settings = Settings(path('folder'), told['reader'], roles=path('roles'), compare=path('compare'));"
    "sys.exit(serve(settings, port=told['port'], open_browser=False, secrets=path('secrets'), light=told['light']))"
)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def _served(
    folder: Path, reader: str = "reader", theme: str = "dark", *, port: int | None = None, **files: Path
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """(process, url) of a viewer in a process group of its own, as a terminal gives it; ``files``: further settings."""
    port = port or _free_port()
    told = {"folder": str(folder), "reader": reader, "light": theme == "light", "port": port}
    told |= {name: str(path) for name, path in files.items()}
    process = subprocess.Popen(
        [sys.executable, "-c", _START, json.dumps(told)], start_new_session=True, stdout=subprocess.PIPE, text=True
    )
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{ADDRESS}:{port}/_stcore/health"):
                break
            assert process.poll() is None, "the viewer ended before it answered"
            time.sleep(0.1)
        else:
            pytest.fail("the viewer did not answer within 30 seconds")
        yield process, f"http://{ADDRESS}:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture(scope="session")
def served() -> Callable[..., contextlib.AbstractContextManager[tuple[subprocess.Popen[str], str]]]:
    return _served


CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A real browser; a test that asks for it skips where there is none."""
    if CHROMIUM is None:
        pytest.skip("needs a chromium on PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    return _free_port
