"""M2IB against the public implementation, against a slow version from the equations, and in every batch."""

import json

import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity, interpolate

from medaudit.attribution.bottleneck import capacity
from medaudit.attribution.m2ib import M2IB, M2IBSettings, resolve_block, solve
from medaudit.attribution.method import Noise
from medaudit.attribution.registry import build_method
from medaudit.errors import AttributionError, UsageError
from medaudit.imaging.preprocess import ModelInput
from medaudit.models.hf_clip import load_weights, towers
from medaudit.models.registry import load_model
from medaudit.records import AxisMap, GridMap, Prompt, PromptKind


def scaled(values):
    return (values - values.min()) / (values.max() - values.min())


@pytest.mark.parametrize("case", ["case1", "case2"])
@pytest.mark.parametrize("side", ["vision", "text"])
def test_the_public_implementations_map_is_reproduced(goldens, case, side):
    folder = goldens / case
    settings = json.loads((folder / "case.json").read_text())
    inputs, official = np.load(folder / "inputs.npz"), np.load(folder / "official.npz")
    vision, text = towers(load_weights(folder / "model"))
    pixels, ids = torch.from_numpy(inputs["pixel_values"]), torch.from_numpy(inputs["input_ids"])
    own, other, block, given, wanted = (
        (vision, text, settings["vision_layer"], pixels, ids)
        if side == "vision"
        else (text, vision, settings["text_layer"], ids, pixels)
    )
    with torch.no_grad():
        hidden, target = own.run(own.embed(given), 0, block + 1), other.encode(wanted)
    torch.manual_seed(settings["seed"])
    chosen = M2IBSettings(steps=settings["steps"], samples=settings["samples"], learning_rate=settings["lr"])
    nats = solve(own, hidden, block, target=target, draws=[torch.randn], beta=settings["beta"], settings=chosen).nats[0]
    if side == "vision":
        nats = interpolate(nats[1:].reshape(1, 1, 7, 7), size=(224, 224), mode="bilinear")[0, 0]
    assert np.abs(scaled(nats.numpy()) - official[side]).max() < 1e-4


def test_the_map_is_that_of_a_plain_version_of_the_equations(goldens):
    """Float64, no caching, autograd through both towers, the textbook KL: the same map."""
    vision, text = (tower for tower in towers(load_weights(goldens / "case1" / "model").double()))
    inputs = np.load(goldens / "case1" / "inputs.npz")
    pixels, ids = torch.from_numpy(inputs["pixel_values"]).double(), torch.from_numpy(inputs["input_ids"])
    settings = M2IBSettings(steps=5, samples=4)

    generator = torch.Generator().manual_seed(7)
    alpha = None
    for step in range(settings.steps):
        hidden = vision.run(vision.embed(pixels), 0, 2)
        x = hidden.states
        if alpha is None:
            alpha = torch.full_like(x, 5.0, requires_grad=True)
            optimiser = torch.optim.Adam([alpha], lr=1.0)
        passed = torch.sigmoid(alpha)
        kl = -0.5 * (1 + torch.log((1 - passed) ** 2) - (passed * x) ** 2 - (1 - passed) ** 2)
        if step == settings.steps - 1:
            break
        copies = passed * x + (1 - passed) * torch.randn((4, *x.shape[1:]), generator=generator).double()
        embedded = vision.head(vision.run(hidden.with_states(copies), 2, vision.depth))
        loss = 0.1 * kl.mean() - cosine_similarity(embedded, text.encode(ids).expand(4, -1)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    expected = kl.sum(-1)[0]

    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        hidden = vision.run(vision.embed(pixels), 0, 2)
        target = text.encode(ids)
    solved = solve(
        vision,
        hidden,
        1,
        target=target,
        draws=[lambda shape: torch.randn(shape, generator=generator)],
        beta=0.1,
        settings=settings,
    )
    assert torch.allclose(solved.nats[0].double(), expected.detach(), rtol=1e-5)
    assert len(solved.loss[0]) == settings.steps - 1


def test_capacity_is_finite_where_the_textbook_formula_is_infinite():
    states, alpha = torch.tensor([0.5]), torch.tensor([30.0], requires_grad=True)
    assert not torch.isfinite(torch.log((1 - alpha.sigmoid()) ** 2)).all()
    nats = capacity(states, alpha)
    nats.backward()
    assert nats.item() == pytest.approx(-0.5 * (1 - 60 - 0.25), rel=1e-4)
    assert alpha.grad.item() == pytest.approx(1, rel=1e-3)


def test_capacity_is_never_negative_and_zero_where_all_is_noise():
    states = torch.randn(1000, generator=torch.Generator().manual_seed(0)) * 5
    assert (capacity(states, torch.linspace(-30, 30, 1000)) >= -1e-6).all()
    assert capacity(states, torch.full((1000,), -40.0)).abs().max() < 1e-6


@pytest.fixture(scope="module")
def model(random_clip):
    return load_model(random_clip, torch.device("cpu"))


@pytest.fixture(scope="module")
def image(model):
    side = model.preprocessing.input_size[0]
    pixels = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(3))
    whole = (-0.5, side - 0.5, -0.5, side - 0.5)
    return ModelInput(pixels, GridMap((side, side), (side, side), model.grid, AxisMap(1, 0), AxisMap(1, 0), whole))


