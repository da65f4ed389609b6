"""Registries as they are configured for podman, docker and containerd: pulled without options, and shown by config."""

import json
import os

import pytest

from support import images
from support.archive import Archive
from support.hawser import AUTHENTICATION, OK, USAGE

NAME = "registry.example"  # nobody's: what is pulled by it comes from elsewhere


@pytest.fixture
def image():
    return images.Image([images.random_layer(41, 300_000), images.text_layer(2)])


@pytest.fixture
def machine(hawser, tmp_path):
    """A function (path below /etc, text) that writes a file of the machine that hawser runs on."""
    etc = tmp_path / "home" / "etc"
    etc.mkdir(parents=True)
    hawser.on_machine(etc)

    def write(path, text):
        (etc / path).parent.mkdir(parents=True, exist_ok=True)
        (etc / path).write_text(text)

    write.etc = etc
    return write


def pull(hawser, reference, expect=OK):
    result = hawser.run("pull", "--cache-dir", hawser.cache, "-o", "image.tar", reference)
    assert result.code == expect, result.err
    return result


def config(hawser, reference) -> list:
    """What hawser config says of the endpoints of an image."""
    result = hawser.run("config", "--json", reference)
    assert result.code == OK, result.err
    found = json.loads(result.out)["images"][0]["endpoints"]
    text = hawser.run("config", reference)
    for endpoint in found:
        assert endpoint["url"] in text.out.decode() and (endpoint["configured_at"] or "nothing:") in text.out.decode()
    return found


@pytest.mark.sanitized
def test_registries_conf(hawser, machine, registry, image, skopeo):
    registry.push("hub/team/image", image, "v1")
    machine("containers/registries.conf", f"""
[[registry]]
prefix = "{NAME}/team"
location = "{registry.host}/hub/team"
insecure = true
""")
    pull(hawser, f"{NAME}/team/image:v1")
    archive = Archive(hawser.directory / "image.tar")
    archive.check_image(image)
    assert archive.tags == [f"{NAME}/team/image:v1"]
    [endpoint] = config(hawser, f"{NAME}/team/image:v1")
    assert endpoint["url"].endswith(f"{registry.host}/v2/hub/team/image")
    assert endpoint["registry"] and endpoint["plain_http_allowed"] and not endpoint["verify"]
    assert endpoint["configured_at"] == "/etc/containers/registries.conf:2"
    # As skopeo has it.
    conf = machine.etc / "containers/registries.conf"
    assert skopeo.raw_manifest(f"docker://{NAME}/team/image:v1", "--registries-conf", conf) == image.data


def test_a_mirror_for_digests_only_gives_the_layers(hawser, machine, own_registry, image):
    registry, mirror = own_registry(), own_registry()
    registry.push("team/image", image, "v1")
    mirror.push("team/image", image)
    machine("containers/registries.conf.d/mirrors.conf", f"""
[[registry]]
location = "{registry.host}"
insecure = true
mirror-by-digest-only = true
[[registry.mirror]]
location = "{mirror.host}"
insecure = true
""")
    since = registry.mark(), mirror.mark()
    pull(hawser, f"{registry.host}/team/image:v1")
    Archive(hawser.directory / "image.tar").check_image(image)
    assert not registry.blob_reads(since[0]) and mirror.blob_reads(since[1])
    first, last = config(hawser, f"{registry.host}/team/image:v1")
    assert (first["tags"], first["digests"]) == (False, True) and last["tags"]
    assert first["configured_at"] == "/etc/containers/registries.conf.d/mirrors.conf:6"


def test_daemon_json(hawser, machine, registry, image):
    registry.push("library/image", image, "v1")
    machine("docker/daemon.json", json.dumps({"registry-mirrors": [f"http://{registry.host}"]}, indent=2))
    pull(hawser, "image:v1")
    archive = Archive(hawser.directory / "image.tar")
    archive.check_image(image)
    assert archive.tags == ["image:v1"]
    mirror, hub = config(hawser, "image:v1")
    assert mirror["url"] == f"http://{registry.host}/v2/library/image"
    assert mirror["configured_at"] == "/etc/docker/daemon.json:3"
    assert hub["url"].startswith("https://registry-1.docker.io/") and hub["registry"]


def test_insecure_registries_of_docker_need_no_certificate(hawser, machine, registries, image):
    registry = registries(tls=True)
    reference = registry.push("docker/insecure", image, "v1")
    pull(hawser, reference, expect=5)
    machine("docker/daemon.json", json.dumps({"insecure-registries": ["127.0.0.0/8"]}))
    pull(hawser, reference)
    Archive(hawser.directory / "image.tar").check_image(image)
    [endpoint] = config(hawser, reference)
    assert not endpoint["verify"] and endpoint["configured_at"] == "/etc/docker/daemon.json:1"


