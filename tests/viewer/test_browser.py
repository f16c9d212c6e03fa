"""The viewer in a real browser: read, draw, decide, sign, two windows at once."""

import re
import shutil
import time

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from medaudit.figures.overlay import overlay
from medaudit.figures.words import contrast
from medaudit.records.review import Decision, Subject, Target
from medaudit.store.audit_store import AuditStore
from medaudit.store.verification import open_reviews, verify_reviews
from medaudit.viewer import pictures
from medaudit.viewer.markup import WORD_JOINER

PASSPHRASE = "correct horse"  # noqa: S105 - of this test alone
PATIENCE = 30_000  # milliseconds: a machine that does other work is slow, not wrong
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def folder(audit_folder, tmp_path_factory):
    """A copy of the audit, whose reviews are this module's alone."""
    copy = tmp_path_factory.mktemp("browser") / "audit"
    shutil.copytree(audit_folder, copy, ignore=shutil.ignore_patterns("reviews.sqlite*"))
    with open_reviews(copy) as reviews:
        reviews.set_passphrase("reader", PASSPHRASE)
    return copy


@pytest.fixture(scope="module")
def server(served, folder):
    with served(folder) as (_, url):
        yield url


@pytest.fixture
def window(chromium, server):
    """Opens a browser window; fails the test on any console error and on any request beyond this machine."""
    wrong, contexts = [], []

    def open_window(study=None):
        context = chromium.new_context(viewport={"width": 1280, "height": 800})
        contexts.append(context)
        made = context.new_page()
        made.set_default_timeout(PATIENCE)
        made.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        made.on("pageerror", lambda error: wrong.append(str(error)))
        made.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
        inside = (server, server.replace("http", "ws"), "data:", "blob:")
        made.on("request", lambda asked: None if asked.url.startswith(inside) else wrong.append(asked.url))
        made.goto(server if study is None else f"{server}?study={study}")
        return made

    yield open_window
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture
def page(window):
    return window()


def panes(page, study, image="I-1"):
    """The two canvases of an image, once they are drawn."""
    expect(page.locator(f"[data-drawn='{study}/{image}']")).to_be_visible()
    return page.locator("figure canvas")


def pixels(canvas):
    return canvas.evaluate("canvas => canvas.toDataURL()")


def changed(page, canvas, before):
    page.wait_for_function("([canvas, before]) => canvas.toDataURL() !== before", arg=[canvas.element_handle(), before])


def saved(folder, study, when):
    """The review as it stands in the database once it is as ``when`` wants it."""
    with open_reviews(folder) as reviews:
        for _ in range(100):
            review = reviews.draft(study, "reader").review
            if when(review):
                return review
            time.sleep(0.2)
    raise AssertionError(review)


def test_worklist_study_opacity(page, known):
    page.get_by_role("button", name=known.studies[0]).click()
    expect(page.get_by_text("A map is evidence about the model, not about the patient.")).to_be_visible()
    expect(page.get_by_text("over its negation").first).to_be_visible()
    canvas = panes(page, known.studies[0]).last
    assert page.url.endswith(f"?study={known.studies[0]}")
    before = pixels(canvas)
    page.get_by_role("slider", name="Opacity of the map").press("ArrowRight")
    changed(page, canvas, before)
    page.get_by_role("button", name="Worklist").click()
    expect(page.get_by_role("button", name=known.studies[1])).to_be_visible()


def shown_pixels(canvas, rows, columns):
    """The middle of a canvas, where the picture lies at 1:1."""
    script = """(canvas, [rows, columns]) => {
      const x = Math.round(canvas.width / 2 - columns / 2), y = Math.round(canvas.height / 2 - rows / 2);
      return [...canvas.getContext('2d').getImageData(x, y, columns, rows).data];
    }"""
    return np.array(canvas.evaluate(script, [rows, columns])).reshape(rows, columns, 4)[..., :3]


def test_the_browser_draws_what_the_pdf_draws(page, known, folder):
    study = known.studies[0]
    page.goto(f"{page.url}?study={study}")
    canvas = panes(page, study).last
    page.get_by_role("button", name="1:1").click()
    page.wait_for_timeout(300)
    with AuditStore.open(folder) as store:
        audit = store.image(study, "I-1")
    copy, nats = audit.reading_copy, audit.attributions[0].image.pixels(audit.reading_copy.shape)
    expected = overlay(copy.shown, nats, pictures.map_scale(audit, 0, common=True), opacity=0.55)
    difference = np.abs(shown_pixels(canvas, *copy.shape) - expected.astype(int))
    assert difference.max() <= 1
    assert np.isnan(nats).any()

    page.get_by_text("Window, colours and comparison").click()
    before = pixels(canvas)
    page.locator("select[name=preset]").select_option("own")
    for name in ("Centre of the window", "Width of the window"):
        page.get_by_role("slider", name=name).evaluate(
            "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')) }",
            {"Centre of the window": 1200, "Width of the window": 900}[name],
        )
    changed(page, canvas, before)
    page.locator("select[name=view]").select_option("picture")
    page.wait_for_timeout(300)
    page.get_by_role("button", name="1:1").click()
    page.wait_for_timeout(300)
    left = shown_pixels(panes(page, study).first, *copy.shape)[20:-20, 10:-10]  # without the dashed outline
    center, width = (
        float(page.get_by_role("slider", name=name).input_value())
        for name in ("Centre of the window", "Width of the window")
    )
    wanted = copy.windowed(center, width)[20:-20, 10:-10, None]
    assert np.abs(left - wanted.astype(int)).max() <= 1


