"""Daemons of a test run: started on free ports and private directories, stopped with all their children."""

import contextlib
import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import time

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class HarnessError(Exception):
    """Something of the test's own surroundings failed, not hawser."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds: float, what: str):
    """Polls until condition() is true and returns its value; raises HarnessError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise HarnessError(f"waited {seconds:g} s for {what}")
        time.sleep(0.02)


def listens(port: int) -> bool:
    """Whether something accepts connections on the port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def clean_environment(**extra: str) -> dict:
    """An environment that holds nothing of the machine's proxies, credentials or container settings."""
    keep = ("PATH", "LANG", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS")
    environment = {name: os.environ[name] for name in keep if name in os.environ}
    sbin = ["/usr/local/sbin", "/usr/sbin", "/sbin"]
    environment["PATH"] = os.pathsep.join([environment.get("PATH", "/usr/bin:/bin"), *sbin])
    environment.update(extra)
    return environment


def die_with_parent():
    """For preexec_fn: the program is killed when the tests end, however they do."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Daemon:
    """A background program in a session of its own, with its output in files."""

    def __init__(self, command, directory: pathlib.Path, name: str, environment=None, user=None):
        self.name = name
        self.stdout = directory / f"{name}.out"
        self.stderr = directory / f"{name}.err"
        with open(self.stdout, "ab") as out, open(self.stderr, "ab") as err:
            try:
                self._process = subprocess.Popen(
                    [str(word) for word in command],
                    stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                    env=environment or clean_environment(HOME=str(directory)),
                    cwd=directory, start_new_session=True, preexec_fn=die_with_parent, user=user)
            except FileNotFoundError as error:
                raise HarnessError(
                    f"{name} is not installed ({error}); run scripts/install-dependencies.sh test") from error

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_for(self, ready, seconds: float = 30):
        """Waits until ready() is true; fails with the daemon's last words if it ends or takes too long."""
        def check():
            if self._process.poll() is not None:
                raise HarnessError(f"{self.name} ended with {self._process.returncode}:\n{self.last_words()}")
            return ready()
        try:
            wait_until(check, seconds, f"{self.name} to be ready")
        except HarnessError as error:
            self.stop()
            raise HarnessError(f"{error}\n{self.last_words()}") from None
        return self

    def last_words(self) -> str:
        return (self.stderr.read_text(errors="replace") + self.stdout.read_text(errors="replace"))[-3000:]

    def stop(self, seconds: float = 15):
        """SIGTERM, and after `seconds` SIGKILL to all that is left of the session."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
