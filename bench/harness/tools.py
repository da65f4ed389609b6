"""The tools that are compared: how each gets an image from nothing to its result."""

import os
import shlex
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from .images import Image
from .shell import HarnessError, run


@dataclass(frozen=True)
class Pull:
    """One pull of `image` from `host` (address:port) into the fresh directory `directory`."""

    image: Image
    host: str
    authority: Path
    directory: Path
    uncompressed: bool = False

    @property
    def reference(self):
        return f"{self.host}/{self.image.repository}:{self.image.tag}"

    @property
    def output(self):
        return self.directory / "image.tar"


FIXED = (1, 2, 4, 8, 16, 32, 64, 128)  # connections


class Tool:
    """A program under measurement. `program` is its path or None where it is not there."""

    name = ""
    note = ""

    def __init__(self, program):
        self.program = program

    def version(self):
        return run(self.program, "--version").strip().splitlines()[0]

    def command(self, pull):
        raise NotImplementedError

    def environment(self, pull):
        """Go programs take the authority from the environment, and some want room for temporary files."""
        return {"SSL_CERT_FILE": str(pull.authority), "TMPDIR": str(pull.directory),
                "XDG_STATE_HOME": str(pull.directory / "state")}

    def forget_result(self, pull):
        """Removes the result and keeps the cache, for the second pull of the cached scenario."""
        pull.output.unlink(missing_ok=True)

    def remove(self, pull):
        """Undoes what the tool left outside of the pull's directory."""

    def check(self, pull):
        """Raises HarnessError where the result isn't the whole image."""
        try:
            with tarfile.open(pull.output) as archive:
                sizes = sum(member.size for member in archive)
                archive.getmember("manifest.json")
        except (OSError, KeyError, tarfile.TarError) as error:
            raise HarnessError(f"{self.name}: no docker archive: {error}") from error
        if sizes < pull.image.transfer_bytes - pull.image.manifest.size:
            raise HarnessError(f"{self.name}: the archive holds {sizes} bytes, less than the image")


class Hawser(Tool):
    name = "hawser"

    def command(self, pull):
        words = [self.program, pull.reference, "--ca-cert", pull.authority, "--output", pull.output, "--quiet"]
        words += self.cache_options(pull) + (["--uncompressed"] if pull.uncompressed else [])
        return words + shlex.split(os.environ.get("HAWSER_ARGS", ""))

    def cache_options(self, pull):
        return ["--cache-dir", pull.directory / "cache"]


class HawserWithoutCache(Hawser):
    name = "hawser-no-cache"
    note = "--no-cache"

    def cache_options(self, pull):
        return ["--no-cache"]


class HawserFixed(Hawser):
    """A fixed number of connections, to compare auto with."""

    def __init__(self, program, connections):
        super().__init__(program)
        self.connections = connections
        self.name, self.note = f"hawser-{connections}", f"--max-connections {connections}"

    def cache_options(self, pull):
        fixed = ["--max-connections", self.connections, "--max-concurrent-downloads", self.connections]
        return super().cache_options(pull) + fixed


class HawserBefore(Hawser):
    name = "hawser-before"
    note = "another build, to compare a change with"


class Skopeo(Tool):
    name = "skopeo"
    note = "copy to docker-archive"

    def command(self, pull):
        return [self.program, "--insecure-policy", "copy", "--quiet", "--src-cert-dir", pull.authority.parent,
                f"docker://{pull.reference}", f"docker-archive:{pull.output}:{pull.reference}"]


class Podman(Tool):
    name = "podman"
    note = "pull, then save"

    @staticmethod
    def run_root():
        return f"/run/hawser-bench-{os.getpid()}"  # podman takes 50 characters at most

    def remove(self, pull):
        for mount in (f"{pull.directory}/storage/overlay", f"{self.run_root()}/overlay"):
            subprocess.run(["umount", "-q", "-l", mount], check=False, capture_output=True)
        shutil.rmtree(self.run_root(), ignore_errors=True)

    def command(self, pull):
        storage = shlex.join([self.program, "--root", f"{pull.directory}/storage", "--runroot", self.run_root(),
                              "--tmpdir", f"{self.run_root()}/tmp", "--storage-driver", "overlay",
                              "--cgroup-manager", "cgroupfs", "--events-backend", "none"])
        certificates, reference = shlex.quote(str(pull.authority.parent)), shlex.quote(pull.reference)
        return ["/bin/sh", "-c", f"{storage} pull -q --cert-dir {certificates} {reference} && "
                                 f"{storage} save -q -o {shlex.quote(str(pull.output))} {reference}"]


