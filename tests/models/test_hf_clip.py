"""The Hugging Face CLIP adapter against the library's own forward."""

import json
import shutil
import socket

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn.functional import normalize
from transformers import CLIPModel

from medaudit.dicom.grayscale import DisplayImage
from medaudit.errors import ModelError, ModelLayoutError, ModelMissingError
from medaudit.imaging.preprocess import preprocess
from medaudit.models import hf_clip
from medaudit.models.registry import load_model

CPU = torch.device("cpu")


def features(value):
    """transformers 4 returned a tensor, 5 returns an object."""
    return normalize(getattr(value, "pooler_output", value), dim=-1)


@pytest.fixture(scope="module")
def library(random_clip):
    return CLIPModel.from_pretrained(random_clip, local_files_only=True).eval()


@pytest.fixture(scope="module")
def model(random_clip):
    return load_model(random_clip, CPU)


@pytest.fixture(scope="module")
def pixels():
    return torch.randn(3, 3, 112, 112, generator=torch.Generator().manual_seed(0))


def test_the_towers_agree_with_the_library(model, library, pixels):
    prompt = model.tokenize("no pleural effusion")
    with torch.no_grad():
        assert torch.allclose(model.vision.encode(pixels), features(library.get_image_features(pixels)), atol=1e-6)
        ours, theirs = model.text.encode(prompt.ids), features(library.get_text_features(prompt.ids))
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_gradients_agree_with_the_library(model, library, pixels):
    ours, theirs = pixels.clone().requires_grad_(), pixels.clone().requires_grad_()
    direction = torch.randn(3, 32, generator=torch.Generator().manual_seed(1))
    (model.vision.encode(ours) * direction).sum().backward()
    (features(library.get_image_features(theirs)) * direction).sum().backward()
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-6)


def test_padding_under_a_mask_changes_nothing(model):
    prompt = model.tokenize("fluid")
    padded = torch.cat([prompt.ids, torch.full((1, 5), 7)], dim=1)
    mask = torch.tensor([[True] * prompt.ids.shape[1] + [False] * 5])
    with torch.no_grad():
        assert torch.allclose(model.text.encode(padded, mask), model.text.encode(prompt.ids), atol=1e-6)


@pytest.mark.parametrize("split", [0, 1, 3, 4])
def test_prefix_and_suffix_compose_to_the_whole(model, pixels, split):
    with torch.no_grad():
        prefix = model.vision.run(model.vision.embed(pixels), 0, split)
        assert torch.allclose(model.vision.suffix(prefix, split), model.vision.encode(pixels), atol=1e-6)


def test_only_computes_the_tokens_that_are_asked_for(model, pixels):
    hidden = model.vision.embed(pixels)
    only = torch.tensor([[5, 0], [7, 0], [1, 0]])
    with torch.no_grad():
        some, all_tokens = model.vision.run(hidden, 0, 4, only=only), model.vision.run(hidden, 0, 4)
    assert some.states.shape[1] == 2
    assert some.pooled is None
    for item in range(3):
        assert torch.allclose(some.states[item], all_tokens.states[item, only[item]], atol=1e-5)


def test_attention_rows_sum_to_one_and_text_never_looks_ahead(model, pixels):
    weights = model.vision.attention(model.vision.embed(pixels[:1]), 0)
    assert weights.shape == (1, 4, 197, 197)
    assert torch.allclose(weights.sum(-1), torch.ones(1), atol=1e-5)
    text = model.text.attention(model.text.embed(model.tokenize("air").ids), 1)
    assert text.triu(1).abs().max() == 0


def test_blocks_out_of_range_are_refused(model, pixels):
    with pytest.raises(ValueError, match="0 <= start <= stop <= 4"):
        model.vision.run(model.vision.embed(pixels), 0, 5)


def test_the_head_refuses_states_without_the_pooled_token(model, pixels):
    without = model.vision.run(model.vision.embed(pixels), 0, 4, only=torch.tensor([[3], [3], [3]]))
    with pytest.raises(ValueError, match="pooled token"):
        model.vision.head(without)


def test_the_preprocessing_is_the_published_one(model):
    """Pillow's antialiased bicubic on 8 bits, centre crop, normalisation; ours keeps more bits, so within 1/255."""
    generator = np.random.default_rng(0)
    picture = np.asarray(Image.fromarray(generator.integers(0, 255, (20, 30), np.uint8)).resize((301, 227), 2))
    shown = DisplayImage(
        values=(picture / np.float32(255)).astype(np.float32),
        modality_values=None,
        inverted=False,
        window=None,
        description="",
    )
    ours = preprocess(shown, model.preprocessing, model.grid).pixels[0]
    resized = Image.fromarray(picture).resize((int(112 * 301 / 227), 112), Image.Resampling.BICUBIC)
    left = (resized.width - 112) // 2
    cropped = np.asarray(resized)[:, left : left + 112] / 255
    theirs = (cropped - 0.5) / 0.25
    assert np.abs(ours[0].numpy() - theirs).max() < (1 / 255) / 0.25
    assert torch.equal(ours[0], ours[2])


def test_loading_touches_no_network(random_clip, monkeypatch):
    def forbidden(*args, **kwargs):
        pytest.fail("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    load_model(random_clip, CPU)


def test_the_card_names_files_grid_and_score(model, random_clip):
    assert model.card.grid == (14, 14)
    assert model.card.files.keys() >= {"model.safetensors", "config.json", "vocab.json"}
    assert len(model.card.files["model.safetensors"]) == 64
    assert "learnt nothing" in model.card.notes[0]
    assert "probability" not in model.card.score


@pytest.fixture
def copy(random_clip, tmp_path):
    return shutil.copytree(random_clip, tmp_path / "copy")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("config.json", ModelMissingError, "config.json is missing"),
        ("preprocessor_config.json", ModelMissingError, "preprocessor_config.json is missing"),
        ("model.safetensors", ModelMissingError, "no weights"),
        ("vocab.json", ModelMissingError, "no tokenizer"),
    ],
)
def test_a_missing_file_is_named(copy, name, error, message):
    (copy / name).unlink()
    with pytest.raises(error, match=message):
        load_model(copy, CPU)


def test_a_missing_weight_is_named(copy):
    weights = load_file(copy / "model.safetensors")
    del weights["visual_projection.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelLayoutError, match=r"missing keys: visual_projection\.weight"):
        load_model(copy, CPU)


def test_an_unknown_weight_is_named(copy):
    weights = load_file(copy / "model.safetensors") | {"stranger.weight": torch.zeros(2)}
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelLayoutError, match=r"unexpected keys: stranger\.weight"):
        load_model(copy, CPU)


def test_another_family_is_refused_by_name(copy):
    config = json.loads((copy / "config.json").read_text()) | {"model_type": "blip"}
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelLayoutError, match=r"'blip' is not supported; supported: .*clip"):
        load_model(copy, CPU)


def test_a_prompt_that_is_too_long_says_how_long(model):
    with pytest.raises(ModelError, match=r"prompt: 302 tokens, .* reads 256"):
        model.tokenize("a" * 300)


def test_legacy_configs_pool_at_the_largest_id(goldens):
    library = hf_clip.load_weights(goldens / "case1" / "model")
    library.config.text_config.eos_token_id = hf_clip.LEGACY_EOS_TOKEN_ID
    _, text = hf_clip.towers(library)
    assert text.embed(torch.tensor([[5, 199, 3, 7]])).pooled.tolist() == [1]
