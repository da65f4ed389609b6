"""Five pairs of successive images whose top layers resemble each other, of Debian packages."""

import filecmp
import io
import os
import re
import subprocess
import tarfile
import time

from . import images, registry
from .scenarios import Shape
from .shell import HarnessError

BASE = ("base-files bash coreutils dash debianutils diffutils dpkg findutils grep gzip hostname libacl1 libattr1 libbz2-1.0"
        " libc-bin liblzma5 libpcre2-8-0 libselinux1 libtinfo6 libzstd1 login ncurses-base sed sysvinit-utils tar"
        " util-linux zlib1g libcrypt1 libgcc-s1 libstdc++6 gcc-12-base libgmp10 libudev1 libblkid1 libmount1 tzdata"
        ).split()
# What an upgrade brings: the version of the point release, and the newest one.
UPGRADED = "libc6 libssl3 openssl libexpat1 libgnutls30 libxml2 perl-base curl libcurl4".split()
OLD = {"libc6": "2.36-9+deb12u7", "perl-base": "5.36.0-7+deb12u3"}
PYTHON = "libpython3.11-minimal libpython3.11-stdlib python3.11-minimal python3-django python3-yaml python3-lxml".split()

# A server whose rebuild moves code and data: it has zlib and OpenSSL linked in.
SOURCE = """
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <iostream>
#include <map>
#include <regex>
#include <string>
int main(int count, char** words) {
  static const int limit = %d;
  std::map<std::string, int> seen;
  for (int i = 0; i < count * limit; ++i) seen[std::to_string(i %% limit) + words[0]] += %s;
  std::cout << std::regex_replace(words[0], std::regex("a+b"), "c") << seen.size() << SSL_CTX_new(TLS_server_method());
}
"""


