"""Calibration: what is written beside the weights, and what needs it."""

import shutil

import numpy as np
import pytest
import torch

from medaudit.attribution.m2ib import M2IB, M2IBSettings
from medaudit.attribution.method import Noise
from medaudit.errors import AttributionError, ModelLayoutError, UsageError
from medaudit.imaging.preprocess import ModelInput
from medaudit.models.calibration import FILE
from medaudit.models.moments import Moments
from medaudit.models.registry import load_model
from medaudit.pipeline.calibrate import calibrate
from medaudit.pipeline.load import load_pipeline
from medaudit.records import AxisMap, GridMap, Prompt, PromptKind

CPU = torch.device("cpu")
PROMPT = Prompt("radiograph with fluid", PromptKind.CONTROL)


@pytest.fixture(scope="module")
def folder(random_clip, tmp_path_factory, write_radiograph):
    """A model folder of random weights, calibrated on ten small radiographs; one file more is broken."""
    root = tmp_path_factory.mktemp("calibrated")
    folder, studies = root / "model", root / "studies"
    shutil.copytree(random_clip, folder)
    for seed in range(10):
        write_radiograph(studies / f"{seed}.dcm", seed)
    text = (
        "version: 1\nname: test\ntitle: Test\nimages: {modalities: [DX], min_side: 16}\n"
        "prompts: {findings: [effusion, nodule, air]}\n"
    )
    (root / "test.yaml").write_text(text)
    summary = calibrate(folder, [studies], load_pipeline(str(root / "test.yaml")), device=CPU)
    assert (summary.images, summary.texts, summary.skipped) == (10, 3, {})
    return folder


def image_of(model, seed=3):
    side = model.preprocessing.input_size[0]
    pixels = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(seed))
    whole = (-0.5, side - 0.5, -0.5, side - 0.5)
    return ModelInput(pixels, GridMap((side, side), (side, side), model.grid, AxisMap(1, 0), AxisMap(1, 0), whole))


def test_the_statistics_are_the_mean_and_deviation_a_position_and_channel(random_clip):
    model = load_model(random_clip, CPU)
    pixels = torch.randn(6, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    moments = Moments(model.vision, None)
    with torch.no_grad():
        for part in pixels.split(4):
            moments.add(model.vision.embed(part))
        states = model.vision.run(model.vision.embed(pixels), 0, 2).states.double()
    found = moments.result()
    assert found.items == 6
    assert torch.allclose(found.layers[1].mean.double(), states.mean(0), atol=1e-5)
    deviation = states.std(0, unbiased=False)
    floor = 0.01 * deviation.mean()
    assert torch.allclose(found.layers[1].deviation.double(), deviation.clamp(min=floor), atol=1e-5)
    assert torch.allclose(found.embedding, model.vision.encode(pixels).mean(0), atol=1e-6)


def test_a_calibrated_model_says_so_and_takes_the_settings_that_need_it(folder):
    model = load_model(folder, CPU)
    assert model.calibration.image.items == 10
    assert len(model.card.files[FILE]) == 64
    for reference, width in (
        (model.calibration.usual.embeddings, len(model.calibration.image.embedding)),
        (model.calibration.usual.pictures, 8),
    ):
        assert reference.covariance.shape == (width, width)
        assert len(reference.distances) == 10
    settings = M2IBSettings(solver="fixed-point", steps=3, samples=2, standardise=True, lambda_per="token")
    (plain,) = M2IB(settings).explain(model, image_of(model), [PROMPT], Noise(0, "a"))
    (against,) = M2IB(M2IBSettings(steps=3, samples=2, target="contrastive", standardise=True)).explain(
        model, image_of(model), [PROMPT], Noise(0, "a")
    )
    assert plain.settings["standardise"]
    assert (plain.settings["solver"], plain.settings["precision"]) == ("fixed-point", "float32")
    assert against.settings["target"] == "contrastive"
    for one in (plain, against):
        assert one.image_trace.residual >= 0
        assert np.isfinite(one.image.values).all()
    assert abs(plain.similarity - against.similarity) < 1e-6


def test_negatives_that_are_named_replace_the_mean_text(folder):
    model = load_model(folder, CPU)
    maps = []
    for negatives in ("", "radiograph with air | radiograph with a nodule"):
        settings = M2IBSettings(steps=3, samples=2, target="contrastive", negatives=negatives)
        maps.append(M2IB(settings).explain(model, image_of(model), [PROMPT], Noise(0, "a"))[0].image.values)
    assert not np.allclose(*maps)
    with pytest.raises(AttributionError, match="add another sentence"):
        M2IB(M2IBSettings(target="contrastive", negatives=PROMPT.text)).explain(
            model, image_of(model), [PROMPT], Noise(0, "a")
        )


@pytest.mark.parametrize("settings", [{"standardise": True}, {"target": "contrastive"}])
def test_a_model_without_a_calibration_is_told_how_to_get_one(random_clip, settings):
    model = load_model(random_clip, CPU)
    with pytest.raises(AttributionError, match="medaudit calibrate --model"):
        M2IB(M2IBSettings(**settings)).explain(model, image_of(model), [PROMPT], Noise(0, "a"))


def test_a_calibration_of_other_weights_is_refused(folder, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    weights = other / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelLayoutError, match=r"made for another model\.safetensors .*medaudit calibrate"):
        load_model(other, CPU)
    (other / FILE).write_bytes(b"nothing")
    with pytest.raises(ModelLayoutError, match="not a calibration"):
        load_model(other, CPU)


def test_too_few_images_are_refused(folder, tmp_path, write_radiograph):
    write_radiograph(tmp_path / "studies" / "one.dcm", 1)
    (tmp_path / "test.yaml").write_text("version: 1\nname: t\ntitle: T\nprompts: {findings: [a, b]}\n")
    with pytest.raises(UsageError, match="at least 8 images and 2 sentences; got 1 images"):
        calibrate(folder, [tmp_path / "studies"], load_pipeline(str(tmp_path / "test.yaml")), device=CPU)
