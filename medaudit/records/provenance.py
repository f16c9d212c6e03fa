"""Where a result comes from: the run, its model, and the fate of every file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class FileFate(StrEnum):
    """What became of an input file. ``TEXT`` gave report sentences; ``NOT_CHOSEN`` met no rule of the pipeline."""

    PENDING = "pending"
    """Not reached yet: the run was limited or interrupted, and a resume goes on with it."""
    AUDITED = "audited"
    TEXT = "text"
    NOT_CHOSEN = "not chosen"
    DUPLICATE = "duplicate"
    NOT_AN_IMAGE = "not an image"
    NOT_DICOM = "not DICOM"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One input file and what became of it.

    ``path`` is relative to the input (``archive.zip!member`` inside an archive). It is written by
    the site, may name a patient, and stays in the audit folder: no PDF and no page shows it, they
    show ``code``. ``stage`` is the package where a failure arose (scan, read, display, model,
    attribution, audit, store, report); ``error`` its class; ``reason`` says what a person can do.
    """

    code: str
    path: str
    fate: FileFate
    reason: str = ""
    study: str = ""
    stage: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Which model was audited.

    ``files`` maps each file name that was loaded to its sha256. ``score`` names how the model turns
    a similarity into what it was trained with (softmax, sigmoid, cosine); medaudit reports cosines.
    """

    name: str
    family: str
    files: Mapping[str, str]
    input_size: tuple[int, int]
    grid: tuple[int, int]
    score: str
    licence: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of the audit: enough to repeat it.

    ``pipeline_yaml`` is the text that was used; ``pipeline_digest`` the sha256 of its meaning.
    ``versions`` maps package names to versions; ``environment`` holds python, platform, device.
    ``started`` is UTC, ISO 8601.
    """

    pipeline_name: str
    pipeline_yaml: str
    pipeline_digest: str
    report_layout: str
    model: ModelCard
    seed: int
    keeps_identifiers: bool
    started: str
    versions: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
