"""Every adapter against the library that its model was published with, and against the contract."""

import socket

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.functional import normalize

from medaudit.models.contract import CLAUSES
from medaudit.models.registry import load_model
from medaudit.models.weights import quiet_transformers
from tests.models.conftest import LAYOUTS

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=LAYOUTS)
def layout(request, layouts, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / request.param
    folder.mkdir()
    with quiet_transformers():
        return layouts[request.param](folder)


@pytest.fixture(scope="module")
def model(layout):
    return load_model(layout.folder, CPU)


def unit(value):
    return normalize(value, dim=-1)


def ids_of(model):
    """Two prompts as padded ids and their mask, as the model's own tokenizer reads them."""
    prompts = [model.tokenize(text).ids[0] for text in ("left pleural effusion", "no lung")]
    longest = max(map(len, prompts))
    ids = torch.stack([torch.cat([one, torch.zeros(longest - len(one), dtype=torch.int64)]) for one in prompts])
    mask = torch.stack([torch.arange(longest) < len(one) for one in prompts])
    return ids, mask


def pixels_of(model):
    return torch.randn(2, 3, *model.card.input_size, generator=torch.Generator().manual_seed(0))


def test_both_towers_give_the_librarys_own_embeddings(layout, model):
    pixels, (ids, mask) = pixels_of(model), ids_of(model)
    with torch.no_grad():
        assert torch.allclose(model.vision.encode(pixels), unit(layout.image(pixels)), atol=1e-6)
        padding = mask if model.score.kind.name != "SIGMOID" else None
        assert torch.allclose(model.text.encode(ids, padding), unit(layout.text(ids, mask)), atol=1e-6)


def test_gradients_are_the_librarys_own(layout, model):
    ours, theirs = (pixels_of(model).requires_grad_() for _ in range(2))
    direction = torch.randn(2, unit(layout.image(theirs)).shape[1], generator=torch.Generator().manual_seed(1))
    (found,) = torch.autograd.grad((model.vision.encode(ours) * direction).sum(), [ours])
    (expected,) = torch.autograd.grad((unit(layout.image(theirs)) * direction).sum(), [theirs])
    assert torch.allclose(found, expected, rtol=0, atol=2e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
def test_the_contract_holds(model, clause):
    clause(model)


def test_no_suffix_waits_for_a_value(model):
    """A GPU is waited for wherever a value is read; fake tensors have none, so reading one raises."""
    read = model.tokenize("left pleural effusion")
    for tower, given in ((model.vision, (pixels_of(model)[:1],)), (model.text, (read.ids, read.mask))):
        with torch.no_grad():
            hidden = tower.embed(*given)
            with FakeTensorMode(allow_non_fake_inputs=True):
                assert tower.suffix(hidden, 0).shape[0] == 1


def test_the_trained_score_is_named_and_scaled(layout, model):
    cosines = torch.tensor([[0.3, 0.1]])
    expected = {
        "softmax": (layout.scale * cosines).softmax(-1),
        "sigmoid": (layout.scale * cosines - 7).sigmoid(),
        "cosine": cosines,
    }[layout.score]
    assert torch.allclose(model.score.of(cosines), expected, atol=1e-5)
    assert layout.score in model.card.score


def test_loading_touches_no_network(layout, monkeypatch):
    def forbidden(*args, **kwargs):
        pytest.fail("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    load_model(layout.folder, CPU)
