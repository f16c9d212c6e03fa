"""Who sits before the viewer and what they may do; pure, the wiring to a login is in :mod:`medaudit.viewer.login`."""

import importlib.util
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from medaudit.errors import UsageError
from medaudit.yamlfile import quoted, read_text, read_yaml

SECONDS_TO_SIGN = 300
"""A login this fresh counts as the credential entered again."""

SECONDS_TO_STAY = 12 * 3600
"""A login this old reads nothing more: a browser left open in a reading room is no standing invitation."""

_SECRET_LETTERS = 32  # whoever guesses the secret can write a login of their own
_LIBRARIES = ("authlib", "httpx")
_AUTH_KEYS = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")


class Role(StrEnum):
    """What a person may do: look; review and sign; also read everybody's decisions at once."""

    VIEWER = "viewer"
    READER = "reader"
    LEAD = "lead"


class Roles(BaseModel):
    """The file of roles: who, by the e-mail address of their login, in small letters."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    people: dict[str, Role] = Field(min_length=1)

    @field_validator("people")
    @classmethod
    def _small(cls, people: dict[str, Role]) -> dict[str, Role]:
        for address in people:
            if address != address.casefold():
                msg = f"expected addresses in small letters; got {quoted(address)}"
                raise ValueError(msg)
        return people


@dataclass(frozen=True, slots=True)
class Person:
    """Who is here. ``login_at`` is when they last proved it (seconds since 1970); None where nobody logs in."""

    reader: str
    role: Role
    login_at: float | None = None

    @property
    def writes(self) -> bool:
        """Whether they review and sign."""
        return self.role is not Role.VIEWER

    @property
    def credential(self) -> str:
        """What they enter again to sign."""
        return "passphrase" if self.login_at is None else "login"

    def may_sign(self, now: float) -> bool:
        """Whether a login is fresh enough to sign without another."""
        return self.login_at is not None and 0 <= now - self.login_at <= SECONDS_TO_SIGN

    def may_stay(self, now: float) -> bool:
        """Whether what they proved still holds for reading."""
        return self.login_at is None or now - self.login_at <= SECONDS_TO_STAY


def read_roles(path: Path) -> Roles:
    """The file of roles; UsageError with file, line and key where it is wrong."""
    return read_yaml(path, read_text(path, UsageError), Roles, UsageError)


def person_of(claims: Mapping[str, object], roles: Roles) -> Person | None:
    """Who a login is, from the claims of its ID token (OpenID Connect Core 5.1); None where they have no role.

    An address that the provider calls unverified is nobody's. ``auth_time`` says when they proved who they are;
    providers that leave it out state ``iat``, when the token was made.
    """
    email = str(claims.get("email") or "").casefold()
    role = roles.people.get(email)
    if role is None or claims.get("email_verified") is False:
        return None
    told = claims.get("auth_time") or claims.get("iat") or 0
    return Person(email, role, float(str(told)))


def check_login(secrets: Path | None) -> str:
    """Refuse to serve a team without a login that can work; UsageError says what is missing.

    Returns
    -------
    The host that the login comes back to, under which a reverse proxy serves the viewer.

    """
    if secrets is None:
        msg = "--roles needs --secrets FILE.toml with the [auth] section of Streamlit's OpenID Connect login"
        raise UsageError(msg)
    try:
        auth = tomllib.loads(read_text(secrets, UsageError)).get("auth", {})
    except tomllib.TOMLDecodeError as error:
        msg = f"{secrets.name}: expected TOML; {error}"
        raise UsageError(msg) from error
    missing = [key for key in _AUTH_KEYS if not (isinstance(auth, dict) and auth.get(key))]
    if missing:
        msg = f"{secrets.name}: [auth] lacks {', '.join(missing)}"
        raise UsageError(msg)
    if len(str(auth["cookie_secret"])) < _SECRET_LETTERS:
        msg = (
            f"{secrets.name}: [auth] cookie_secret: expected {_SECRET_LETTERS} random letters or more, for instance "
            "from python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
        raise UsageError(msg)
    if any(importlib.util.find_spec(library) is None for library in _LIBRARIES):
        msg = "--roles needs the extra login: pip install 'medaudit[login]'"
        raise UsageError(msg)
    host = urlsplit(str(auth["redirect_uri"])).hostname
    if host is None:
        msg = f"{secrets.name}: [auth] redirect_uri: expected an address such as https://HOST/oauth2callback"
        raise UsageError(msg)
    return host
