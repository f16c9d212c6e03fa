"""Decoding in a process of its own: on a broken codestream C and C++ decoders hang, or end the whole process.

One helper process serves one compressed frame after the other. It gets bytes and numbers, never a header, and is
started again after it died or was ended for taking too long.
"""

import atexit
import functools
import json
import os
import struct
import subprocess
import sys
import threading
import time
import warnings
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from medaudit.errors import DecodeError

# Starting an interpreter with pydicom and its plugins takes half a second; a loaded machine many times that.
_START_SECONDS: Final = 60.0
# A decoder takes a second for 20 million samples; one that takes ten times as long hangs.
_BASE_SECONDS: Final = 4.0
_SAMPLES_A_SECOND: Final = 4e6
_PIPE_BYTES: Final = 2**20
# Address space of the helper: the largest frame takes 2 GiB in the worst of the decoders.
_MEMORY_LIMIT: Final = 8 * 2**30


class SlowDecodeError(DecodeError):
    """A decoder did not end in time; another one would take as long."""


class _Watch:
    """Ends a process that takes too long. One thread for all frames: starting one takes longer than most frames."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: float | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._fired = False
        self._thread: threading.Thread | None = None

    def begin(self, process: "subprocess.Popen[bytes]", seconds: float) -> None:
        """End ``process`` in so many seconds, unless :meth:`end` comes first."""
        with self._changed:
            self._process, self._due, self._fired = process, time.monotonic() + seconds, False
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="medaudit decoder watch", daemon=True)
                self._thread.start()
            self._changed.notify()

    def end(self) -> bool:
        """Stop the clock; whether it had run out."""
        with self._changed:
            self._due = None
            return self._fired

    def _run(self) -> None:
        with self._changed:
            while True:
                if self._due is None or self._process is None:
                    self._changed.wait()
                elif (left := self._due - time.monotonic()) > 0:
                    self._changed.wait(left)
                else:
                    self._fired, self._due = True, None
                    self._process.kill()


class DecoderProcess:
    """The helper process, seen from here; for one thread at a time, which it sees to itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watch = _Watch()
        self._process: subprocess.Popen[bytes] | None = None

    def decode(
        self, syntax: str, plugin: str, options: dict[str, Any], frame: bytes
    ) -> tuple[NDArray[np.generic], int]:
        """One decoded frame, and how many complaints pydicom had.

        ``options`` are pydicom's decoding options of a single frame; ``frame`` is its codestream.

        Raises
        ------
        DecodeError
            The plugin failed, ended its process, or did not end in time.

        """
        samples = options["rows"] * options["columns"] * options["samples_per_pixel"]
        request = json.dumps({"syntax": syntax, "plugin": plugin, "options": options}).encode()
        with self._lock:
            process = self._running()
            reply, data = self._ask(process, request, frame, _BASE_SECONDS + samples / _SAMPLES_A_SECOND)
        if "error" in reply:
            msg = f"{plugin}: expected decoded pixels; got {reply['error']}"
            raise DecodeError(msg)
        return np.frombuffer(data, dtype=reply["dtype"]).reshape(reply["shape"]), int(reply["complaints"])

    def close(self) -> None:
        """End the process; the next frame starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "medaudit.dicom.apart"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            _widen(self._process)
            self._ask(self._process, b"{}", b"", _START_SECONDS)
        return self._process

    def _ask(
        self, process: "subprocess.Popen[bytes]", request: bytes, frame: bytes, seconds: float
    ) -> tuple[dict[str, Any], bytearray]:
        self._watch.begin(process, seconds)
        try:
            _send(process.stdin, request, frame)
            head, data = _receive(process.stdout)
        except (OSError, EOFError):
            self.close()
            if self._watch.end():
                msg = f"decoder: expected decoded pixels; got nothing within {seconds:.0f} s"
                raise SlowDecodeError(msg) from None
            msg = "decoder: expected decoded pixels; got the end of its process"
            raise DecodeError(msg) from None
        finally:
            self._watch.end()
        return json.loads(bytes(head)), data


def decode_apart(syntax: str, plugin: str, options: dict[str, Any], frame: bytes) -> tuple[NDArray[np.generic], int]:
    """Decode one compressed frame; see :meth:`DecoderProcess.decode`."""
    return _helper(os.getpid()).decode(syntax, plugin, options, frame)


@functools.lru_cache(maxsize=1)
def _helper(_pid: int) -> DecoderProcess:
    """The helper of this process; a fork gets its own, as two may not share a pipe."""
    helper = DecoderProcess()
    atexit.register(helper.close)
    return helper


def _widen(process: "subprocess.Popen[bytes]") -> None:
    """Larger pipes, where the system has them (Linux): a frame in a few pieces rather than in hundreds."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows

        for stream in (process.stdin, process.stdout):
            if stream is not None:
                fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except (ImportError, AttributeError, OSError):
        return


def _send(stream: Any, head: bytes, data: bytes) -> None:  # noqa: ANN401 - any binary pipe
    stream.write(struct.pack("<QQ", len(head), len(data)))
    stream.write(head)
    stream.write(data)
    stream.flush()


def _receive(stream: Any) -> tuple[bytearray, bytearray]:  # noqa: ANN401
    head, data = struct.unpack("<QQ", _exactly(stream, 16))
    return _exactly(stream, head), _exactly(stream, data)


def _exactly(stream: Any, size: int) -> bytearray:  # noqa: ANN401
    buffer = bytearray(size)
    view, done = memoryview(buffer), 0
    while done < size:
        count = stream.readinto(view[done:])
        if not count:
            raise EOFError
        done += count
    return buffer


def _serve() -> None:
    """The helper's own loop: frames in on stdin, pixels out on stdout, until stdin ends."""
    _bound_memory()
    replies = os.fdopen(os.dup(1), "wb")
    quiet = os.open(os.devnull, os.O_WRONLY)
    # Decoders write to stdout as they please.
    os.dup2(quiet, 1)
    while True:
        try:
            head, frame = _receive(sys.stdin.buffer)
        except EOFError:
            return
        request = json.loads(bytes(head))
        if not request:
            _send(replies, b"{}", b"")
            continue
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                array = _decode(request, bytes(frame))
        except BaseException as error:  # noqa: BLE001 - Rust's panics are no Exceptions; words may quote data, classes not
            _send(replies, json.dumps({"error": type(error).__name__}).encode(), b"")
            continue
        answer = {"dtype": array.dtype.str, "shape": array.shape, "complaints": len(caught)}
        _send(replies, json.dumps(answer).encode(), np.ascontiguousarray(array).tobytes())


def _decode(request: dict[str, Any], frame: bytes) -> NDArray[np.generic]:
    from pydicom.encaps import encapsulate  # noqa: PLC0415 - the helper alone pays
    from pydicom.pixels.decoders.base import get_decoder  # noqa: PLC0415
    from pydicom.uid import UID  # noqa: PLC0415

    decoder = get_decoder(UID(request["syntax"]))
    packed = encapsulate([frame], has_bot=False)
    array, _ = decoder.as_array(packed, index=0, decoding_plugin=request["plugin"], **request["options"])
    return np.asarray(array)


def _bound_memory() -> None:
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = _MEMORY_LIMIT if hard == resource.RLIM_INFINITY else min(hard, _MEMORY_LIMIT)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


if __name__ == "__main__":
    _serve()
