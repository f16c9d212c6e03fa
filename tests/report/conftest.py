"""A study with a smooth, chest-like picture, built by hand; no real data."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from medaudit.records import (
    Attribution,
    AxisMap,
    FaithfulnessCurve,
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

PIPELINE = """\
name: chest-radiograph
thresholds:
  negation.similarity_gap: {limit: 0.02, severity: caution}
  prompt_control.map_correlation: {limit: 0.8, severity: warning}
  border.mass_share: {limit: 0.25, severity: caution}
"""

ASKED = (
    ("Findings suggesting pleural effusion.", PromptKind.FINDING, "pleural effusion", 0.412, (0.78, 0.74, 3.05)),
    ("There is no pleural effusion.", PromptKind.NEGATED, "pleural effusion", 0.405, (0.77, 0.72, 2.9)),
    ("Findings suggesting cardiomegaly.", PromptKind.FINDING, "cardiomegaly", 0.361, (0.66, 0.55, 2.1)),
    ("There is no cardiomegaly.", PromptKind.NEGATED, "cardiomegaly", 0.298, (0.64, 0.52, 1.7)),
    ("Findings suggesting pneumothorax.", PromptKind.FINDING, "pneumothorax", 0.287, (0.22, 0.3, 0.9)),
    ("There is no pneumothorax.", PromptKind.NEGATED, "pneumothorax", 0.291, (0.25, 0.32, 0.8)),
    ("A photograph of a dog.", PromptKind.CONTROL, "", 0.051, (0.5, 0.5, 0.2)),
    ("The quick brown fox jumps.", PromptKind.CONTROL, "", 0.083, (0.4, 0.6, 0.3)),
)


def chest(rows, columns):
    """uint8 (rows, columns): two dark lungs, a heart, a spine and ribs, all smooth."""
    y, x = np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns), indexing="ij")

    def blob(row, column, high, wide, power=2):
        return np.exp(-((np.abs((y - row) / high) ** power) + (np.abs((x - column) / wide) ** power)))

    picture = 150 * blob(0.55, 0.5, 0.62, 0.5, 6) + 25
    picture -= 95 * (blob(0.45, 0.29, 0.3, 0.15, 3) + blob(0.45, 0.72, 0.3, 0.15, 3))
    picture += 65 * blob(0.62, 0.56, 0.16, 0.14) + 45 * blob(0.5, 0.5, 0.6, 0.035) + 50 * blob(0.86, 0.4, 0.1, 0.3)
    ribs = np.cos(2 * np.pi * (y * 11 + 1.6 * (x - 0.5) ** 2 * 8)) * blob(0.42, 0.5, 0.36, 0.36, 6)
    return np.clip(picture + 9 * ribs, 0, 255).astype(np.uint8)


def cropped_square(rows, columns, grid=14, size=224):
    """The geometry of resize and centre crop to a square."""
    side = min(rows, columns)
    scale = side / size
    top, left = (rows - side) / 2, (columns - side) / 2
    offsets = (scale / 2 - 0.5 + top, scale / 2 - 0.5 + left)
    return GridMap(
        stored=(rows, columns),
        input=(size, size),
        grid=TokenGrid(grid, grid, 1),
        row=AxisMap(scale, offsets[0]),
        column=AxisMap(scale, offsets[1]),
        seen=(top - 0.5, top + side - 0.5, left - 0.5, left + side - 0.5),
    )


def attribution(asked, geometry):
    text, kind, finding, similarity, peak = asked
    rows, columns = geometry.grid.rows, geometry.grid.columns
    y, x = np.meshgrid((np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns, indexing="ij")
    row, column, height = peak
    noise = np.random.default_rng(len(text)).random((rows, columns)) * 0.12
    nats = height * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 0.022) + noise * (height > 0)
    words = tuple(text.split())
    shares = np.array([0.2 + (len(word) % 7) * 0.35 for word in words], dtype=np.float32)
    text_relevance = TokenRelevance(
        tokens=("[CLS]", *words, "[SEP]"),
        values=np.concatenate([[0.4], shares, [0.1]]).astype(np.float32),
        words=words,
        word_of_token=(-1, *range(len(words)), -1),
    )
    trace = SolverTrace(tuple(np.linspace(0.9, 0.117, 10).tolist()), float(nats.sum()), 4_611_686_018_427_387_904)
    return Attribution(
        prompt=Prompt(text, kind, finding),
        similarity=similarity,
        image=RelevanceMap(np.minimum(nats, height).astype(np.float32), geometry),
        text=text_relevance,
        method="m2ib",
        image_trace=trace,
        text_trace=replace(trace, capacity_nats=float(shares.sum())),
        settings={"beta": 0.1, "layer": 9, "steps": 10, "learning_rate": 1.0, "batch": 10, "normalised": True},
    )


def curve(subject, walk):
    """A map that beats its controls: the similarity comes, or goes, in the first half."""
    share = np.linspace(0, 1, 11)
    rise = {"own": share**0.3, "random": share, "constant": share**1.4, "centre": share**0.7}
    lines = {name: 0.1 + 0.3 * (line if walk is Walk.INSERTION else 1 - line) for name, line in rise.items()}
    return FaithfulnessCurve(
        subject, walk, tuple(share.tolist()), **{name: tuple(line.tolist()) for name, line in lines.items()}
    )


def image_audit(shown=None, *, shape=(1024, 840), asked=ASKED, findings=2, walked=(), **record):
    geometry = cropped_square(*shape)
    facts = {
        "study": "S-4F2A91C7",
        "series": "E-0B7D22",
        "image": "I-93A1D04E",
        "frame": 0,
        "rows": shape[0],
        "columns": shape[1],
        "elements": {"Modality": "DX", "ViewPosition": "PA", "PhotometricInterpretation": "MONOCHROME2"},
        "transfer_syntax": "JPEG 2000 Image Compression (Lossless Only)",
        "decoder": "pylibjpeg",
        "display": "modality LUT (slope 1, intercept 0), VOI window 2048 / 4096 LINEAR, MONOCHROME2",
        "pixel_sha256": "9c1185a5c5e9fc54612808977ee8f548b2258d31ddadef707ba62c8c5b1f4a30",
        "patient_orientation": ("L", "F"),
        "pixel_spacing": (0.35, 0.35),
    } | record
    measurements = (
        Measurement("negation", "similarity_gap", 0.007, ASKED[0][0], ASKED[1][0]),
        Measurement("prompt_control", "map_correlation", 0.94, ASKED[0][0], ASKED[6][0]),
        Measurement("border", "mass_share", 0.04, ASKED[0][0]),
        Measurement("negation", "similarity_gap", 0.063, ASKED[2][0], ASKED[3][0]),
        Measurement("repeat", "map_similarity", 0.981, ASKED[2][0]),
    )
    found = (
        Finding(
            measurements[0],
            0.02,
            Severity.CAUTION,
            f"The model hardly tells \u201c{ASKED[0][0]}\u201d from \u201c{ASKED[1][0]}\u201d: "
            "their similarities differ by 0.0070 (threshold 0.02).",
            "Whether an effusion is present; the model may still rank studies in a useful order.",
            "Do not use this prompt as a yes-or-no question. Compare paraphrases before relying on it.",
        ),
        Finding(
            measurements[1],
            0.8,
            Severity.WARNING,
            "The map of this prompt hardly differs from the map of a sentence about something else.",
            "That the region is wrong; only that the map does not depend on what was asked.",
            "Treat the map as a picture of what the model looks at in any case, not of this finding.",
        ),
    )
    return ImageAudit(
        record=ImageRecord(**facts),
        reading_copy=ReadingCopy(chest(*shape) if shown is None else shown),
        grid_map=geometry,
        attributions=tuple(attribution(prompt, geometry) for prompt in asked),
        measurements=measurements if asked is ASKED else (),
        findings=found[:findings] if asked is ASKED else (),
        curves=tuple(curve(subject, walk) for subject in walked for walk in Walk),
    )


def study_audit(*images, elements=None):
    shown = elements if elements is not None else {"Modality": "DX", "BodyPartExamined": "CHEST", "PatientSex": "F"}
    return StudyAudit(StudyRecord("S-4F2A91C7", shown), images or (image_audit(),), 12.5)


RUN = RunRecord(
    pipeline_name="chest-radiograph",
    pipeline_yaml=PIPELINE,
    pipeline_digest="1f6a0d3c5be4f1f7d1b93d60f2a5d4f96a0d8a2b91f4c76f5b7be9a9f3c4d2e1",
    report_layout="study",
    model=ModelCard(
        name="BiomedCLIP-PubMedBERT_256-vit_base_patch16_224",
        family="biomedclip",
        files={
            "model.safetensors": "4bf7e3a7c1d24a1db92b3cfd0b1e6e21b6e1e8b7a5a1fa4c4b1fcb4b5d8cbe21",
            "config.json": "0d2b7c4f30c9a0b7c8f2fd9c4f7a9f6d0fb6f3c9fb7e1fdc1f0a3f8e9b2c6d55",
        },
        input_size=(224, 224),
        grid=(14, 14),
        score="softmax over prompts",
        licence="MIT",
    ),
    seed=20240501,
    keeps_identifiers=False,
    started="2025-03-01T08:15:00Z",
    versions={"medaudit": "0.1.0", "torch": "2.5.1", "transformers": "4.57.0", "pydicom": "3.0.1"},
    environment={"python": "3.11.9", "platform": "Linux x86_64", "device": "cpu"},
)


@dataclass(frozen=True)
class Builders:
    """What a test needs to build a study of its own."""

    run = RUN
    asked = ASKED
    study = staticmethod(study_audit)
    image = staticmethod(image_audit)
    attribution = staticmethod(attribution)
    geometry = staticmethod(cropped_square)
    chest = staticmethod(chest)


@pytest.fixture(scope="session")
def build():
    return Builders()
