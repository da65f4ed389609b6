"""A small real image: Debian's static busybox for several platforms."""

import pathlib
import platform
import subprocess

from . import images

# Debian's name of an architecture → the platform of an image.
_PLATFORMS = {"amd64": "linux/amd64", "arm64": "linux/arm64", "armhf": "linux/arm/v7", "s390x": "linux/s390x"}
_HOST = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
_APPLETS = ("sh", "cat", "echo", "ls", "uname", "wc")


def index(directory: pathlib.Path, report=print) -> images.Index:
    """An index with an image for each platform that Debian's archive gave us a busybox for.

    The host's is the installed one. Others are downloaded into `directory`, once, by apt with lists
    of its own, so that the system's architectures stay as they are.
    """
    directory.mkdir(parents=True, exist_ok=True)
    binaries = {_HOST: pathlib.Path("/bin/busybox").read_bytes()}
    for architecture in _PLATFORMS:
        if architecture != _HOST:
            kept = directory / f"busybox-{architecture}"
            if not kept.exists():
                try:
                    kept.write_bytes(_download(directory, architecture))
                except (subprocess.SubprocessError, OSError) as error:
                    report(f"no busybox for {architecture}: {_last_line(error)}")
                    kept.unlink(missing_ok=True)
                    continue
            binaries[architecture] = kept.read_bytes()
    return images.Index([_image(_PLATFORMS[name], binary) for name, binary in binaries.items()], attestations=True)


def _image(name: str, binary: bytes) -> images.Image:
    links = {f"bin/{applet}": "busybox" for applet in _APPLETS}
    system = images.layer({"bin": None, "bin/busybox": binary, **links})
    shared = images.layer({"etc": None, "etc/motd": b"Ahoy from a container that hawser brought.\n"})
    return images.Image([system, shared], name, config={
        "Env": ["PATH=/bin"], "Cmd": ["/bin/sh", "-c", "cat /etc/motd; uname -srm"]})


def _download(directory: pathlib.Path, architecture: str) -> bytes:
    state = directory / f"apt-{architecture}"
    for part in ("state/lists/partial", "cache/archives/partial"):
        (state / part).mkdir(parents=True, exist_ok=True)
    apt = ["apt-get", "-qq", "-o", f"Dir::State={state}/state", "-o", f"Dir::Cache={state}/cache",
           "-o", "Dir::State::status=/dev/null", "-o", f"APT::Architecture={architecture}",
           "-o", f"APT::Architectures::={architecture}", "-o", "Acquire::Languages=none",
           "-o", "APT::Sandbox::User=", "-o", "Acquire::Retries=1"]
    # One source of several that fails is no reason to give up; what is missing shows in the next step.
    subprocess.run([*apt, "update"], cwd=state, timeout=120, capture_output=True, text=True)
    subprocess.run([*apt, "download", f"busybox-static:{architecture}"], cwd=state, timeout=120, check=True,
                   capture_output=True, text=True)
    package = max(state.glob("busybox-static_*.deb"))
    unpacked = state / "root"
    subprocess.run(["dpkg-deb", "--extract", package, unpacked], check=True, capture_output=True, text=True)
    return (unpacked / "bin/busybox").read_bytes()


def _last_line(error) -> str:
    words = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
    return words[-1] if words else type(error).__name__
