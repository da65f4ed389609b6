"""The harness itself, without hawser: when another test fails, it is not for these reasons."""

import socket
import time

import pytest

from support import images
from support.registry import PASSWORD, USER
from support.throttle import Throttle

WAYS = [(auth, tls) for auth in (None, "htpasswd", "token", "token-login") for tls in (False, True)]


@pytest.mark.parametrize("auth,tls", WAYS)
def test_skopeo_gets_in_every_way(registries, skopeo, pki, tmp_path, auth, tls):
    registry = registries(auth, tls)
    index = images.six_platforms(attestations=True)
    reference = registry.push("harness/image", index, "v1")
    options = ["--src-creds", f"{USER}:{PASSWORD}"] if auth in ("htpasswd", "token-login") else []
    if tls:
        (tmp_path / "ca.crt").write_bytes(pki.ca_file.read_bytes())
        options += ["--src-cert-dir", tmp_path]
    else:
        options += ["--src-tls-verify=false"]
    mark = registry.mark()
    skopeo.copy(f"docker://{reference}", f"oci:{tmp_path}/layout:v1", *options)
    image = index.image(images.HOST_PLATFORM)
    assert skopeo.digest(f"oci:{tmp_path}/layout:v1") == image.digest
    assert sum(a.size for a in registry.blob_reads(mark)) == image.layer_bytes() + len(image.config.data)


@pytest.mark.parametrize("kind", [images.OCI, images.DOCKER])
def test_engines_take_what_skopeo_writes(registry, skopeo, docker, podman, containerd, tmp_path, kind):
    image = images.many_layers(3, kind)
    reference = registry.push(f"harness/{kind}", image, "v1")
    archive = tmp_path / "image.tar"
    skopeo.copy(f"docker://{reference}", f"docker-archive:{archive}:{reference}", "--src-tls-verify=false")
    assert docker.load(archive) == [reference]
    assert docker.image_id(reference) == image.config.digest
    assert podman.load(archive) == [reference]
    assert podman.image_id(reference) == image.config.digest
    assert containerd.load(archive) == [reference]
    for engine in (docker, podman, containerd):
        engine.remove(reference)


def test_images_are_the_same_each_time():
    assert images.six_platforms(attestations=True).data == images.six_platforms(attestations=True).data
    assert images.random_layer(1, 1000).digest == images.random_layer(1, 1000).digest
    assert images.random_layer(1, 1000).digest != images.random_layer(2, 1000).digest


def test_throttle_stops_where_it_is_told(registry):
    throttle = Throttle(registry.port, rate=1e9, stop_after=100)
    with socket.create_connection(("127.0.0.1", throttle.port)) as connection:
        connection.settimeout(1)
        connection.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(TimeoutError):
            connection.recv(1000)
    assert throttle.carried <= 100
    throttle.stop()


def test_throttle_is_as_slow_as_it_is_told(registry):
    throttle = Throttle(registry.port, rate=500)
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", throttle.port)) as connection:
        connection.sendall(b"GET /v2/ HTTP/1.0\r\n\r\n")
        while connection.recv(1000):
            pass
    assert time.monotonic() - started >= throttle.carried / 500 * 0.9
    throttle.stop()
