"""A team logs in: a real OpenID Connect provider in a process of its own, the viewer, and a browser between them."""

import base64
import contextlib
import importlib.util
import json
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from playwright.sync_api import expect

from medaudit.records.review import Decision, Meaning, Subject, Target
from medaudit.store.audit_store import AuditStore
from medaudit.store.verification import open_reviews, verify_reviews
from medaudit.viewer.desk import decided

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("authlib", "httpx", "oidc_provider_mock")),
    reason="needs the extra login and oidc-provider-mock",
)

READER, LEAD, VIEWER, STRANGER = (f"{name}@example.org" for name in ("a.reader", "l.lead", "v.viewer", "x.stranger"))
UNPROVEN, STALE, TIRED = (f"{name}@example.org" for name in ("u.unproven", "s.stale", "t.tired"))
ROLES = {READER: "reader", LEAD: "lead", VIEWER: "viewer", UNPROVEN: "reader", STALE: "reader", TIRED: "reader"}
AGO = {STALE: 13 * 3600, TIRED: 600}  # seconds: sessions at the provider that were not renewed
COOKIE = "_streamlit_user"
SECRET = "only this test knows these letters"  # noqa: S105 - of this test alone
ASKS = "Log in to read this audit."
PATIENCE = 30_000
expect.set_options(timeout=PATIENCE)
DAY = 24 * 3600


def answers(url, patience=30):
    for _ in range(patience * 10):
        with contextlib.suppress(OSError), urllib.request.urlopen(url) as answer:  # noqa: S310 - on loopback
            return json.load(answer)
        time.sleep(0.1)
    pytest.fail(f"{url} did not answer within {patience} seconds")


