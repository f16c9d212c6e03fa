"""A corpus small enough to train on within a test."""

from pathlib import Path

import pytest

from medaudit.training.corpus import Corpus, CorpusRecipe, load_corpus, make_corpus
from medaudit.training.recipe import Architecture, Recipe

TINY = CorpusRecipe(studies=24, seed=9, image_size=64, grid=4)


@pytest.fixture(scope="session")
def tiny() -> CorpusRecipe:
    return TINY


@pytest.fixture(scope="session")
def corpus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    make_corpus(folder, TINY)
    return folder


@pytest.fixture(scope="session")
def corpus(corpus_folder: Path) -> Corpus:
    return load_corpus(corpus_folder, TINY)


@pytest.fixture
def tiny_recipe() -> Recipe:
    sizes = Architecture(vision_width=32, vision_blocks=3, vision_heads=2, text_width=32, text_blocks=2, embedding=32)
    return Recipe(corpus=TINY, architecture=sizes, steps=4, batch=6, sentences=40, warmup=2, patch_block=1)
