"""Burned-in text on phantoms, whose marks are known; and what looks a little like text and is none."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from medaudit.imaging.regions import TextRegion, text_notes, text_regions

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "burned_in_text.py"


def test_recall_and_false_alarms_on_forty_phantoms():
    spec = importlib.util.spec_from_file_location("burned_in_text", BENCHMARK)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    measured = benchmark.measure(40, seed=50_000, side=512)
    assert measured["texts"] >= 10
    assert measured["studies without text"] >= 10
    assert measured["recall"] >= 0.9
    assert measured["false alarms"] <= 0.1


def written(text, *, size=16, shape=(300, 400), ink=1.0, paper=0.2, at=(60, 100)):
    picture = Image.new("F", shape[::-1], paper)
    ImageDraw.Draw(picture).text(at[::-1], text, fill=ink, font=ImageFont.load_default(size=size))
    return np.asarray(picture, dtype=np.float32)


@pytest.mark.parametrize(
    "picture",
    [
        written("DOE^JANE 1952-03-17"),
        written("DOE^JANE", ink=0.0, paper=0.8),
        written("DOE^JANE", size=24, paper=0.6),
        written("123", size=12),
        np.repeat(written("DOE^JANE")[..., None], 3, axis=2),
    ],
    ids=["bright", "dark", "faint", "short", "colour"],
)
def test_text_is_found_where_it_is(picture):
    found = text_regions(picture)
    (best, *_) = found
    grey = picture if picture.ndim == 2 else picture[..., 0]
    rows, columns = np.nonzero(grey != grey[0, 0])
    box = (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
    assert np.abs(np.subtract(best.box, box)).max() <= 6
    assert 0.48 <= best.score <= 1
    assert best.letters >= 3


def test_boxes_lie_on_the_stored_grid_of_a_large_picture():
    picture = written("DOE JANE", size=70, shape=(2600, 3000), at=(1900, 2100))
    (best, *_) = text_regions(picture)
    assert 1890 <= best.top < best.bottom <= 2000
    assert 2090 <= best.left < best.right <= 2560


def noise(seed):
    return np.clip(np.random.default_rng(seed).normal(0.5, 0.15, (256, 256)), 0, 1).astype(np.float32)


def ruler():
    picture = np.zeros((256, 256), np.float32)
    picture[100:112, 20:240:10] = 1
    return picture


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((1, 1), np.float32),
        np.ones((64, 64), np.float32),
        noise(0),
        noise(1),
        ruler(),
        written("L", size=30),
        np.eye(200, dtype=np.float32),
    ],
    ids=["pixel", "flat", "noise", "more noise", "ruler", "side marker", "wire"],
)
def test_what_is_no_text_is_not_told(picture):
    assert text_regions(picture) == ()


def test_notes_name_places_and_the_headers_word():
    assert text_notes(()) == ()
    region = TextRegion(9, 19, 20, 60, letters=5, score=0.876)
    (note,) = text_notes([region])
    assert note == (
        "text-like region: rows 10 to 20, columns 20 to 60 (score 0.88). Look at the picture before you share it."
    )
    (note,) = text_notes([region] * 5, "NO")
    assert "; and 2 more. Burned In Annotation (0028,0301) says NO." in note


def test_regions_are_validated():
    with pytest.raises(ValueError, match="expected 0 <= top < bottom"):
        TextRegion(5, 0, 5, 3, 3, 0.5)