class Ctr(Tool):
    name = "ctr"
    note = "containerd started, pull, then export"

    @staticmethod
    def run_root():
        return Path(f"/run/hawser-bench-ctr-{os.getpid()}")  # sockets have short paths

    def remove(self, pull):
        shutil.rmtree(self.run_root(), ignore_errors=True)

    def command(self, pull):
        root, settings = self.run_root(), pull.directory / "containerd.toml"
        socket = root / "socket"
        settings.write_text(f'version = 2\nroot = "{pull.directory}/containerd"\nstate = "{root}/state"\n'
                            f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{socket}"\n')
        ctr = shlex.join([str(self.program), "--address", str(socket), "images"])
        pulled, output = shlex.quote(pull.reference), shlex.quote(str(pull.output))
        return ["/bin/sh", "-c",
                f"containerd --config {shlex.quote(str(settings))} >/dev/null 2>&1 & daemon=$!\n"
                f"until {ctr} ls >/dev/null 2>&1; do kill -0 $daemon || exit 1; sleep 0.02; done\n"
                f"{ctr} pull --tlscacert {shlex.quote(str(pull.authority))} {pulled} >/dev/null &&"
                f" {ctr} export {output} {pulled}\n"
                f"status=$?; kill $daemon; wait $daemon; exit $status"]


class Crane(Tool):
    name = "crane"

    def version(self):
        return run(self.program, "version").strip()

    def command(self, pull):
        return [self.program, "pull", pull.reference, pull.output]


class Aria2(Tool):
    name = "aria2c"
    note = "blobs only, digests known, 16 connections a file"

    def command(self, pull):
        blobs = (pull.image.config, *pull.image.layers)
        listing = pull.directory / "urls"
        listing.write_text("".join(
            f"https://{pull.host}/v2/{pull.image.repository}/blobs/{blob.digest}\n"
            f"  out={blob.digest[7:]}\n  checksum=sha-256={blob.digest[7:]}\n" for blob in blobs))
        return [self.program, "-q", "-x16", "-s16", "-j16", "-k1M", "--file-allocation=none", "--no-conf",
                f"--ca-certificate={pull.authority}", "-d", pull.directory / "blobs", "-i", listing]

    def check(self, pull):
        for blob in (pull.image.config, *pull.image.layers):
            path = pull.directory / "blobs" / blob.digest[7:]
            if not path.exists() or path.stat().st_size != blob.size:
                raise HarnessError(f"aria2c: {blob.digest} is not complete")


class Original(Tool):
    name = "original"
    note = "the Python script, 10 threads"

    def version(self):
        return Path(self.program).name

    def command(self, pull):
        return ["/bin/sh", "-c", f"cd {shlex.quote(str(pull.directory))} && exec python3 "
                                 f"{shlex.quote(str(self.program))} --max-concurrent-downloads 10 "
                                 f"--cache-dir cache {shlex.quote(pull.reference)}"]

    def forget_result(self, pull):
        for archive in pull.directory.glob("*.tar"):
            archive.unlink()

    def check(self, pull):
        if not any(archive.stat().st_size > pull.image.layers[0].size for archive in pull.directory.glob("*.tar")):
            raise HarnessError("the original script left no tar of the image's size")


def known_tools():
    """Every tool, found or not, in the order of the tables."""
    hawser = os.environ.get("HAWSER_BIN")
    original = os.environ.get("ORIGINAL")
    return [
        Hawser(hawser), HawserWithoutCache(hawser), *(HawserFixed(hawser, number) for number in FIXED),
        HawserBefore(os.environ.get("HAWSER_BEFORE")), Aria2(shutil.which("aria2c")),
        Crane(os.environ.get("CRANE_BIN") or shutil.which("crane")), Skopeo(shutil.which("skopeo")),
        Podman(shutil.which("podman")), Ctr(shutil.which("ctr")), Original(str(Path(original).resolve()) if original else None),
    ]


def choose_tools(names):
    """The tools named, or those that are installed. Raises HarnessError where one named is missing."""
    known = {tool.name: tool for tool in known_tools()}
    if not names:
        return [tool for tool in known.values()
                if tool.program and not isinstance(tool, (HawserWithoutCache, HawserFixed))]
    for name in names:
        if name not in known:
            raise HarnessError(f"no tool '{name}'; there are {', '.join(known)}")
        if not known[name].program:
            variable = {"original": "ORIGINAL", "crane": "CRANE_BIN", "hawser-before": "HAWSER_BEFORE"}.get(
                name, "HAWSER_BIN")
            raise HarnessError(f"{name} is not installed (a path can be given by {variable})"
                               if name in ("original", "crane") or name.startswith("hawser")
                               else f"{name} is not installed")
    return [known[name] for name in names]
