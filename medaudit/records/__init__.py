"""What survives a run: frozen values, numpy only, validated at birth."""

from medaudit.records.cohort import CohortAudit, CohortFinding, CohortMeasurement, Observation
from medaudit.records.curve import FaithfulnessCurve, Walk
from medaudit.records.finding import Finding, Measurement, Severity, gravest_first
from medaudit.records.geometry import AxisMap, GridMap, TokenGrid
from medaudit.records.image import ImageRecord, ReadingCopy
from medaudit.records.provenance import FileFate, FileRecord, ModelCard, RunRecord
from medaudit.records.relevance import (
    Assertion,
    Attribution,
    Prompt,
    PromptKind,
    Quantity,
    RelevanceMap,
    SolverTrace,
    TokenRelevance,
)
from medaudit.records.study import ImageAudit, Margins, StudyAudit, StudyRecord

__all__ = [
    "Assertion",
    "Attribution",
    "AxisMap",
    "CohortAudit",
    "CohortFinding",
    "CohortMeasurement",
    "FaithfulnessCurve",
    "FileFate",
    "FileRecord",
    "Finding",
    "GridMap",
    "ImageAudit",
    "ImageRecord",
    "Margins",
    "Measurement",
    "ModelCard",
    "Observation",
    "Prompt",
    "PromptKind",
    "Quantity",
    "ReadingCopy",
    "RelevanceMap",
    "RunRecord",
    "Severity",
    "SolverTrace",
    "StudyAudit",
    "StudyRecord",
    "TokenGrid",
    "TokenRelevance",
    "Walk",
    "gravest_first",
]
