"""Machines that a released hawser runs on: directories that it sees as /."""

import ctypes
import os
import pathlib
import shutil
import struct
import subprocess

CA_FILE = "/etc/ssl/certs/ca-certificates.crt"
_libc = ctypes.CDLL(None, use_errno=True)


class Machine:
    """A root directory with a hawser in it. What is not put there is not there: no /proc, /dev, /tmp, no users."""

    def __init__(self, root: pathlib.Path, hawser: pathlib.Path = None, emulator: str = None):
        self.root = root
        self.command = ["/hawser"]
        root.mkdir(parents=True, exist_ok=True)
        if hawser:
            shutil.copy(hawser, root / "hawser")
        else:
            self.command = ["/usr/bin/hawser"]
        if emulator:  # one that is linked statically
            shutil.copy(f"/usr/bin/{emulator}", root / emulator)
            self.command.insert(0, f"/{emulator}")
        self._last_call = None

    def put(self, path: str, content):
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else pathlib.Path(content).read_bytes())

    def with_kernel(self, last_call: int):
        """From now on system calls with higher numbers fail as they do where the kernel does not know them."""
        self._last_call = last_call

    def run(self, *arguments, environment=None, command=None) -> subprocess.CompletedProcess:
        def enter():
            os.chroot(self.root)
            os.chdir("/")
            if self._last_call:
                _refuse_calls_after(self._last_call)

        return subprocess.run(
            [*(command or self.command), *arguments], preexec_fn=enter, stdin=subprocess.DEVNULL, capture_output=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C", **(environment or {})},
            timeout=600, text=True)

    def pull(self, reference: str, *options, **how) -> bytes:
        """The archive that a pull writes."""
        file = self.root / "image.tar"
        file.unlink(missing_ok=True)
        shutil.rmtree(self.root / "cache", ignore_errors=True)
        done = self.run("pull", "--cache-dir", "/cache", "--platform", "linux/amd64", "-o", "/image.tar", *options,
                        reference, **how)
        assert done.returncode == 0, done.stderr
        return file.read_bytes()


def _refuse_calls_after(last: int):
    """seccomp(2): x86_64 alone, numbers above `last` give ENOSYS."""
    load, jump, answer = 0x20, 0x35, 0x06  # BPF_LD|W|ABS, BPF_JMP|JGE|K, BPF_RET|K
    allow, no_such_call = 0x7FFF0000, 0x00050000 | 38
    program = b"".join(struct.pack("HBBI", *each) for each in (
        (load, 0, 0, 0), (jump, 0, 1, last + 1), (answer, 0, 0, no_such_call), (answer, 0, 0, allow)))
    code = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(code)), 16)
    if _libc.prctl(38, 1, 0, 0, 0) != 0 or _libc.prctl(22, 2, header, 0, 0) != 0:  # no new privileges; the filter
        raise OSError(ctypes.get_errno(), "prctl")
