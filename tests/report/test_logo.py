from io import BytesIO

import pypdf
import pytest
from PIL import Image, PngImagePlugin

from medaudit.errors import LayoutError
from medaudit.report.html import study_html
from medaudit.report.layout import Layout, find_layout, load_layout, with_logo
from medaudit.report.logo import MOST_BYTES, read_logo
from medaudit.report.study_pdf import study_pdf
from medaudit.report.write import write_reports
from medaudit.store.audit_store import AuditStore


@pytest.fixture
def logo(tmp_path):
    """A wide mark, half of it transparent, with a text in the file that is nobody's business."""
    picture = Image.new("RGBA", (600, 150), (0, 0, 0, 0))
    picture.paste((15, 92, 116, 255), (0, 0, 300, 150))
    hidden = PngImagePlugin.PngInfo()
    hidden.add_text("Author", "somebody")
    (tmp_path / "marks").mkdir()
    path = tmp_path / "marks" / "logo.png"
    picture.save(path, pnginfo=hidden)
    return path


def test_a_layout_names_its_logo_from_its_own_folder(tmp_path, logo):
    (tmp_path / "mine.yaml").write_text("institution: City Hospital\nlogo: marks/logo.png\n")
    layout = load_layout(tmp_path / "mine.yaml")
    assert layout.logo == read_logo(logo)
    assert (layout.logo.width, layout.logo.height) == (600, 150)
    assert b"somebody" not in layout.logo.png


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_it_stands_on_every_page_and_the_same_bytes_come_again(build, tmp_path, form):
    path = tmp_path / f"mark.{form.lower()}"
    Image.new("RGB", (300, 100), (160, 40, 30)).save(path, form)
    layout = with_logo(Layout(institution="City Hospital"), path)
    document = study_pdf(build.run, build.study(), layout)
    assert document == study_pdf(build.run, build.study(), layout)
    reader = pypdf.PdfReader(BytesIO(document))
    for page in reader.pages:
        assert any(image.image.size == (300, 100) for image in page.images)
        assert "City Hospital" in page.extract_text()
    assert len(document) < len(study_pdf(build.run, build.study(), Layout())) + 4000  # it lies in the file once


def test_html_holds_it(build, logo):
    text = study_html(build.run, build.study(), with_logo(Layout(institution="A & B"), logo))
    assert '<img class=logo src="data:image/png;base64,' in text
    assert 'alt="A &amp; B"' in text


def test_a_picture_that_is_larger_than_a_page_shows_is_made_smaller(tmp_path):
    Image.new("RGB", (4000, 1000)).save(tmp_path / "large.png")
    logo = read_logo(tmp_path / "large.png")
    assert (logo.width, logo.height) == (720, 180)
    assert logo.fitted(110, 26) == pytest.approx((104, 26))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "expected a readable PNG or JPEG file"),
        (lambda path: path.write_text("<svg/>"), "expected a PNG or JPEG picture that can be read"),
        (lambda path: Image.new("RGB", (9, 9)).save(path, "GIF"), "expected a PNG or JPEG picture that can be read"),
        (lambda path: path.write_bytes(bytes(MOST_BYTES + 1)), "expected at most 2000000 bytes; got 2000001"),
        (lambda path: Image.new("L", (5000, 900)).save(path, "PNG"), "at most 4096 pixels.*got 5000 by 900"),
        (lambda path: Image.new("L", (130, 10)).save(path, "PNG"), "one at most 12 times the other; got 130 by 10"),
    ],
)
def test_what_is_no_logo_is_refused(tmp_path, make, message):
    make(tmp_path / "logo.png")
    (tmp_path / "mine.yaml").write_text("page_size: A4\nlogo: logo.png\n")
    with pytest.raises(LayoutError, match=message) as told:
        load_layout(tmp_path / "mine.yaml")
    assert str(told.value).startswith(f"{tmp_path / 'mine.yaml'}:2: logo: ")
    with pytest.raises(LayoutError, match=message):
        with_logo(Layout(), tmp_path / "logo.png")


def test_a_truncated_picture_is_refused(tmp_path, logo):
    (tmp_path / "cut.png").write_bytes(logo.read_bytes()[:120])
    with pytest.raises(LayoutError, match="can be read"):
        with_logo(Layout(), tmp_path / "cut.png")


def test_no_logo_by_default():
    assert find_layout("study").logo is None


def test_the_command_lines_logo_wins(build, tmp_path, logo):
    with AuditStore.create(tmp_path / "audit", build.run) as store:
        study = build.study()
        store.save_study(study, [])
        outcome = write_reports(store, studies=[study.record.study], logo=logo)
        assert any(image.image.size == (600, 150) for image in pypdf.PdfReader(outcome.written[0]).pages[0].images)
        with pytest.raises(LayoutError, match="expected a readable PNG or JPEG file"):
            write_reports(store, logo=logo.with_name("lost.png"))
