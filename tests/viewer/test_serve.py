import contextlib
import os
import signal
import socket
import sys

import pytest

from medaudit.errors import StoreError, UsageError
from medaudit.viewer.serve import command, serve
from medaudit.viewer.settings import Settings


def listening(port):
    """Local addresses (hexadecimal) of the sockets that listen on a port."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(FileNotFoundError), open(table, encoding="ascii") as lines:  # noqa: PTH123
            rows = [line.split() for line in lines.readlines()[1:]]
            found |= {row[1].split(":")[0] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port}
    return found


def test_flags(audit_folder):
    flags = command(Settings(audit_folder), port=8765, open_browser=False)
    for flag in (
        "--server.address=127.0.0.1",
        "--server.port=8765",
        "--server.headless=true",
        "--server.enableXsrfProtection=true",
        "--server.fileWatcherType=none",
        "--browser.gatherUsageStats=false",
        "--theme.base=dark",
        "--server.allowedHosts=127.0.0.1",
        "--server.allowedHosts=localhost",
    ):
        assert flag in flags
    assert flags[-2] == "--"
    assert Settings.from_argument(flags[-1]) == Settings(audit_folder)
    flags = command(Settings(audit_folder), port=None, open_browser=True)
    assert "--server.headless=false" in flags
    assert not any(flag.startswith("--server.port") for flag in flags)
    assert "--theme.base=light" in command(Settings(audit_folder), port=None, open_browser=False, light=True)


def test_says_what_is_wrong_before_it_starts(tmp_path, audit_folder):
    with pytest.raises(StoreError, match="holds no audit"):
        serve(Settings(tmp_path), port=None, open_browser=False)
    with pytest.raises(UsageError, match="port: expected 1 to 65535; got 0"):
        serve(Settings(audit_folder), port=0, open_browser=False)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and signals a process group")
def test_this_machine_only_and_ctrl_c(served, audit_folder):
    with served(audit_folder) as (process, url):
        assert listening(int(url.rpartition(":")[2])) == {"0100007F"}
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(20) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and signals a process")
def test_termination_takes_the_child_along(served, audit_folder):
    with served(audit_folder) as (process, url):
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM
        assert listening(int(url.rpartition(":")[2])) == set()


def test_a_team_needs_a_login_that_can_work(tmp_path, audit_folder):
    roles = tmp_path / "roles.yaml"
    roles.write_text("people: {a.reader@example.org: reader}")
    settings = Settings(audit_folder, roles=roles)
    with pytest.raises(UsageError, match="--roles needs --secrets"):
        serve(settings, port=None, open_browser=False)
    secrets = tmp_path / "secrets.toml"
    secrets.write_text('[auth]\ncookie_secret = "x"\n')
    with pytest.raises(UsageError, match=r"\[auth\] lacks redirect_uri, client_id"):
        serve(settings, port=None, open_browser=False, secrets=secrets)
    roles.write_text("people: {a.reader@example.org: owner}")
    with pytest.raises(UsageError, match=r"roles\.yaml:1"):
        serve(settings, port=None, open_browser=False, secrets=secrets)


@pytest.mark.skipif(sys.platform != "linux", reason="as above")
def test_another_host_name_is_refused(served, audit_folder):
    """A page of another site whose name points at this machine gets no websocket (DNS rebinding)."""
    with served(audit_folder) as (_, url):
        port = int(url.rpartition(":")[2])
        answers = {}
        for host in (f"127.0.0.1:{port}", "evil.invalid"):
            with socket.create_connection(("127.0.0.1", port), 10) as line:
                asked = (
                    f"GET /_stcore/stream HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                )
                line.sendall(asked.encode())
                answers[host] = line.recv(64).split()[1]
    assert answers == {f"127.0.0.1:{port}": b"101", "evil.invalid": b"403"}
