"""The Debian package, in a Debian 12 that has nothing but what debootstrap gives it."""

import shutil
import subprocess

import pytest

from machine import Machine

pytestmark = pytest.mark.target("deb")


@pytest.fixture(scope="session")
def package(dist):
    [file] = dist.glob("hawser_*.deb")
    return file


@pytest.fixture(scope="module")
def machine(debian, package, pki):
    """One that the package is installed on with what it depends on, and that trusts the tests' CA."""
    root = debian("bookworm")
    shutil.copy(package, root / "hawser.deb")
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    machine = Machine(root)
    for words in (["update"], ["install", "--yes", "--no-install-recommends", "/hawser.deb", "ca-certificates"]):
        done = machine.run("-qq", *words, command=["/usr/bin/apt-get"], environment={"DEBIAN_FRONTEND": "noninteractive"})
        assert done.returncode == 0, done.stderr
    machine.put("/usr/local/share/ca-certificates/tests.crt", pki.ca_file)
    done = machine.run(command=["/usr/sbin/update-ca-certificates"])
    assert done.returncode == 0, done.stderr
    return machine


def test_lintian_has_nothing_to_say(package):
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", package],
                          capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_pulls(machine, reference, expected):
    assert machine.pull(reference) == expected[()]


def test_brings_the_manual_and_completions(machine, package):
    listed = machine.run("--listfiles", "hawser", command=["/usr/bin/dpkg-query"]).stdout.split()
    for file in ("/usr/bin/hawser", "/usr/share/man/man1/hawser.1.gz", "/usr/share/bash-completion/completions/hawser",
                 "/usr/share/zsh/vendor-completions/_hawser", "/usr/share/fish/vendor_completions.d/hawser.fish",
                 "/usr/share/doc/hawser/copyright", "/usr/share/doc/hawser/changelog.gz"):
        assert file in listed
    contents = subprocess.run(["dpkg-deb", "--contents", package], check=True, capture_output=True, text=True).stdout
    assert all(line.split()[1] == "root/root" for line in contents.splitlines())


def test_goes_without_a_trace(machine):
    done = machine.run("--purge", "hawser", command=["/usr/bin/dpkg"])
    assert done.returncode == 0, done.stderr
    left = [path for path in (machine.root / "usr").rglob("*hawser*")]
    assert left == []
