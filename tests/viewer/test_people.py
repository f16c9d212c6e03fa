import pytest

from medaudit.errors import UsageError
from medaudit.viewer.people import Person, Role, check_login, person_of, read_roles

ROLES = """\
people:
  a.reader@example.org: reader
  l.lead@example.org: lead
  v.viewer@example.org: viewer
"""


@pytest.fixture
def roles(tmp_path):
    path = tmp_path / "roles.yaml"
    path.write_text(ROLES)
    return read_roles(path)


def test_roles(roles):
    person = person_of({"email": "A.Reader@Example.org", "iat": 1000, "email_verified": True}, roles)
    assert person == Person("a.reader@example.org", Role.READER, 1000.0)
    assert person.writes
    assert person.credential == "login"
    assert not person_of({"email": "v.viewer@example.org"}, roles).writes


@pytest.mark.parametrize(
    "claims",
    [{}, {"email": "x@example.org"}, {"email": None}, {"email": "a.reader@example.org", "email_verified": False}],
)
def test_nobody(roles, claims):
    assert person_of(claims, roles) is None


def test_only_a_fresh_login_signs(roles):
    person = person_of({"email": "a.reader@example.org", "iat": 2000, "auth_time": 1000}, roles)
    assert person.login_at == 1000  # when they proved who they are, not when the token was renewed
    assert person.may_sign(1299.0)
    assert not person.may_sign(1301.0)
    assert not person.may_sign(900.0)
    assert not Person("reader", Role.READER).may_sign(0.0)


def test_a_login_does_not_last(roles):
    person = person_of({"email": "v.viewer@example.org", "auth_time": 1000}, roles)
    assert person.may_stay(1000.0 + 12 * 3600)
    assert not person.may_stay(1001.0 + 12 * 3600)
    assert Person("reader", Role.READER).may_stay(1e12)


def test_an_address_that_could_never_match_is_refused(tmp_path):
    path = tmp_path / "roles.yaml"
    path.write_text("people:\n  A.Reader@example.org: reader\n")
    with pytest.raises(UsageError, match=r"expected addresses in small letters; got 'A\.Reader@example\.org'"):
        read_roles(path)


@pytest.mark.parametrize("lacking", ["authlib", "httpx"])
def test_the_login_needs_its_libraries(tmp_path, monkeypatch, lacking):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == lacking else object())
    path = tmp_path / "secrets.toml"
    keys = ("client_id", "client_secret", "server_metadata_url", "cookie_secret", "redirect_uri")
    path.write_text("\n".join(["[auth]", *(f'{key} = "{"x" * 40}"' for key in keys)]))
    with pytest.raises(UsageError, match="needs the extra login"):
        check_login(path)


def test_the_login_names_its_host(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    path = tmp_path / "secrets.toml"
    keys = ("client_id", "client_secret", "server_metadata_url")
    lines = ["[auth]", 'redirect_uri = "https://audit.example.org/oauth2callback"', *(f'{key} = "x"' for key in keys)]
    path.write_text("\n".join([*lines, f'cookie_secret = "{"s" * 32}"']))
    assert check_login(path) == "audit.example.org"
    path.write_text("\n".join([*lines, 'cookie_secret = "guess me"']))
    with pytest.raises(UsageError, match="cookie_secret: expected 32 random letters or more") as told:
        check_login(path)
    assert "guess me" not in str(told.value)
    path.write_text("no toml")
    with pytest.raises(UsageError, match="expected TOML"):
        check_login(path)
