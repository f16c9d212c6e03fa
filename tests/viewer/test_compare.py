"""Two audits of the same pictures, side by side: another method, another grid of tokens, other codes."""

import dataclasses
import re

import numpy as np
import pytest
from playwright.sync_api import expect

from medaudit.errors import StoreError, UsageError
from medaudit.figures.overlay import overlay
from medaudit.records import AxisMap, GridMap, RelevanceMap, StudyAudit, TokenGrid
from medaudit.store.audit_store import AuditStore
from medaudit.viewer import panes, pictures
from medaudit.viewer.second import Second
from medaudit.viewer.serve import serve
from medaudit.viewer.settings import Settings

SIZE = (96, 80)
ASKED = 3  # of the six prompts, in the second audit
expect.set_options(timeout=30_000)


def picture(known, place, study, code):
    made = known.image(study, code, place, (), colour=False, size=SIZE)
    return dataclasses.replace(made, record=dataclasses.replace(made.record, pixel_sha256=f"{place:02x}" * 32))


def seen_otherwise(audit):
    """The same picture through another model: 7 by 7 tokens that see all of it, fewer prompts, other numbers."""
    rows, columns = SIZE
    grid_map = GridMap(
        SIZE,
        (112, 112),
        TokenGrid(7, 7, 1),
        AxisMap(rows / 112, (rows / 112 - 1) / 2),
        AxisMap(columns / 112, (columns / 112 - 1) / 2),
        (-0.5, rows - 0.5, -0.5, columns - 0.5),
    )
    values = np.random.default_rng(5).random((7, 7), dtype=np.float32)
    attributions = tuple(
        dataclasses.replace(one, image=RelevanceMap(40 * values, grid_map), method="rollout", similarity=0.777)
        for one in audit.attributions[:ASKED]
    )
    return dataclasses.replace(audit, grid_map=grid_map, attributions=attributions, measurements=(), findings=())


@pytest.fixture(scope="module")
def folders(known, tmp_path_factory):
    """An audit of two pictures, and another of the second one and of a third."""
    place = tmp_path_factory.mktemp("compare")
    run = dataclasses.replace(known.run, pipeline_name="other", pipeline_digest="6d" * 32)
    with AuditStore.create(place / "first", known.run) as first, AuditStore.create(place / "second", run) as second:
        for code, number in (("S-A1", 1), ("S-A2", 2)):
            first.save_study(StudyAudit(known.study(code), (picture(known, number, code, "I-1"),), 1.0), ())
        for code, number in (("S-B2", 2), ("S-B3", 3)):
            audit = seen_otherwise(picture(known, number, code, "I-9"))
            second.save_study(StudyAudit(known.study(code), (audit,), 1.0), ())
    return place / "first", place / "second"


def test_pictures_are_known_by_their_pixels(folders):
    with AuditStore.open(folders[0]) as first, AuditStore.open(folders[1]) as second:
        one, two = (first.images(code)[0] for code in ("S-A1", "S-A2"))
        assert second.same_picture(two) == ("S-B2", "I-9")
        assert second.same_picture(one) is None
        assert second.same_picture(dataclasses.replace(two, frame=1)) is None


def test_each_map_has_the_axes_of_its_audit(known, folders):
    with AuditStore.open(folders[0]) as first, AuditStore.open(folders[1]) as second:
        audit, other = first.image("S-A2", "I-1"), Second(second.run(), second.image("S-B2", "I-9"))
    data = panes.image_data(audit, other)
    assert [one["second"] for one in data["maps"][:6]] == [6, 7, 8, None, None, None]
    assert len(data["axes"]) == 2
    assert data["maps"][7]["prompt"] == data["maps"][1]["prompt"]
    assert data["maps"][7]["from"] == "BiomedCLIP \u00b7 rollout \u00b7 other"
    assert data["maps"][7]["common"] != data["maps"][1]["common"]


def test_a_second_audit_that_shows_nothing_is_refused(folders, audit_folder, tmp_path):
    for other, error, message in (
        (folders[0], UsageError, "got the same folder twice"),
        (audit_folder, UsageError, "no picture in common"),
        (tmp_path, StoreError, "holds no audit"),
    ):
        with pytest.raises(error, match=message):
            serve(Settings(folders[0], compare=other), port=None, open_browser=False)


def test_side_by_side_in_a_browser(chromium, served, folders):
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    wrong = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    with served(folders[0], compare=folders[1]) as (_, url):
        page.goto(f"{url}?study=S-A2")
        expect(page.locator("[data-drawn='S-A2/I-1']")).to_be_visible()
        left = page.locator("figure canvas").first
        captions = page.locator("figcaption")
        expect(captions.first).to_have_text(re.compile("^Second audit: chest radiograph with pleural effusion"))
        expect(captions.last).to_have_text(re.compile("^Map: chest radiograph with pleural effusion"))
        expect(page.get_by_text("At the left, of the second audit: 0 to 40 nats per token.")).to_be_visible()
        expect(page.get_by_text("BiomedCLIP \u00b7 rollout \u00b7 other")).to_be_visible()
        expect(page.get_by_text("0.777")).to_be_visible()
        page.get_by_role("button", name="1:1").click()
        page.wait_for_timeout(300)
        with AuditStore.open(folders[1]) as store:
            audit = store.image("S-B2", "I-9")
        copy = audit.reading_copy
        values = audit.attributions[0].image.pixels(copy.shape)
        expected = overlay(copy.shown, values, pictures.map_scale(audit, 0, common=True), opacity=0.55).astype(int)
        inside = (slice(20, -20), slice(10, -10))  # without the dashed outline and the letters
        assert np.abs(shown_pixels(left, *copy.shape)[inside] - expected[inside]).max() <= 1
        box = left.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        there = f"{values[48, 40]:.3g}"
        expect(page.locator(".readout")).to_have_text(re.compile(f"row 48, column 40 .* {there} nats per token"))

        page.get_by_text("chest radiograph with a heart of normal size").first.click()  # not asked in the second audit
        expect(captions.first).to_have_text("Picture")
        expect(page.get_by_text("It was not asked this prompt.")).to_be_visible()
        page.goto(f"{url}?study=S-A1")
        expect(page.get_by_text("It does not hold this picture")).to_be_visible()
        context.close()
    assert wrong == []


def shown_pixels(canvas, rows, columns):
    """The middle of a canvas, where the picture lies at 1:1."""
    script = """(canvas, [rows, columns]) => {
      const x = Math.round(canvas.width / 2 - columns / 2), y = Math.round(canvas.height / 2 - rows / 2);
      return [...canvas.getContext('2d').getImageData(x, y, columns, rows).data];
    }"""
    return np.array(canvas.evaluate(script, [rows, columns])).reshape(rows, columns, 4)[..., :3]
