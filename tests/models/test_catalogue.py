import pytest

from medaudit.errors import ModelMissingError
from medaudit.models.catalogue import find_model
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
    with pytest.raises(ModelMissingError, match="phantom-clip, phantom-clip-drain, biomedclip, pubmedclip"):
        find_model("nonsense", tmp_path)


def test_a_gated_model_says_what_to_accept_and_one_by_hand_how_to_bundle_it(tmp_path):
    with pytest.raises(ModelMissingError, match="Accept the Health AI Developer Foundations terms"):
        find_model("medsiglip", tmp_path)
    with pytest.raises(ModelMissingError, match="medaudit models fetch chexzero --from FILE"):
        find_model("chexzero", tmp_path)


def test_a_file_is_told_to_go_into_a_folder(tmp_path):
    (tmp_path / "best.pt").write_bytes(b"")
    with pytest.raises(ModelMissingError, match="is a file; put it into a folder"):
        find_model(str(tmp_path / "best.pt"), tmp_path)


def test_a_bundled_model_is_found_by_its_name(tmp_path):
    assert find_model("phantom-clip", tmp_path) == bundled_models_folder() / "phantom-clip"


def test_a_folder_of_ones_own_goes_before_a_bundled_model(tmp_path):
    (tmp_path / "phantom-clip").mkdir()
    assert find_model("phantom-clip", tmp_path) == tmp_path / "phantom-clip"