@pytest.mark.sanitized
def test_hosts_toml(hawser, machine, registries, pki, image, containerd):
    registry = registries(tls=True)
    registry.push("team/image", image, "v1")
    machine("containerd/config.toml", '[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "/etc/hosts.d"\n')
    machine(f"hosts.d/{NAME}_5000_/hosts.toml", f"""
server = "https://{NAME}:5000"
[host."https://{registry.host}"]
  capabilities = ["pull", "resolve"]
  ca = "ca.crt"
""")
    machine(f"hosts.d/{NAME}_5000_/ca.crt", pki.ca_file.read_text())
    since = registry.mark()
    pull(hawser, f"{NAME}:5000/team/image:v1")
    Archive(hawser.directory / "image.tar").check_image(image)
    manifests = [access.path for access in registry.accesses(since) if "/manifests/" in access.path]
    assert manifests and all(path.endswith(f"?ns={NAME}%3A5000") or path.endswith(f"?ns={NAME}:5000")
                             for path in manifests)
    mirror, last = config(hawser, f"{NAME}:5000/team/image:v1")
    assert mirror["ca_files"] == [f"/etc/hosts.d/{NAME}_5000_/ca.crt"] and mirror["verify"]
    assert mirror["configured_at"] == f"/etc/hosts.d/{NAME}_5000_/hosts.toml:3"
    assert last["registry"] and last["url"] == f"https://{NAME}:5000/v2/team/image"
    # As containerd has it.
    containerd.fetch(f"{NAME}:5000/team/image:v1", machine.etc / "hosts.d")
    assert containerd.digests()[f"{NAME}:5000/team/image:v1"] == image.digest


@pytest.mark.sanitized
def test_short_names(hawser, machine, own_registry, image, podman):
    empty, registry = own_registry(), own_registry()
    registry.push("team/image", image, "v1")
    machine("containers/registries.conf", f"""
unqualified-search-registries = ["{empty.host}", "{registry.host}"]
[[registry]]
location = "{empty.host}"
insecure = true
[[registry]]
location = "{registry.host}"
insecure = true
[aliases]
"app" = "{registry.host}/team/image"
""")
    pull(hawser, "app:v1")
    assert Archive(hawser.directory / "image.tar").tags == [f"{registry.host}/team/image:v1"]
    told = hawser.run("config", "app:v1").out.decode()
    assert told.startswith(f"app:v1 is {registry.host}/team/image:v1 by /etc/containers/registries.conf:10\n")
    result = pull(hawser, "team/image:v1")
    assert f"pulling {registry.host}/team/image:v1" in result.err
    # As podman has it.
    for name in ("app:v1", "team/image:v1"):
        podman.do("--registries-conf", machine.etc / "containers/registries.conf", "pull", "--quiet", name)
        assert podman.inspect(f"{registry.host}/team/image:v1")["Digest"] == image.digest
        podman.remove(f"{registry.host}/team/image:v1")
    result = hawser.run("pull", "--no-cache", "-o", "none.tar", "team/none:v1")
    assert result.code == 4 and empty.host in result.err and registry.host in result.err


def test_what_is_blocked_is_not_pulled(hawser, machine, registry, image):
    reference = registry.push("blocked/image", image, "v1")
    machine("containers/registries.conf", f'\n[[registry]]\nlocation = "{registry.host}/blocked"\nblocked = true\n')
    since = registry.mark()
    result = pull(hawser, reference, expect=AUTHENTICATION)
    assert f"{reference} is blocked by /etc/containers/registries.conf:2" in result.err
    machine("containers/registries.conf", f'[[registry]]\nlocation = "{registry.host}/blocked"\nblocked = tru\n')
    result = pull(hawser, reference, expect=USAGE)
    assert "registries.conf:3" in result.err and "may block" in result.err
    assert registry.accesses(since) == []


def test_a_broken_file_is_told_and_does_not_matter(hawser, machine, registry, image):
    reference = registry.push("broken/image", image, "v1")
    machine("docker/daemon.json", "{")
    machine("containerd/certs.d/_default/hosts.toml", "server = 1")
    result = pull(hawser, reference)
    assert "/etc/docker/daemon.json is not a JSON object: done without this file" in result.err
    assert "/etc/containerd/certs.d/_default/hosts.toml:1: server is no text: done without this file" in result.err
    result = hawser.run("pull", "--no-registry-config", "--cache-dir", hawser.cache, "-o", "image.tar", reference)
    assert result.code == OK and "without" not in result.err


def test_the_users_files_go_before_the_systems(hawser, machine, registry, image):
    registry.push("users/image", image, "v1")
    machine("containers/registries.conf", f'[[registry]]\nprefix = "{NAME}"\nlocation = "system.example"\n')
    user = hawser.directory / "home" / ".config" / "containers"
    os.makedirs(user)
    (user / "registries.conf").write_text(
        f'[[registry]]\nprefix = "{NAME}"\nlocation = "{registry.host}/users"\ninsecure = true\n')
    pull(hawser, f"{NAME}/image:v1")
    Archive(hawser.directory / "image.tar").check_image(image)
