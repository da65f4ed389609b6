"""The container engines that take hawser's archives, each with its state in a directory of the test run.

Every loader has load(archive) → list of the image names it then has, and ways to ask what it made of
the image. What is missing or doesn't start is an error, never a skipped test.
"""

import json
import pathlib
import shutil
import subprocess
import tempfile

from .process import Daemon, HarnessError, clean_environment


class EngineError(HarnessError):
    """An engine refused what it was given."""


class _Engine:
    def __init__(self, directory: pathlib.Path):
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        # Sockets go where the path is short: their names may have 107 bytes.
        self._run_directory = pathlib.Path(tempfile.mkdtemp(prefix="hawser-"))
        self._environment = clean_environment(HOME=str(directory), XDG_RUNTIME_DIR=str(self._run_directory))

    def stop(self):
        for line in reversed(pathlib.Path("/proc/self/mounts").read_text().splitlines()):
            where = line.split(" ")[1]
            if where.startswith((f"{self._directory}/", f"{self._run_directory}/")):
                subprocess.run(["umount", "-l", where], check=False)
        shutil.rmtree(self._run_directory, ignore_errors=True)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _run(self, *command, check=True, timeout=180) -> str:
        command = [str(word) for word in command]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, env=self._environment)
        if check and done.returncode:
            raise EngineError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout


class Docker(_Engine):
    """dockerd without network, with Debian's client (another one may come first on PATH)."""

    _client = "/usr/bin/docker"

    def __init__(self, directory):
        super().__init__(directory)
        self._host = f"unix://{self._run_directory}/d.sock"
        self._daemon = Daemon(
            ["/usr/sbin/dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none",
             "--storage-driver=vfs", f"--data-root={directory}/data", f"--exec-root={self._run_directory}/exec",
             f"--pidfile={self._run_directory}/pid", f"--host={self._host}", "--shutdown-timeout=1"],
            directory, "dockerd", self._environment)
        self._daemon.wait_for(lambda: self._run(
            self._client, "-H", self._host, "version", "--format", "{{.Server.Version}}", check=False).strip(), 60)

    def stop(self):
        self._daemon.stop()
        super().stop()

    def load(self, archive) -> list:
        out = self._docker("load", "--input", archive)
        return [line.split(": ", 1)[1].strip() for line in out.splitlines() if line.startswith("Loaded image")]

    def save(self, name: str, archive):
        """Pulls an image out of a registry on loopback and saves it."""
        self._docker("pull", name)
        self._docker("save", "--output", archive, name)
        self.remove(name)

    def image_id(self, name: str) -> str:
        """The image ID: the digest of the config."""
        return self.inspect(name)["Id"]

    def inspect(self, name: str) -> dict:
        return json.loads(self._docker("image", "inspect", name))[0]

    def run(self, name: str, *command) -> str:
        """The output of a command in a container of the image."""
        return self._docker("run", "--rm", "--network=none", name, *command)

    def remove(self, name: str):
        self._docker("image", "rm", "--force", name)

    def login(self, config: pathlib.Path, registry: str, user: str, password: str):
        """docker login, which writes to the directory `config`."""
        self._docker("--config", config, "login", "--username", user, "--password", password, registry)

    def do(self, *arguments) -> str:
        """Any command of docker's; its output."""
        return self._docker(*arguments)

    def _docker(self, *arguments) -> str:
        return self._run(self._client, "-H", self._host, *arguments)


class Containerd(_Engine):
    """containerd and ctr. Layers are unpacked with the native snapshotter, so that they are really read."""

    def __init__(self, directory):
        super().__init__(directory)
        self._socket = self._run_directory / "c.sock"
        config = directory / "config.toml"
        config.write_text(
            f'version = 2\nroot = "{directory}/root"\nstate = "{self._run_directory}/state"\n'
            'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[grpc]\naddress = "{self._socket}"\n'
            f'[plugins."io.containerd.internal.v1.opt"]\npath = "{directory}/opt"\n')
        self._daemon = Daemon(["containerd", "--config", config], directory, "containerd", self._environment)
        self._daemon.wait_for(lambda: "NAME" in self._ctr("namespaces", "ls", check=False), 60)

    def stop(self):
        self._daemon.stop()
        super().stop()

    def load(self, archive, *options) -> list:
        before = self.digests()
        self._ctr("images", "import", "--snapshotter", "native", *options, archive)
        return [name for name in self.digests() if name not in before]

    def digests(self) -> dict:
        """name → digest of the manifest or index that the name stands for."""
        rows = [line.split() for line in self._ctr("images", "ls").splitlines()[1:]]
        return {row[0]: row[2] for row in rows}

    def remove(self, name: str):
        self._ctr("images", "rm", "--sync", name)

    def fetch(self, name: str, hosts: pathlib.Path):
        """Pulls an image by the hosts.toml files below a directory."""
        self._ctr("images", "pull", "--hosts-dir", hosts, "--snapshotter", "native", name)

    def do(self, *arguments) -> str:
        """Any command of ctr's; its output."""
        return self._ctr(*arguments)

    def _ctr(self, *arguments, check=True) -> str:
        return self._run("ctr", "--address", self._socket, "--namespace", "hawser", *arguments, check=check)


