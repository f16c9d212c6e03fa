"""A model whose truth is known because it is written down here, and cases on phantoms."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from medaudit.attribution.method import Noise
from medaudit.attribution.registry import build_method
from medaudit.audit.case import Case, Depth, Questions
from medaudit.dicom.grayscale import DisplayImage
from medaudit.imaging.areas import areas_on_input, find_areas
from medaudit.imaging.preprocess import Fit, ModelInput, PreprocessingSpec, preprocess
from medaudit.imaging.regions import text_regions
from medaudit.models.interface import Hidden, TokenizedPrompt, Tower, VisionLanguageModel
from medaudit.models.registry import load_model
from medaudit.phantom.study import render
from medaudit.records import (
    Attribution,
    ModelCard,
    Prompt,
    PromptKind,
    RelevanceMap,
    SolverTrace,
    TokenGrid,
    TokenRelevance,
)
from medaudit.resources import bundled_models_folder
from medaudit.training.corpus import displayed

SIDE, GRID = 224, TokenGrid(14, 14, 0)
SENTENCES = {"with fluid": (0.0, 1.0), "without fluid": (0.0, -1.0), "fruit": (1.0, 0.0)}
"""What the hand-made model makes of a sentence; of an image it makes (1, what it sees)."""


@dataclass
class Looks(Tower):
    """Reads the mean brightness of patches with a weight each."""

    weights: torch.Tensor
    depth = 1
    grid = GRID

    def embed(self, inputs, mask=None):
        patches = torch.nn.functional.adaptive_avg_pool2d(inputs.mean(1), (GRID.rows, GRID.columns))
        return Hidden(patches.flatten(1)[..., None], None)

    def run(self, hidden, start, stop, *, only=None):
        return hidden

    def head(self, hidden):
        seen = (hidden.states[..., 0] * self.weights.flatten()).sum(1, keepdim=True)
        return torch.nn.functional.normalize(torch.cat([torch.ones_like(seen), seen], 1), dim=1)

    def attention(self, hidden, block):
        raise NotImplementedError


class Reads(Tower):
    """Looks sentences up."""

    depth, grid = 1, None

    def embed(self, inputs, mask=None):
        table = torch.tensor(list(SENTENCES.values()))
        return Hidden(table[inputs], torch.zeros(len(inputs), dtype=torch.int64))

    def run(self, hidden, start, stop, *, only=None):
        return hidden

    def head(self, hidden):
        return hidden.states[:, 0]

    def attention(self, hidden, block):
        raise NotImplementedError


def _tokenized(text):
    return TokenizedPrompt(torch.tensor([[list(SENTENCES).index(text)]]), None, (text,), (text,), (0,))


@pytest.fixture(scope="session")
def model_that_looks_at():
    """``model(weights)``: a model whose similarity rests on these patches, (14, 14), and on nothing else."""

    def build(weights):
        spec = PreprocessingSpec((SIDE, SIDE), SIDE, Fit.SQUASH, "bilinear", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
        card = ModelCard("hand-made", "test", {}, (SIDE, SIDE), (GRID.rows, GRID.columns), "cosine")
        towers = Looks(torch.as_tensor(weights, dtype=torch.float32)), Reads()
        return VisionLanguageModel(*towers, _tokenized, spec, card, torch.device("cpu"))

    return build


@pytest.fixture(scope="session")
def phantom_clip():
    """The bundled model."""
    return load_model(bundled_models_folder() / "phantom-clip", torch.device("cpu"))


@pytest.fixture(scope="session")
def picture_of():
    """``picture(spec)``: a phantom as it is displayed, (448, 448) in 0 .. 1."""
    return lambda spec: displayed(render(spec, 448), spec, 448).astype(np.float32) / 255


PROMPTS = (
    Prompt("with fluid", PromptKind.FINDING, "fluid"),
    Prompt("without fluid", PromptKind.NEGATED, "fluid"),
    Prompt("fruit", PromptKind.CONTROL),
)


@pytest.fixture(scope="session")
def case_of():
    """``case(model, values, ...)``: an image's case; its maps are ``nats`` (14, 14), or the method's."""

    def build(model, values, *, nats=None, prompts=PROMPTS, method="maskclip", depth=Depth.FAST, **questions):
        shown = DisplayImage(values, None, inverted=False, window=None, description="test")
        seen = preprocess(shown, model.preprocessing, model.grid)
        noise, chosen = Noise(0, "image"), build_method(method, {})
        if nats is None:
            attributions = chosen.explain(model, seen, prompts, noise)
        else:
            attributions = tuple(_given(model, seen, prompt, nats) for prompt in prompts)
        areas = areas_on_input(find_areas(values, text_regions(values)), seen.grid_map)
        return Case(model, chosen, seen, attributions, noise, areas, Questions(**questions), depth)

    return build


def _given(model, seen: ModelInput, prompt, nats):
    """An attribution with the model's similarity and a map that is given."""
    read = model.tokenize(prompt.text)
    with torch.no_grad():
        cosine = float((model.vision.encode(seen.pixels) * model.text.encode(read.ids, read.mask)).sum())
    trace = SolverTrace((), float(nats.sum()), 0)
    words = TokenRelevance((), np.zeros(0, np.float32), (), ())
    return Attribution(
        prompt, cosine, RelevanceMap(nats.astype(np.float32), seen.grid_map), words, "given", trace, trace
    )


@pytest.fixture(scope="session")
def without():
    """``without(spec, ...)``: a phantom's twin, ``dataclasses.replace``."""
    return replace
