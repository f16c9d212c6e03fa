"""Any Hugging Face CLIP in a local folder (``CLIPModel`` layout), on transformers 4.57 and 5.x.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize
from transformers import AutoTokenizer, CLIPModel

from medaudit.errors import ModelLayoutError, ModelMissingError
from medaudit.models.cards import model_card
from medaudit.models.hf_config import HF_FILES
from medaudit.models.interface import Hidden, Score, ScoreKind, VisionLanguageModel
from medaudit.models.manifest import read_manifest
from medaudit.models.published import hugging_face_preprocessing, overridden
from medaudit.models.tokens import limited, tokenizer_of
from medaudit.models.transformer import PreNormBlock, SelfAttention, TransformerTower, pooled_state
from medaudit.models.weights import freeze, quiet_transformers
from medaudit.records import TokenGrid

FAMILY = "clip"

# The library's classes are typed differently from version to version; what is used of them is not.
LibraryClip = Any

# Before transformers PR 24773 every CLIP config said 2 and the library pooled at the largest id instead.
LEGACY_EOS_TOKEN_ID = 2
_BICUBIC = 3


class ClipVisionTower(TransformerTower):
    """Patch embedding, class token, blocks, class token's norm and projection."""

    def __init__(self, model: LibraryClip) -> None:
        vision = model.vision_model
        super().__init__(_blocks(vision.encoder.layers), causal=False)
        self._embeddings, self._norm = vision.embeddings, vision.pre_layrnorm
        self._post_norm, self._projection = vision.post_layernorm, model.visual_projection
        config = model.config.vision_config
        side = config.image_size // config.patch_size
        self.grid: TokenGrid = TokenGrid(rows=side, columns=side, prefix=1)

    def embed(self, inputs: Tensor, mask: Tensor | None = None) -> Hidden:
        """(B, 3, H, W) normalised pixels -> tokens before block 0; images have no mask."""
        if mask is not None:
            msg = "ClipVisionTower.embed: images take no mask"
            raise ValueError(msg)
        states = self._norm(self._embeddings(inputs))
        return Hidden(states, torch.zeros(len(states), dtype=torch.int64, device=states.device))

    def head(self, hidden: Hidden) -> Tensor:
        """(B, E) normalised embedding of the class token."""
        return normalize(self._projection(self._post_norm(pooled_state(hidden))), dim=-1)


class ClipTextTower(TransformerTower):
    """Token embedding, causal blocks, the end token's norm and projection."""

    def __init__(self, model: LibraryClip) -> None:
        text = model.text_model
        super().__init__(_blocks(text.encoder.layers), causal=True)
        self._embeddings, self._norm, self._projection = text.embeddings, text.final_layer_norm, model.text_projection
        self.grid = None
        self._eos_token_id: int = model.config.text_config.eos_token_id

    def embed(self, inputs: Tensor, mask: Tensor | None = None) -> Hidden:
        """(B, N) token ids -> tokens before block 0."""
        ends = inputs if self._eos_token_id == LEGACY_EOS_TOKEN_ID else (inputs == self._eos_token_id).int()
        return Hidden(self._embeddings(input_ids=inputs), ends.argmax(dim=-1), mask)

    def head(self, hidden: Hidden) -> Tensor:
        """(B, E) normalised embedding of the end token."""
        return normalize(self._projection(self._norm(pooled_state(hidden))), dim=-1)


def towers(model: LibraryClip) -> tuple[ClipVisionTower, ClipTextTower]:
    """Return the two towers of a loaded ``CLIPModel``, sharing its weights."""
    freeze(model)
    return ClipVisionTower(model), ClipTextTower(model)


def load_weights(folder: Path) -> LibraryClip:
    """Load a ``CLIPModel`` from a local folder, refusing missing and unknown weights by name.

    Raises
    ------
    ModelMissingError
        No weights file.
    ModelLayoutError
        A weight is missing, unknown, or of another shape than the config says.

    """
    if not any((folder / name).is_file() for name in _WEIGHT_FILES):
        msg = f"{folder}: no weights; expected one of {', '.join(_WEIGHT_FILES)}"
        raise ModelMissingError(msg)
    library: Any = CLIPModel
    try:
        with quiet_transformers():
            # local_files_only: a folder is never completed from the network behind the user's back.
            model, info = library.from_pretrained(
                folder, local_files_only=True, output_loading_info=True, weights_only=True, dtype=torch.float32
            )
    except (OSError, RuntimeError, ValueError) as error:
        msg = f"{folder}: cannot be loaded as a Hugging Face CLIP: {error}"
        raise ModelLayoutError(msg) from error
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        names = sorted(str(name) for name in info[kind] if "position_ids" not in str(name))
        if names:
            shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            msg = f"{folder}: {kind.replace('_', ' ')}: {shown}; the weights and config.json do not belong together"
            raise ModelLayoutError(msg)
    return model


def load(folder: Path, device: torch.device) -> VisionLanguageModel:
    """Load a model folder: config.json, weights, tokenizer, preprocessor_config.json.

    Raises
    ------
    ModelError
        The folder lacks a file or holds something else; the message says which and what to do.

    """
    manifest = read_manifest(folder)
    spec = overridden(folder, hugging_face_preprocessing(folder, crops=True, resample=_BICUBIC), manifest)
    tokenizer = tokenizer_of(folder, AutoTokenizer)
    model = load_weights(folder).to(device)
    vision, text = towers(model)
    size = model.config.vision_config.image_size
    if spec.input_size != (size, size):
        msg = f"{folder}: preprocessor_config.json makes {spec.input_size} pixels, config.json expects {(size, size)}"
        raise ModelLayoutError(msg)
    limit: int = model.config.text_config.max_position_embeddings
    score = Score(ScoreKind.SOFTMAX, float(model.logit_scale.exp()))
    card = model_card(
        folder, manifest, family=FAMILY, spec=spec, grid=vision.grid, score=score, files=(*_WEIGHT_FILES, *HF_FILES)
    )
    return VisionLanguageModel(vision, text, limited(tokenizer, limit, card.name), spec, card, device, score)


_WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)


def _blocks(layers: Any) -> list[PreNormBlock]:  # noqa: ANN401 - the library's encoder layers
    return [
        PreNormBlock(
            norm1=layer.layer_norm1,
            attention=SelfAttention(
                query=layer.self_attn.q_proj,
                key=layer.self_attn.k_proj,
                value=layer.self_attn.v_proj,
                out=layer.self_attn.out_proj,
                heads=layer.self_attn.num_heads,
            ),
            norm2=layer.layer_norm2,
            mlp=layer.mlp,
        )
        for layer in layers
    ]