class Podman(_Engine):
    """podman with its storage in a directory; it has no daemon."""

    def __init__(self, directory):
        super().__init__(directory)
        # A short path for its own temporary files, a config that no system default can surprise.
        config = directory / "containers.conf"
        config.write_text('[engine]\nevents_logger = "none"\ncgroup_manager = "cgroupfs"\n'
                          f'tmp_dir = "{self._run_directory}/tmp"\n[containers]\n')
        self._environment["CONTAINERS_CONF"] = str(config)
        self._podman("version")

    def stop(self):
        self._podman("rm", "--all", "--force", check=False)
        super().stop()

    def load(self, archive) -> list:
        out = self._podman("load", "--input", archive)
        return [line.split(": ", 1)[1].strip() for line in out.splitlines() if line.startswith("Loaded image")]

    def digest(self, name: str) -> str:
        """The digest of the manifest, as podman keeps it."""
        return self.inspect(name)["Digest"]

    def image_id(self, name: str) -> str:
        return "sha256:" + self.inspect(name)["Id"]

    def inspect(self, name: str) -> dict:
        return json.loads(self._podman("image", "inspect", name))[0]

    def run(self, name: str, *command) -> str:
        """The output of a command in a container of the image."""
        return self._podman("run", "--rm", "--network=none", "--runtime=runc",
                            "--ulimit=nofile=1024:1024", "--ulimit=nproc=512:512", name, *command)

    def remove(self, name: str):
        self._podman("image", "rm", "--force", name)

    def save(self, name: str, archive, form: str):
        """Pulls an image out of a registry on loopback and saves it as docker-archive or oci-archive."""
        self._podman("pull", "--quiet", "--tls-verify=false", name)
        self._podman("save", "--quiet", "--format", form, "--output", archive, name)
        self.remove(name)

    def do(self, *arguments) -> str:
        """Any command of podman's; its output."""
        return self._podman(*arguments)

    def _podman(self, *arguments, check=True) -> str:
        return self._run("/usr/bin/podman", "--root", self._directory / "root",
                         "--runroot", self._run_directory / "run", "--storage-driver=vfs", *arguments, check=check)


class Buildah(_Engine):
    """buildah with its storage in a directory."""

    def save(self, name: str, archive, form: str):
        """Pulls an image out of a registry on loopback and pushes it as docker-archive or oci-archive."""
        self._buildah("pull", "--quiet", "--tls-verify=false", name)
        self._buildah("push", "--quiet", name, f"{form}:{archive}:saved:v1")
        self._buildah("rmi", "--force", name)

    def _buildah(self, *arguments) -> str:
        return self._run("/usr/bin/buildah", "--root", self._directory / "root",
                         "--runroot", self._run_directory / "run", "--storage-driver=vfs", *arguments)


class Skopeo(_Engine):
    """skopeo, which copies between archives, layouts and registries."""

    def save(self, name: str, archive, form: str):
        """Copies an image out of a registry on loopback as docker-archive or oci-archive."""
        self.copy(f"docker://{name}", f"{form}:{archive}:saved:v1", "--quiet", "--src-tls-verify=false")

    def copy(self, source: str, target: str, *options):
        self._run("/usr/bin/skopeo", "--insecure-policy", "copy", *options, source, target)

    def raw_manifest(self, source: str, *options) -> bytes:
        """The manifest's bytes, as skopeo reads them out of the source."""
        return self._run("/usr/bin/skopeo", "--insecure-policy", *options, "inspect", "--raw", source).encode()

    def digest(self, source: str) -> str:
        """The manifest digest that skopeo reports."""
        return self._run("/usr/bin/skopeo", "--insecure-policy", "inspect", "--format", "{{.Digest}}", source).strip()
