"""Fixtures that several packages' tests share: a model of random weights, a small DICOM study, real data."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

TEST_DATA_VARIABLE = "MEDAUDIT_TEST_DATA"


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real images, which is never part of the repository."""
    folder = os.environ.get(TEST_DATA_VARIABLE)
    if not folder:
        pytest.skip(f"{TEST_DATA_VARIABLE} is not set: no folder of real images on this machine")
    return Path(folder)


@pytest.fixture(scope="session")
def goldens() -> Path:
    """Values of the public M2IB implementation; origin in tests/data/README.md."""
    return Path(__file__).parent / "data" / "m2ib"


@pytest.fixture(scope="session")
def random_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small CLIP folder with random weights: 112 px, 14 x 14 tokens, 4 blocks. It has learnt nothing."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    from medaudit.models.weights import quiet_transformers

    folder = tmp_path_factory.mktemp("models") / "random-clip"
    folder.mkdir()
    vocabulary = _write_byte_tokenizer(folder)
    tower = {"hidden_size": 32, "intermediate_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4}
    ends = {"bos_token_id": vocabulary - 2, "eos_token_id": vocabulary - 1, "pad_token_id": vocabulary - 1}
    config = CLIPConfig(
        vision_config={**tower, "image_size": 112, "patch_size": 8},
        text_config={**tower, **ends, "vocab_size": vocabulary, "max_position_embeddings": 256},
        projection_dim=32,
    )
    with torch.random.fork_rng(devices=[]), quiet_transformers():
        torch.manual_seed(0)
        model = CLIPModel(config)
        _draw_weights(model)
        model.save_pretrained(folder, safe_serialization=True)
    preprocessing = {
        "size": {"shortest_edge": 112},
        "crop_size": {"height": 112, "width": 112},
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.25, 0.25, 0.25],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessing))
    (folder / "medaudit.json").write_text(json.dumps({"notes": ["Random weights: this model has learnt nothing."]}))
    return folder


def _draw_weights(model: Any) -> None:
    """About as large as the library draws them, in an order of our own: the same in every version of it."""
    import torch

    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for _, weight in sorted(model.named_parameters()):
            if weight.ndim and weight.std() > 0:  # neither biases nor norms
                weight.copy_(torch.randn(weight.shape, generator=draw) * float(f"{weight.std():.0e}"))


def _write_byte_tokenizer(folder: Path) -> int:
    """CLIP tokenizer without merges, one token a byte; the number of its entries."""
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    begin, end = "<|startoftext|>", "<|endoftext|>"
    entries = [*letters, *(f"{letter}</w>" for letter in letters), begin, end]
    (folder / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(entries)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    names = {"bos_token": begin, "eos_token": end, "unk_token": end, "pad_token": end, "model_max_length": 256}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer", **names}))
    return len(entries)


def radiograph(seed: int, rows: int = 96, columns: int = 80) -> np.ndarray:
    """A smooth 12-bit picture with two dark fields and a little noise, different for every seed."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    picture = 3000 - 900 * (x**2 + y**2)
    for side in (-0.45, 0.45):
        picture -= 1500 * np.exp(-(((x - side) / 0.25) ** 2) - ((y - generator.uniform(-0.2, 0.2)) / 0.5) ** 2)
    return np.clip(picture + generator.normal(0, 20, picture.shape), 0, 4095).astype(np.uint16)


@pytest.fixture(scope="session")
def write_radiograph() -> Callable[..., Path]:
    """Write a DX file: ``write(path, seed, **elements)``; the UIDs follow from the seed."""

    def write(path: Path, seed: int, *, study: int | None = None, pixels: np.ndarray | None = None, **elements) -> Path:
        pixels = radiograph(seed) if pixels is None else pixels
        study = seed if study is None else study
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
        meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["image", str(seed)])
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
        ds.SOPClassUID = meta.MediaStorageSOPClassUID
        ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
        ds.StudyInstanceUID = generate_uid(entropy_srcs=["study", str(study)])
        ds.SeriesInstanceUID = generate_uid(entropy_srcs=["series", str(study)])
        ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Secret^Name", "HIDDEN-77", "19500102", "F"
        ds.StudyDate, ds.Modality, ds.BodyPartExamined, ds.ViewPosition = "20200304", "DX", "CHEST", "PA"
        ds.Manufacturer, ds.PatientOrientation, ds.PixelSpacing = "Maker", ["L", "F"], [0.4, 0.4]
        ds.PhotometricInterpretation, ds.SamplesPerPixel, ds.PixelRepresentation = "MONOCHROME2", 1, 0
        ds.Rows, ds.Columns = pixels.shape
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
        ds.WindowCenter, ds.WindowWidth = 2000, 4000
        ds.PixelData = pixels.tobytes()
        for keyword, value in elements.items():
            setattr(ds, keyword, value)
        path.parent.mkdir(parents=True, exist_ok=True)
        pydicom.dcmwrite(path, ds, enforce_file_format=True)
        return path

    return write


PIPELINE = """\
version: 1
name: test-radiograph
title: Test radiograph
images: {modalities: [DX], views: [PA, AP], min_side: 16}
prompts:
  findings: [effusion, nodule]
  templates: ["radiograph with {finding}"]
  negated: ["radiograph without {finding}"]
  controls: ["a bowl of fruit"]
attribution: {method: m2ib, settings: {steps: 4, samples: 3}}
checks: maps
thresholds:
  prompt_control.map_rank_correlation: {limit: 0.5, severity: warning}
"""


@pytest.fixture
def pipeline_file(tmp_path: Path) -> Path:
    """A small pipeline: 5 prompts, 4 steps of 3 samples."""
    path = tmp_path / "test-radiograph.yaml"
    path.write_text(PIPELINE, encoding="utf-8")
    return path


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a skipped test fails the run (for CI)")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped and item.config.getoption("--no-skips") and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome, report.longrepr = "failed", f"skipped although --no-skips is set: {reason}"
    return report
