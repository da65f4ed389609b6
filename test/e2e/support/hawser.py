"""Runs the hawser under test as a user would, and keeps what it said, returned and used."""

import dataclasses
import os
import pathlib
import signal
import subprocess
import threading
import time

from .process import clean_environment

# The exit codes of docs/usage.md.
OK, OTHER, USAGE, AUTHENTICATION, NOT_FOUND, NETWORK, INTEGRITY, RATE_LIMITED, DISK = range(9)
INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM


@dataclasses.dataclass(frozen=True)
class Result:
    """A run that has ended."""

    code: int  # as a shell shows it: 128 + n for signal n
    out: bytes = dataclasses.field(repr=False)
    err: str = ""
    seconds: float = 0.0


class Run:
    """A hawser that is running."""

    def __init__(self, command, cwd, environment, stdin: bytes):
        out, err = (os.memfd_create(name) for name in ("out", "err"))
        self._out, self._err = open(out, "rb"), open(err, "rb")
        with open(os.memfd_create("in"), "w+b") as given:
            given.write(stdin)
            given.seek(0)
            self._started = time.monotonic()
            self._process = subprocess.Popen(
                command, stdin=given, stdout=out, stderr=err, cwd=cwd, env=environment)

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: int):
        os.kill(self._process.pid, number)

    def wait(self, timeout: float = 120) -> Result:
        """The result; a run that takes longer than `timeout` seconds is killed and shows 137."""
        watchdog = threading.Timer(timeout, self._process.kill)
        watchdog.start()
        code = self._process.wait()
        watchdog.cancel()
        watchdog.join()
        seconds = time.monotonic() - self._started
        self._out.seek(0)
        self._err.seek(0)
        with self._out, self._err:
            return Result(code if code >= 0 else 128 - code, self._out.read(),
                          self._err.read().decode(errors="replace"), seconds)


class Hawser:
    """The binary under test, with a working directory, home and cache of its own."""

    def __init__(self, binary: pathlib.Path, directory: pathlib.Path):
        self.binary = binary
        self.directory = directory
        self.cache = directory / "cache"
        self._wrapper = []
        self._goes_by_other_tools = False
        (directory / "home").mkdir(exist_ok=True)

    def start(self, *arguments, environment=None, stdin: bytes = b"", cwd=None) -> Run:
        command = [*self._wrapper, str(self.binary), *(str(argument) for argument in arguments)]
        return Run(command, cwd or self.directory,
                   clean_environment(**{**self._own_machine(), **(environment or {})}), stdin)

    def _own_machine(self) -> dict:
        """No mirrors and short names of the machine that the tests run on."""
        alone = {} if self._goes_by_other_tools else {"HAWSER_NO_REGISTRY_CONFIG": "1"}
        return {"HOME": str(self.directory / "home"), **alone}

    def run(self, *arguments, timeout: float = 120, **how) -> Result:
        """Runs hawser with exactly these arguments."""
        return self.start(*arguments, **how).wait(timeout)

    def pull(self, registry, *arguments, output="image.tar", expect: int = OK, **how) -> Result:
        """Pulls with the options that the registry needs, into `output` (None: no -o) below the
        working directory, and checks the exit code."""
        result = self.run(*self.pull_arguments(registry, *arguments, output=output), **how)
        assert result.code == expect, f"exit {result.code}, expected {expect}: {arguments}\n{result.err}"
        return result

    def pull_measured(self, *arguments, **how) -> tuple:
        """Like pull(); returns the result and the peak of resident memory in bytes."""
        # Not wait4: what a process was before it called exec counts there, and that would be Python.
        peak = self.directory / "home" / "peak"
        self._wrapper = ["/usr/bin/time", "--quiet", "--format=%M", f"--output={peak}"]
        try:
            return self.pull(*arguments, **how), int(peak.read_text()) * 1024
        finally:
            self._wrapper = []

    def inside(self, namespace):
        """From now on each run is on this machine (namespace.Namespace)."""
        self._wrapper = [*self._wrapper, *namespace.wrapper]

    def in_place_of(self, path: str, directory: pathlib.Path):
        """From now on each run sees `directory`, or a file, where `path` is."""
        if not directory.exists():
            directory.mkdir(parents=True)
        self._wrapper = [*self._wrapper, "unshare", "--mount", "sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"',
                         str(directory), path]

    def on_machine(self, etc: pathlib.Path):
        """From now on every run sees this directory as /etc, and goes by what other tools have in it."""
        self._wrapper = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc && exec "$@"', str(etc)]
        self._goes_by_other_tools = True

    def limit_memory(self, size: int):
        """From now on no run gets more address space than `size` bytes: what spins is not to take the machine along."""
        self._wrapper = ["prlimit", f"--as={size}"]

    def pull_arguments(self, registry, *arguments, output="image.tar") -> list:
        where = ["--output", output] if output else []
        return ["pull", "--cache-dir", self.cache, *registry.options, *where, *arguments]

    def leftovers(self) -> list:
        """Files below the working directory but those in the home and in a cache: finished archives, and debris."""
        return sorted(str(path.relative_to(self.directory)) for path in self.directory.rglob("*")
                      if path.is_file() and path.relative_to(self.directory).parts[0] 
                      not in ("home", "cache", "docker_images_cache"))