def test_hover_measure_zoom_are_linked(page, known):
    study = known.studies[0]
    page.goto(f"{page.url}?study={study}")
    left, right = panes(page, study).all()
    box = left.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator(".readout")).to_have_text(
        re.compile(r"row 48, column 40 · value \d+ · [0-9.e\u2212]+ nats per token")
    )
    before = [pixels(left), pixels(right)]
    page.mouse.wheel(0, -400)
    changed(page, left, before[0])
    changed(page, right, before[1])
    page.get_by_role("button", name="Fit").click()
    page.get_by_label("What dragging does").select_option("measure")
    scale = min(box["width"] / 80, box["height"] / 96)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 + 20 * scale)
    page.mouse.up()
    # 20 stored rows of 0.143 mm; the mouse moves by whole pixels of the screen.
    expect(left).to_have_attribute("data-measured", re.compile(r"2\.[89] mm"))


def test_draw_decide_write_and_find_it_again(page, known, folder):
    study = known.studies[0]
    page.goto(f"{page.url}?study={study}")
    canvas = panes(page, study).first
    page.get_by_label("What dragging does").select_option("box")
    box = canvas.bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 40, middle[1] + 30, steps=4)
    page.mouse.up()
    (region,) = saved(folder, study, lambda review: review.regions).regions
    scale = min(box["width"] / 80, box["height"] / 96)
    assert region.image == "I-1"
    np.testing.assert_allclose(region.points[0], (47.5, 39.5), atol=1)
    np.testing.assert_allclose(region.points[2], (47.5 + 30 / scale, 39.5 + 40 / scale), atol=1)

    page.get_by_text("Your review").click()  # the keyboard belongs to the page
    page.keyboard.press("d")
    target = Target("I-1", Subject.FINDING, 0)
    saved(folder, study, lambda review: review.answer_to(target).decision is Decision.DISAGREE)
    page.get_by_label("In your words").press_sequentially("and now a word", delay=5)
    saved(folder, study, lambda review: review.answer_to(target).text == "and now a word")
    assert saved(folder, study, bool).answer_to(target).decision is Decision.DISAGREE  # typing is no shortcut

    page.get_by_label("Conclusion on this study").fill("closed without leaving the field")
    page.wait_for_timeout(1000)
    page.close()
    saved(folder, study, lambda review: review.conclusion.startswith("closed"))


def test_what_was_written_is_there_after_a_reload(page, known, folder):
    study = known.studies[1]
    page.goto(f"{page.url}?study={study}")
    page.get_by_label("Conclusion on this study").fill("kept")
    saved(folder, study, lambda review: review.conclusion == "kept")
    page.reload()
    expect(page.get_by_label("Conclusion on this study")).to_have_value("kept")


def test_two_windows_at_once_lose_nothing(window, known, folder):
    study = known.studies[2]
    first, second = window(study), window(study)
    for one in (first, second):
        expect(one.get_by_label("Conclusion on this study")).to_be_visible()
    first.get_by_role("button", name=re.compile("^Agree")).click()
    expect(first.get_by_text("Draft, saved (1).")).to_be_visible()
    second.get_by_label("Conclusion on this study").fill("from the second")
    review = saved(folder, study, lambda review: review.conclusion == "from the second")
    assert review.answers[0].decision is Decision.AGREE  # different parts: both are kept
    first.get_by_label("Conclusion on this study").fill("from the first")
    first.get_by_label("Conclusion on this study").blur()
    expect(first.get_by_text("Another window changed the same part")).to_be_visible()
    expect(first.get_by_label("Conclusion on this study")).to_have_value("from the first")
    assert saved(folder, study, bool).conclusion == "from the second"
    first.get_by_role("button", name="Keep mine").click()
    review = saved(folder, study, lambda review: review.conclusion == "from the first")
    assert review.answers[0].decision is Decision.AGREE


