"""Start the viewer: Streamlit as a child process, on this machine alone."""

import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from medaudit.errors import UsageError
from medaudit.store.audit_store import AuditStore

ADDRESS = "127.0.0.1"
"""The only address that the viewer listens on: pictures and findings leave this machine by no other way."""

_SECONDS_TO_STOP = 5
_STOPPED = 128

_THEME = {
    "base": "dark",
    "primaryColor": "#58b7c3",
    "backgroundColor": "#0e1317",
    "secondaryBackgroundColor": "#161c22",
    "textColor": "#e4e9ec",
    "borderColor": "#2a343c",
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


def serve(folder: Path, *, port: int | None, open_browser: bool) -> int:
    """Show an audit in a browser until Ctrl-C.

    Parameters
    ----------
    folder
        The audit folder.
    port
        TCP port on 127.0.0.1; by default 8501 or the next free one.
    open_browser
        Whether to open the page in the default browser.

    Returns
    -------
    Exit code: 0 after Ctrl-C, else that of Streamlit.

    Raises
    ------
    StoreError
        The folder holds no audit that can be opened.
    UsageError
        The port is no TCP port.

    """
    if port is not None and not 1 <= port <= 65535:
        msg = f"port: expected 1 to 65535; got {port}"
        raise UsageError(msg)
    AuditStore.open(folder).close()  # says what is wrong here rather than in a browser
    before = signal.signal(signal.SIGTERM, _end)
    process = subprocess.Popen(command(folder, port=port, open_browser=open_browser))  # noqa: S603 - our own interpreter
    try:
        return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGTERM, before)
        _stop(process)


def command(folder: Path, *, port: int | None, open_browser: bool) -> list[str]:
    """The command line of the child process."""
    options = {**_OPTIONS, **{f"theme.{name}": value for name, value in _THEME.items()}}
    options["server.headless"] = "false" if open_browser else "true"
    if port is not None:
        options["server.port"] = str(port)
    flags = [f"--{name}={value}" for name, value in options.items()]
    app = Path(__file__).with_name("app.py")
    return [sys.executable, "-m", "streamlit", "run", str(app), *flags, "--", str(folder.resolve())]


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
