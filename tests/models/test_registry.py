"""Which adapter reads a folder; adapters of other packages."""

import importlib.metadata
import json

import pytest
import torch

from medaudit.errors import ModelLayoutError, ModelMissingError
from medaudit.models import hf_clip, registry
from medaudit.models.registry import load_model

CPU = torch.device("cpu")


def own_adapter(folder, device):
    """What a package would bring."""
    assert json.loads((folder / "config.json").read_text())["model_type"] == "our-clip"
    (folder / "config.json").write_text((folder / "theirs.json").read_text())
    return hf_clip.load(folder, device)


not_an_adapter = 7


@pytest.fixture
def plugin(monkeypatch, random_clip, tmp_path):
    """A folder of a foreign family, and its entry point."""
    import shutil
    import sys

    folder = shutil.copytree(random_clip, tmp_path / "ours")
    config = (folder / "config.json").read_text()
    (folder / "theirs.json").write_text(config)
    (folder / "config.json").write_text(json.dumps(json.loads(config) | {"model_type": "our-clip"}))

    def register(name):
        monkeypatch.setitem(sys.modules, "our_package", sys.modules[__name__])
        point = importlib.metadata.EntryPoint("our-clip", f"our_package:{name}", registry.ENTRY_POINTS)
        monkeypatch.setattr(registry, "entry_points", lambda *, group: [point] if group == point.group else [])
        return folder

    return register


def test_a_package_brings_its_own_adapter(plugin):
    assert load_model(plugin("own_adapter"), CPU).card.family == hf_clip.FAMILY


@pytest.mark.parametrize(
    ("name", "message"), [("nothing", "cannot be imported"), ("not_an_adapter", "expected a function load")]
)
def test_an_adapter_that_is_none_is_named(plugin, name, message):
    with pytest.raises(ModelLayoutError, match=message):
        load_model(plugin(name), CPU)


def test_siglip_2_of_any_resolution_is_refused_with_the_way_out(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "siglip2"}))
    with pytest.raises(ModelLayoutError, match="fixed resolution"):
        load_model(tmp_path, CPU)


def test_an_empty_or_absent_folder_is_named(tmp_path):
    with pytest.raises(ModelMissingError, match="no checkpoint"):
        load_model(tmp_path, CPU)
    with pytest.raises(ModelMissingError, match="no such folder"):
        load_model(tmp_path / "nowhere", CPU)