class Packages:
    """Debian packages in their newest versions and, some of them, in older ones; downloaded once."""

    def __init__(self, directory, names):
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        said = subprocess.run(["apt-cache", "madison", *names], capture_output=True, text=True, check=True).stdout
        self.versions = {}
        for package, version, source in (re.split(r" *\| *", line.strip(), 2) for line in said.splitlines()):
            if "Packages" in source:
                self.versions.setdefault(package, []).append(version)
        wanted = [f"{name}={self.version(name, old)}" for name in names for old in (name in UPGRADED, False)]
        missing = [each for each in dict.fromkeys(wanted) if not self._file(*each.split("=", 1))]
        if missing:
            subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *missing], cwd=directory, check=True)

    def version(self, package, old=False):
        if package not in self.versions:
            raise HarnessError(f"apt knows no package {package}")
        return OLD.get(package, self.versions[package][-1]) if old else self.versions[package][0]

    def _file(self, package, version):
        return next(self.directory.glob(f"{package}_{version.replace(':', '%3a')}_*.deb"), None)

    def files(self, *packages, old=()):
        """{path: tarfile entry and bytes} of packages, of those in `old` in their old version."""
        found = {}
        for package in packages:
            found |= self._files(package, self.version(package, package in old))
        return found

    def _files(self, package, version):
        there = self._file(package, version)
        data = subprocess.run(["dpkg-deb", "--fsys-tarfile", there], capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            return {entry.name: (entry, tar.extractfile(entry).read() if entry.isreg() else b"")
                    for entry in tar if entry.name != "."}


def plain(path, data, mode=0o755):
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode, entry.mtime = len(data), mode, 1_700_000_000
    return {path: (entry, data)}


def write_tar(path, files):
    """A layer as engines write them: sorted, nothing of the machine in it."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for _, (entry, data) in sorted(files.items()):
            tar.addfile(entry, io.BytesIO(data) if entry.isreg() else None)
    return path


def compiled(directory, limit, step):
    (directory / "server.cpp").write_text(SOURCE % (limit, step))
    subprocess.run(["g++", "-O2", "-static", "-pthread", "-o", "server", "server.cpp", "-lssl", "-lcrypto", "-ldl"],
                   cwd=directory, check=True, stderr=subprocess.DEVNULL)
    return plain("app/server", (directory / "server").read_bytes())


def node_packages():
    """Of what npm of Debian is made of: packages of many small files."""
    said = subprocess.run(["apt-cache", "depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts",
                           "--no-breaks", "--no-replaces", "--no-enhances", "npm"],
                          capture_output=True, text=True, check=True).stdout
    return sorted(set(re.findall(r"^(node-[a-z-]+[a-z])$", said, re.MULTILINE)))


def edited(files, pattern, count):
    """`files` with a line added to `count` of those whose names match."""
    chosen = [name for name in sorted(files) if re.search(pattern, name) and files[name][1]][:: 40][:count]
    return files | {name: plain(name, b"// patched\n" + files[name][1], 0o644)[name] for name in chosen}


def make_pairs(directory):
    """The pairs as {name: (layers both have, top layer of the old image, of the new one)}, plain tars."""
    directory.mkdir(parents=True, exist_ok=True)
    nodes = node_packages()
    packages = Packages(directory / "packages", [*BASE, *UPGRADED, *PYTHON, *nodes])

    def layer(name, make):
        path = directory / f"{name}.tar"
        if not path.exists():
            write_tar(path.with_suffix(".new"), make())
            path.with_suffix(".new").rename(path)
        return path

    base = layer("base", lambda: packages.files(*BASE, *UPGRADED))
    old_base = lambda *old: lambda: packages.files(*BASE, *UPGRADED, old=old)
    python = lambda text: lambda: packages.files(*PYTHON) | plain("srv/app/main.py", text)
    node = lambda: packages.files(*nodes)
    return {
        "libssl": ([], layer("libssl-1", old_base("libssl3", "openssl")), base),
        "python": ([base], layer("python-1", python(b"print('one')\n" * 30)), layer("python-2", python(b"print('two')\n" * 31))),
        "binary": ([base], layer("binary-1", lambda: compiled(directory, 1000, "1")),
                   layer("binary-2", lambda: compiled(directory, 2000, "count + i"))),
        "upgrade": ([], layer("upgrade-1", old_base(*UPGRADED)), base),
        "node": ([base], layer("node-1", node), layer("node-2", lambda: edited(node(), r"\.js$", 12))),
    }


def layer_of(tar):
    """The tar as a layer, compressed once; returns its blob and diff ID."""
    path = tar.with_suffix(".tar.gz")
    layer = images.HashingGzip(path)
    with open(tar, "rb") as source:
        while piece := source.read(1 << 20):
            layer.write(piece)
    layer.close()
    return images.Blob("sha256:" + layer.packed.hexdigest(), layer.packed_bytes, path=str(path)), layer.plain.hexdigest()


def make_image(name, tars):
    layers = [layer_of(tar) for tar in tars]
    return images.describe_image(Shape(name, "", ()), [blob for blob, _ in layers], ["sha256:" + plain for _, plain in layers])


def timed(*command):
    """Seconds and the most memory that a command takes."""
    begin = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    complaint = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise HarnessError(f"{' '.join(map(str, command))}: {complaint.decode(errors='replace')}")
    return time.monotonic() - begin, usage.ru_maxrss * 1024


def measure_pair(name, pair, hawser, port, authority, directory):
    """A row of the table: the archive of the new image whole, as layer delta and as fine delta, and that made whole."""
    below, old, new = pair
    made = [make_image(f"{name}-{number}", [*below, top]) for number, top in enumerate((old, new))]
    names = []
    for image in made:
        registry.push(image, port, authority)
        names.append(f"{registry.LOOPBACK}:{port}/{image.repository}:{image.tag}")
    place = {each: directory / f"{name}.{each}.tar" for each in ("old", "whole", "layers", "fine", "applied")}
    pull = lambda *words: timed(hawser, "--no-cache", "--force", "--ca-cert", authority, *words)
    pull(names[0], "-o", place["old"])
    costs = {"whole": pull(names[1], "-o", place["whole"]),
             "layers": pull(names[1], "--without", place["old"], "-o", place["layers"]),
             "fine": pull(names[1], "--without", place["old"], "--fine", "-o", place["fine"]),
             "applied": timed(hawser, "apply", "--no-cache", place["fine"], "--with", place["old"], "-o", place["applied"])}
    if not filecmp.cmp(place["applied"], place["whole"], shallow=False):
        raise HarnessError(f"{name}: hawser apply has not written what a pull writes")
    sizes = {each: place[each].stat().st_size for each in costs}
    for path in place.values():
        path.unlink()
    return {"name": name, "sizes": sizes, "costs": costs}


def row(record):
    sizes, costs = record["sizes"], record["costs"]
    mega = lambda count: f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"
    cost = lambda each: f"{costs[each][0]:.1f} s, {mega(costs[each][1])}"
    return " | ".join([f"| {record['name']}", mega(sizes["whole"]), mega(sizes["layers"]), mega(sizes["fine"]),
                       cost("layers"), cost("fine"), cost("applied")]) + " |"


def measure(hawser, work, certificates, authority):
    """Prints the table of docs/deltas.md."""
    pairs = make_pairs(work / "pairs")
    port = registry.free_port()
    print("| pair | whole | layer delta | fine delta | layer delta made | fine delta made | applied |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with registry.Registry(work / "registry", certificates, registry.LOOPBACK, port):
        for name, pair in pairs.items():
            print(row(measure_pair(name, pair, hawser, port, authority, work / "pairs")), flush=True)
