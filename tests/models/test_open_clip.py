"""open_clip's and OpenAI's layouts against open_clip's own values; what is refused; the tokenizer."""

import json
import shutil
import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from medaudit.errors import ModelLayoutError, ModelMissingError
from medaudit.models.openai_tokens import openai_tokenizer
from medaudit.models.registry import load_model
from medaudit.models.vit import vision_heads

CPU = torch.device("cpu")


EXPECTED_IDS = [
    49406, 320, 10563, 343, 268, 3077, 2665, 871, 926, 33948, 1490, 9364, 267, 272, 269, 276, 3741, 256, 49407,
]  # fmt: skip


@pytest.mark.parametrize("name", ["openai-gelu", "openai-quickgelu"])
def test_open_clips_own_values_are_matched(test_data, name):
    folder = test_data.parent / "golden" / "layouts" / name
    model, golden = load_model(folder, CPU), np.load(folder / "golden.npz")
    pixels = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(int(golden["pixel_seed"])))
    with torch.no_grad():
        image, text = model.vision.encode(pixels), model.text.encode(torch.from_numpy(golden["input_ids"]))
    for ours, key in ((image, "image_embedding"), (text, "text_embedding")):
        theirs = torch.from_numpy(golden[key])
        assert torch.allclose(ours, theirs / theirs.norm(dim=-1, keepdim=True), atol=1e-5)
    # The published value is a logarithm; what multiplies the cosine is its exponential.
    assert model.score.scale == pytest.approx(float(np.exp(golden["logit_scale"])), rel=1e-5)
    with pytest.raises(ModelMissingError, match="does not fit a text tower of 600 tokens"):
        model.tokenize("no pleural effusion")


def test_open_clips_own_values_of_a_resnet_are_matched(resnet_golden, tmp_path):
    save_file(resnet_golden["weights"], tmp_path / "open_clip_model.safetensors")
    config = {"model_cfg": resnet_golden["model_cfg"], "preprocess_cfg": {}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    model = load_model(tmp_path, CPU)
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(resnet_golden["pixel_seed"]))
    with torch.no_grad():
        image, text = model.vision.encode(pixels), model.text.encode(torch.tensor(resnet_golden["ids"]))
    assert torch.allclose(image, torch.tensor(resnet_golden["image_embedding"]), atol=1e-6)
    assert torch.allclose(text, torch.tensor(resnet_golden["text_embedding"]), atol=1e-6)
    assert [model.vision.grid_at(block).rows for block in range(-1, 5)] == [16, 16, 8, 8, 4, 2]


def test_a_resnet_of_another_image_size_than_its_config_is_refused(resnet_golden, tmp_path):
    save_file(resnet_golden["weights"], tmp_path / "open_clip_model.safetensors")
    config = json.loads(json.dumps({"model_cfg": resnet_golden["model_cfg"]}))
    config["model_cfg"]["vision_cfg"]["image_size"] = 224
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelLayoutError, match="2 x 2 places, an image of 224 pixels makes 7 x 7"):
        load_model(tmp_path, CPU)


@pytest.mark.parametrize(("width", "heads"), [(384, 6), (768, 12), (1024, 16), (1152, 16), (1280, 16), (1664, 16)])
def test_published_vits_have_these_heads(width, heads):
    assert vision_heads(width) == heads


@pytest.fixture
def chexzero(layouts, tmp_path):
    """A folder with a checkpoint under its own name, and no config."""
    return layouts["openai"](tmp_path).folder


def weights_of(folder):
    return torch.load(folder / "best_64_5e-05.pt", weights_only=True)


def test_a_bare_checkpoint_says_what_is_assumed(chexzero):
    card = load_model(chexzero, CPU).card
    assert card.family == "openai-clip"
    assert any("preprocessing is assumed" in note for note in card.notes)
    assert any("quick-GELU, is assumed" in note for note in card.notes)
    assert set(card.files) == {"best_64_5e-05.pt", "tokenizer.json"}


