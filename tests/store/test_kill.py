"""A kill at any instant leaves a store that opens, each study wholly there or wholly absent."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from medaudit.store.audit_store import AuditStore

STUDIES = [f"study-{number:02d}" for number in range(40)]

WRITER = """
import runpy, sys
from pathlib import Path
from medaudit.store.audit_store import AuditStore
build = runpy.run_path(sys.argv[1])
folder = Path(sys.argv[2])
opened = AuditStore.open(folder) if AuditStore.exists(folder) else AuditStore.create(folder, build["make_run"]())
with opened as store:
    print("ready", flush=True)
    for code in sys.argv[3:]:
        if code not in store.finished():
            store.save_study(build["make_study"](code), build["make_files"](code))
            print(code, flush=True)
"""


def write(folder: Path) -> subprocess.Popen[str]:
    conftest = Path(__file__).with_name("conftest.py")
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, conftest, folder, *STUDIES], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
def test_killed_and_resumed_equals_undisturbed(tmp_path, build, equal):
    folder = tmp_path / "killed"
    # Each round is killed a little later after its first study, so the kills fall on different steps of a write.
    for delay in (0.0, 0.004, 0.009):
        with write(folder) as writer:
            told = [writer.stdout.readline().strip() for _ in range(2)]
            time.sleep(delay)
            writer.send_signal(signal.SIGKILL)
            told += writer.stdout.read().split()
        assert writer.returncode == -signal.SIGKILL, "the writer ended before it could be killed"
        with AuditStore.open(folder) as store:
            finished = store.finished()
            assert set(told) - {"ready"} <= finished < set(STUDIES)
            for code in finished:
                assert equal(store.study(code), build.study(code))
            assert {file.study for file in store.files()} == finished
    with write(folder) as writer:
        writer.stdout.read()
    assert writer.returncode == 0

    with AuditStore.create(tmp_path / "undisturbed", build.run()) as store:
        for code in STUDIES:
            store.save_study(build.study(code), build.files(code))
        undisturbed = store.digest()
    with AuditStore.open(folder) as store:
        assert store.finished() == set(STUDIES)
        assert store.digest() == undisturbed


@pytest.mark.parametrize("instant", range(1, 10))
def test_stopped_at_every_step_of_one_write(tmp_path, build, equal, monkeypatch, instant):
    """The same, exactly: end at the n-th call to the disk of saving one study."""
    calls = 0

    class Stopped(BaseException):
        pass

    def stopping(name):
        original = getattr(os, name) if name != "replace" else Path.replace

        def step(*args):
            nonlocal calls
            calls += 1
            if calls == instant:
                raise Stopped
            return original(*args)

        return step

    with AuditStore.create(tmp_path / "audit", build.run()) as store:
        store.save_study(build.study("first"), build.files("first"))
        with monkeypatch.context() as patch, contextlib.suppress(Stopped):
            patch.setattr(os, "fsync", stopping("fsync"))
            patch.setattr(Path, "replace", stopping("replace"))
            store.save_study(build.study("second"), build.files("second"))
        stopped = calls == instant
    with AuditStore.open(tmp_path / "audit") as store:
        assert store.finished() == ({"first"} if stopped else {"first", "second"})
        assert equal(store.study("first"), build.study("first"))
        if stopped:
            store.save_study(build.study("second"), build.files("second"))
        assert equal(store.study("second"), build.study("second"))
