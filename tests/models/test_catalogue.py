import pytest

from medaudit.errors import ModelError, ModelMissingError
from medaudit.models.catalogue import download_model, find_model
from medaudit.models.random_clip import write_random_clip


def test_a_path_and_a_name_are_found(tmp_path):
    (tmp_path / "mine").mkdir()
    assert find_model(str(tmp_path / "mine"), tmp_path / "nowhere") == tmp_path / "mine"
    assert find_model("mine", tmp_path) == tmp_path / "mine"


def test_a_known_model_that_is_absent_says_what_to_fetch_and_where_to_put_it(tmp_path):
    with pytest.raises(ModelMissingError) as caught:
        find_model("pubmedclip", tmp_path)
    for part in ("https://huggingface.co/flaviagiammarino/pubmed-clip-vit-base-patch32", "MIT", "--allow-download"):
        assert part in str(caught.value)
    assert str(tmp_path / "pubmedclip") in str(caught.value)


def test_an_unknown_model_names_the_known_ones(tmp_path):
    with pytest.raises(ModelMissingError, match="biomedclip, pubmedclip, plip"):
        find_model("nonsense", tmp_path)


def test_a_download_is_asked_for_by_repository_and_its_failure_explained(tmp_path, monkeypatch):
    asked = []

    def fetch(source, *, local_dir, allow_patterns):
        asked.append((source, local_dir))
        raise ConnectionError

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    with pytest.raises(ModelError, match=r"plip.*failed"):
        download_model("plip", tmp_path)
    assert asked == [("vinid/plip", tmp_path / "plip")]


def test_a_random_clip_is_the_same_for_the_same_seed(tmp_path):
    one, two, other = (write_random_clip(tmp_path / str(i), seed=seed, width=16) for i, seed in enumerate((1, 1, 2)))
    weights = [(folder / "model.safetensors").read_bytes() for folder in (one, two, other)]
    assert weights[0] == weights[1] != weights[2]
