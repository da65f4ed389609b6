"""One image from several hosts: manifests from the first that answers, layers from all mirrors together."""

import base64
import json
import signal

import pytest

from support import images
from support.archive import Archive
from support.hawser import NETWORK, NOT_FOUND, OK, USAGE
from support.nginx import Nginx
from support.process import free_port, wait_until
from support.registry import PASSWORD, USER
from support.throttle import Throttle

SIZE = 12_000_000


@pytest.fixture
def image():
    return images.Image([images.random_layer(31, SIZE), images.text_layer(1)])


@pytest.fixture
def throttled():
    """A function like Throttle's constructor."""
    running = []

    def start(*arguments):
        running.append(Throttle(*arguments))
        return running[-1]

    yield start
    for throttle in running:
        throttle.stop()


class Notebook(Nginx):
    """In front of a registry; it notes the logins that it is shown, and gives `rate` bytes a second a connection."""

    def __init__(self, directory, registry, rate):
        port = free_port()
        self.host = f"127.0.0.1:{port}"
        super().__init__(directory, [port], f"""
  log_format logins '$request_method $request_uri [$http_authorization] $status';
  server {{
    listen {self.host};
    access_log {{directory}}/logins logins;
    location / {{
      proxy_pass http://{registry.host};
      proxy_set_header Host $http_host;
      limit_rate {rate};
    }}
  }}""")

    def requests(self) -> list:
        """What was answered so far: 'GET /v2/ [Basic …] 200'; [-] where no login was shown."""
        return self.log("logins")


@pytest.fixture
def nginx(tmp_path):
    """A function (registry, rate) → nginx in front of it."""
    running = []

    def start(registry, rate=0):
        running.append(Notebook(tmp_path / "home" / f"nginx-{len(running)}", registry, rate))
        return running[-1]

    yield start
    for each in running:
        each.stop()


def mirrored(registry, *mirrors) -> list:
    """The options that put these (anything with a host) before the registry."""
    return [word for mirror in mirrors for word in ("--mirror", f"{registry.host}=http://{mirror.host}")]


def pull(hawser, registry, *arguments, expect=OK, **how):
    """Pulls; returns the result, and what --json says of each source, by host."""
    result = hawser.pull(registry, "--json", *arguments, expect=expect, **how)
    return result, {source["host"]: source for source in json.loads(result.out)["sources"]}


def show(capsys, sources, seconds):
    with capsys.disabled():
        for host, source in sources.items():
            print(f"\n  {host:22}{source['bytes']:>12} bytes{source['bytes'] / seconds / 1e6:>8.2f} MB/s", end="")
        print()


class Dead:
    """A host where nobody listens."""

    def __init__(self):
        self.host = f"127.0.0.1:{free_port()}"


@pytest.mark.sanitized
def test_two_slow_mirrors_are_as_fast_as_both(hawser, own_registry, throttled, image, capsys):
    registry, one, other = (own_registry() for _ in range(3))
    for each in (registry, one, other):
        reference = each.push("many/image", image, "v1")
    reference = f"{registry.host}/many/image:v1"
    since = registry.mark()
    ways = [throttled(each.port, 2_500_000) for each in (one, other)]
    result, sources = pull(hawser, registry, *mirrored(registry, *ways), reference)
    Archive(hawser.directory / "image.tar").check_image(image)
    show(capsys, sources, result.seconds)
    for way in ways:
        assert sources[way.host]["bytes"] > SIZE / 4, sources
    assert sources[registry.host]["bytes"] == 0
    assert registry.accesses(since) == []


def test_a_slow_mirror_holds_nothing_up(hawser, own_registry, nginx, image):
    registry, quick = own_registry(), own_registry()
    for each in (registry, quick):
        each.push("many/image", image, "v1")
    slow = nginx(registry, 20_000)  # a connection: its share alone would take minutes
    result, sources = pull(hawser, registry, *mirrored(registry, slow, quick), f"{registry.host}/many/image:v1")
    assert result.seconds < 60, sources
    assert sources[quick.host]["bytes"] > SIZE / 2


def test_a_pull_through_cache_that_is_killed_in_mid_pull(hawser, own_registry, throttled, image):
    registry = own_registry()
    reference = registry.push("many/image", image, "v1")
    cache = own_registry(upstream=f"http://{registry.host}")
    way = throttled(cache.port, 4_000_000)
    run = hawser.start(*hawser.pull_arguments(registry, "--json", *mirrored(registry, way), reference))
    wait_until(lambda: way.carried > SIZE / 3, 60, "the pull to be under way")
    cache.kill()
    way.stop()
    result = run.wait()
    assert result.code == OK, result.err
    Archive(hawser.directory / "image.tar").check_image(image)
    sources = {source["host"]: source for source in json.loads(result.out)["sources"]}
    assert sources[way.host]["bytes"] > SIZE / 5 and sources[registry.host]["bytes"] > SIZE / 5, sources
    assert sum(source["bytes"] for source in sources.values()) <= SIZE * 1.1  # nothing came twice
    assert sources[way.host]["left_out"]
    assert result.err.count(f"the mirror {way.host} (--mirror) is left out") == 1


