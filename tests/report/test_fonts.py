"""Names in other scripts: right letters, right order, embedded glyphs."""

from io import BytesIO

import pypdf
import pytest

from medaudit.report.fonts import OTHER_SCRIPTS, REGULAR, SEMIBOLD, font_of, printable, runs, text_width
from medaudit.report.layout import Layout
from medaudit.report.shaping import drawn
from medaudit.report.study_pdf import study_pdf

JAPANESE = "Yamada^Tarou=山田^太郎=やまだ^たろう"
KOREAN, CHINESE = "김^철수", "王^小东"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        # Muhammad: meem initial, hah medial, meem medial, dal final; drawn from the left, so the last letter first.
        ("محمد", "\ufeaa\ufee4\ufea4\ufee3"),
        # Salam: seen initial, lam-alef final, meem isolated.
        ("سلام", "\ufee1\ufefc\ufeb3"),
        # Persian peh, and a letter that joins nothing after it.
        ("پدر", "\ufead\ufeaa\ufb58"),
        ("قباني^لنزار", "\ufead\ufe8d\ufeb0\ufee8\ufedf^\ufef2\ufee7\ufe8e\ufe92\ufed7"),
        ("Dr. محمد (12)", "Dr. (12) \ufeaa\ufee4\ufea4\ufee3"),
        ("غرفة 12 ب", "\ufe8f 12 \ufe94\ufed3\ufeae\ufecf"),
        ("plain 12 ()", "plain 12 ()"),
        ("שלום", "םולש"),
    ],
)
def test_right_to_left_text_is_shaped_and_turned_round(text, shown):
    assert drawn(text) == shown


def test_a_mark_stays_behind_its_letter():
    # beh with fatha, then beh: the mark is passed over for joining.
    assert drawn("ب\u064eب") == "\ufe90\ufe91\u064e"


def test_each_script_has_its_font():
    assert [font_of(one) for one in "aλЖ山한あ\ufeaa\u05d0"] == [
        REGULAR, REGULAR, REGULAR, OTHER_SCRIPTS[1], OTHER_SCRIPTS[1], OTHER_SCRIPTS[1], OTHER_SCRIPTS[0], "",
    ]  # fmt: skip
    assert printable("a\U0001f600\u05d0") == "a[U+1F600][U+05D0]"


def test_runs_put_a_text_together_again():
    text = printable(f"{JAPANESE} محمد Ω")
    assert "".join(part for _, part in runs(text, SEMIBOLD)) == text
    assert {name for name, _ in runs(text, SEMIBOLD)} == {SEMIBOLD, *OTHER_SCRIPTS}
    assert text_width("山田", REGULAR, 10) == pytest.approx(20)


def test_names_are_in_the_pdf_with_their_glyphs_embedded(build):
    study = build.study(elements={"PatientName": JAPANESE, "Other": f"{KOREAN} {CHINESE}", "Third": "محمد"})
    reader = pypdf.PdfReader(BytesIO(study_pdf(build.run, study, Layout(institution="東京病院 مستشفى"))))
    text = " ".join(page.extract_text() for page in reader.pages)
    for name in ("山田^太郎", "やまだ", "김^철수", "王^小东", "東京病院"):
        assert name in text, name
    assert "\ufee3\ufea4\ufee4\ufeaa" in text  # pypdf turns what is drawn from the right round again
    fonts = {font.get_object()["/BaseFont"] for page in reader.pages for font in page["/Resources"]["/Font"].values()}
    assert {name.split("+")[-1].split("-")[0] for name in fonts if "+" in name} >= {"NotoSans", "NotoSansArabic"}
    assert "[U+" not in text


def test_a_report_without_such_names_reads_no_further_font(build):
    document = study_pdf(build.run, build.study(), Layout())
    assert b"Droid" not in document
