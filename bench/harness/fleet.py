"""Many machines with one list behind one cache: how often the list crosses the far link.

Machines are namespaces on a bridge of the near one, where the cache runs; only the cache reaches the registry.
"""

import os
import shutil
import subprocess
import time

from . import images, registry
from .link import PREFIX, SERVER_ADDRESS
from .scenarios import Link, Shape
from .shell import HarnessError, run, stop_process

LINK = Link(rtt_ms=100, down_mbit=200, up_mbit=50)
SHAPES = tuple(Shape(f"fleet-{number}", f"image {number} of a fleet's list", (size, size // 3, 300_000, 20_000))
               for number, size in enumerate((6_000_000, 5_000_000, 4_000_000, 3_000_000, 2_000_000, 1_000_000), 1))
MACHINES = 8
BRIDGE, CACHE_ADDRESS, CACHE_PORT = "fleet0", "10.214.0.1", 5000
SETTLED = 1.0  # seconds without a byte over the far link: the cache has all it wants

REGISTRY_CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {directory}/registry}}}}
http: {{addr: "{address}:{port}"}}
proxy: {{remoteurl: "{origin}"}}
"""

# As docs/fleet.md has it.
NGINX_CONFIG = registry.NGINX_HEAD + """\
http {{
  access_log off;
  proxy_cache_path {directory}/blobs keys_zone=blobs:10m max_size=100g inactive=30d use_temp_path=off;
  proxy_temp_path {directory}/temporary;
  client_body_temp_path {directory}/body;
  server {{
    listen {address}:{port};
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_ssl_verify on;
    proxy_ssl_trusted_certificate {authority};
    proxy_ssl_name registry.test;
    location /v2/ {{
      proxy_pass {origin};
    }}
    location ~ /blobs/(sha256:[0-9a-f]+)$ {{
      proxy_pass {origin};
      proxy_cache blobs;
      proxy_cache_key $1;
      proxy_cache_valid 200 30d;
      proxy_cache_lock on;
      proxy_cache_lock_age 1h;
      proxy_cache_lock_timeout 1h;
    }}
  }}
}}
"""


class Cache:
    """An empty pull-through cache in the near namespace: docker-registry, nginx, or docker-registry before nginx."""

    def __init__(self, kind, network, authority, directory):
        self.kind, self.network, self.authority, self.directory = kind, network, authority, directory
        self.processes = []

    def __enter__(self):
        self.directory.mkdir(parents=True)
        origin, port = f"https://{SERVER_ADDRESS}:{registry.PORT}", CACHE_PORT
        try:
            if self.kind != "docker-registry":
                port = CACHE_PORT + (self.kind != "nginx")
                self._start(["nginx", "-c"], NGINX_CONFIG, origin, port)
                origin = f"http://{CACHE_ADDRESS}:{port}"
            if self.kind != "nginx":
                self._start(["docker-registry", "serve"], REGISTRY_CONFIG, origin, CACHE_PORT)
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        for process in reversed(self.processes):
            stop_process(process)

    def _start(self, command, text, origin, port):
        config = self.directory / f"{command[0]}.conf"
        config.write_text(text.format(directory=self.directory, address=CACHE_ADDRESS, port=port, origin=origin,
                                      authority=self.authority))
        enter = ["nsenter", f"--net={self.network.path(self.network.client)}"]
        command = [*enter, "env", f"SSL_CERT_FILE={self.authority}", *command, str(config)]
        self.processes.append(registry.start(command, config.with_suffix(".log")))
        registry.wait_until_listening(self.processes[-1], config.with_suffix(".log"), port, enter)


class Machines:
    """Eight namespaces that reach the cache alone, each with a home and a cache of its own."""

    def __init__(self, network, directory, hawser):
        self.network, self.directory, self.hawser = network, directory, hawser
        self.listed = directory / "list"
        self.names = [f"{PREFIX}-machine{number}-{os.getpid()}" for number in range(1, MACHINES + 1)]

    def __enter__(self):
        near = self.network.client
        run("ip", "-n", near, "link", "add", BRIDGE, "type", "bridge")
        run("ip", "-n", near, "addr", "add", f"{CACHE_ADDRESS}/24", "dev", BRIDGE)
        run("ip", "-n", near, "link", "set", BRIDGE, "up")
        for number, name in enumerate(self.names, 1):
            run("ip", "netns", "add", name)
            run("ip", "-n", near, "link", "add", f"to{number}", "type", "veth", "peer", "name", "lan", "netns", name)
            run("ip", "-n", near, "link", "set", f"to{number}", "master", BRIDGE, "up")
            run("ip", "-n", name, "addr", "add", f"10.214.0.{10 + number}/24", "dev", "lan")
            run("ip", "-n", name, "link", "set", "lan", "up")
        return self

    def __exit__(self, *_):
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        subprocess.run(["ip", "-n", self.network.client, "link", "del", BRIDGE], check=False, capture_output=True)

    def pull(self, numbers, *options):
        """The list on these machines (from 1) at once; `{}` in an option is the machine's number."""
        running = []
        for number in numbers:
            home = self.directory / f"machine{number}"
            (home / "out").mkdir(parents=True, exist_ok=True)
            command = [self.hawser, "--quiet", "--json", "--mirror",
                       f"{SERVER_ADDRESS}:{registry.PORT}=http://{CACHE_ADDRESS}:{CACHE_PORT}", "--no-origin",
                       "--from-file", self.listed, "-o", "out/", *(word.format(number) for word in options)]
            log = open(home / "log", "ab")
            running.append((log, subprocess.Popen(
                ["ip", "netns", "exec", self.names[number - 1], *map(str, command)], cwd=home, stdout=log, stderr=log,
                env={"HOME": str(home), "PATH": os.environ["PATH"], "HAWSER_NO_REGISTRY_CONFIG": "1"})))
        codes = []
        for log, process in running:
            codes.append(process.wait())
            log.close()
        if any(codes):
            raise HarnessError(f"hawser failed: exit codes {codes}; see {self.directory}")


