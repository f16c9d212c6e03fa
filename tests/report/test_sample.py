"""The committed sample keeps step with the code: `python benchmarks/sample_report.py` makes it again."""

import importlib.util
import json
from pathlib import Path

import pypdf
import pytest

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "reports" / "sample"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("sample_report", ROOT / "benchmarks" / "sample_report.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made(script, tmp_path_factory):
    return script.make(SAMPLE, tmp_path_factory.mktemp("sample"))


def test_the_sample_is_one_study_and_the_cohort(made):
    assert sorted(path.name for path in SAMPLE.glob("*.pdf")) == sorted(path.name for path in made)
    assert "cohort.pdf" in {path.name for path in made}
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < 3_000_000


def test_making_it_again_changes_nothing(script, made):
    again = "the sample is out of step: run `python benchmarks/sample_report.py`"
    same_libraries = json.loads((SAMPLE / "libraries.json").read_text(encoding="utf-8")) == script.libraries()
    for path in made:
        kept = SAMPLE / path.name
        assert _texts(kept) == _texts(path), again
        if same_libraries:  # another zlib or Pillow packs the same pages in other bytes
            assert kept.read_bytes() == path.read_bytes(), again


def test_the_cohort_opens_the_study(made):
    study = next(path.name for path in made if path.name != "cohort.pdf")
    reader = pypdf.PdfReader(SAMPLE / "cohort.pdf")
    actions = [note.get_object().get("/A") for page in reader.pages for note in page.get("/Annots", [])]
    assert study in {str(action["/F"]) for action in actions if action and action["/S"] == "/GoToR"}


def _texts(path):
    return [page.extract_text() for page in pypdf.PdfReader(path).pages]