def test_the_manifest_gives_chexzeros_own_statistics_and_activation(chexzero):
    own = {"mean": [0.398, 0.398, 0.398], "std": [0.327, 0.327, 0.327]}
    manifest = {"model": "mine", "licence": "MIT", "intended_use": "research", "activation": "gelu"}
    (chexzero / "medaudit.json").write_text(json.dumps(manifest | {"preprocessing": own}))
    before = load_model(chexzero, CPU)
    assert before.preprocessing.mean == (0.398, 0.398, 0.398)
    assert (before.card.name, before.card.licence) == ("mine", "MIT")
    assert before.card.notes == ("Intended use: research",)
    pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    (chexzero / "medaudit.json").unlink()
    assert not torch.allclose(before.vision.encode(pixels), load_model(chexzero, CPU).vision.encode(pixels), atol=1e-4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"licenze": "MIT"}, "unknown key 'licenze'"),
        ({"licence": 3}, "licence: expected a JSON str"),
        ({"preprocessing": {"zoom": 2}}, "preprocessing: unknown keys: zoom"),
        ({"preprocessing": {"fit": "stretch"}}, "preprocessing: 'stretch'"),
        ({"preprocessing": {"std": [0, 1, 1]}}, "expected values > 0"),
        ({"activation": "swish"}, "hidden_act: expected one of gelu"),
        ({"family": "nonsense"}, "family 'nonsense' is not supported"),
    ],
)
def test_a_wrong_manifest_is_named(chexzero, content, message):
    (chexzero / "medaudit.json").write_text(json.dumps(content))
    with pytest.raises(ModelLayoutError, match=message):
        load_model(chexzero, CPU)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.pop("visual.ln_post.bias"), r"visual\.ln_post\.bias is missing"),
        (lambda weights: weights.update(stranger=torch.zeros(1)), "unknown tensors: stranger"),
        (lambda weights: weights.update({"ln_final.bias": torch.zeros(3)}), "expected 128; got 3"),
        (lambda weights: weights.update({"visual.positional_embedding": torch.zeros(19, 128)}), "not 1 and a square"),
    ],
)
def test_other_tensors_are_refused_by_name(chexzero, change, message):
    weights = weights_of(chexzero)
    change(weights)
    torch.save(weights, chexzero / "best_64_5e-05.pt")
    with pytest.raises(ModelLayoutError, match=message):
        load_model(chexzero, CPU)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("visual.attn_pool_contrast.query", "CONCH, a CoCa with two pools, which is not supported"),
        ("text_decoder.ln_final.weight", "CoCa, with a decoder"),
        ("visual.trunk.attn_pool.latent", "SigLIP in open_clip's layout"),
    ],
)
def test_models_that_look_alike_are_refused_under_their_own_name(tmp_path, name, message):
    weights = {"visual.trunk.patch_embed.proj.weight": torch.zeros(1, 3, 2, 2), name: torch.zeros(1)}
    torch.save(weights, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelLayoutError, match=message):
        load_model(tmp_path, CPU)