PROMPTS = tuple(Prompt(f"radiograph with {name}", PromptKind.FINDING, name) for name in ("fluid", "air", "a nodule"))


def test_a_map_is_the_same_to_the_bit_alone_and_in_company_in_any_order(model, image):
    method, noise = M2IB(M2IBSettings(steps=4, samples=3, batch=1)), Noise(seed=5, image="1.2.3#0")
    together = {item.prompt: item for item in method.explain(model, image, PROMPTS, noise)}
    backwards = {item.prompt: item for item in method.explain(model, image, PROMPTS[::-1], noise)}
    for prompt in PROMPTS:
        (alone,) = method.explain(model, image, [prompt], noise)
        for other in (together[prompt], backwards[prompt]):
            assert np.array_equal(alone.image.values, other.image.values)
            assert np.array_equal(alone.text.values, other.text.values)
            assert alone.similarity == other.similarity


def test_prompts_that_share_a_pass_get_the_maps_that_they_get_alone(model, image):
    noise = Noise(seed=5, image="1.2.3#0")
    alone = M2IB(M2IBSettings(steps=4, samples=3, batch=1)).explain(model, image, PROMPTS, noise)
    for batch in (0, 2):  # the prompts differ in length: their texts share a pass under a mask
        shared = M2IB(M2IBSettings(steps=4, samples=3, batch=batch)).explain(model, image, PROMPTS, noise)
        for one, two in zip(alone, shared, strict=True):
            assert np.allclose(one.image.values, two.image.values, rtol=1e-3)
            assert np.allclose(one.text.values, two.text.values, rtol=1e-3)


def test_seed_image_and_prompt_each_draw_other_noise(model, image):
    method = M2IB(M2IBSettings(steps=3, samples=2))
    (base,) = method.explain(model, image, PROMPTS[:1], Noise(0, "a"))
    for noise in (Noise(1, "a"), Noise(0, "b")):
        (other,) = method.explain(model, image, PROMPTS[:1], noise)
        assert not np.array_equal(base.image.values, other.image.values)
    assert Noise(0, "a").seed_for("x", "image") != Noise(0, "a").seed_for("y", "image")
    assert Noise(0, "a").seed_for("x", "image") != Noise(0, "a").seed_for("x", "text")


def test_the_model_is_given_back_as_it_was(model, image):
    modules = [model.vision._embeddings, model.text._embeddings, model.vision._projection]
    before = [parameter.clone() for module in modules for parameter in module.parameters()]
    with torch.no_grad():
        embedding = model.vision.encode(image.pixels)
    M2IB(M2IBSettings(steps=3, samples=2)).explain(model, image, PROMPTS, Noise(0, "a"))
    after = [parameter for module in modules for parameter in module.parameters()]
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in after)
    with torch.no_grad():
        assert torch.equal(model.vision.encode(image.pixels), embedding)


def test_an_attribution_says_what_it_was_made_with(model, image):
    (item,) = M2IB(M2IBSettings(steps=4, samples=2)).explain(model, image, PROMPTS[:1], Noise(11, "a"))
    assert item.image.values.shape == (14, 14)
    assert item.settings["image_block"] == 1
    assert item.image_trace.seed == 11
    assert len(item.image_trace.loss) == 3
    assert item.image_trace.loss[-1] < item.image_trace.loss[0]
    assert item.text.words == ("radiograph", "with", "fluid")
    assert item.image_trace.capacity_nats > float(item.image.values.sum())  # the class token carries some


@pytest.mark.parametrize(("block", "resolved"), [(9, 9), (-3, 9), (-12, 0)])
def test_blocks_count_from_either_end(block, resolved):
    assert resolve_block("image_block", block, 12) == resolved


def test_a_block_that_the_tower_lacks_is_refused(model, image):
    with pytest.raises(AttributionError, match=r"image_block: expected -4 \.\. 3"):
        M2IB(M2IBSettings(image_block=9)).explain(model, image, PROMPTS, Noise(0, "a"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer": 9}, "m2ib has no layer"),
        ({"steps": 0}, "steps: expected at least 1"),
        ({"steps": "many"}, "steps"),
        ({"image_beta": -1.0}, "image_beta"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        build_method("m2ib", settings)


def test_an_unknown_method_names_the_known_ones():
    with pytest.raises(UsageError, match="known: m2ib"):
        build_method("magic", {})
