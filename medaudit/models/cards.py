"""The card of a loaded model: what it is, under which licence, and what its score means."""

from pathlib import Path

from medaudit.imaging.preprocess import PreprocessingSpec
from medaudit.models.catalogue import KNOWN_MODELS
from medaudit.models.interface import Score
from medaudit.models.manifest import MANIFEST, Manifest
from medaudit.models.weights import checksums
from medaudit.records import ModelCard, TokenGrid


def model_card(
    folder: Path,
    manifest: Manifest,
    *,
    family: str,
    spec: PreprocessingSpec,
    grid: TokenGrid,
    score: Score,
    files: tuple[str, ...],
    notes: tuple[str, ...] = (),
) -> ModelCard:
    """Card of the model in ``folder``; ``files`` are the names whose checksums it states, where they are there.

    Licence and intended use are the manifest's, else those of the known model whose name the folder bears.
    """
    known = next((model for model in KNOWN_MODELS if model.name == (manifest.model or folder.name)), None)
    licence, stated = manifest.licence, manifest.all_notes()
    if known is not None:
        licence = licence or known.licence
        if not manifest.intended_use and known.intended_use:
            stated = (f"Intended use: {known.intended_use}", *stated)
    return ModelCard(
        name=manifest.model or folder.name,
        family=family,
        files=checksums(folder, (*files, MANIFEST)),
        input_size=spec.input_size,
        grid=(grid.rows, grid.columns),
        score=score.kind.value,
        licence=licence,
        notes=(*stated, *notes),
    )
