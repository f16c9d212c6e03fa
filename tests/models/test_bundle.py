"""Local bundles: fetched or made by hand, with a manifest; verified later, and loaded with the network closed."""

import json
import socket

import pytest
import torch

from medaudit.errors import ModelError, ModelMissingError
from medaudit.models.bundle import fetch_model, verify_bundle
from medaudit.models.examination import examine_bundle
from medaudit.models.registry import load_model
from medaudit.resources import bundled_models_folder


@pytest.fixture
def closed(monkeypatch):
    """No socket may be opened."""

    def forbidden(*args, **kwargs):
        pytest.fail("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)


@pytest.fixture
def chexzero(layouts, tmp_path, closed):
    """A bundle of CheXzero's layout, made from a checkpoint that a person fetched."""
    made = tmp_path / "fetched"
    made.mkdir()
    folder = layouts["openai"](made).folder
    sources = [folder / "best_64_5e-05.pt", folder / "tokenizer.json"]
    return fetch_model("chexzero", tmp_path / "bundle", sources)


def test_a_bundle_made_by_hand_carries_licence_use_and_the_models_own_statistics(chexzero):
    manifest = json.loads((chexzero / "medaudit.json").read_text())
    assert manifest["files"].keys() == {"best_64_5e-05.pt", "tokenizer.json"}
    model = load_model(chexzero, torch.device("cpu"))
    assert model.preprocessing.mean == pytest.approx((0.39799,) * 3, abs=1e-5)
    assert model.card.name == "chexzero"
    assert "MIMIC-CXR" in model.card.licence
    assert model.card.notes == ("Intended use: research only; its makers name no clinical use",)
    assert "medaudit.json" in model.card.files


def test_a_bundle_that_holds_is_said_to_hold(chexzero):
    found = examine_bundle(chexzero, contract=True)
    assert found.holds
    assert found.lines()[-1] == "Everything holds."
    assert found.clauses == 14
    assert found.family == "openai-clip"


def test_changed_missing_and_added_files_are_named_and_not_loaded(chexzero):
    with (chexzero / "best_64_5e-05.pt").open("ab") as stream:
        stream.write(b"more")
    (chexzero / "tokenizer.json").unlink()
    (chexzero / "pytorch_model.bin").write_bytes(b"another")
    (chexzero / "calibration.safetensors").write_bytes(b"made by medaudit calibrate")
    found = verify_bundle(chexzero)
    assert (found.changed, found.missing) == (("best_64_5e-05.pt",), ("tokenizer.json",))
    assert found.unlisted == ("pytorch_model.bin",)
    examined = examine_bundle(chexzero)
    assert not examined.holds
    assert not examined.family
    assert "changed: best_64_5e-05.pt" in examined.lines()


def test_a_bundle_that_does_not_load_says_why(layouts, tmp_path, closed):
    weights = layouts["openai"](tmp_path).folder / "best_64_5e-05.pt"
    torch.save({"stranger": torch.zeros(1)}, weights)
    found = examine_bundle(fetch_model("chexzero", tmp_path / "bundle", [weights]))
    assert "does not load" in found.lines()[-2]
    assert not found.holds


def test_a_folder_without_a_manifest_has_nothing_to_verify(tmp_path):
    with pytest.raises(ModelMissingError, match="medaudit models fetch"):
        verify_bundle(tmp_path)


def hub(tmp_path, monkeypatch, files, error=None):
    """A hub with some files; returns the patterns that were asked for."""
    asked = []

    def fetch(source, *, local_dir, allow_patterns):
        asked.append((source, allow_patterns))
        if error is not None:
            raise error
        notes = local_dir / ".cache" / "huggingface" / "download"
        notes.mkdir(parents=True, exist_ok=True)
        for name in set(files) & set(allow_patterns):
            (local_dir / name).write_text(name)
            (notes / f"{name}.metadata").write_text("abc123\netag\n1.0\n")
        return str(local_dir)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    return asked


def test_a_fetched_bundle_states_revision_source_and_checksums(tmp_path, monkeypatch):
    asked = hub(tmp_path, monkeypatch, ["config.json", "pytorch_model.bin", "vocab.json"])
    folder = fetch_model("pubmedclip", tmp_path / "pubmedclip")
    manifest = json.loads((folder / "medaudit.json").read_text())
    assert manifest["revision"] == "abc123"
    assert manifest["licence"] == "MIT"
    assert manifest["source"].endswith("flaviagiammarino/pubmed-clip-vit-base-patch32")
    assert manifest["files"].keys() == {"config.json", "pytorch_model.bin", "vocab.json"}
    assert not (folder / ".cache").exists()
    # The pickle is asked for only where there is nothing safer.
    assert [patterns == ["pytorch_model.bin"] for _, patterns in asked] == [False, True]


def test_safe_weights_are_enough(tmp_path, monkeypatch):
    asked = hub(tmp_path, monkeypatch, ["config.json", "model.safetensors", "pytorch_model.bin"])
    folder = fetch_model("pubmedclip", tmp_path / "pubmedclip")
    assert not (folder / "pytorch_model.bin").exists()
    assert len(asked) == 1


def test_a_failed_download_says_what_to_do_by_hand(tmp_path, monkeypatch):
    hub(tmp_path, monkeypatch, [], ConnectionError("no route"))
    with pytest.raises(ModelError, match=r"no route\. model 'plip' is not on this machine\. Fetch config\.json"):
        fetch_model("plip", tmp_path / "plip")


def test_a_gated_model_says_what_to_accept(tmp_path, monkeypatch):
    from huggingface_hub.errors import GatedRepoError

    refusal = GatedRepoError.__new__(GatedRepoError)
    hub(tmp_path, monkeypatch, [], refusal)
    with pytest.raises(ModelMissingError, match="Accept the Health AI"):
        fetch_model("medsiglip", tmp_path / "medsiglip")


def test_what_cannot_be_fetched_is_told(tmp_path, closed):
    with pytest.raises(ModelMissingError, match=r"from https://github\.com/rajpurkarlab/CheXzero"):
        fetch_model("chexzero", tmp_path)
    with pytest.raises(ModelMissingError, match="no such file"):
        fetch_model("chexzero", tmp_path, [tmp_path / "nothing.pt"])
    assert fetch_model("phantom-clip", tmp_path) == bundled_models_folder() / "phantom-clip"
