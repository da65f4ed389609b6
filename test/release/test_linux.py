"""The static executables for Linux: each on a machine that has next to nothing."""

import subprocess

import pytest

from machine import CA_FILE, Machine

X86_64 = pytest.mark.target("linux-x86_64")
AARCH64 = pytest.mark.target("linux-aarch64")
EMULATOR = "qemu-aarch64-static"
LAST_CALL_OF_LINUX_4_0 = 322  # execveat, on x86_64

# Where distributions have the CAs of the system.
CA_FILES = [
    CA_FILE,                                              # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",                   # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",                             # SUSE
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # RHEL 7 and later
    "/etc/ssl/cert.pem",                                  # Alpine, BSDs
]


@pytest.fixture
def machine(tmp_path, unpacked):
    """An empty one with the hawser for x86_64."""
    return Machine(tmp_path / "root", unpacked("linux-x86_64") / "bin/hawser")


@pytest.mark.parametrize("target", [pytest.param("linux-x86_64", marks=X86_64), pytest.param("linux-aarch64", marks=AARCH64)])
def test_needs_no_library_and_no_loader(unpacked, target):
    executable = unpacked(target) / "bin/hawser"
    shown = subprocess.run(["readelf", "--wide", "--program-headers", "--dynamic", executable], check=True,
                           capture_output=True, text=True).stdout
    assert "INTERP" not in shown
    assert "NEEDED" not in shown
    assert "GNU_STACK" in shown and "RWE" not in shown


@pytest.mark.parametrize("options", [(), ("--uncompressed",)])
@X86_64
def test_pulls_in_an_empty_directory_with_a_ca_file(machine, pki, reference, expected, options):
    machine.put(CA_FILE, pki.ca_file)
    assert machine.pull(reference, *options) == expected[options]


@pytest.mark.parametrize("options", [(), ("--uncompressed",)])
@AARCH64
def test_pulls_on_aarch64(tmp_path, unpacked, pki, reference, expected, options):
    machine = Machine(tmp_path / "root", unpacked("linux-aarch64") / "bin/hawser", emulator=EMULATOR)
    machine.put(CA_FILE, pki.ca_file)
    assert machine.pull(reference, *options) == expected[options]


@X86_64
def test_pulls_with_a_kernel_that_knows_no_newer_calls_than_4_0(machine, pki, reference, expected):
    machine.put(CA_FILE, pki.ca_file)
    machine.with_kernel(LAST_CALL_OF_LINUX_4_0)
    assert machine.pull(reference) == expected[()]


@pytest.mark.parametrize("file", CA_FILES)
@X86_64
def test_trusts_the_cas_of_the_system_wherever_they_are(machine, pki, registry, reference, file):
    machine.put(file, pki.ca_file)
    assert machine.run("digest", reference).returncode == 0


@X86_64
def test_trusts_no_other_cas(machine, pki, reference):
    machine.put(CA_FILE, pki.self_signed("other-ca").certificate_file)
    refused = machine.run("digest", reference)
    assert refused.returncode == 5
    assert "is signed by an unknown CA" in refused.stderr


@X86_64
def test_goes_by_the_environment_for_cas(machine, pki, reference):
    machine.put(CA_FILE, pki.self_signed("wrong-ca").certificate_file)
    machine.put("/mine.pem", pki.ca_file)
    assert machine.run("digest", reference, environment={"SSL_CERT_FILE": "/mine.pem"}).returncode == 0
    assert machine.run("digest", reference).returncode == 5


@X86_64
def test_names_are_looked_up_in_the_hosts_file(machine, pki, registry, reference):
    named = reference.replace("127.0.0.1", "registry.test")
    machine.put(CA_FILE, pki.ca_file)
    assert machine.run("digest", named).returncode == 5
    machine.put("/etc/hosts", b"127.0.0.1 localhost registry.test\n")
    assert machine.run("digest", named).returncode == 0


@pytest.mark.parametrize("suite", ["bullseye"])  # the oldest that Debian's mirrors still have
@X86_64
def test_pulls_on_the_oldest_debian(debian, unpacked, pki, reference, expected, suite):
    machine = Machine(debian(suite), unpacked("linux-x86_64") / "bin/hawser")
    machine.put(CA_FILE, pki.ca_file)
    assert machine.pull(reference) == expected[()]
