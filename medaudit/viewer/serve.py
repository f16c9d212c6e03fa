"""Start the viewer: Streamlit as a child process, on this machine alone."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from medaudit.errors import UsageError
from medaudit.store.audit_store import AuditStore
from medaudit.store.verification import open_reviews
from medaudit.store.worklist import Search
from medaudit.viewer.people import check_login, read_roles
from medaudit.viewer.settings import Settings

ADDRESS = "127.0.0.1"
"""The only address that the viewer listens on: pictures and findings leave this machine by no other way."""

_SECONDS_TO_STOP = 5
_STOPPED = 128

_DARK = {
    "base": "dark",
    "primaryColor": "#58b7c3",
    "backgroundColor": "#0e1317",
    "secondaryBackgroundColor": "#161c22",
    "textColor": "#e4e9ec",
    "borderColor": "#2a343c",
}
_LIGHT = {
    "base": "light",
    "primaryColor": "#0f6b78",
    "backgroundColor": "#fbfcfc",
    "secondaryBackgroundColor": "#eef2f4",
    "textColor": "#1b242a",
    "borderColor": "#cfd8dd",
}

_OPTIONS = {
    "server.address": ADDRESS,
    "server.enableXsrfProtection": "true",
    "server.enableCORS": "true",
    "server.fileWatcherType": "none",
    "server.runOnSave": "false",
    "server.showEmailPrompt": "false",
    "browser.serverAddress": ADDRESS,
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "type",
    "global.developmentMode": "false",
}


def serve(
    settings: Settings, *, port: int | None, open_browser: bool, secrets: Path | None = None, light: bool = False
) -> int:
    """Show an audit in a browser until Ctrl-C.

    Parameters
    ----------
    settings
        What is shown, to whom, and where reviews are kept.
    port
        TCP port on 127.0.0.1; by default 8501 or the next free one.
    open_browser
        Whether to open the page in the default browser.
    secrets
        Streamlit's secrets with the ``[auth]`` of an OpenID Connect login; only together with ``settings.roles``.
    light
        Light instead of dark.

    Returns
    -------
    Exit code: 0 after Ctrl-C, else that of Streamlit.

    Raises
    ------
    StoreError
        The folder holds no audit that can be opened, or the reviews cannot be.
    UsageError
        The port is no TCP port, the login or the roles cannot work, or the second audit shows no picture of the first.

    """
    if port is not None and not 1 <= port <= 65535:
        msg = f"port: expected 1 to 65535; got {port}"
        raise UsageError(msg)
    open_reviews(settings.folder, settings.database).close()  # says what is wrong here rather than in a browser
    if settings.compare is not None:
        _check_compared(settings.folder, settings.compare)
    hosts = [ADDRESS, "localhost"]
    if settings.roles is not None:
        read_roles(settings.roles)
        hosts.append(check_login(secrets))
    before = signal.signal(signal.SIGTERM, _end)
    line = command(settings, port=port, open_browser=open_browser, secrets=secrets, light=light, hosts=hosts)
    process = subprocess.Popen(line)  # noqa: S603 - our own interpreter
    try:
        return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGTERM, before)
        _stop(process)


def command(
    settings: Settings,
    *,
    port: int | None,
    open_browser: bool,
    secrets: Path | None = None,
    light: bool = False,
    hosts: Sequence[str] = (ADDRESS, "localhost"),
) -> list[str]:
    """The command line of the child process; ``hosts`` are the names under which it may be asked."""
    theme = _LIGHT if light else _DARK
    options = {**_OPTIONS, **{f"theme.{name}": value for name, value in theme.items()}}
    options["server.headless"] = "false" if open_browser else "true"
    if port is not None:
        options["server.port"] = str(port)
    if secrets is not None:
        options["secrets.files"] = str(secrets.resolve())
    flags = [f"--{name}={value}" for name, value in options.items()]
    # A page of another site that points its own name at this machine is refused (DNS rebinding).
    flags += [f"--server.allowedHosts={host}" for host in hosts]
    app = Path(__file__).with_name("app.py")
    return [sys.executable, "-m", "streamlit", "run", str(app), *flags, "--", settings.argument()]


def _check_compared(folder: Path, other: Path) -> None:
    """Refuse a second audit that could show nothing, before anybody waits for a page."""
    with AuditStore.open(folder) as store, AuditStore.open(other) as second:
        if folder.resolve() == other.resolve():
            msg = "--compare: expected another audit; got the same folder twice"
            raise UsageError(msg)
        pictures = (image for study in store.find(Search()) for image in store.images(study))
        if not any(second.same_picture(picture) for picture in pictures):
            msg = "--compare: the two audits have no picture in common: no stored pixels are the same"
            raise UsageError(msg)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(_STOPPED + number)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Wait for a child that got the same Ctrl-C; end one that did not."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(_SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
