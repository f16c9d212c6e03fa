"""What every method keeps: company changes nothing, the model is given back, and it says what it is."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from medaudit.attribution.method import Needs, Noise
from medaudit.attribution.registry import METHODS, build_method
from medaudit.errors import AttributionError, UsageError
from medaudit.models import hf_clip
from medaudit.models.interface import Hidden, Tower, VisionLanguageModel
from medaudit.models.weights import quiet_transformers
from medaudit.records import Prompt, PromptKind, Quantity

PROMPTS = tuple(Prompt(f"radiograph {name}", PromptKind.CONTROL) for name in ("of fluid", "of air", "with a nodule"))
DOCS = Path(__file__).parents[2] / "docs" / "methods.md"
NOISE = Noise(seed=5, image="1.2.3#0")
SMALL = {
    "m2ib": {"steps": 3, "samples": 2, "batch": 1},
    "integrated-gradients": {"steps": 3},
    "coiba": {"steps": 3, "samples": 2},
    "ca-m2ib": {"steps": 3, "samples": 2},
    "adaib": {"steps": 3, "samples": 2},
    "mfaba": {"steps": 2},
    "agi": {"steps": 2},
    "ampe": {"steps": 2, "copies": 6},
    "snna": {"samples": 2},
    "smoothgrad": {"samples": 3},
    "rise": {"masks": 12, "text_masks": 12},
    "kernel-shap": {"group": 5, "coalitions": 10, "text_coalitions": 8},
    "occlusion": {"window": 8},
    "second-order": {"steps": 1, "batch": 16},
}
every_method = pytest.mark.parametrize("name", METHODS)


def small(name):
    return build_method(name, SMALL.get(name, {}))


@every_method
def test_a_prompts_result_is_the_same_to_the_bit_alone_in_company_and_in_any_order(name, model32, picture32):
    method = small(name)
    together = {one.prompt: one for one in method.explain(model32, picture32, PROMPTS, NOISE)}
    backwards = {one.prompt: one for one in method.explain(model32, picture32, PROMPTS[::-1], NOISE)}
    for prompt in PROMPTS[:2]:
        (alone,) = method.explain(model32, picture32, [prompt], NOISE)
        for other in (together[prompt], backwards[prompt]):
            assert np.array_equal(alone.image.values, other.image.values)
            assert np.array_equal(alone.text.values, other.text.values)


@every_method
def test_a_result_says_what_it_is(name, model32, picture32):
    info = METHODS[name].info
    (one,) = small(name).explain(model32, picture32, PROMPTS[:1], NOISE)
    assert one.method == name
    assert one.image.quantity is one.text.quantity is info.quantity
    assert one.image.values.shape == (14, 14)
    assert one.text.words == (("radiograph", "of", "fluid") if "text" in info.sides else ())
    assert one.image_trace.seed == 5
    if info.quantity in (Quantity.NATS, Quantity.GRADIENT):
        assert one.image.values.min() >= 0
    if name != "constant":
        assert np.ptp(one.image.values) > 0
    with torch.no_grad():
        read = model32.tokenize(one.prompt.text)
        expected = model32.vision.encode(picture32.pixels) @ model32.text.encode(read.ids).T
    assert one.similarity == pytest.approx(float(expected), abs=1e-6)


@every_method
def test_only_methods_that_say_so_draw_noise(name, model32, picture32):
    one, other = (
        small(name).explain(model32, picture32, PROMPTS[:1], Noise(seed, "a"))[0].image.values for seed in (0, 1)
    )
    assert np.array_equal(one, other) != METHODS[name].info.noise


@every_method
def test_the_model_is_given_back_as_it_was(name, random_clip, picture32):
    with quiet_transformers():
        library = hf_clip.load_weights(random_clip)
    loaded = hf_clip.load(random_clip, torch.device("cpu"))
    model = dataclasses.replace(loaded, **dict(zip(("vision", "text"), hf_clip.towers(library), strict=True)))
    before = {key: value.clone() for key, value in library.state_dict().items()}
    small(name).explain(model, picture32, PROMPTS[:1], NOISE)
    after = library.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert all(one.grad is None and not one.requires_grad for one in library.parameters())
    for module in library.modules():
        hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks)
        assert not any(hooks)
        assert not module.training


@pytest.mark.parametrize(
    "name", ["integrated-gradients", "nib", "smoothgrad", "ampe", "occlusion", "rise", "second-order"]
)
def test_the_size_of_a_batch_changes_a_map_by_rounding_alone(name, model32, picture32):
    found = [
        build_method(name, SMALL.get(name, {}) | {"batch": batch}).explain(model32, picture32, PROMPTS[:1], NOISE)[0]
        for batch in (5, 64)
    ]
    maps = [(one.image, one.text) for one in found]
    for one, other in ((one.values, other.values) for one, other in zip(*maps, strict=True)):
        assert np.allclose(one, other, atol=1e-4 * np.abs(other).max(initial=0))


class MeanTower(Tower):
    """A tower whose head reads the mean of all tokens, as SigLIP's reads all of them."""

    def __init__(self, inner):
        self.inner, self.depth, self.grid = inner, inner.depth, inner.grid

    def embed(self, inputs, mask=None):
        hidden = self.inner.embed(inputs, mask)
        return Hidden(hidden.states, None, hidden.mask)

    def run(self, hidden, start, stop, *, only=None):
        return self.inner.run(hidden, start, stop, only=only)

    def head(self, hidden):
        mean = hidden.states.mean(1, keepdim=True)
        return self.inner.head(Hidden(mean, torch.zeros(len(mean), dtype=torch.int64)))

    def attention(self, hidden, block):
        return self.inner.attention(hidden, block)

    def heads(self, hidden, block):
        return self.inner.heads(hidden, block)

    def write(self, gathered, block):
        return self.inner.write(gathered, block)

    def finish(self, hidden, block, gathered):
        return self.inner.finish(hidden, block, gathered)


