"""The viewer in a real browser."""

import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

from medaudit.viewer.markup import WORD_JOINER

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium on PATH")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def page(served, audit_folder):
    """A page on the viewer; fails the test on any console error and on any request beyond this machine."""
    wrong = []
    with served(audit_folder) as (_, url), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        made = browser.new_page(viewport={"width": 1280, "height": 800})
        made.set_default_timeout(20_000)
        made.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        made.on("pageerror", lambda error: wrong.append(str(error)))
        made.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
        inside = (url, url.replace("http", "ws"), "data:", "blob:")
        made.on("request", lambda asked: None if asked.url.startswith(inside) else wrong.append(asked.url))
        made.goto(url)
        yield made
        browser.close()
    assert wrong == []


def map_of(page):
    return page.locator(".st-key-pictures img").last.get_attribute("src")


def test_worklist_study_opacity(page, known):
    page.get_by_role("button", name=known.studies[0]).click()
    expect(page.get_by_text("A map is evidence about the model, not about the patient.")).to_be_visible()
    expect(page.get_by_text("over its negation").first).to_be_visible()
    expect(page.locator(".st-key-pictures img")).to_have_count(2)
    assert page.url.endswith(f"?study={known.studies[0]}")
    before = map_of(page)
    page.get_by_role("slider", name="Opacity of the map").press("ArrowRight")
    expect(page.locator(".st-key-pictures img").last).not_to_have_attribute("src", before)
    page.get_by_role("button", name="Worklist").click()
    expect(page.get_by_role("button", name=known.studies[1])).to_be_visible()


def test_pictures_have_their_natural_shape(page, known):
    page.get_by_role("button", name=known.studies[0]).click()
    picture = page.locator(".st-key-pictures img").first
    expect(picture).to_be_visible()
    size = picture.evaluate("async image => { await image.decode(); return [image.naturalWidth, image.naturalHeight] }")
    assert size == [80, 96]
    box = picture.bounding_box()
    assert box["width"] / box["height"] == pytest.approx(80 / 96, rel=0.02)


def test_hostile_text_is_shown_as_text(page, known):
    expect(page.get_by_text(f"F · {known.script}")).to_be_visible()
    page.get_by_role("button", name=known.studies[2]).click()
    prompts = page.get_by_role("radiogroup", name="Prompt")
    label = prompts.get_by_text("*stars*")
    assert label.inner_text().replace(WORD_JOINER, "") == known.hostile
    assert prompts.locator("a, img, script, .katex").count() == 0
    label.click()
    expect(page.locator(".ma-chosen td").first).to_have_text(known.hostile)
    assert page.locator("script", has_text="alert(1)").count() == 0


def test_the_address_opens_a_study(page, known):
    page.goto(f"{page.url}?study={known.studies[1]}")
    expect(page.get_by_text("That is no clearance").first).to_be_visible()


def test_nothing_runs_over_the_edge(page, known):
    page.goto(f"{page.url}?study={known.studies[0]}")
    expect(page.get_by_text("Provenance")).to_be_visible()
    for width in (1024, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(200)
        over = page.evaluate(
            "() => { const main = document.querySelector('[data-testid=stMain]');"
            "return main.scrollWidth - main.clientWidth }"
        )
        assert over <= 0, width