@pytest.fixture(scope="module")
def provider(free_port, tmp_path_factory):
    """Address of a provider that knows some people, and wants clients to be registered and to send a nonce."""
    port, people = free_port(), []
    for address in (STRANGER, *ROLES):
        claims = {"sub": address.split("@")[0], "email": address, "email_verified": address != UNPROVEN}
        if address in AGO:
            claims["auth_time"] = int(time.time()) - AGO[address]
        people += ["--user-claims", json.dumps(claims)]
    line = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
    with (tmp_path_factory.mktemp("provider") / "log").open("wb") as log:
        process = subprocess.Popen(
            [*line, "--require-registration", "true", "--require-nonce", "true", *people], stderr=log, stdout=log
        )
        try:
            assert answers(f"http://127.0.0.1:{port}/.well-known/openid-configuration")["issuer"]
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def registered(provider, callback):
    """(client_id, client_secret) as the provider gives them to a viewer (RFC 7591)."""
    asked = urllib.request.Request(  # noqa: S310 - on loopback
        f"{provider}/oauth2/clients",
        json.dumps({"redirect_uris": [callback]}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked) as answer:  # noqa: S310
        told = json.load(answer)
    return told["client_id"], told["client_secret"]


@pytest.fixture(scope="module")
def folder(audit_folder, tmp_path_factory):
    copy = tmp_path_factory.mktemp("login") / "audit"
    shutil.copytree(audit_folder, copy, ignore=shutil.ignore_patterns("reviews.sqlite*"))
    return copy


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where the files of the team lie."""
    return tmp_path_factory.mktemp("team")


@pytest.fixture(scope="module")
def server(served, folder, provider, free_port, place):
    port = free_port()
    callback = f"http://127.0.0.1:{port}/oauth2callback"
    client, secret = registered(provider, callback)
    auth = {
        "redirect_uri": callback,
        "cookie_secret": SECRET,
        "client_id": client,
        "client_secret": secret,
        "server_metadata_url": f"{provider}/.well-known/openid-configuration",
    }
    kwargs = 'client_kwargs = { "prompt" = "login", "max_age" = "0" }'
    lines = ["[auth]", *(f"{name} = {json.dumps(value)}" for name, value in auth.items()), kwargs]
    (place / "secrets.toml").write_text("\n".join(lines))
    (place / "roles.yaml").write_text(json.dumps({"people": ROLES}))
    with served(folder, port=port, roles=place / "roles.yaml", secrets=place / "secrets.toml") as (_, url):
        yield url


@pytest.fixture
def page(chromium, server):
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    made = context.new_page()
    made.set_default_timeout(PATIENCE)
    wrong = []
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.goto(server)
    yield made
    context.close()
    assert wrong == []


def log_in(page, address):
    expect(page.get_by_text(ASKS)).to_be_visible()
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name=address.split("@")[0], exact=True).click()


def nothing_shows(page, known):
    """Neither the page nor what the browser got for it names a study."""
    content = page.content()
    return not any(study in content for study in known.studies)


def cookie(page):
    return next(one for one in page.context.cookies() if one["name"] == COOKIE)


def resigned(secret, content, when):
    """A login's cookie as Streamlit signs it, at another time or with another secret."""

    class Then(TimestampSigner):
        def get_timestamp(self):
            return int(when)

    return URLSafeTimedSerializer(secret, salt=COOKIE, signer=Then).make_signer(COOKIE).sign(content).decode()


def test_a_reader_logs_in_signs_and_logs_out(page, known, folder, server):
    study = known.studies[0]
    page.goto(f"{server}?study={study}")
    expect(page.get_by_text(ASKS)).to_be_visible()
    assert nothing_shows(page, known)
    log_in(page, READER)
    expect(page.get_by_text(f"{READER} \u00b7 reader")).to_be_visible()
    assert not cookie(page)["value"].count("@")
    assert cookie(page)["httpOnly"]
    page.get_by_role("button", name=study).click()
    page.get_by_role("button", name=re.compile("^Agree")).click()
    page.get_by_text("Sign", exact=True).first.click()
    expect(page.get_by_label("Passphrase")).to_have_count(0)
    page.get_by_label("Printed name").fill("Dr A. Reader")
    page.locator("[data-testid='stFormSubmitButton'] button").click()
    expect(page.get_by_text("Head of the journal")).to_be_visible()
    with open_reviews(folder) as reviews:
        (signed,) = (one for one in reviews.signed(study) if one.review.reader == READER)
    assert signed.printed_name == "Dr A. Reader"
    assert signed.review.answers[0].decision is Decision.AGREE
    assert verify_reviews(folder).faults == ()

    page.get_by_role("button", name="Worklist").click()
    expect(page.get_by_text("1 of 3 studies signed by you")).to_be_visible()
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/oauth2/end_session?**")
    page.get_by_role("button").first.click()  # the provider asks whether to end its own session too
    expect(page.get_by_text(ASKS)).to_be_visible()
    assert nothing_shows(page, known)
    assert COOKIE not in [one["name"] for one in page.context.cookies()]


def test_a_viewer_looks_and_a_lead_reads_everybody(page, known, folder, server):
    study = known.studies[1]
    with open_reviews(folder) as reviews, AuditStore.open(folder) as store:
        target = Target("I-1", Subject.MAP, 0)
        draft = reviews.draft(study, "b.reader@example.org")
        saved = reviews.save(decided(draft.review, target, Decision.DISAGREE), draft.version)
        digest = store.study_digest(study)
        name, meaning = "Dr B. Reader", next(iter(Meaning))
        reviews.sign(
            study,
            "b.reader@example.org",
            saved.version,
            printed_name=name,
            meaning=meaning,
            record_sha256=digest,
            credential_kind="login",
        )
    log_in(page, VIEWER)
    page.get_by_role("button", name=study).click()
    expect(page.get_by_text("This role looks and writes nothing.")).to_be_visible()
    expect(page.get_by_text("1 other reader signed; shown once you have.")).to_be_visible()
    assert page.get_by_role("button", name=re.compile("^Agree")).count() == 0
    assert name not in page.content()

    page.context.clear_cookies()
    page.goto(server)
    log_in(page, LEAD)
    page.get_by_role("button", name=study).click()
    expect(page.get_by_text(name)).to_be_visible()


@pytest.mark.parametrize("address", [STRANGER, UNPROVEN])
def test_nobody_without_a_role_and_a_proven_address(page, known, server, address):
    log_in(page, address)
    expect(page.get_by_text("This login has no role in this audit.")).to_be_visible()
    assert nothing_shows(page, known)
    page.goto(f"{server}?study={known.studies[0]}")
    expect(page.get_by_text("This login has no role in this audit.")).to_be_visible()
    assert nothing_shows(page, known)


def test_who_denies_at_the_provider_stays_outside(page, known):
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Deny").click()
    expect(page.get_by_text(ASKS)).to_be_visible()
    assert nothing_shows(page, known)


def test_an_old_login_reads_nothing(page, known):
    log_in(page, STALE)
    expect(page.get_by_text("Your login is more than twelve hours old.")).to_be_visible()
    assert nothing_shows(page, known)


def test_who_is_struck_off_is_out_at_the_next_step(page, known, place):
    log_in(page, VIEWER)
    expect(page.get_by_role("button", name=known.studies[0])).to_be_visible()
    roles = place / "roles.yaml"
    before = roles.read_text()
    for content, sentence in (
        (json.dumps({"people": {READER: "reader"}}), "This login has no role in this audit."),
        ("people: [", "The file of roles cannot be read"),
    ):
        try:
            roles.write_text(content)
            page.get_by_text("Cohort", exact=True).first.click()
            expect(page.get_by_text(sentence)).to_be_visible()
            assert nothing_shows(page, known)
        finally:
            roles.write_text(before)
        page.reload()
        expect(page.get_by_role("button", name=known.studies[0])).to_be_visible()


def test_signing_needs_a_fresh_login(page, known):
    log_in(page, TIRED)
    page.get_by_role("button", name=known.studies[2]).click()
    page.get_by_role("button", name=re.compile("^Unsure")).click()
    page.get_by_text("Sign", exact=True).first.click()
    expect(page.get_by_text("a signature needs a login of the last five minutes")).to_be_visible()
    expect(page.get_by_label("Printed name")).to_have_count(0)
    page.get_by_role("button", name="Log in again").click()
    page.get_by_role("button", name="a.reader", exact=True).click()  # another person, so that the change shows
    expect(page.get_by_text(f"{READER} \u00b7 reader")).to_be_visible()


def test_a_forged_or_expired_cookie_is_no_login(page, known, server):
    log_in(page, READER)
    expect(page.get_by_text(f"{READER} \u00b7 reader")).to_be_visible()
    true = cookie(page)
    content, when, signature = true["value"].strip('"').rsplit(".", 2)
    other = base64.urlsafe_b64encode(json.dumps(json.dumps({"email": LEAD})).encode()).decode().rstrip("=")
    for forged, sentence in (
        (f"{other}.{when}.{signature}", ASKS),  # other claims under the same signature
        (f"{content}.{when}.{signature[::-1]}", ASKS),
        (resigned("a secret that somebody has guessed, wrongly", content, time.time()), ASKS),
        (resigned(SECRET, content, time.time() - 32 * DAY), ASKS),
        (resigned(SECRET, content, time.time()), f"{READER} \u00b7 reader"),  # so this is how they are made
    ):
        page.context.clear_cookies(name=COOKIE)
        page.context.add_cookies([{**true, "value": forged}])
        page.goto(server)
        expect(page.get_by_text(sentence)).to_be_visible()
        if sentence == ASKS:
            assert nothing_shows(page, known)
        else:
            expect(page.get_by_role("button", name=known.studies[0], exact=True)).to_be_visible()