def at_once(machines, _):
    """all at once"""
    machines.pull(range(1, MACHINES + 1))


def at_once_by_one(machines, _):
    """all at once, with --max-connections 1"""
    machines.pull(range(1, MACHINES + 1), "--max-connections", "1")


def one_first(machines, settle):
    """one machine, then the others at once"""
    machines.pull([1])
    settle()
    machines.pull(range(2, MACHINES + 1))


def shards_first(machines, settle):
    """each machine its --shard, then all the whole list"""
    machines.pull(range(1, MACHINES + 1), "--shard", f"{{}}/{MACHINES}")
    settle()
    machines.pull(range(1, MACHINES + 1))


WAYS = {"at-once": at_once, "at-once-1": at_once_by_one, "one-first": one_first, "shards-first": shards_first}
CACHES = ("nginx", "docker-registry", "docker-registry+nginx")


def wait_until_settled(network):
    """Returns once nothing has come over the far link for a while."""
    before = -1
    while (now := network.received_bytes()) - max(before, 0) > 2000 or before < 0:
        before = now
        time.sleep(SETTLED)


def measure(kind, way, network, made, directory, authority):
    """Runs one fleet with an empty cache; returns bytes over the far link and seconds."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / "list").write_text(
        "".join(f"{SERVER_ADDRESS}:{registry.PORT}/{image.repository}:{image.tag}\n" for image in made))
    with Machines(network, directory, os.environ["HAWSER_BIN"]) as machines, \
            Cache(kind, network, authority, directory / "cache"):
        before, began = network.received_bytes(), time.monotonic()
        WAYS[way](machines, lambda: wait_until_settled(network))
        elapsed = time.monotonic() - began
        wait_until_settled(network)
        return network.received_bytes() - before, elapsed


def parse_fleets(text):
    """"nginx:at-once,docker-registry:one-first" → pairs of a cache and a way."""
    pairs = [tuple(word.partition(":")[::2]) for word in text.split(",")]
    for kind, way in pairs:
        if kind not in CACHES or way not in WAYS:
            raise HarnessError(f"no fleet '{kind}:{way}'; there are {', '.join(CACHES)}, each with {', '.join(WAYS)}")
    return pairs


def run_fleets(pairs, made, paths, make_network):
    """Prints a table of `pairs` with the images that are `made`; returns the largest ratio to the bytes of the list."""
    list_bytes = sum(image.transfer_bytes for image in made)
    ratios = []
    print(f"{MACHINES} machines, {len(made)} images, {list_bytes / 1e6:.1f} MB, {LINK.describe()}\n\n"
          "| cache | who pulls when | MB over the far link | ÷ list | s |\n| --- | --- | ---: | ---: | ---: |")
    with make_network(LINK) as network, \
            registry.Registry(paths.storage, paths.certificates, network.address,
                              namespace=network.path(network.server)):
        for kind, way in pairs:
            received, elapsed = measure(kind, way, network, made, paths.run, paths.authority)
            ratios.append(received / list_bytes)
            print(f"| {kind} | {WAYS[way].__doc__} | {received / 1e6:.1f} | {ratios[-1]:.2f} | {elapsed:.1f} |",
                  flush=True)
    return max(ratios)
