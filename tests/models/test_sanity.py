"""A model that loads and is useless is named so; a sound one is not."""

import json
from dataclasses import replace

import pytest
import torch

from medaudit.errors import EmbeddingCollapseWarning, InputScaleWarning, TokenizerWarning
from medaudit.imaging.preprocess import Fit, PreprocessingSpec
from medaudit.models.registry import load_model
from medaudit.models.sanity import doubts, examined
from medaudit.resources import bundled_models_folder

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def sound():
    return load_model(bundled_models_folder() / "phantom-clip", CPU)


def test_a_trained_model_raises_no_doubt(sound):
    assert doubts(sound) == ()
    assert examined(sound) is sound


def test_statistics_of_bytes_are_told_and_named_in_the_card(sound):
    own = sound.preprocessing
    spec = PreprocessingSpec(own.input_size, own.resize, Fit.CROP, "bicubic", (101.5,) * 3, (83.4,) * 3)
    model = examined(replace(sound, preprocessing=spec))
    assert isinstance(doubts(model)[0], InputScaleWarning)
    assert any(note.startswith("InputScaleWarning: mean (101.5") for note in model.card.notes)


def test_a_model_that_barely_reacts_to_the_image_is_told(layouts, tmp_path):
    folder = layouts["openai"](tmp_path).folder
    path = folder / "best_64_5e-05.pt"
    weights = torch.load(path, weights_only=True)
    weights["visual.conv1.weight"] *= 1e-6
    torch.save(weights, path)
    (found,) = doubts(load_model(folder, CPU))
    assert isinstance(found, EmbeddingCollapseWarning)
    assert "barely reacts to the image" in str(found)


def test_a_model_that_barely_reads_its_prompts_is_told(layouts, tmp_path):
    folder = layouts["openai"](tmp_path).folder
    path = folder / "best_64_5e-05.pt"
    weights = torch.load(path, weights_only=True)
    for name in ("token_embedding.weight", "positional_embedding"):
        weights[name][:] = 1e-6
    torch.save(weights, path)
    found = [doubt for doubt in doubts(load_model(folder, CPU)) if isinstance(doubt, EmbeddingCollapseWarning)]
    assert "barely reads" in str(found[0])


def test_another_models_vocabulary_is_told(layouts, tmp_path):
    """Twelve words of the tiny vocabulary are no English."""
    (found,) = doubts(load_model(layouts["dual-vit"](tmp_path).folder, CPU))
    assert isinstance(found, TokenizerWarning)
    assert "the tokenizer is not this model's" in str(found)


def test_ids_that_the_tower_does_not_know_are_told(random_clip, tmp_path):
    import shutil

    folder = shutil.copytree(random_clip, tmp_path / "copy")
    tokens = json.loads((folder / "vocab.json").read_text())
    (folder / "vocab.json").write_text(json.dumps({name: index + 5000 for name, index in tokens.items()}))
    (found,) = doubts(load_model(folder, CPU))
    assert isinstance(found, TokenizerWarning)
    assert "does not know" in str(found)
