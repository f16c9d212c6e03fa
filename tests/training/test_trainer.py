"""Training on a tiny corpus: it learns, it can stop and go on, and what it writes is an ordinary model folder."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from medaudit.errors import UsageError
from medaudit.models.registry import load_model
from medaudit.training.export import read_recipe
from medaudit.training.learner import Learner, image_statistics, new_model, start_from
from medaudit.training.recipe import Loss, Recipe, recipe_for, recipe_of
from medaudit.training.run import token_table, train
from medaudit.training.tokenizer import copy_tokenizer
from medaudit.training.trainer import Trainer


class Silent:
    def __init__(self):
        self.losses = []

    def rendered(self, shards, total):
        pass

    def trained(self, step, steps, loss, patch_loss):
        self.losses.append((loss, patch_loss))


@pytest.fixture
def make_trainer(corpus, tmp_path):
    def make(recipe, folder="work"):
        work = tmp_path / folder
        work.mkdir(exist_ok=True)
        learner = Learner(new_model(recipe, copy_tokenizer(work)), recipe.patch_block)
        return Trainer(recipe, corpus, learner, token_table(work), work), learner

    return make


def test_a_run_that_stopped_ends_with_the_same_weights(make_trainer, tiny_recipe):
    straight, expected = make_trainer(tiny_recipe, "straight")
    straight.run(Silent().trained)

    class StopError(Exception):
        pass

    def stop_at_two(step, *_):
        if step == 2:
            first.checkpoint()
            raise StopError

    first, _ = make_trainer(tiny_recipe)
    with pytest.raises(StopError):
        first.run(stop_at_two, every=1)
    second, learner = make_trainer(tiny_recipe)
    second.resume()
    assert second.step == 2
    second.run(Silent().trained)
    for name, weight in expected.state_dict().items():
        assert torch.equal(weight, learner.state_dict()[name]), name


def test_a_checkpoint_of_another_recipe_is_refused(make_trainer, tiny_recipe):
    first, _ = make_trainer(tiny_recipe)
    first.checkpoint()
    second, _ = make_trainer(replace(tiny_recipe, steps=9))
    with pytest.raises(UsageError, match="another recipe"):
        second.resume()


def test_it_learns_what_it_is_shown(make_trainer, tiny_recipe):
    trainer, _ = make_trainer(replace(tiny_recipe, steps=80, learning_rate=3e-3, bfloat16=False))
    heard = Silent()
    trainer.run(heard.trained, every=20)
    (first, first_patches), *_, (last, last_patches) = heard.losses
    assert last < 0.9 * first
    assert last_patches < 0.8 * first_patches


def test_the_quick_forward_pass_is_the_librarys(corpus, tiny_recipe):
    model = new_model(tiny_recipe, 600).eval()
    statistics = image_statistics(corpus)
    start_from(model, corpus, statistics)
    pixels = (torch.from_numpy(corpus.images[:3]).float() / 255 - statistics.mean) / statistics.std
    with torch.no_grad():
        pooled, patches = Learner(model, tiny_recipe.patch_block).images(pixels)
        vision = model.vision_model(pixel_values=pixels[:, None].expand(-1, 3, -1, -1), output_hidden_states=True)
        expected = model.visual_projection(vision.pooler_output)
        tokens = model.visual_projection(model.vision_model.post_layernorm(vision.hidden_states[2][:, 1:]))
    torch.testing.assert_close(pooled, torch.nn.functional.normalize(expected, dim=-1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(patches, torch.nn.functional.normalize(tokens, dim=-1), rtol=1e-4, atol=1e-5)


def test_the_patch_embedding_starts_with_components_of_one_size(corpus, tiny_recipe):
    model = new_model(tiny_recipe, 600)
    statistics = image_statistics(corpus)
    start_from(model, corpus, statistics)
    pixels = (torch.from_numpy(corpus.images).float() / 255 - statistics.mean) / statistics.std
    with torch.no_grad():
        out = model.vision_model.embeddings.patch_embedding(pixels[:, None].expand(-1, 3, -1, -1))
    spread = out.square().mean(dim=(0, 2, 3)).sqrt()
    assert float(spread.max()) < 1.1
    assert float(spread[:8].min()) > 0.6


def test_statistics_are_those_of_all_pixels(corpus):
    statistics = image_statistics(corpus)
    assert statistics.mean == pytest.approx(float((corpus.images / 255).mean()), abs=1e-4)
    assert statistics.std == pytest.approx(float((corpus.images / 255).std()), abs=1e-4)


@pytest.mark.parametrize("loss", list(Loss))
def test_every_loss_makes_a_model_that_loads(loss, tiny_recipe, tmp_path):
    recipe = replace(tiny_recipe, steps=2, loss=loss)
    train(tmp_path / "model", tmp_path / "work", recipe, Silent(), version="test")
    model = load_model(tmp_path / "model", torch.device("cpu"))
    assert model.grid.rows == model.grid.columns == 4
    assert model.vision.depth == 3
    assert model.card.notes[0].startswith("Trained on synthetic chest radiographs")
    read = model.tokenize("There is a nodule.")
    with torch.no_grad():
        embedding = model.text.encode(read.ids, read.mask)
    assert np.isfinite(embedding.numpy()).all()


def test_the_same_recipe_makes_the_same_weights(tiny_recipe, tmp_path):
    recipe = replace(tiny_recipe, steps=2)
    for name in ("one", "two"):
        train(tmp_path / name, tmp_path / f"work-{name}", recipe, Silent(), version="test")
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two")]
    assert weights[0] == weights[1]


def test_training_goes_on_from_a_model(tiny_recipe, tmp_path):
    first = replace(tiny_recipe, steps=2)
    train(tmp_path / "first", tmp_path / "work-first", first, Silent(), version="test")
    # Other studies, a rate of zero: what is written is what was started from.
    later = replace(first, corpus=replace(first.corpus, seed=8), learning_rate=0.0, start=first)
    train(tmp_path / "later", tmp_path / "work-later", later, Silent(), start=tmp_path / "first", version="test")
    for name in ("model.safetensors", "preprocessor_config.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "later" / name).read_bytes()
    assert read_recipe(tmp_path / "later") == later


def test_a_recipe_of_several_stages_is_trained_from_its_first(tiny_recipe, tmp_path):
    first = replace(tiny_recipe, steps=2)
    later = replace(first, corpus=replace(first.corpus, seed=8), start=first)
    train(tmp_path / "first", tmp_path / "work-first", first, Silent(), version="test")
    train(tmp_path / "later", tmp_path / "work-later", later, Silent(), start=tmp_path / "first", version="test")
    begun = tmp_path / "work" / "start" / "model"
    begun.mkdir(parents=True)
    (begun / "model.safetensors").write_text("an interrupted run's")
    train(tmp_path / "whole", tmp_path / "work", later, Silent(), version="test")
    for name in ("model.safetensors", "recipe.json", "preprocessor_config.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "later" / name).read_bytes()


def test_training_goes_on_from_no_other_model(tiny_recipe, tmp_path):
    first = replace(tiny_recipe, steps=1)
    train(tmp_path / "first", tmp_path / "work-first", first, Silent(), version="test")
    for start, recipe in (
        (tmp_path / "first", first),
        (tmp_path / "first", replace(first, start=replace(first, seed=7))),
    ):
        with pytest.raises(UsageError, match=r"expected the model that recipe\.start made"):
            train(tmp_path / "model", tmp_path / "work", recipe, Silent(), start=start, version="test")
    (tmp_path / "first" / "recipe.json").unlink()
    with pytest.raises(UsageError, match=r"recipe\.json is missing"):
        read_recipe(tmp_path / "first")


def test_a_model_folder_with_content_is_refused(tiny_recipe, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="empty or new folder"):
        train(tmp_path, tmp_path / "work", tiny_recipe, Silent(), version="test")


def test_a_recipe_reads_back_equal():
    recipe = recipe_for(studies=500, steps=20, loss="dhn-nce", seed=4, shortcuts=["pneumothorax:drain=0.9"])
    assert recipe_of(recipe.as_json()) == recipe
    later = recipe_for(studies=500, steps=20, loss="sigmoid", seed=4, crowded=0.5, start=recipe)
    assert later.emphasis == ("nodule", "mass")
    assert recipe_of(later.as_json()) == later


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content: content.pop("corpus"), "corpus"),
        (lambda content: content.update(loss="none"), "none"),
        (lambda content: content.update(speed=1), "speed"),
    ],
)
def test_a_recipe_that_is_none_is_refused(spoil, message):
    content = Recipe(corpus=recipe_for(studies=100, steps=1, loss="clip", seed=0).corpus).as_json()
    spoil(content)
    with pytest.raises(UsageError, match=message):
        recipe_of(content)


def test_an_unknown_loss_is_refused():
    with pytest.raises(UsageError, match="sigmoid, clip, dhn-nce"):
        recipe_for(studies=100, steps=1, loss="hinge", seed=0)
