"""The scripted registry and hawser as processes, for the programs in this directory."""

import hashlib
import os
import pathlib
import subprocess
import threading


class Registry:
    """A scripted_registry with an image; a context manager. Its figures are there after the end, too."""

    def __init__(self, program, *options):
        self._process = subprocess.Popen([program, *map(str, options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         text=True)
        self._lock = threading.Lock()
        self.ca = None
        self.asks_for_tokens = "--auth" in options
        for line in self._process.stdout:
            key, _, value = line.strip().partition(" ")
            if key == "ready":
                break
            setattr(self, key, value)
        else:
            raise RuntimeError(f"{program} {options} did not start")
        self.options = ["--ca-cert", self.ca] if self.ca else ["--plain-http"]

    def set_faults(self, share: float):
        with self._lock:
            self._tell(f"faults {share}")
            assert self._process.stdout.readline().strip() == "ok"

    def figures(self) -> dict:
        """{"sent": {digest: (bytes, of, requests)}, "faults": {name: count}, "requests": n}"""
        with self._lock:
            self._tell("stats")
            found = {"sent": {}, "faults": {}}
            for line in self._process.stdout:
                words = line.split()
                if words[0] == "sent":
                    found["sent"][words[1]] = (int(words[2]), int(words[4]), int(words[6]))
                elif words[0] == "fault":
                    found["faults"][" ".join(words[2:])] = int(words[1])
                elif words[0] == "requests":
                    found["requests"] = int(words[1])
                    return found
        raise RuntimeError("the registry has died")

    def _tell(self, line: str):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(30)


def environment(home: pathlib.Path) -> dict:
    """What hawser sees: no proxies, no credentials, no mirrors, its own temporary directory."""
    kept = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    return {**kept, "HOME": str(home), "DOCKER_CONFIG": str(home), "XDG_RUNTIME_DIR": str(home),
            "HAWSER_NO_REGISTRY_CONFIG": "1"}


def digest_of(path: pathlib.Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def program(variable: str, place: str) -> str:
    """The executable that the environment names, or that of the release build."""
    root = pathlib.Path(__file__).resolve().parents[2]
    found = os.environ.get(variable) or str(root / "build/release" / place)
    if not os.access(found, os.X_OK):
        raise SystemExit(f"{variable} is not set, and there is no {found}")
    return found
