"""Which models medaudit knows, and where model folders lie. Imports nothing heavy."""

from dataclasses import dataclass
from pathlib import Path

from medaudit.errors import ModelError, ModelMissingError
from medaudit.resources import bundled_models_folder


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that can be audited once its folder is here. The first of ``files`` marks the folder.

    ``bundled`` models ship with medaudit.
    """

    name: str
    architecture: str
    input: str
    source: str
    licence: str
    files: tuple[str, ...]
    bundled: bool = False


_CLIP_FILES = (
    "config.json",
    "preprocessor_config.json",
    "merges.txt",
    "vocab.json",
    "tokenizer_config.json",
    "model.safetensors or pytorch_model.bin",
)
BUNDLED_MODEL = "phantom-clip"
"""The model that a demo audits."""

KNOWN_MODELS = (
    KnownModel(
        BUNDLED_MODEL,
        "CLIP, 14 x 14 patches, 4 blocks",
        "224 x 224, 77 tokens",
        "ships with medaudit: trained on phantoms",
        "Apache-2.0",
        _CLIP_FILES,
        bundled=True,
    ),
    KnownModel(
        "biomedclip",
        "ViT-B/16 and BiomedBERT",
        "224 x 224, 256 tokens",
        "microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224",
        "MIT",
        (
            "open_clip_config.json",
            "open_clip_pytorch_model.bin",
            "tokenizer.json",
            "tokenizer_config.json",
            "vocab.txt",
        ),
    ),
    KnownModel(
        "pubmedclip",
        "CLIP ViT-B/32",
        "224 x 224, 77 tokens",
        "flaviagiammarino/pubmed-clip-vit-base-patch32",
        "MIT",
        _CLIP_FILES,
    ),
    KnownModel("plip", "CLIP ViT-B/32", "224 x 224, 77 tokens", "vinid/plip", "none stated by its makers", _CLIP_FILES),
)


def find_model(name_or_path: str, models_folder: Path) -> Path:
    """Folder of a model: a path, the name of a folder in ``models_folder``, or a bundled model's name.

    Raises
    ------
    ModelMissingError
        It is not here; the message says what to fetch, from where, and where to put it.

    """
    bundled = {model.name: bundled_models_folder() / model.name for model in KNOWN_MODELS if model.bundled}
    for folder in (Path(name_or_path).expanduser(), models_folder / name_or_path, bundled.get(name_or_path)):
        if folder is not None and folder.is_dir():
            return folder
    target = models_folder / name_or_path
    for model in KNOWN_MODELS:
        if model.name == name_or_path and not model.bundled:
            msg = (
                f"model {model.name!r} is not on this machine. Fetch {', '.join(model.files)} from "
                f"https://huggingface.co/{model.source} (licence: {model.licence}) and put them into {target}, "
                "or pass --allow-download and medaudit does it"
            )
            raise ModelMissingError(msg)
    names = ", ".join(model.name for model in KNOWN_MODELS)
    msg = f"model {name_or_path!r}: neither a folder nor a known name ({names}); pass the path of a model folder"
    raise ModelMissingError(msg)


def download_model(name: str, models_folder: Path) -> Path:
    """Fetch a known model into ``models_folder``. The only function of medaudit that uses the network.

    Raises
    ------
    ModelMissingError
        The name is unknown.
    ModelError
        The download failed.

    """
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - a network client, loaded only when asked for

    source = next((model.source for model in KNOWN_MODELS if model.name == name and not model.bundled), None)
    if source is None:
        return find_model(name, models_folder)
    try:
        snapshot_download(
            source, local_dir=models_folder / name, allow_patterns=["*.json", "*.txt", "*.safetensors", "*.bin"]
        )
    except (OSError, ValueError) as error:
        msg = f"model {name!r}: the download from https://huggingface.co/{source} failed: {error}"
        raise ModelError(msg) from error
    return models_folder / name
