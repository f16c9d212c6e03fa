"""Which models medaudit knows, and where model folders lie. Imports nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from medaudit.errors import ModelMissingError
from medaudit.resources import bundled_models_folder

CHECKPOINT_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".tar")
"""Endings of the files that may hold a checkpoint."""

HUB = "https://huggingface.co/"


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that can be audited once its folder is here.

    ``source`` is a repository of the Hugging Face hub, or an address where a person fetches ``files`` by hand
    (``by_hand``). ``accept`` says which terms its makers want accepted first. ``manifest`` is what medaudit knows of
    it that its files do not say (:class:`medaudit.models.manifest.Manifest`). ``bundled`` models ship with medaudit.
    """

    name: str
    architecture: str
    input: str
    source: str
    licence: str
    files: tuple[str, ...]
    bundled: bool = False
    intended_use: str = ""
    by_hand: bool = False
    accept: str = ""
    manifest: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def address(self) -> str:
        """Where a person finds it."""
        return self.source if self.by_hand or self.bundled else f"{HUB}{self.source}"

    def is_in(self, models_folder: Path) -> bool:
        """Whether its folder lies there with weights or a config inside."""
        folder = models_folder / self.name
        if self.bundled:
            return True
        if not folder.is_dir():
            return False
        return any(path.suffix in CHECKPOINT_SUFFIXES or path.name in self.files for path in folder.iterdir())


_CLIP_FILES = (
    "config.json",
    "preprocessor_config.json",
    "merges.txt",
    "vocab.json",
    "tokenizer_config.json",
    "model.safetensors or pytorch_model.bin",
)
_SIGLIP_FILES = (
    "config.json",
    "preprocessor_config.json",
    "spiece.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "model.safetensors",
)
_OPEN_CLIP_FILES = (
    "open_clip_config.json",
    "open_clip_model.safetensors or open_clip_pytorch_model.bin",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
)
_BERT_FILES = ("vocab.txt", "tokenizer_config.json")
_CLINICAL_BERT = "vocab.txt (of emilyalsentzer/Bio_ClinicalBERT)"
_RESEARCH = "research only; its makers name no clinical use"
BUNDLED_MODEL = "phantom-clip"
"""The model that a demo audits."""

_PHANTOM_CLIP = ("CLIP, 14 x 14 patches, 4 blocks", "224 x 224, 77 tokens")

