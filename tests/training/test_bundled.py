"""The models that ship: ordinary folders, small, made by the recipe that stands in the code, and not for patients."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from medaudit.dicom.grayscale import DisplayImage
from medaudit.imaging.preprocess import preprocess
from medaudit.metrics.ranking import auc
from medaudit.models.catalogue import BUNDLED_MODEL, KNOWN_MODELS
from medaudit.models.registry import load_model
from medaudit.phantom.cohort import draw_study
from medaudit.phantom.devices import DeviceKind
from medaudit.phantom.findings import FindingKind
from medaudit.phantom.shortcuts import parse_shortcut
from medaudit.phantom.study import render
from medaudit.resources import bundled_models_folder
from medaudit.training.corpus import displayed
from medaudit.training.recipe import recipe_for, recipe_of
from medaudit.training.tokenizer import TOKENIZER_FILES

NAMES = [model.name for model in KNOWN_MODELS if model.bundled]
LARGEST = 16 * 1024**2
HELD_OUT = 4711


@pytest.fixture(scope="module", params=NAMES)
def folder(request):
    return bundled_models_folder() / request.param


@pytest.fixture(scope="module")
def scores_of():
    """Cosines of studies with sentences: ``scores_of(name, specs, texts)``, (studies, sentences)."""

    def scores(name, specs, texts):
        model = load_model(bundled_models_folder() / name, torch.device("cpu"))
        seen = []
        for spec in specs:
            values = displayed(render(spec, 448), spec, 224).astype(np.float32) / 255
            shown = DisplayImage(values, None, inverted=False, window=None, description="phantom")
            seen.append(preprocess(shown, model.preprocessing, model.grid).pixels)
        with torch.no_grad():
            read = [model.tokenize(text) for text in texts]
            words = torch.cat([model.text.encode(one.ids, one.mask) for one in read])
            return (model.vision.encode(torch.cat(seen)) @ words.T).numpy()

    return scores


def test_it_is_small_and_holds_no_pickle(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < LARGEST
    assert {path.suffix for path in files} <= {".json", ".txt", ".md", ".safetensors"}


def test_it_says_what_it_is_before_anything_else(folder):
    model = load_model(folder, torch.device("cpu"))
    assert (model.grid.rows, model.grid.columns) == (14, 14)
    assert model.card.input_size == (224, 224)
    assert "not for patients" in model.card.notes[0]
    card = (folder / "README.md").read_text(encoding="utf-8")
    for part in ("Not for patients", "neither a probability nor an accuracy", "medaudit phantom train", "500 studies"):
        assert part in card


def test_the_code_still_holds_its_recipe_and_its_tokenizer(folder):
    recipe = recipe_of(json.loads((folder / "recipe.json").read_text())["recipe"])
    corpus = recipe.corpus
    assert recipe == recipe_for(
        studies=corpus.studies,
        steps=recipe.steps,
        loss=recipe.loss,
        seed=recipe.seed,
        shortcuts=corpus.shortcuts,
        treated=corpus.treated,
        crowded=corpus.crowded,
        start=recipe.start,
    )
    for name in TOKENIZER_FILES:
        assert (folder / name).read_bytes() == (bundled_models_folder() / BUNDLED_MODEL / name).read_bytes()


def test_it_knows_studies_that_it_was_not_taught_on(scores_of):
    specs = [draw_study(HELD_OUT, index) for index in range(120)]
    kinds = list(FindingKind)
    asked = [f"a chest radiograph showing {kind}" for kind in kinds]
    denied = [f"a chest radiograph without {kind}" for kind in kinds]
    scores = scores_of("phantom-clip", specs, asked + denied)
    truth = np.array([[any(one.kind is kind for one in spec.findings) for kind in kinds] for spec in specs])
    found = [auc(scores[:, column], truth[:, column]) for column in range(len(kinds))]
    assert np.mean(found) > 0.97
    assert min(found) > 0.85  # of 120 studies a dozen and a half have a nodule, the hardest to see
    in_order = (scores[:, len(kinds) :] > scores[:, : len(kinds)])[~truth]
    assert in_order.mean() > 0.95


@pytest.mark.parametrize(("name", "least", "most"), [("phantom-clip", -0.02, 0.02), ("phantom-clip-drain", 0.1, 1.0)])
def test_drains_erased_cost_the_one_that_was_taught_a_shortcut(scores_of, name, least, most):
    tie = [parse_shortcut("pneumothorax:drain=0.95/0.02")]
    specs = [draw_study(HELD_OUT, index, tie) for index in range(120)]
    bare = [
        replace(spec, devices=tuple(one for one in spec.devices if one.kind is not DeviceKind.DRAIN)) for spec in specs
    ]
    truth = [any(one.kind is FindingKind.PNEUMOTHORAX for one in spec.findings) for spec in specs]
    with_drains, erased = (
        auc(scores_of(name, cohort, ["There is a pneumothorax."])[:, 0], truth) for cohort in (specs, bare)
    )
    assert least <= with_drains - erased <= most
