"""A small CLIP with random weights: it has learnt nothing, and every part of it is real.

It lets the whole program run where no trained model is at hand. Its maps say nothing about any image.
"""

import json
from pathlib import Path

import torch
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPConfig, CLIPModel

from medaudit.models.weights import quiet_transformers

IMAGE_SIZE = 112
PATCH_SIZE = 8
NOTE = "Random weights: this model has learnt nothing. Its scores and maps show that the program runs, and no more."

_BEGIN, _END = "<|startoftext|>", "<|endoftext|>"


def write_random_clip(folder: Path, *, seed: int = 0, blocks: int = 4, width: int = 64) -> Path:
    """Write a Hugging Face CLIP folder with random weights; same seed, same weights.

    Parameters
    ----------
    folder
        Created if absent; existing files of the same names are replaced.
    seed
        Of the weights.
    blocks, width
        Of both towers; the image grid is 14 x 14.

    """
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = _write_tokenizer(folder)
    tower = {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": blocks,
        "num_attention_heads": 4,
    }
    config = CLIPConfig(
        vision_config={**tower, "image_size": IMAGE_SIZE, "patch_size": PATCH_SIZE},
        text_config={
            **tower,
            "vocab_size": len(vocabulary),
            "max_position_embeddings": 256,
            "bos_token_id": vocabulary[_BEGIN],
            "eos_token_id": vocabulary[_END],
            "pad_token_id": vocabulary[_END],
        },
        projection_dim=width,
    )
    with torch.random.fork_rng(devices=[]), quiet_transformers():
        torch.manual_seed(seed)
        CLIPModel(config).save_pretrained(folder, safe_serialization=True)
    _write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "CLIPImageProcessor",
            "do_resize": True,
            "size": {"shortest_edge": IMAGE_SIZE},
            "resample": 3,
            "do_center_crop": True,
            "crop_size": {"height": IMAGE_SIZE, "width": IMAGE_SIZE},
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.25, 0.25, 0.25],
        },
    )
    _write_json(folder / "medaudit.json", {"notes": [NOTE]})
    return folder


def _write_tokenizer(folder: Path) -> dict[str, int]:
    """Byte-level CLIP tokenizer without merges: one token a byte."""
    letters = sorted(ByteLevel.alphabet())
    entries = [*letters, *(f"{letter}</w>" for letter in letters), _BEGIN, _END]
    vocabulary = {token: index for index, token in enumerate(entries)}
    _write_json(folder / "vocab.json", vocabulary)
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "CLIPTokenizer",
            "bos_token": _BEGIN,
            "eos_token": _END,
            "unk_token": _END,
            "pad_token": _END,
            "model_max_length": 256,
        },
    )
    return vocabulary


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