KNOWN_MODELS = (
    KnownModel(
        BUNDLED_MODEL,
        *_PHANTOM_CLIP,
        "ships with medaudit: trained on phantoms",
        "Apache-2.0",
        _CLIP_FILES,
        bundled=True,
    ),
    KnownModel(
        "phantom-clip-drain",
        *_PHANTOM_CLIP,
        "ships with medaudit: trained on phantoms with a planted shortcut, to be found",
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
        _OPEN_CLIP_FILES,
        intended_use=_RESEARCH,
    ),
    KnownModel(
        "pubmedclip",
        "CLIP ViT-B/32",
        "224 x 224, 77 tokens",
        "flaviagiammarino/pubmed-clip-vit-base-patch32",
        "MIT",
        _CLIP_FILES,
        intended_use=_RESEARCH,
    ),
    KnownModel(
        "plip",
        "CLIP ViT-B/32",
        "224 x 224, 77 tokens",
        "vinid/plip",
        "none stated by its makers",
        _CLIP_FILES,
        intended_use="research on pathology images",
    ),
    KnownModel(
        "medsiglip",
        "SigLIP, ViT of 14 px patches",
        "448 x 448, 64 tokens",
        "google/medsiglip-448",
        "Health AI Developer Foundations terms",
        _SIGLIP_FILES,
        intended_use="a starting point for development; its terms exclude direct clinical use",
        accept="the Health AI Developer Foundations terms on the model's page",
        # The card's resize: tf.image.resize, bilinear without antialiasing.
        manifest={"preprocessing": {"interpolation": "bilinear", "antialias": False}},
    ),
    KnownModel(
        "quiltnet",
        "CLIP ViT-B/32",
        "224 x 224, 77 tokens",
        "wisdomik/QuiltNet-B-32",
        "MIT",
        ("open_clip_config.json", "open_clip_pytorch_model.bin"),
        intended_use="research on pathology images",
    ),
    KnownModel(
        "chexzero",
        "CLIP ViT-B/32",
        "224 x 224, 77 tokens",
        "https://github.com/rajpurkarlab/CheXzero",
        "MIT; weights learnt from MIMIC-CXR (PhysioNet terms)",
        ("one checkpoint, best_*.pt",),
        by_hand=True,
        intended_use=_RESEARCH,
        # Published on 0 .. 255: mean 101.48761, standard deviation 83.43944.
        manifest={
            "family": "open-clip",
            "activation": "quick_gelu",
            "preprocessing": {"mean": [101.48761 / 255] * 3, "std": [83.43944 / 255] * 3},
        },
    ),
    KnownModel(
        "unimed-clip",
        "CLIP ViT-B/16 and BiomedBERT",
        "224 x 224, 256 tokens",
        "https://github.com/mbzuai-oryx/UniMed-CLIP",
        "CC BY-NC 4.0",
        ("unimed_clip_vit_b16.pt", "vocab.txt (of BiomedBERT)"),
        by_hand=True,
        intended_use="research only, not commercial",
        manifest={"family": "open-clip", "activation": "quick_gelu"},
    ),
    KnownModel(
        "cxr-clip",
        "Swin-T or ResNet-50, and BioClinicalBERT",
        "224 x 224, 256 tokens",
        "https://github.com/kakaobrain/cxr-clip",
        "CC BY-NC-SA 4.0 (its README says CC BY-NC 4.0)",
        ("swint_*.tar or r50_*.tar", _CLINICAL_BERT),
        by_hand=True,
        intended_use="research only, not commercial",
        manifest={"family": "cxr-clip"},
    ),
    KnownModel(
        "medclip",
        "Swin-T or ResNet-50, and BioClinicalBERT",
        "224 x 224, 77 tokens",
        "https://github.com/RyanWangZf/MedCLIP",
        "none stated by its makers",
        ("pytorch_model.bin", _CLINICAL_BERT),
        by_hand=True,
        intended_use=_RESEARCH,
        manifest={"family": "medclip"},
    ),
    KnownModel(
        "biovil",
        "ResNet-50 and CXR-BERT",
        "480 x 480, 512 tokens",
        "microsoft/BiomedVLP-CXR-BERT-specialized",
        "MIT",
        (
            "biovil_image_resnet50_proj_size_128.pt",
            "config.json",
            "model.safetensors or pytorch_model.bin",
            *_BERT_FILES,
        ),
        intended_use=_RESEARCH,
        manifest={"family": "biovil"},
    ),
    KnownModel(
        "biovil-t",
        "ResNet-50 and CXR-BERT, current image alone",
        "448 x 448, 512 tokens",
        "microsoft/BiomedVLP-BioViL-T",
        "MIT",
        (
            "biovil_t_image_model_proj_size_128.pt",
            "config.json",
            "model.safetensors or pytorch_model.bin",
            *_BERT_FILES,
        ),
        intended_use=_RESEARCH,
        manifest={"family": "biovil"},
    ),
)


def known_model(name: str) -> KnownModel:
    """Return the known model of a name.

    Raises
    ------
    ModelMissingError
        There is none; the message names them.

    """
    for model in KNOWN_MODELS:
        if model.name == name:
            return model
    names = ", ".join(model.name for model in KNOWN_MODELS)
    msg = f"model {name!r}: neither a folder nor a known name ({names}); pass the path of a model folder"
    raise ModelMissingError(msg)


def find_model(name_or_path: str, models_folder: Path) -> Path:
    """Folder of a model: a path, the name of a folder in ``models_folder``, or a bundled model's name.

    Raises
    ------
    ModelMissingError
        It is not here; the message says what to accept, what to fetch, from where, and where to put it.

    """
    given = Path(name_or_path).expanduser()
    bundled = {model.name: bundled_models_folder() / model.name for model in KNOWN_MODELS if model.bundled}
    for folder in (given, models_folder / name_or_path, bundled.get(name_or_path)):
        if folder is not None and folder.is_dir():
            return folder
    if given.is_file():
        msg = f"{given} is a file; put it into a folder, with its tokenizer if it has one, and give the folder"
        raise ModelMissingError(msg)
    raise ModelMissingError(how_to_get(known_model(name_or_path), models_folder / name_or_path))


def how_to_get(model: KnownModel, target: Path) -> str:
    """What a person has to do to have a known model in ``target``."""
    first = f"Accept {model.accept}, log in with `hf auth login`, then fetch" if model.accept else "Fetch"
    text = (
        f"model {model.name!r} is not on this machine. {first} {', '.join(model.files)} from {model.address} "
        f"(licence: {model.licence})"
    )
    if model.by_hand:
        return f"{text}, then run: medaudit models fetch {model.name} --from FILE [--from FILE ...] --to {target}"
    return (
        f"{text} and put them into {target}, or let medaudit do it: medaudit models fetch {model.name} "
        f"--to {target}, or audit with --allow-download"
    )