def test_sign_and_amend(page, known, folder):
    study = known.studies[1]
    page.goto(f"{page.url}?study={study}")
    page.get_by_role("button", name="Unsure").click()
    for name, field, text, then in (
        ("Sign", None, None, "Agree"),
        ("Amend and sign", "Reason for the amendment", "a second look", "Disagree"),
    ):
        # A page that is still being drawn would close what the click opened.
        expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
        for _ in range(5):  # the page may still be settling, and a second click would close what the first opened
            page.get_by_text(name, exact=True).first.click()
            page.wait_for_timeout(800)
            if page.get_by_label("Printed name").is_visible():
                break
        page.get_by_label("Printed name").fill("Dr A. Reader")
        page.get_by_label("Passphrase").fill(PASSPHRASE)
        if field:
            page.get_by_label(field).fill(text)
        page.locator("[data-testid='stFormSubmitButton'] button").click()
        expect(page.get_by_text("Head of the journal")).to_be_visible()
        page.get_by_role("button", name=re.compile(f"^{then}")).click()
        expect(page.get_by_text("Changed since it was signed")).to_be_visible()
    found = verify_reviews(folder)
    assert (found.signatures, found.faults) == (2, ())
    assert PASSPHRASE not in page.content()


def test_hostile_text_is_shown_as_text(page, known):
    expect(page.get_by_text(f"F · {known.script}")).to_be_visible()
    page.get_by_role("button", name=known.studies[2]).click()
    prompts = page.get_by_role("radiogroup", name="Prompt")
    label = prompts.get_by_text("*stars*")
    assert label.inner_text().replace(WORD_JOINER, "") == known.hostile
    assert prompts.locator("a, img, script, .katex").count() == 0
    label.click()
    expect(page.locator(".ma-chosen td").first).to_have_text(known.hostile)
    expect(page.locator("figcaption").last).to_contain_text(known.hostile)
    assert page.locator("script", has_text="alert(1)").count() == 0


def test_the_cohort_page_leads_to_the_study_that_shows_a_finding_best(page, known):
    page.get_by_text("Cohort", exact=True).first.click()
    expect(page.get_by_text("It seems to rely on")).to_contain_text("*stars*")
    table = page.get_by_role("table").filter(has_text="Corrected p")
    expect(table).to_contain_text(known.script)
    assert page.locator("script", has_text="alert(1)").count() == 0
    page.get_by_role("button", name=known.studies[0]).click()
    panes(page, known.studies[0])


def test_the_address_opens_a_study(page, known):
    page.goto(f"{page.url}?study={known.studies[1]}")
    expect(page.get_by_text("That is no clearance").first).to_be_visible()


def test_nothing_runs_over_the_edge(page, known):
    page.goto(f"{page.url}?study={known.studies[0]}")
    panes(page, known.studies[0])
    expect(page.get_by_text("Provenance")).to_be_visible()
    for width in (1024, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(200)
        over = page.evaluate(
            "() => { const main = document.querySelector('[data-testid=stMain]');"
            "return main.scrollWidth - main.clientWidth }"
        )
        assert over <= 0, width


def test_the_colour_bar_lies_under_the_map(page, known):
    page.goto(f"{page.url}?study={known.studies[0]}")
    drawn = panes(page, known.studies[0]).last.bounding_box()
    bar = page.locator(".scale canvas").bounding_box()
    assert (bar["x"], bar["width"]) == (pytest.approx(drawn["x"], abs=1), pytest.approx(drawn["width"], abs=1))
    assert bar["y"] > drawn["y"] + drawn["height"]


def test_what_may_be_chosen_is_seen(page, known):
    """The circle before a prompt that is not chosen stands out from what it lies on (WCAG 1.4.11)."""
    page.goto(f"{page.url}?study={known.studies[0]}")
    panes(page, known.studies[0])
    circle = page.locator(".st-key-prompts [data-testid=stRadioOption]:not([data-selected]) > div > div").first
    said = circle.evaluate("one => [getComputedStyle(one).borderColor, getComputedStyle(one).backgroundColor]")
    edge, inside = (tuple(int(part) for part in re.findall(r"\d+", colour)[:3]) for colour in said)
    assert contrast(edge, inside) >= 3


@pytest.mark.parametrize("where", ["worklist", "cohort", "study"])
def test_accessibility(page, known, where):
    """Axe finds nothing serious in what is ours; Streamlit's own frame is Streamlit's."""
    if where == "study":
        page.goto(f"{page.url}?study={known.studies[0]}")
        panes(page, known.studies[0])
    elif where == "cohort":
        page.get_by_role("radio", name="Cohort").or_(page.get_by_text("Cohort", exact=True)).first.click()
        expect(page.get_by_text("Agreement of readers")).to_be_visible()
    else:
        expect(page.get_by_role("button", name=known.studies[0])).to_be_visible()
    found = Axe().run(page, context="[data-testid='stMainBlockContainer']").response["violations"]
    serious = [
        (one["id"], node["html"][:160])
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
    assert serious == []
