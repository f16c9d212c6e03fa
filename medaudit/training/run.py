"""From a recipe to a model folder: corpus, tokenizer, training, export; every stage goes on where it stopped."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

import torch
from transformers import AutoTokenizer

from medaudit.errors import UsageError
from medaudit.models.weights import quiet_transformers
from medaudit.training.corpus import load_corpus, make_corpus
from medaudit.training.export import read_recipe, write_model
from medaudit.training.learner import Learner, new_model
from medaudit.training.recipe import Recipe
from medaudit.training.tokenizer import copy_tokenizer
from medaudit.training.trainer import TokenTable, Trainer

CORPUS_FOLDER: Final = "corpus"
START_FOLDER: Final = "start"


class TrainingObserver(Protocol):
    """Hears how a run goes on."""

    def rendered(self, shards: int, total: int) -> None:
        """So many shards of the corpus are there."""
        ...

    def trained(self, step: int, steps: int, loss: float, patch_loss: float) -> None:
        """So many steps of all are done; the losses are means since the last report."""
        ...


def train(
    folder: Path,
    work: Path,
    recipe: Recipe,
    observer: TrainingObserver,
    *,
    start: Path | None = None,
    threads: int = 1,
    version: str,
) -> None:
    """Make a model; a run that was interrupted is taken up by the same call.

    Parameters
    ----------
    folder
        Gets the model, once it is trained: new or empty.
    work
        Holds the corpus (about 50 kB a study) and the checkpoint; it can be removed afterwards.
    recipe
        See :class:`medaudit.training.recipe.Recipe`.
    observer
        Hears of progress.
    start
        The folder of the model that ``recipe.start`` made. Without it that model is made first, in ``work/start``.
    threads
        Processes that render and threads that train. The weights depend on it in their last digits.
    version
        Of medaudit, for the model's records.

    Raises
    ------
    UsageError
        The model folder has content, the work folder belongs to another recipe, or ``start`` is not what the recipe
        goes on from.

    """
    if start and read_recipe(start) != recipe.start:
        msg = f"{start}: expected the model that recipe.start made; got another"
        raise UsageError(msg)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        msg = f"{folder}: expected an empty or new folder for the model; got one with content; choose another"
        raise UsageError(msg)
    work.mkdir(parents=True, exist_ok=True)
    if recipe.start and not start:
        start = _earlier_stage(work / START_FOLDER, recipe.start, observer, threads=threads, version=version)
    make_corpus(work / CORPUS_FOLDER, recipe.corpus, workers=threads, on_shard=observer.rendered)
    corpus = load_corpus(work / CORPUS_FOLDER, recipe.corpus)
    torch.set_num_threads(threads)
    model = new_model(recipe, copy_tokenizer(work))
    trainer = Trainer(recipe, corpus, Learner(model, recipe.patch_block), token_table(work), work, start=start)
    trainer.resume()
    trainer.run(observer.trained)
    folder.mkdir(parents=True, exist_ok=True)
    copy_tokenizer(folder)
    write_model(folder, model, recipe, trainer.statistics, version=version)


def _earlier_stage(work: Path, recipe: Recipe, observer: TrainingObserver, *, threads: int, version: str) -> Path:
    """Folder of the model that training goes on from; made unless it is there whole."""
    folder = work / "model"
    try:
        whole = read_recipe(folder) == recipe
    except UsageError:
        whole = False
    if not whole:
        shutil.rmtree(folder, ignore_errors=True)  # written in part, and its checkpoint is in ``work``
        train(folder, work, recipe, observer, threads=threads, version=version)
    return folder


def token_table(folder: Path) -> Callable[[list[str]], TokenTable]:
    """How the folder's tokenizer turns texts into one padded table."""
    # The library picks a tokenizer's class by the model's type.
    (folder / "config.json").write_text(json.dumps({"model_type": "clip"}), encoding="utf-8")
    library: Any = AutoTokenizer
    with quiet_transformers():
        tokenizer = library.from_pretrained(folder, local_files_only=True)

    def table(texts: list[str]) -> TokenTable:
        encoded = tokenizer(texts, padding=True, return_tensors="pt")
        return TokenTable(encoded["input_ids"], encoded["attention_mask"])

    return table
