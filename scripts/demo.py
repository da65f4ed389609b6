#!/usr/bin/python3
"""The demonstration of scripts/run.sh: a registry of our own, a pull as a user does it, a real loader.

    demo.py HAWSER
"""

import pathlib
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "test/e2e"))

from support import busybox, engines, images  # noqa: E402
from support.pki import Pki  # noqa: E402
from support.process import HarnessError, clean_environment  # noqa: E402
from support.registry import PASSWORD, USER, Registry  # noqa: E402


def say(text=""):
    print(text, flush=True)


def hawser(binary, directory, *arguments):
    """Runs hawser with its output on ours and the password where a careful user has it."""
    command = [str(binary), *map(str, arguments)]
    say(f"\n$ hawser {shlex.join(command[1:])}")
    done = subprocess.run(command, cwd=directory, env=clean_environment(HAWSER_PASSWORD=PASSWORD, HOME=str(directory)))
    if done.returncode:
        raise HarnessError(f"hawser ended with {done.returncode}")


def demonstrate(binary, directory):
    pki = Pki(directory / "pki")
    registry = Registry(directory / "registry", pki, auth="token-login", tls=True)
    podman = engines.Podman(directory / "podman")
    try:
        say(f"docker-registry listens on https://{registry.host}, its token service on {registry.token_server.realm}")
        index = busybox.index(ROOT / "build/demo", say)
        reference = registry.push("demo/busybox", index, "latest")
        platforms = ["/".join(image.platform.values()) for image in index.manifests]
        say(f"pushed {reference} for {', '.join(p for p in platforms if p != 'unknown/unknown')}")

        options = ["--ca-cert", pki.ca_file, "--username", USER]
        mark = registry.mark()
        hawser(binary, directory, "pull", *options, "-o", "busybox.tar", reference)
        fetched = {access.path for access in registry.blob_reads(mark)}
        mark = registry.mark()
        hawser(binary, directory, "pull", *options, "-o", "again.tar", reference)
        again = {access.path for access in registry.blob_reads(mark)}
        if (directory / "busybox.tar").read_bytes() != (directory / "again.tar").read_bytes():
            raise HarnessError("the second archive differs from the first")
        say(f"\nthe first pull read {len(fetched)} blobs from the registry, the second {len(again)}; "
            "both archives are the same, byte for byte")

        say("\n$ podman load -i busybox.tar")
        names = podman.load(directory / "busybox.tar")
        image = index.image(images.HOST_PLATFORM)
        if names != [reference] or podman.digest(reference) != image.digest:
            raise HarnessError(f"podman has {names}, {podman.digest(names[0])}, not {reference}, {image.digest}")
        say(f"podman has {names[0]}\n  manifest {podman.digest(reference)}, as the registry\n"
            f"  image ID {podman.image_id(reference)}")
        say(f"\n$ podman run --rm {reference}")
        try:
            say(podman.run(reference).strip())
        except engines.EngineError as error:
            # The load is shown; whether containers may start depends on where this runs.
            say(f"no container can be started here: {str(error).strip().splitlines()[-1]}")
    finally:
        podman.stop()
        registry.stop()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(prefix="hawser-demo-") as directory:
        try:
            demonstrate(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(directory))
        except HarnessError as error:
            sys.exit(f"FAILED: {error}")
    say("\nAll of it worked.")


if __name__ == "__main__":
    main()