def test_tensors_of_no_layout_are_refused(tmp_path):
    save_file({"a.b": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelLayoutError, match="of no layout that medaudit knows: open-clip, cxr-clip, medclip"):
        load_model(tmp_path, CPU)


def test_two_checkpoints_without_a_config_are_one_too_many(chexzero):
    shutil.copy(chexzero / "best_64_5e-05.pt", chexzero / "other.pt")
    with pytest.raises(ModelLayoutError, match=r"2 checkpoints .* keep the one"):
        load_model(chexzero, CPU)


def test_a_torchscript_archive_is_refused_with_the_way_out(chexzero):
    # As OpenAI's own ViT-B-32.pt: a program with the weights inside.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch would rather have no such file either
        torch.jit.script(torch.nn.Linear(2, 2)).save(chexzero / "best_64_5e-05.pt")
    with pytest.raises(ModelLayoutError, match=r"TorchScript archive.*save_file\(torch\.jit\.load"):
        load_model(chexzero, CPU)


def wrapped(weights):
    """The same tensors as training code leaves them."""
    return {"epoch": 3, "state_dict": {f"module._orig_mod.{name}": value for name, value in weights.items()}}


def with_buffers(weights):
    mask = torch.full((64, 64), float("-inf")).triu(1)
    return weights | {"attn_mask": mask, "logit_scale": weights["logit_scale"].reshape(1)}


@pytest.mark.parametrize("change", [wrapped, with_buffers])
def test_what_training_code_adds_does_no_harm(chexzero, change):
    pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    model = load_model(chexzero, CPU)
    before, weights = model.vision.encode(pixels), weights_of(chexzero)
    torch.save(change(weights), chexzero / "mine.pt")
    (chexzero / "best_64_5e-05.pt").unlink()
    after = load_model(chexzero, CPU)
    assert torch.equal(after.vision.encode(pixels), before)
    assert after.score == model.score


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 torn"])
def test_a_damaged_file_is_named(chexzero, content):
    (chexzero / "best_64_5e-05.pt").write_bytes(content)
    with pytest.raises(ModelLayoutError, match=r"best_64_5e-05\.pt"):
        load_model(chexzero, CPU)


def test_half_precision_is_read_as_float32(chexzero):
    pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    before = load_model(chexzero, CPU).vision.encode(pixels)
    weights = {name: value.half() if value.ndim else value for name, value in weights_of(chexzero).items()}
    torch.save(weights, chexzero / "best_64_5e-05.pt")
    after = load_model(chexzero, CPU).vision.encode(pixels)
    assert after.dtype == torch.float32
    assert torch.allclose(after, before, atol=5e-3)


@pytest.mark.parametrize(
    ("section", "change", "message"),
    [
        ("vision_cfg", {"pool_type": "avg"}, "pool_type 'avg' is not supported"),
        ("text_cfg", {"embed_cls": True}, "embed_cls True is not supported"),
        ("vision_cfg", {"norm_kwargs": {"eps": 1e-6}}, "norm_kwargs .* is not supported"),
        ("text_cfg", {"tokenizer_kwargs": {"clean": "canonicalize"}}, "tokenizer_kwargs .* is not supported"),
    ],
)
def test_open_clips_variants_that_are_others_are_refused(layouts, tmp_path, section, change, message):
    folder = layouts["quilt"](tmp_path).folder
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"][section] |= change
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelLayoutError, match=message):
        load_model(folder, CPU)


def test_openais_tokenizer_ships_with_medaudit(tmp_path):
    """Ids as OpenAI's simple_tokenizer.py gives them."""
    prompt = openai_tokenizer(tmp_path, 49408)("A chest X-ray shows no pleural effusion, 1.5cm!")
    assert prompt.ids[0].tolist() == EXPECTED_IDS
    assert prompt.words == ("A", "chest", "X-ray", "shows", "no", "pleural", "effusion,", "1.5cm!")
    assert prompt.word_of_token[0] == prompt.word_of_token[-1] == -1
    assert set(prompt.word_of_token) == {-1, *range(8)}


def test_openais_own_files_give_the_same_tokens(tmp_path):
    import gzip

    from medaudit.resources import bundled_tokenizers_folder

    packed = bundled_tokenizers_folder() / "openai-clip-merges.txt.gz"
    merges = gzip.decompress(packed.read_bytes()).decode()
    (tmp_path / "bpe_simple_vocab_16e6.txt.gz").write_bytes(gzip.compress(f"#version\n{merges}more merges".encode()))
    text = "no pleural effusion"
    expected = openai_tokenizer(tmp_path / "nowhere", 49408)(text).ids
    assert torch.equal(openai_tokenizer(tmp_path, 49408)(text).ids, expected)


def test_a_tokenizer_of_another_model_is_refused(chexzero):
    weights = weights_of(chexzero)
    weights["token_embedding.weight"] = weights["token_embedding.weight"][:300]
    torch.save(weights, chexzero / "best_64_5e-05.pt")
    with pytest.raises(ModelLayoutError, match="the text tower knows 300; it belongs to another model"):
        load_model(chexzero, CPU)
