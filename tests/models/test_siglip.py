"""SigLIP's tokenizers, its padding, MedSigLIP's resize, sharded weights."""

import json
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import interpolate

from medaudit.dicom.grayscale import DisplayImage
from medaudit.errors import ModelError, ModelLayoutError, ModelMissingError
from medaudit.imaging.preprocess import Fit, PreprocessingSpec, preprocess
from medaudit.models.registry import load_model
from medaudit.models.siglip_tokens import read_pieces, siglip_tokenizer
from medaudit.records import TokenGrid

CPU = torch.device("cpu")


def varint(value):
    found = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        found.append(low | (0x80 if value else 0))
        if not value:
            return bytes(found)


def field(number, content):
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def piece(text, score, role=1):
    body = field(1, text.encode()) + varint(2 << 3 | 5) + struct.pack("<f", score) + field(3, role)
    return field(1, body)


PIECES = [("<pad>", 0.0, 3), ("</s>", 0.0, 3), ("<unk>", 0.0, 2), ("▁no", -2.0, 1), ("▁pleural", -3.0, 1),
          ("▁eff", -4.0, 1), ("usion", -4.5, 1), ("▁", -6.0, 1)]  # fmt: skip
PIECES += [(letter, -8.0, 1) for letter in "abcdefghijklmnopqrstuvwxyz"]


@pytest.fixture
def pieces(tmp_path):
    """A unigram ``spiece.model``, as sentencepiece writes it."""
    trainer, normalizer = field(2, field(3, 1)), field(3, field(1, b"nmt_nfkc"))
    path = tmp_path / "spiece.model"
    path.write_bytes(b"".join(piece(*one) for one in PIECES) + trainer + normalizer)
    return path


def test_pieces_are_read_and_text_is_cleaned_as_in_training(pieces):
    encoded = read_pieces(pieces).encode("No  PLEURAL effusion!")
    assert encoded.tokens == ["▁no", "▁pleural", "▁eff", "usion", "</s>"]
    assert encoded.ids == [3, 4, 5, 6, 1]


def test_every_prompt_is_padded_to_the_full_length_and_keeps_its_words(pieces):
    prompt = siglip_tokenizer(pieces.parent, length=9, vocabulary=40)("No pleural, effusion.")
    assert prompt.ids.tolist() == [[3, 4, 5, 6, 1, 0, 0, 0, 0]]
    assert prompt.words == ("No", "pleural,", "effusion.")
    assert prompt.word_of_token == (0, 1, 2, 2, -1, -1, -1, -1, -1)


def test_siglips_own_padding_is_the_end(pieces):
    (pieces.parent / "tokenizer_config.json").write_text(json.dumps({"pad_token": {"content": "</s>"}}))
    prompt = siglip_tokenizer(pieces.parent, length=4, vocabulary=40)("no")
    assert prompt.ids.tolist() == [[3, 1, 1, 1]]


@pytest.mark.parametrize("content", [b"nonsense", b"\x0a\x7f", field(2, field(3, 2))])
def test_a_file_that_is_no_unigram_model_is_named(pieces, content):
    pieces.write_bytes(content)
    with pytest.raises(ModelLayoutError, match=r"spiece\.model"):
        siglip_tokenizer(pieces.parent, length=4, vocabulary=40)


def test_a_vocabulary_that_is_larger_than_the_towers_is_refused(pieces):
    with pytest.raises(ModelLayoutError, match="the text tower knows 10"):
        siglip_tokenizer(pieces.parent, length=4, vocabulary=10)


@pytest.fixture
def folder(layouts, tmp_path):
    return layouts["siglip"](tmp_path).folder


def test_a_missing_tokenizer_and_a_prompt_that_is_too_long_are_told(folder):
    with pytest.raises(ModelError, match="reads 64"):
        load_model(folder, CPU).tokenize("word " * 40)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelMissingError, match=r"spiece\.model or tokenizer\.json"):
        load_model(folder, CPU)


def test_siglip_2_reads_lower_case(folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["normalizer"] = None
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    model = load_model(folder, CPU)
    assert torch.equal(model.tokenize("NO Lung").ids, model.tokenize("no lung").ids)


def test_text_refuses_what_it_was_not_trained_on(folder):
    tower = load_model(folder, CPU).text
    with pytest.raises(ValueError, match="expected 64 tokens, padding included; got 5"):
        tower.embed(torch.ones(1, 5, dtype=torch.int64))
    with pytest.raises(ValueError, match="takes no mask"):
        tower.embed(torch.ones(1, 64, dtype=torch.int64), torch.ones(1, 64, dtype=torch.bool))


def test_weights_in_shards_are_the_same_model(folder):
    pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    before = load_model(folder, CPU).vision.encode(pixels)
    weights = {name: value.clone() for name, value in load_file(folder / "model.safetensors").items()}
    (folder / "model.safetensors").unlink()
    names, places = sorted(weights), {}
    for index, part in enumerate((names[::2], names[1::2])):
        places |= dict.fromkeys(part, f"model-{index}.safetensors")
        save_file({name: weights[name] for name in part}, folder / f"model-{index}.safetensors")
    index_file = folder / "model.safetensors.index.json"
    index_file.write_text(json.dumps({"weight_map": places}))
    # Not to the bit: where weights lie in memory decides by which instructions some machines multiply.
    torch.testing.assert_close(load_model(folder, CPU).vision.encode(pixels), before, rtol=0, atol=1e-6)
    (folder / "model-1.safetensors").unlink()
    with pytest.raises(ModelMissingError, match=r"model-1\.safetensors is missing"):
        load_model(folder, CPU)
    index_file.write_text(json.dumps({"weight_map": {"a": "../elsewhere.safetensors"}}))
    with pytest.raises(ModelLayoutError, match="not the name of a safetensors file in this folder"):
        load_model(folder, CPU)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vision_use_head": False}, "without its pooling head"),
        ({"num_hidden_layers": 2}, "3 blocks, .*num_hidden_layers says 2"),
        ({"num_attention_heads": 3}, "3 attention heads do not divide 128"),
        ({"hidden_act": "swish"}, "hidden_act: expected one of"),
        ({"image_size": 32}, "config.json expects"),
    ],
)
def test_a_config_of_another_model_is_refused(folder, change, message):
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"] |= change
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelLayoutError, match=message):
        load_model(folder, CPU)


def test_medsiglips_resize_is_bilinear_without_antialiasing():
    """tf.image.resize(method="bilinear", antialias=False), which torch's interpolate is, on 0 .. 1."""
    spec = PreprocessingSpec((56, 56), 56, Fit.SQUASH, "bilinear", (0.5,) * 3, (0.5,) * 3, antialias=False)
    values = np.random.default_rng(0).random((240, 180)).astype(np.float32)
    shown = DisplayImage(values=values, modality_values=None, inverted=False, window=None, description="")
    ours = preprocess(shown, spec, TokenGrid(7, 7, 0))
    theirs = interpolate(torch.from_numpy(values)[None, None], size=(56, 56), mode="bilinear", align_corners=False)
    assert torch.allclose(ours.pixels[0, 0], (theirs[0, 0] - 0.5) / 0.5, atol=1e-6)
    assert ours.grid_map.sees_everything()
