"""One tower's section of a Hugging Face ``config.json``, with the family's defaults where it is silent."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from medaudit.errors import ModelLayoutError
from medaudit.models.tensors import Tensors
from medaudit.models.vit import activation

HF_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
)
HF_FILES = (
    *HF_WEIGHTS,
    "config.json",
    "merges.txt",
    "preprocessor_config.json",
    "processor_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
)


class Section:
    """Numbers of one tower, checked when they are asked for.

    A published config leaves out what equals its class's default, so each family states its defaults.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], name: str, defaults: Mapping[str, Any]) -> None:
        self.place = f"{folder / 'config.json'}: {name}"
        given = config.get(name, {})
        if not isinstance(given, dict):
            msg = f"{self.place}: expected an object; got {type(given).__name__}"
            raise ModelLayoutError(msg)
        self.values: dict[str, Any] = {**defaults, **given}

    def integer(self, key: str) -> int:
        """Return a whole number > 0."""
        value = self.values.get(key)
        if not isinstance(value, int) or value < 1:
            msg = f"{self.place}.{key}: expected a whole number > 0; got {value!r}"
            raise ModelLayoutError(msg)
        return value

    @property
    def width(self) -> int:
        """Channels of a token."""
        return self.integer("hidden_size")

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return self.integer("num_hidden_layers")

    @property
    def heads(self) -> int:
        """Attention heads of a block."""
        heads = self.integer("num_attention_heads")
        if self.width % heads:
            msg = f"{self.place}: {heads} attention heads do not divide {self.width} channels"
            raise ModelLayoutError(msg)
        return heads

    @property
    def eps(self) -> float:
        """The layer norms' epsilon."""
        return float(self.values["layer_norm_eps"])

    def activation(self) -> nn.Module:
        """Return the MLP's activation."""
        try:
            return activation(self.values.get("hidden_act"))
        except ValueError as error:
            msg = f"{self.place}.{error}"
            raise ModelLayoutError(msg) from error

    def expect_depth(self, found: int, tensors: Tensors) -> None:
        """Refuse a checkpoint with another number of blocks than the config says."""
        if found != self.depth:
            msg = f"{tensors.path}: {found} blocks, {self.place}.num_hidden_layers says {self.depth}"
            raise ModelLayoutError(msg)
