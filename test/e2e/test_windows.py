"""hawser.exe under wine, against the registries and engines that the Linux build is tested with. HAWSER_EXE names it."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from support import images
from support.archive import Archive
from support.hawser import DISK, INTERRUPTED, NETWORK, OK, USAGE
from support.process import wait_until
from support.registry import PASSWORD, USER
from support.throttle import Throttle
from support.wine import WindowsHawser, Wine, windows_path

EXE = pathlib.Path(os.environ.get("HAWSER_EXE", "build/windows/hawser.exe")).resolve()
SIZE = 30_000_000


@pytest.fixture(scope="session")
def wine(tmp_path_factory):
    wine = Wine(tmp_path_factory.mktemp("wine"))
    yield wine
    wine.stop()


@pytest.fixture
def windows(tmp_path, wine):
    """hawser.exe in an empty directory, without a docker configuration."""
    (tmp_path / "windows").mkdir()
    yield WindowsHawser(EXE, tmp_path / "windows", wine)
    shutil.rmtree(wine.profile / ".docker", ignore_errors=True)


@pytest.fixture(scope="session")
def helper(tmp_path_factory):
    """A directory with docker-credential-wincred.exe, a helper that knows one login and has no console."""
    directory = tmp_path_factory.mktemp("helper")
    source = directory / "helper.c"
    source.write_text(r'''
#include <stdio.h>
#include <string.h>
#include <windows.h>
int main(int count, char** words) {
  char server[300] = "";
  if (count != 2 || strcmp(words[1], "get") != 0 || !fgets(server, sizeof server, stdin)) return 1;
  if (GetConsoleWindow() != NULL) return 2;
  printf("{\"ServerURL\": \"%s\", \"Username\": \"tester\", \"Secret\": \"s3cret:\\\"pass w\xc3\xb6rd\"}", server);
  return 0;
}
''')
    subprocess.run(["x86_64-w64-mingw32-gcc-posix", "-static", "-o", directory / "docker-credential-wincred.exe", source],
                   check=True, timeout=120)
    return directory


def docker_config(wine, config):
    directory = wine.profile / ".docker"
    directory.mkdir(exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("options", [[], ["--uncompressed"], ["--format", "oci-archive"]])
def test_the_tar_is_the_one_that_linux_writes(windows, hawser, registries, docker, options):
    registry = registries("token-login", True)
    image = images.Image([images.random_layer(31, 5_000_000), images.text_layer(1), images.text_layer(2)])
    reference = registry.push("windows/same", image, "v1")
    windows.pull(registry, *options, reference)
    hawser.pull(registry, *options, reference)
    written = windows.directory / "image.tar"
    assert written.read_bytes() == (hawser.directory / "image.tar").read_bytes()
    if "oci-archive" in options:
        return  # docker load takes none
    assert docker.load(written) == [reference]
    assert docker.image_id(reference) == image.config.digest
    docker.remove(reference)


def test_standard_output_carries_the_bytes_as_they_are(windows, registry):
    image = images.Image([images.random_layer(32, 300_000)])
    reference = registry.push("windows/stdout", image, "v1")
    result = windows.pull(registry, reference, output="-")
    (windows.directory / "image.tar").write_bytes(result.out)
    Archive(windows.directory / "image.tar").check_image(image)


@pytest.mark.parametrize("auth,tls", [("token", True)])
def test_goes_on_where_a_killed_run_stopped(windows, hawser, own_registry, auth, tls):
    registry = own_registry(auth=auth, tls=tls)
    image = images.Image([images.random_layer(21, SIZE), images.text_layer(1)])
    reference = registry.push("windows/slow", image, "v1")
    first = Throttle(registry.port, 1e9, 24_000_000)
    run = windows.start(*windows.pull_arguments(registry, f"{first.host}/windows/slow:v1"))
    wait_until(lambda: first.carried > 23_900_000, 60, "the throttle to be reached")
    time.sleep(1)
    run.signal(signal.SIGKILL)
    run.wait(30)
    first.stop()
    assert "image.tar" not in windows.leftovers()
    second = Throttle(registry.port, 1e9)
    windows.pull(registry, f"{second.host}/windows/slow:v1")
    second.stop()
    assert second.carried < SIZE - 24_000_000 + 8 * 1024 * 1024 + 500_000
    Archive(windows.directory / "image.tar").check_image(image)
    hawser.pull(registry, reference)
    windows.pull(registry, reference, output="again.tar")
    assert (windows.directory / "again.tar").read_bytes() == (hawser.directory / "image.tar").read_bytes()


def test_asks_a_credential_helper_that_has_no_console(windows, wine, registries, helper):
    registry = registries("token-login", True)
    reference = registry.push("windows/helper", images.many_layers(1), "v1")
    docker_config(wine, {"credsStore": "wincred"})
    path = {"WINEPATH": windows_path(helper)}
    trusted = ["--ca-cert", registry.options[1]]
    assert windows.run("pull", *trusted, "-o", "i.tar", reference, environment=path).code == OK
    told = windows.run("pull", *trusted, "-o", "i.tar", reference)
    assert told.code != OK
    assert "docker-credential-wincred, which is not installed or not in PATH" in told.err


@pytest.fixture
def console(windows):
    """A function (argument...) → a console that hawser.exe runs in."""
    started = []

    def start(*arguments):
        started.append(windows.on_console(*arguments))
        return started[-1]

    yield start
    for each in started:
        each.stop()


def shows(console, text):
    wait_until(lambda: any(text in row for row in console.rows()), 60, f"{text!r} on the console")


def test_ctrl_c_stops_a_pull_and_leaves_no_archive(windows, own_registry, console):
    registry = own_registry()
    registry.push("windows/stopped", images.Image([images.random_layer(23, SIZE)]), "v1")
    slow = Throttle(registry.port, 1e9, SIZE // 2)
    run = console(*windows.pull_arguments(registry, f"{slow.host}/windows/stopped:v1"))
    wait_until(lambda: slow.carried > SIZE // 2 - 100_000, 60, "half of the layer")
    run.type("C-c")
    shows(run, f"exit {INTERRUPTED}")
    assert windows.leftovers() == []
    slow.go_on()
    windows.pull(registry, f"{slow.host}/windows/stopped:v1")
    slow.stop()
    assert slow.carried < 1.3 * SIZE


def test_a_password_is_typed_unseen(windows, wine, registries, console):
    registry = registries("htpasswd", False)
    run = console("login", "--plain-http", registry.host)
    shows(run, "Username:")
    run.type(USER, "Enter")
    shows(run, "Password:")
    run.type(PASSWORD, "Enter")
    shows(run, "exit 0")
    assert PASSWORD[:6] not in "".join(run.rows(history=True))
    assert registry.host in json.loads((wine.profile / ".docker/config.json").read_text())["auths"]


def test_finds_the_login_in_the_users_profile(windows, wine, registries):
    registry = registries("htpasswd", False)
    reference = registry.push("windows/login", images.many_layers(1), "v1")
    done = windows.run("login", "--plain-http", "-u", USER, "--password-stdin", registry.host,
                       stdin=PASSWORD.encode())
    assert done.code == OK, done.err
    assert registry.host in json.loads((wine.profile / ".docker/config.json").read_text())["auths"]
    assert windows.run("pull", "--plain-http", "-o", "i.tar", reference).code == OK


def test_names_that_windows_has_not(windows, registry):
    reference = registry.push("windows/names", images.many_layers(1), "v1")
    for name in ("ab:c.tar", "con.tar", "NUL", "what?.tar", "dot."):
        told = windows.pull(registry, reference, output=name, expect=DISK)
        assert "no file can have that name" in told.err, told.err
    assert windows.run("pull", "--cache-dir", windows.cache, "--plain-http", reference).code == OK
    assert windows.leftovers() == [registry.host.replace(":", "_") + "_windows_names_v1.tar"]
    windows.pull(registry, "--output-template", "con.{tag}.tar", reference, output=None)
    assert "_con.v1.tar" in windows.leftovers()


def test_names_in_unicode_and_deep_directories(windows, registry):
    image = images.many_layers(2)
    reference = registry.push("windows/unicode", image, "v1")
    directory = windows.directory / "日本語 ü"
    directory.mkdir()
    windows.pull(registry, reference, output="日本語 ü/イメージ.tar")
    Archive(directory / "イメージ.tar").check_image(image)
    deep = directory.joinpath(*(letter * 60 for letter in "abcde"))
    deep.mkdir(parents=True)
    result = windows.run("pull", "--cache-dir", deep / "cache", "--plain-http", "-o", deep / "i.tar", reference)
    assert result.code == OK, result.err
    Archive(deep / "i.tar").check_image(image)


def test_trusts_the_certificates_of_the_system(windows, registries, pki):
    registry = registries(None, True)
    reference = registry.push("windows/trust", images.many_layers(1), "v1")
    told = windows.run("pull", "-o", "i.tar", reference)
    assert told.code == NETWORK and "unknown CA" in told.err
    # wine takes the machine's for Windows' own.
    windows.in_place_of("/etc/ssl/certs/ca-certificates.crt", pki.ca_file)
    assert windows.run("pull", "-o", "i.tar", reference).code == OK


def test_goes_by_the_proxy_of_the_environment(windows):
    shown = windows.run("config", "registry.test/a", environment={"HTTPS_PROXY": "http://other.test:1"})
    assert "other.test:1" in shown.out.decode()


def test_two_pulls_share_a_cache(windows, registry):
    image = images.Image([images.random_layer(n, 2_000_000) for n in range(40, 44)])
    reference = registry.push("windows/shared", image, "v1")
    runs = [windows.start(*windows.pull_arguments(registry, reference, output=f"{n}.tar")) for n in range(3)]
    for n, run in enumerate(runs):
        result = run.wait()
        assert result.code == OK, result.err
        Archive(windows.directory / f"{n}.tar").check_image(image)


def test_a_password_that_is_wrong(windows, registries):
    registry = registries("htpasswd", False)
    told = windows.run("login", "--plain-http", "-u", USER, "--password-stdin", registry.host, stdin=b"wrong")
    assert told.code not in (OK, USAGE)
    assert "refused" in told.err