@pytest.mark.sanitized
def test_wrong_bytes_of_a_mirror(hawser, own_registry, throttled, image):
    registry, good, bad = (own_registry() for _ in range(3))
    for each in (registry, good, bad):
        each.push("many/image", image, "v1")
    bad.change_blob(image.layers[0].digest.removeprefix("sha256:"), 50_000)
    ways = [throttled(each.port, 10e6) for each in (good, bad)]
    result, sources = pull(hawser, registry, *mirrored(registry, *ways), f"{registry.host}/many/image:v1")
    Archive(hawser.directory / "image.tar").check_image(image)
    right, wrong, origin = (sources[each.host] for each in (*ways, registry))
    assert right["left_out"] is None and "have the digest" in wrong["left_out"], sources
    assert result.err.count(f"the mirror {ways[1].host} (--mirror) is left out") == 1
    # What the good one sent is kept.
    assert wrong["bytes"] > 50_000 and right["bytes"] <= SIZE * 1.01 and origin["bytes"] == 0, sources


def login_for(hawser, *hosts):
    config = hawser.directory / "home" / ".docker" / "config.json"
    config.parent.mkdir()
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    config.write_text(json.dumps({"auths": {host: {"auth": auth} for host in hosts}}))


@pytest.mark.parametrize("auth", ["htpasswd", "token-login"])
@pytest.mark.parametrize("closed", ["mirror", "registry"])
def test_logins_of_one_never_reach_the_other(hawser, own_registry, nginx, auth, closed):
    image = images.many_layers(3)
    private, public = own_registry(auth=auth), own_registry()
    for each in (private, public):
        each.push("some/image", image, "v1")
    # Before them nginx notes every Authorization.
    private_way, public_way = nginx(private), nginx(public)
    login_for(hawser, private_way.host)
    registry, mirror = (public_way, private_way) if closed == "mirror" else (private_way, public_way)
    # The mirror lacks a layer, so that both are asked for blobs.
    (private if closed == "mirror" else public).forget_blob(image.layers[0].digest.removeprefix("sha256:"))
    result = hawser.run("pull", "--plain-http", "-o", "image.tar", "--mirror", f"{registry.host}=http://{mirror.host}",
                        f"{registry.host}/some/image:v1")
    assert result.code == OK, result.err
    Archive(hawser.directory / "image.tar").check_image(image)
    assert any("/blobs/" in line and line.endswith(" 200") for line in public_way.requests())
    assert any("/blobs/" in line and line.endswith(" 200") for line in private_way.requests())
    assert all("[-]" in line for line in public_way.requests()), public_way.requests()
    assert any("[B" in line for line in private_way.requests())


@pytest.mark.parametrize("trouble", ["down", "empty", "silent", "refusing"])
def test_a_mirror_that_does_not_help_costs_one_attempt(hawser, own_registry, throttled, trouble):
    image = images.many_layers(3)
    registry = own_registry()
    reference = registry.push("some/image", image, "v1")
    mirror = {"down": Dead, "empty": own_registry, "silent": lambda: throttled(registry.port, 1e6, 0),
              "refusing": lambda: own_registry(auth="htpasswd")}[trouble]()
    result, sources = pull(hawser, registry, *mirrored(registry, mirror), reference)
    Archive(hawser.directory / "image.tar").check_image(image)
    assert sources[mirror.host]["left_out"] and sources[registry.host]["left_out"] is None
    assert result.err.count("is left out") == 1, result.err
    assert result.seconds < 60
    if trouble in ("empty", "refusing"):
        assert len([a for a in mirror.accesses() if "/manifests/" in a.path]) == 1


def test_no_origin(hawser, own_registry):
    image = images.many_layers(3)
    registry, mirror, empty = (own_registry() for _ in range(3))
    for each in (registry, mirror):
        each.push("some/image", image, "v1")
    reference = f"{registry.host}/some/image:v1"
    since = registry.mark()
    _, sources = pull(hawser, registry, "--no-origin", *mirrored(registry, empty, mirror), reference)
    Archive(hawser.directory / "image.tar").check_image(image)
    assert registry.host not in sources
    result = hawser.pull(registry, "--no-origin", "--no-cache", *mirrored(registry, Dead(), empty), reference,
                         expect=NOT_FOUND)
    assert "none of the 2 places" in result.err
    result = hawser.pull(registry, "--no-origin", "--no-cache", *mirrored(registry, Dead()), reference, expect=NETWORK)
    result = hawser.pull(registry, "--no-origin", "--no-cache", reference, expect=USAGE)
    assert "--no-origin" in result.err
    assert registry.accesses(since) == []


def test_another_mirror_goes_on_with_what_a_killed_pull_has_left(hawser, own_registry, throttled, image):
    registry, mirror = own_registry(), own_registry()
    for each in (registry, mirror):
        each.push("many/image", image, "v1")
    reference = f"{registry.host}/many/image:v1"
    stopping = throttled(registry.port, 50e6, SIZE // 2)
    run = hawser.start(*hawser.pull_arguments(registry, *mirrored(registry, stopping), reference))
    wait_until(lambda: stopping.carried > SIZE // 2 - 100_000, 60, "half of it to have arrived")
    run.signal(signal.SIGKILL)
    run.wait()
    result, sources = pull(hawser, registry, "--no-origin", *mirrored(registry, mirror), reference)
    Archive(hawser.directory / "image.tar").check_image(image)
    resumed = json.loads(result.out)["resumed_bytes"]
    assert resumed > SIZE / 4
    assert sources[mirror.host]["bytes"] <= SIZE * 1.01 - resumed + 100_000
