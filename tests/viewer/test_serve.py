import contextlib
import os
import signal
import sys

import pytest

from medaudit.errors import StoreError, UsageError
from medaudit.viewer.serve import command, serve


def listening(port):
    """Local addresses (hexadecimal) of the sockets that listen on a port."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(FileNotFoundError), open(table, encoding="ascii") as lines:  # noqa: PTH123
            rows = [line.split() for line in lines.readlines()[1:]]
            found |= {row[1].split(":")[0] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port}
    return found


def test_flags(audit_folder):
    flags = command(audit_folder, port=8765, open_browser=False)
    for flag in (
        "--server.address=127.0.0.1",
        "--server.port=8765",
        "--server.headless=true",
        "--server.enableXsrfProtection=true",
        "--server.fileWatcherType=none",
        "--browser.gatherUsageStats=false",
        "--theme.base=dark",
    ):
        assert flag in flags
    assert flags[-2:] == ["--", str(audit_folder)]
    flags = command(audit_folder, port=None, open_browser=True)
    assert "--server.headless=false" in flags
    assert not any(flag.startswith("--server.port") for flag in flags)


def test_says_what_is_wrong_before_it_starts(tmp_path, audit_folder):
    with pytest.raises(StoreError, match="holds no audit"):
        serve(tmp_path, port=None, open_browser=False)
    with pytest.raises(UsageError, match="port: expected 1 to 65535; got 0"):
        serve(audit_folder, port=0, open_browser=False)


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
