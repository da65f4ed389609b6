"""The files for download as files: sums, licences, the SBOM."""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import zipfile

import pytest

from conftest import ROOT, TARGETS

sys.path.insert(0, str(ROOT / "scripts"))
import sbom  # noqa: E402

ARCHIVES = [pytest.param(each, marks=pytest.mark.target(each))
            for each in ("linux-x86_64", "linux-aarch64", "macos-aarch64", "macos-x86_64", "windows-x86_64")]
RUNTIMES = {
    "linux": {"musl", "llvm-runtimes", "zig"}, "macos": {"llvm-runtimes", "zig"}, "windows": {"mingw-w64", "gcc-runtime"}}
LINKED = {"boost", "bzip2", "isa-l", "libarchive", "openssl", "tomlplusplus", "xz", "yaml-cpp", "zlib", "zstd"}
KINDS = {  # what file(1) says
    "linux-x86_64": "ELF 64-bit LSB executable, x86-64", "linux-aarch64": "ARM aarch64", "macos-aarch64": "Mach-O 64-bit arm64",
    "macos-x86_64": "Mach-O 64-bit x86_64", "windows-x86_64": "PE32+ executable (console) x86-64"}


def names_in(dist, target):
    if target.startswith("windows"):
        [file] = dist.glob(f"*{target}.zip")
        with zipfile.ZipFile(file) as archive:
            return archive.namelist()
    [file] = dist.glob(f"*{target}.tar.gz")
    with tarfile.open(file) as archive:
        members = archive.getmembers()
    assert {(member.uid, member.gid, member.uname, member.gname) for member in members} == {(0, 0, "", "")}
    return [member.name for member in members]


def test_the_sums_are_those_of_the_files(dist):
    lines = [line.split() for line in (dist / "SHA256SUMS").read_text().splitlines()]
    assert {name for _, name in lines} == {path.name for path in dist.iterdir()} - {"SHA256SUMS"}
    for digest, name in lines:
        assert hashlib.sha256((dist / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("target", ARCHIVES)
def test_an_archive_has_the_licence_of_each_library_in_it(dist, target):
    names = names_in(dist, target)
    licences = {pathlib.PurePath(name).name for name in names if "/licenses/" in name and not name.endswith("/")}
    assert licences == LINKED | RUNTIMES[target.partition("-")[0]]
    assert names == sorted(names)


@pytest.mark.parametrize("target", ARCHIVES)
def test_an_executable_is_for_its_system_and_stripped_of_paths(unpacked, target):
    [executable] = [path for path in unpacked(target).rglob("hawser*")
                    if path.suffix in ("", ".exe") and "share" not in path.parts and path.is_file()]
    kind = subprocess.run(["file", "--brief", executable], check=True, capture_output=True, text=True).stdout
    assert KINDS[target] in kind
    content = executable.read_bytes()
    for directory in (ROOT, os.environ.get("HAWSER_DEPENDENCIES", "build/dependencies"), "zig-cache"):
        assert str(directory).encode() not in content


def test_the_sbom_names_each_source_and_each_file(dist):
    [file] = dist.glob("*.spdx.json")
    document = json.loads(file.read_text())
    assert document["spdxVersion"] == "SPDX-2.3"
    packages = {each["name"]: each for each in document["packages"]}
    pins = sbom.pinned((ROOT / "scripts/dependencies.lock").read_text())
    assert set(packages) - {name for name, *_ in sbom.MINGW} == {"hawser", *pins}
    if "windows-x86_64" in TARGETS:
        assert all(packages[name]["versionInfo"] for name, *_ in sbom.MINGW)
    for name, (version, licence, files) in pins.items():
        assert packages[name]["versionInfo"] == version
        assert packages[name]["licenseDeclared"] == licence
        assert packages[name]["checksums"] == [{"algorithm": "SHA256", "checksumValue": files[0][0]}]
    released = {path.name for path in dist.iterdir()} - {"SHA256SUMS", file.name}
    assert len(released) == len(TARGETS)
    assert {each["fileName"] for each in document["files"]} == {f"./{name}" for name in released}
    for each in document["files"]:
        assert each["checksums"][1]["checksumValue"] == hashlib.sha256((dist / each["fileName"]).read_bytes()).hexdigest()
    known = {"SPDXRef-DOCUMENT", *(each["SPDXID"] for each in document["packages"] + document["files"])}
    assert all({each["spdxElementId"], each["relatedSpdxElement"]} <= known for each in document["relationships"])
