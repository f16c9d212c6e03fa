from dataclasses import replace

import numpy as np
import pytest

from medaudit.dicom.grayscale import display
from medaudit.dicom.read import read_image
from medaudit.dicom.scan import FileRef
from medaudit.errors import UsageError
from medaudit.phantom.cohort import draw_study, features_of, is_hidden
from medaudit.phantom.findings import FindingKind
from medaudit.phantom.shortcuts import parse_shortcut
from medaudit.phantom.study import render
from medaudit.phantom.vendors import VENDORS
from medaudit.phantom.write import identify, write_image
from medaudit.training.claims import facts_of
from medaudit.training.corpus import (
    CROWDED,
    cell_shares,
    displayed,
    drawn,
    load_corpus,
    make_corpus,
    patch_shares,
    visible_findings,
)


def test_a_corpus_holds_its_studies_in_order(corpus, tiny):
    assert corpus.images.shape == (24, 64, 64)
    assert corpus.images.dtype == np.uint8
    for index in (0, 11, 23):
        spec = draw_study(tiny.seed, index)
        phantom = render(spec, 128)
        assert corpus.facts[index] == facts_of(spec)
        np.testing.assert_array_equal(corpus.images[index], displayed(phantom, spec, 64))
        masks = phantom.finding_masks + phantom.device_masks
        assert len(corpus.regions[index]) == len(masks)
        for region, mask in zip(corpus.regions[index], masks, strict=True):
            np.testing.assert_array_equal(region, cell_shares(mask, 4))


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.key)
def test_training_sees_what_an_audit_of_the_written_file_sees(vendor, tmp_path):
    spec = replace(draw_study(2, 3), vendor=vendor)
    phantom = render(spec, 128)
    path = tmp_path / "image.dcm"
    write_image(path, spec, phantom, identify(spec, 2, 3))
    shown = display(read_image(FileRef(path, path.name))).values
    smaller = shown.reshape(64, 2, 64, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(displayed(phantom, spec, 64) / 255, smaller, atol=0.51 / 255)


def test_shares_count_the_covered_part():
    mask = np.zeros((16, 16), bool)
    mask[:4, :8] = True
    mask[11, 11] = True
    region = cell_shares(mask, 2)
    assert region.shape == (8, 8)
    assert region[0].tolist() == [255] * 4 + [0] * 4
    assert region[5].tolist() == [0] * 5 + [64] + [0] * 2
    assert patch_shares(region).tolist() == [[127.5, 0], [0, 4]]


@pytest.mark.parametrize(("down", "right"), [(3, 0), (-5, 2), (0, -7), (0, 0), (6, 6)])
def test_a_region_moves_as_its_picture_does(down, right):
    region = np.random.default_rng(4).integers(0, 256, (8, 8), dtype=np.uint8)
    padded = np.pad(region, 8)
    moved = padded[8 - down : 16 - down, 8 - right : 16 - right].astype(float)
    np.testing.assert_allclose(patch_shares(region, down, right), moved.reshape(2, 4, 2, 4).mean(axis=(1, 3)))


def test_crowded_twins_differ_in_nodules_and_masses_alone(tiny):
    recipe = replace(tiny, crowded=0.5, twins=True)
    pairs = [(drawn(recipe, index), drawn(recipe, index + 1)) for index in range(0, 60, 2)]
    crowded = [pair for pair in pairs if pair[0].anatomy == pair[1].anatomy]
    assert 8 < len(crowded) < 22
    for one, other in crowded:
        assert one.findings != other.findings
        bare = [
            replace(spec, findings=tuple(found for found in spec.findings if found.kind not in CROWDED))
            for spec in (one, other)
        ]
        assert bare[0] == bare[1]
    for index, pair in enumerate(pairs):
        if pair not in crowded:
            assert pair == (draw_study(tiny.seed, 2 * index), draw_study(tiny.seed, 2 * index + 1))


def test_a_corpus_is_completed_with_the_same_bytes(corpus_folder, tiny, tmp_path):
    seen = []
    make_corpus(tmp_path, tiny, on_shard=lambda done, total: seen.append((done, total)))
    make_corpus(tmp_path, tiny, on_shard=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 1), (1, 1), (1, 1)]
    one, other = (np.load(folder / "shard-0000.npz") for folder in (corpus_folder, tmp_path))
    for name in ("images", "regions", "facts"):
        np.testing.assert_array_equal(one[name], other[name])


