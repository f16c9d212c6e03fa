"""Hard cases: nothing lies outside the margins, nothing lies on something else, nothing fails to fit."""

import re
import shutil
import subprocess
from dataclasses import replace
from io import BytesIO
from itertools import combinations

import numpy as np
import pypdf
import pytest
from PIL import Image

from medaudit.records import PromptKind, StudyAudit
from medaudit.report.layout import Layout
from medaudit.report.study_pdf import study_pdf
from medaudit.report.style import MARGIN

_LONG = ("Findings suggesting a small right-sided pleural effusion with adjacent passive atelectasis, " * 3)[:200]
_WORD = re.compile(r'<word xMin="([\d.-]+)" yMin="([\d.-]+)" xMax="([\d.-]+)" yMax="([\d.-]+)">(.*?)</word>')
_HEADING = re.compile(
    "Prompt by prompt|Measurements|Settings and method|What this does not show|Provenance|Run|Model|Study|Software"
    r"|Method: .*|Image \d of \d .*|Finding prompt .*|Report sentence"
)
_PEAK = (0.5, 0.5, 2.0)


def _asked(build, case):
    if case == "forty":
        return tuple((f"Finding {i} is present.", PromptKind.FINDING, f"f{i}", 0.3, _PEAK) for i in range(40))
    return (
        (_LONG, PromptKind.FINDING, "effusion " * 20, 0.3, _PEAK),
        (f"No {_LONG}", PromptKind.NEGATED, "effusion " * 20, -0.02, _PEAK),
        ("x" * 2000, PromptKind.REPORT, "", 0.2, _PEAK),
        ("word " * 500, PromptKind.REPORT, "", 0.2, _PEAK),
    )


def _study(build, case):  # noqa: PLR0911  # one line a case
    if case in ("forty", "long"):
        elements = {"Manufacturer": "M" * 300, "StudyDescription": "long text " * 300} if case == "long" else None
        return build.study(build.image(asked=_asked(build, case), shape=(120, 100)), elements=elements)
    if case == "one row":
        return build.study(build.image(shape=(1, 600), pixel_spacing=None, patient_orientation=None))
    if case == "one column":
        return build.study(build.image(shape=(600, 1), pixel_spacing=None, imager_pixel_spacing=(0.1, 0.3)))
    if case == "colour":
        shown = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
        return build.study(build.image(shown=shown, shape=(600, 800), notes=("note " * 200, "n" * 500)))
    if case == "several":
        other = build.image(image="I-2", shape=(50, 90), patient_orientation=("A", "FR"))
        return build.study(build.image(findings=0, shape=(90, 80)), other, build.image(image="I-3", asked=()))
    if case == "curves":
        asked = (*build.asked, *_asked(build, "long")[:2])
        return build.study(build.image(asked=asked, shape=(120, 100), walked=[text for text, *_ in asked[::4]]))
    if case == "no image":
        return StudyAudit(build.study().record, ())
    return build.study()


_CASES = ("plain", "forty", "long", "one row", "one column", "colour", "several", "curves", "no image")


_DOCUMENTS = [(case, "A4", "en") for case in _CASES] + [
    ("plain", "Letter", "en"),
    ("long", "Letter", "en"),
    ("plain", "A4", "de"),
    ("several", "Letter", "de"),
    ("curves", "Letter", "de"),
]


@pytest.fixture(scope="module", params=_DOCUMENTS)
def document(request, build, tmp_path_factory):
    case, page_size, language = request.param
    path = tmp_path_factory.mktemp("pages") / "study.pdf"
    layout = Layout(page_size=page_size, institution="W" * 80, language=language)
    path.write_bytes(study_pdf(build.run, _study(build, case), layout))
    return path


def _program(name):
    if shutil.which(name) is None:
        pytest.skip(f"{name} (poppler) is not installed")
    return name


def test_text_begins_within_the_margins(document):
    reader = pypdf.PdfReader(BytesIO(document.read_bytes()))
    width, height = float(reader.pages[0].mediabox.width), float(reader.pages[0].mediabox.height)
    places = []
    for page in reader.pages:

        def visit(text, current, matrix, font, size):
            if text.strip():
                x = matrix[4] * current[0] + matrix[5] * current[2] + current[4]
                y = matrix[4] * current[1] + matrix[5] * current[3] + current[5]
                places.append((x, y))

        page.extract_text(visitor_text=visit)
    assert len(places) > 20
    x, y = np.array(places).T
    assert x.min() >= MARGIN - 0.01
    assert x.max() < width - MARGIN
    assert y.min() > 25
    assert y.max() < height - 25


def test_no_ink_lies_in_the_margins(document):
    subprocess.run([_program("pdftoppm"), "-r", "50", "-gray", document, document.with_suffix("")], check=True)
    pages = sorted(document.parent.glob("*.pgm"))
    assert pages
    for page in pages:
        ink = np.asarray(Image.open(page)) < 250
        # The panel's edge is 2.4 points wide on the margin itself, and a pixel is 1.44 points.
        side = int((MARGIN - 3) * 50 / 72)
        edge = int(22 * 50 / 72)
        assert not ink[:, :side].any(), page.name
        assert not ink[:, -side:].any(), page.name
        assert not ink[:edge].any(), page.name
        assert not ink[-edge:].any(), page.name
        assert ink.any(), page.name


def test_no_word_lies_on_another(document):
    boxes = subprocess.run(
        [_program("pdftotext"), "-bbox", document, "-"], check=True, capture_output=True, text=True
    ).stdout
    for page in boxes.split("<page ")[1:]:
        words = [(*map(float, match[:4]), match[4]) for match in _WORD.findall(page)]
        assert words
        for one, other in combinations(words, 2):
            across = min(one[2], other[2]) - max(one[0], other[0])
            down = min(one[3], other[3]) - max(one[1], other[1])
            assert across < 1 or down < 1.5, (one, other)


def _last_lines(document):
    for page in pypdf.PdfReader(BytesIO(document)).pages:
        yield [line for line in page.extract_text().splitlines() if line.strip()][-1].strip()


def test_no_heading_is_left_alone_at_the_foot_of_a_page(document):
    assert not any(_HEADING.fullmatch(line) for line in _last_lines(document.read_bytes()))


@pytest.mark.parametrize("lines", range(0, 40, 3))
def test_no_heading_is_left_alone_wherever_the_page_ends(build, lines):
    """Notes on the image push everything down, a few lines at a time."""
    image = build.image(asked=build.asked[:2], shape=(60, 50), notes=("a note",) * lines)
    run = replace(build.run, model=replace(build.run.model, notes=("a note on the model",)))
    assert not any(_HEADING.fullmatch(line) for line in _last_lines(study_pdf(run, build.study(image), Layout())))
