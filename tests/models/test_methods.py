"""Every attribution method on every layout: a finite answer, or a refusal that says what else would do."""

from dataclasses import fields
from functools import partial

import numpy as np
import pytest
import torch

from medaudit.attribution.method import Noise
from medaudit.attribution.registry import METHODS, build_method
from medaudit.dicom.grayscale import DisplayImage
from medaudit.errors import AttributionError
from medaudit.imaging.preprocess import preprocess
from medaudit.models.registry import load_model
from medaudit.models.weights import quiet_transformers
from medaudit.records import Prompt, PromptKind
from tests.models.conftest import LAYOUTS

QUICK = {"steps": 2, "samples": 2, "masks": 6, "text_masks": 4, "image_block": -1, "text_block": -1, "blocks": 1}
ANY_TOWER = {"m2ib", "occlusion", "rise", "kernel-shap", "saliency", "random", "constant", "centre", "edges"}
PLAIN_VITS = {"biomedclip", "clip", "openai", "quilt", "unimed", "dual-vit", "dual-clip"}


@pytest.fixture(scope="module", params=LAYOUTS)
def bench(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / request.param
    folder.mkdir()
    with quiet_transformers():
        LAYOUTS[request.param](folder)
    model = load_model(folder, torch.device("cpu"))
    values = np.random.default_rng(0).random((80, 60), dtype=np.float32)
    picture = DisplayImage(values, None, inverted=False, window=None, description="noise")
    return request.param, model, preprocess(picture, model.preprocessing, model.grid)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_answers_or_refuses(bench, name):
    layout, model, image = bench
    known = {field.name for field in fields(METHODS[name].settings)}
    method = build_method(name, {key: value for key, value in QUICK.items() if key in known})
    ask = partial(method.explain, model, image, [Prompt("left lung", PromptKind.CONTROL)], Noise(0, "image"))
    if name not in ANY_TOWER and layout not in PLAIN_VITS:
        try:
            (result,) = ask()
        except AttributionError:
            return
    else:
        (result,) = ask()
    assert result.method == name
    assert np.isfinite(result.image.values).all()
    assert result.image.values.any() or name not in ANY_TOWER
