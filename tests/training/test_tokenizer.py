import json

import pytest
from transformers import AutoTokenizer

from medaudit.training.tokenizer import copy_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    assert copy_tokenizer(folder) == 987
    (folder / "config.json").write_text(json.dumps({"model_type": "clip"}))
    return AutoTokenizer.from_pretrained(folder)


def test_words_of_the_field_are_one_token_each(tokenizer):
    assert tokenizer.tokenize("Left pneumothorax, pleural effusion") == [
        *("left</w>", "pneumothorax</w>", ",</w>", "pleural</w>", "effusion</w>")
    ]


def test_begin_and_end_are_the_last_two_entries(tokenizer):
    ids = tokenizer("a nodule")["input_ids"]
    assert ids[0] == len(tokenizer) - 2 == tokenizer.convert_tokens_to_ids("<|startoftext|>")
    assert ids[-1] == len(tokenizer) - 1 == tokenizer.convert_tokens_to_ids("<|endoftext|>")


@pytest.mark.parametrize("text", ["Größe", "胸部X線写真", "صدر", "ljashdbflsabdf", "12.5 mm"])
def test_any_text_can_be_encoded(tokenizer, text):
    ids = tokenizer(text)["input_ids"][1:-1]
    assert ids
    assert tokenizer.convert_tokens_to_ids("<|endoftext|>") not in ids
