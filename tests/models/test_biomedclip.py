"""BiomedCLIP's published layout against Hugging Face's own ViT and BERT, and against open_clip's values."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import gelu, normalize
from transformers import BertConfig, BertModel, ViTConfig, ViTModel

from medaudit.attribution.m2ib import M2IB, M2IBSettings
from medaudit.attribution.method import Noise
from medaudit.errors import ModelError, ModelLayoutError, ModelMissingError
from medaudit.imaging.preprocess import ModelInput
from medaudit.models.registry import load_model
from medaudit.records import AxisMap, GridMap, Prompt, PromptKind

CPU = torch.device("cpu")
WIDTH, DEPTH, PATCH, SIDE, EMBEDDING = 128, 3, 16, 64, 24
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "left", "pleural", "eff", "##usion", "no", ",", "lung"]


def randomised(module, seed):
    """Weights that are far from symmetric, so that a swapped key or a wrong epsilon shows."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.08 + 0.02)
    return module.eval()


@pytest.fixture(scope="module")
def library():
    """Hugging Face's own towers of the same sizes."""
    sizes = {"hidden_size": WIDTH, "num_hidden_layers": DEPTH, "num_attention_heads": WIDTH // 64}
    sizes["intermediate_size"] = 4 * WIDTH
    vision = ViTModel(
        ViTConfig(**sizes, image_size=SIDE, patch_size=PATCH, layer_norm_eps=1e-6), add_pooling_layer=False
    )
    text = BertModel(
        BertConfig(**sizes, vocab_size=len(VOCABULARY), max_position_embeddings=40), add_pooling_layer=False
    )
    return randomised(vision, 1), randomised(text, 2)


# transformers 5 renamed the ViT's keys: query, key and value; output; both layers of the MLP.
OLDER = (
    ("attention.query", "attention.key", "attention.value"),
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
NEWER = (("q_proj", "k_proj", "v_proj"), "attention.o_proj", "mlp.fc1", "mlp.fc2")


def published(vision, text):
    """The towers' weights under the names that open_clip publishes."""
    generator = torch.Generator().manual_seed(3)
    weights = {"logit_scale": torch.tensor(2.6)}
    own = vision.state_dict()
    trunk = "visual.trunk"
    for name, target in (
        ("embeddings.cls_token", "cls_token"),
        ("embeddings.position_embeddings", "pos_embed"),
        ("embeddings.patch_embeddings.projection.weight", "patch_embed.proj.weight"),
        ("embeddings.patch_embeddings.projection.bias", "patch_embed.proj.bias"),
        ("layernorm.weight", "norm.weight"),
        ("layernorm.bias", "norm.bias"),
    ):
        weights[f"{trunk}.{target}"] = own[name]
    older = "encoder.layer.0.layernorm_before.weight" in own
    for index in range(DEPTH):
        source = f"encoder.layer.{index}" if older else f"layers.{index}"
        inner, out, fc1, fc2 = OLDER if older else NEWER
        query = [f"attention.{part}" for part in inner]
        for kind in ("weight", "bias"):
            block = f"{trunk}.blocks.{index}"
            weights[f"{block}.attn.qkv.{kind}"] = torch.cat([own[f"{source}.{part}.{kind}"] for part in query])
            for name, target in ((out, "attn.proj"), (fc1, "mlp.fc1"), (fc2, "mlp.fc2"),
                                 ("layernorm_before", "norm1"), ("layernorm_after", "norm2")):  # fmt: skip
                weights[f"{block}.{target}.{kind}"] = own[f"{source}.{name}.{kind}"]
    weights |= {f"text.transformer.{name}": value for name, value in text.state_dict().items()}
    weights["text.transformer.embeddings.position_ids"] = torch.arange(40)[None]
    for name, shape in (
        ("visual.head.proj", (EMBEDDING, WIDTH)),
        ("text.proj.0", (76, WIDTH)),
        ("text.proj.2", (EMBEDDING, 76)),
    ):
        weights[f"{name}.weight"] = torch.randn(shape, generator=generator) * 0.1
    return {name: value.clone().contiguous() for name, value in weights.items()}


CONFIG = {
    "model_cfg": {
        "embed_dim": EMBEDDING,
        "vision_cfg": {"timm_model_name": "vit_tiny", "timm_pool": "", "timm_proj": "linear", "image_size": SIDE},
        "text_cfg": {"hf_model_name": "some/bert", "hf_proj_type": "mlp", "context_length": 32},
    },
    "preprocess_cfg": {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28]},
}


@pytest.fixture
def folder(tmp_path, library):
    torch.save(published(*library), tmp_path / "open_clip_pytorch_model.bin")
    (tmp_path / "open_clip_config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    return tmp_path


def test_both_towers_agree_with_hugging_faces_own(folder, library):
    model, (vision, text) = load_model(folder, CPU), library
    weights = torch.load(folder / "open_clip_pytorch_model.bin", weights_only=True)
    pixels = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    ids = torch.tensor([[2, 5, 6, 7, 8, 3, 0, 0], [2, 9, 11, 3, 0, 0, 0, 0]])
    with torch.no_grad():
        image = vision(pixels).last_hidden_state[:, 0] @ weights["visual.head.proj.weight"].T
        words = text(ids, attention_mask=(ids != 0).int()).last_hidden_state[:, 0]
        words = gelu(words @ weights["text.proj.0.weight"].T) @ weights["text.proj.2.weight"].T
        assert torch.allclose(model.vision.encode(pixels), normalize(image, dim=-1), atol=1e-6)
        assert torch.allclose(model.text.encode(ids, ids != 0), normalize(words, dim=-1), atol=1e-6)
        # A prompt is asked without padding; that is the same embedding.
        assert torch.allclose(model.text.encode(ids[1:, :4]), normalize(words[1:], dim=-1), atol=1e-6)


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
        assert torch.equal(load_model(folder, CPU).vision.encode(pixels), before)


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
    assert found.image.nats.shape == (4, 4)
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


def test_another_open_clip_layout_is_refused(folder):
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"]["timm_model_name"] = "convnext_base"
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelLayoutError, match="'convnext_base' is not supported"):
        load_model(folder, CPU)