class HeadlessTower(MeanTower):
    """As a convolutional tower: blocks without attention."""

    def attention(self, hidden, block):
        raise self._no_heads()

    heads, write, finish = Tower.heads, Tower.write, Tower.finish


def with_vision(model, kind):
    return VisionLanguageModel(
        kind(model.vision), model.text, model.tokenize, model.preprocessing, model.card, model.device
    )


@every_method
def test_a_head_that_reads_all_tokens_is_served(name, model32, picture32):
    (one,) = small(name).explain(with_vision(model32, MeanTower), picture32, PROMPTS[:1], NOISE)
    assert np.isfinite(one.image.values).all()
    assert name == "constant" or np.ptp(one.image.values) > 0


@every_method
def test_a_tower_without_attention_is_served_or_refused_with_a_way_out(name, model32, picture32):
    model = with_vision(model32, HeadlessTower)
    if METHODS[name].info.needs is not Needs.HEADS:
        assert small(name).explain(model, picture32, PROMPTS[:1], NOISE)
        return
    with pytest.raises(AttributionError, match="no attention heads to read; use a method that needs none, such as"):
        small(name).explain(model, picture32, PROMPTS[:1], NOISE)


@every_method
def test_every_method_is_documented_with_its_settings(name):
    text = DOCS.read_text(encoding="utf-8")
    assert re.search(rf"^### `{name}`", text, flags=re.MULTILINE), f"docs/methods.md lacks ### `{name}`"
    part = text.split(f"### `{name}`")[1].split("\n### ")[0]
    if name == "m2ib":
        part = (DOCS.parent / "pipelines.md").read_text(encoding="utf-8")
    for field in dataclasses.fields(METHODS[name].settings):
        assert f"`{field.name}`" in part, f"docs/methods.md: {name} lacks `{field.name}`"


def test_methods_without_prompts_have_nothing_to_say(model32, picture32):
    assert small("occlusion").explain(model32, picture32, [], NOISE) == ()


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("rise", {"keep": 1.0}, "keep: expected a value < 1"),
        ("rise", {"mask": 5}, "rise has no mask; it has masks"),
        ("saliency", {"steps": 5}, "saliency has no steps; it has no settings"),
        ("occlusion", {"window": 0}, "window: expected a value > 0; got 0"),
        ("occlusion", {"fill": "red"}, "fill"),
        ("grad-eclip", {"text_blocks": "many"}, "text_blocks"),
    ],
)
def test_settings_that_make_no_sense_are_refused(name, settings, message):
    with pytest.raises(UsageError, match=message):
        build_method(name, settings)
