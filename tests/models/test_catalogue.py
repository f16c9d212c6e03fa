import pytest

from medaudit.errors import ModelError, ModelMissingError
from medaudit.models.catalogue import download_model, find_model
from medaudit.resources import bundled_models_folder


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
    with pytest.raises(ModelMissingError, match="phantom-clip, biomedclip, pubmedclip, plip"):
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


def test_a_bundled_model_is_found_by_its_name_and_never_downloaded(tmp_path):
    folder = bundled_models_folder() / "phantom-clip"
    assert find_model("phantom-clip", tmp_path) == folder
    assert download_model("phantom-clip", tmp_path) == folder


def test_a_folder_of_ones_own_goes_before_a_bundled_model(tmp_path):
    (tmp_path / "phantom-clip").mkdir()
    assert find_model("phantom-clip", tmp_path) == tmp_path / "phantom-clip"
