"""BiomedCLIP's published layout: open_clip's own values, its tokenizer, and what is refused."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import normalize

from medaudit.attribution.m2ib import M2IB, M2IBSettings
from medaudit.attribution.method import Noise
from medaudit.errors import ModelError, ModelLayoutError, ModelMissingError
from medaudit.imaging.preprocess import ModelInput
from medaudit.models.registry import load_model
from medaudit.records import AxisMap, GridMap, Prompt, PromptKind

CPU = torch.device("cpu")
WIDTH, SIDE = 128, 64


@pytest.fixture
def folder(layouts, tmp_path):
    return layouts["biomedclip"](tmp_path).folder


def test_open_clips_own_values_are_matched(test_data):
    folder = test_data.parent / "golden" / "layouts" / "biomedclip"
    model, golden = load_model(folder, CPU), np.load(folder / "golden.npz")
    pixels = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(int(golden["pixel_seed"])))
    ids = torch.from_numpy(golden["input_ids"])
    with torch.no_grad():
        image, text = model.vision.encode(pixels), model.text.encode(ids, ids != 0)
    for ours, name in ((image, "image_embedding"), (text, "text_embedding")):
        assert torch.allclose(ours, normalize(torch.from_numpy(golden[name]), dim=-1), atol=1e-5)


def test_safetensors_give_the_same_model(folder):
    pixels = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = load_model(folder, CPU).vision.encode(pixels)
        path = folder / "open_clip_pytorch_model.bin"
        save_file(torch.load(path, weights_only=True), folder / "open_clip_model.safetensors")
        path.unlink()
        after = load_model(folder, CPU).vision.encode(pixels)
    # Not to the bit: where weights lie in memory decides by which instructions some machines multiply.
    torch.testing.assert_close(after, before, rtol=0, atol=1e-6)


def older(weights):
    """Names and buffers of BERTs that were trained before 2019."""
    former = {".LayerNorm.weight": ".LayerNorm.gamma", ".LayerNorm.bias": ".LayerNorm.beta"}
    renamed = {}
    for name, value in weights.items():
        ending = next((ending for ending in former if name.endswith(ending)), "")
        renamed[name.removesuffix(ending) + former.get(ending, "")] = value
    name = "text.transformer.embeddings"
    zeros = torch.zeros(1, 32, dtype=torch.int64)
    return renamed | {f"{name}.position_ids": torch.arange(32)[None], f"{name}.token_type_ids": zeros}


def test_an_older_berts_names_and_buffers_give_the_same_model(folder):
    ids = torch.tensor([[2, 5, 6, 3]])
    path = folder / "open_clip_pytorch_model.bin"
    before, weights = load_model(folder, CPU).text.encode(ids), torch.load(path, weights_only=True)
    changed = older(weights)
    assert changed.keys() != weights.keys()
    path.unlink()
    torch.save(changed, folder / "pytorch_model.bin")
    assert torch.equal(load_model(folder, CPU).text.encode(ids), before)


def test_the_tokenizer_comes_from_the_vocabulary_in_the_folder(folder):
    model = load_model(folder, CPU)
    prompt = model.tokenize("Left pleural effusion, no lung")
    assert prompt.tokens == ("[CLS]", "left", "pleural", "eff", "##usion", ",", "no", "lung", "[SEP]")
    assert prompt.word_of_token == (-1, 0, 1, 2, 2, 2, 3, 4, -1)
    with pytest.raises(ModelError, match="reads 32"):
        model.tokenize("lung " * 40)


def test_m2ib_runs_on_it_and_leaves_the_weights_alone(folder):
    model = load_model(folder, CPU)
    whole = (-0.5, SIDE - 0.5, -0.5, SIDE - 0.5)
    pixels = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    image = ModelInput(pixels, GridMap((SIDE, SIDE), (SIDE, SIDE), model.grid, AxisMap(1, 0), AxisMap(1, 0), whole))
    with torch.no_grad():
        before = model.vision.encode(pixels)
    prompt = Prompt("left pleural effusion", PromptKind.FINDING, "effusion")
    (found,) = M2IB(M2IBSettings(steps=4, samples=2)).explain(model, image, [prompt], Noise(0, "x"))
    assert found.image.values.shape == (4, 4)
    assert found.image_trace.loss[-1] < found.image_trace.loss[0]
    with torch.no_grad():
        assert torch.equal(model.vision.encode(pixels), before)


def test_attention_of_both_block_kinds_sums_to_one_and_masks_padding(folder):
    model = load_model(folder, CPU)
    ids = torch.tensor([[2, 5, 3, 0]])
    weights = model.text.attention(model.text.embed(ids, ids != 0), 1)
    assert weights.shape == (1, 2, 4, 4)
    assert torch.allclose(weights.sum(-1), torch.ones(1))
    assert weights[..., 3].abs().max() == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.pop("visual.trunk.norm.bias"), r"visual\.trunk\.norm\.bias is missing"),
        (lambda weights: weights.update(stranger=torch.zeros(1)), "unknown tensors: stranger"),
        (
            lambda weights: weights.update({"visual.trunk.pos_embed": torch.zeros(1, 50, WIDTH)}),
            r"expected 1 x 17 x 128",
        ),
    ],
)
def test_weights_of_another_layout_are_refused_by_name(folder, change, message):
    path = folder / "open_clip_pytorch_model.bin"
    weights = torch.load(path, weights_only=True)
    change(weights)
    torch.save(weights, path)
    with pytest.raises(ModelLayoutError, match=message):
        load_model(folder, CPU)


class Runs:
    """What a hostile checkpoint would hold."""

    def __reduce__(self):
        return print, ("code ran",)


def test_a_pickle_that_runs_code_is_refused(folder, capsys):
    torch.save({"weights": Runs()}, folder / "open_clip_pytorch_model.bin")
    with pytest.raises(ModelLayoutError, match="holds more than tensors"):
        load_model(folder, CPU)
    assert "code ran" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["open_clip_pytorch_model.bin", "vocab.txt"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelMissingError, match=r"no weights|no tokenizer"):
        load_model(folder, CPU)


@pytest.mark.parametrize(
    ("section", "key", "message"),
    [
        ("vision_cfg", "timm_pool", "timm_pool 'avg' is not supported"),
        ("text_cfg", "hf_pooler_type", "hf_pooler_type 'mean_pooler' is not supported"),
    ],
)
def test_what_a_config_leaves_out_has_open_clips_default(folder, section, key, message):
    config = json.loads((folder / "open_clip_config.json").read_text())
    del config["model_cfg"][section][key]
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelLayoutError, match=message):
        load_model(folder, CPU)


def test_biomedclips_first_spelling_of_the_pooler_is_read(folder):
    config = json.loads((folder / "open_clip_config.json").read_text())
    text = config["model_cfg"]["text_cfg"]
    text["pooler_type"], text["proj"] = text.pop("hf_pooler_type"), text.pop("hf_proj_type")
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    assert load_model(folder, CPU).card.family == "biomedclip"


def test_a_roberta_is_refused(folder):
    path, name = folder / "open_clip_pytorch_model.bin", "text.transformer.embeddings.token_type_embeddings.weight"
    weights = torch.load(path, weights_only=True)
    torch.save(weights | {name: weights[name][:1]}, folder / "roberta.bin")
    (folder / "roberta.bin").rename(path)
    with pytest.raises(ModelLayoutError, match=r"token_type_embeddings\.weight: expected 2 x 128; got 1 x 128"):
        load_model(folder, CPU)


def test_another_open_clip_layout_is_refused(folder):
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"]["timm_model_name"] = "convnext_base"
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelLayoutError, match="'convnext_base' is not supported"):
        load_model(folder, CPU)