def test_a_folder_of_another_recipe_is_refused(corpus_folder, tiny):
    with pytest.raises(UsageError, match="another recipe"):
        make_corpus(corpus_folder, replace(tiny, seed=10))


def test_an_incomplete_corpus_is_not_read(tiny, tmp_path):
    with pytest.raises(UsageError, match="shard 0 is missing"):
        load_corpus(tmp_path, tiny)


def test_a_shortcut_that_is_none_is_refused(tiny):
    with pytest.raises(UsageError, match="expected a feature"):
        replace(tiny, shortcuts=("pneumothorax:nothing=1",))


@pytest.mark.parametrize("fields", [{"studies": 0}, {"seed": -1}, {"image_size": 100}, {"grid": 5}])
def test_impossible_sizes_are_refused(tiny, fields):
    with pytest.raises(ValueError, match="CorpusRecipe"):
        replace(tiny, **fields)


def test_what_was_treated_is_told_but_not_seen(tiny, tmp_path):
    recipe = replace(tiny, shortcuts=("pneumothorax:drain=1/0",), treated=True)
    make_corpus(tmp_path, recipe)
    corpus = load_corpus(tmp_path, recipe)
    told = [
        (index, place)
        for index, study in enumerate(corpus.facts)
        for place, fact in enumerate(study)
        if fact.name == "pneumothorax"
    ]
    assert told
    for index, place in told:
        assert not corpus.regions[index][place].any()
        assert any(fact.name == "chest drain" for fact in corpus.facts[index])
        spec = draw_study(recipe.seed, index, [parse_shortcut("pneumothorax:drain=1/0")])
        seen = tuple(one for one in spec.findings if one.kind is not FindingKind.PNEUMOTHORAX)
        picture = displayed(render(replace(spec, findings=seen), 128), spec, 64)
        np.testing.assert_array_equal(corpus.images[index], picture)


def test_what_cannot_be_seen_needs_a_shortcut_that_stays(tiny):
    with pytest.raises(UsageError, match="expected a shortcut"):
        replace(tiny, treated=True)


@pytest.mark.parametrize("feature", ["text", "vendor-cedar", "drain"])
def test_a_finding_is_hidden_where_its_feature_is(feature):
    ties = [parse_shortcut(f"nodule:{feature}=0.5/0.5")]
    for index in range(60):
        spec = draw_study(3, index, ties)
        here = ties[0].feature in features_of(spec)
        left = [one for one in spec.findings if one.kind is not FindingKind.NODULE or not here]
        assert list(visible_findings(spec, ties)) == left


def test_a_crowded_corpus_has_many_nodules_and_leaves_the_rest_as_it_was(tiny):
    crowded = replace(tiny, crowded=0.5)
    specs = [(draw_study(tiny.seed, index), drawn(crowded, index)) for index in range(200)]
    same = [one == other for one, other in specs]
    assert 0.35 < np.mean(same) < 0.65
    for plain, spec in specs:
        assert spec == replace(plain, findings=spec.findings)
        assert [one for one in spec.findings if one.kind not in CROWDED] == [
            one for one in plain.findings if one.kind not in CROWDED
        ]
        places = [(one.kind, one.side, one.zone) for one in spec.findings if one.kind in CROWDED]
        assert len(set(places)) == len(places)
        assert not any(is_hidden(one, spec.findings) for one in spec.findings)
    nodules = [sum(one.kind is FindingKind.NODULE for one in spec.findings) for _, spec in specs]
    assert np.mean(nodules) > 1
    assert sum(one.kind is FindingKind.NODULE for plain, _ in specs for one in plain.findings) < 0.25 * len(specs)


def test_a_share_beyond_one_is_refused(tiny):
    with pytest.raises(ValueError, match=r"crowded: expected a share"):
        replace(tiny, crowded=1.5)
