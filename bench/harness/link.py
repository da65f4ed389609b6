"""Two network namespaces and the link between them."""

import json
import os
import subprocess

from .shell import HarnessError, cpu_seconds, run, stop_process

CLIENT_ADDRESS = "10.213.0.1"
SERVER_ADDRESS = "10.213.0.2"
DEVICE = "link0"
PREFIX = "hawser-bench"
ALLOWED_CONGESTION = "/proc/sys/net/ipv4/tcp_allowed_congestion_control"


def remove_stale_namespaces():
    """Removes what harnesses left behind that were killed."""
    for line in run("ip", "netns", "list").splitlines():
        name = line.split()[0]
        if name.startswith(PREFIX + "-") and not os.path.exists(f"/proc/{name.rsplit('-', 1)[1]}"):
            run("ip", "netns", "del", name)


def netem_works():
    """Whether this kernel has tc netem, found by trying."""
    name = f"{PREFIX}-probe-{os.getpid()}"
    run("ip", "netns", "add", name)
    try:
        run("tc", "-n", name, "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms")
        return True
    except HarnessError:
        return False
    finally:
        run("ip", "netns", "del", name)


class Network:
    """Client and server namespace. Use with `with`; `link` None leaves only loopback."""

    def __init__(self, link, congestion, emulator, kind="auto", seed=1):
        self.link, self.congestion, self.emulator, self.seed = link, congestion, emulator, seed
        self.client = f"{PREFIX}-client-{os.getpid()}"
        self.server = f"{PREFIX}-server-{os.getpid()}" if link else self.client
        self.address = SERVER_ADDRESS if link else "127.0.0.1"
        self.kind = "loopback" if not link else kind
        self.process = None
        self.counters = None
        self.allowed_before = None

    def __enter__(self):
        try:
            for namespace in dict.fromkeys((self.client, self.server)):
                run("ip", "netns", "add", namespace)
                run("ip", "-n", namespace, "link", "set", "lo", "up")
                self._set_kernel(namespace)
            if self.link:
                if self.kind == "auto":
                    self.kind = "netem" if netem_works() else "emulator"
                (self._start_netem if self.kind == "netem" else self._start_emulator)()
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        if self.process:
            output = stop_process(self.process).strip().splitlines()
            self.counters = json.loads(output[-1]) if output and output[-1].startswith("{") else None
            self.process = None
        for namespace in dict.fromkeys((self.client, self.server)):
            subprocess.run(["ip", "netns", "del", namespace], check=False, capture_output=True)
        if self.allowed_before is not None:
            with open(ALLOWED_CONGESTION, "w", encoding="ascii") as file:
                file.write(self.allowed_before)

    def received_bytes(self):
        """IP bytes that the client has received so far; 0 on loopback."""
        if not self.link:
            return 0
        shown = run("ip", "-n", self.client, "-s", "-j", "link", "show", DEVICE)
        return json.loads(shown)[0]["stats64"]["rx"]["bytes"]

    def emulator_cpu_seconds(self):
        """CPU time that the link emulator has used so far; 0 where there is none."""
        return cpu_seconds(self.process) if self.process else 0

    def path(self, namespace):
        return f"/run/netns/{namespace}"

    def _sysctl(self, namespace, *settings):
        run("ip", "netns", "exec", namespace, "sysctl", "-qw", *settings)

    def _set_kernel(self, namespace):
        # What one pull learns of the link must not help the next.
        self._sysctl(namespace, "net.ipv4.tcp_no_metrics_save=1", "net.ipv6.conf.all.disable_ipv6=1",
                     "net.ipv6.conf.default.disable_ipv6=1")
        setting = f"net.ipv4.tcp_congestion_control={self.congestion}"
        try:
            self._sysctl(namespace, setting)
        except HarnessError:
            # A namespace may only choose what the machine allows to everyone.
            with open(ALLOWED_CONGESTION, encoding="ascii") as file:
                allowed = file.read()
            if self.congestion in allowed.split():
                raise
            self.allowed_before = allowed
            with open(ALLOWED_CONGESTION, "w", encoding="ascii") as file:
                file.write(f"{allowed.strip()} {self.congestion}")
            self._sysctl(namespace, setting)

    def _start_emulator(self):
        link = self.link
        self.process = subprocess.Popen(
            [self.emulator, "--client", self.client, "--server", self.server, "--device", DEVICE,
             "--rtt-ms", str(link.rtt_ms), "--down", f"{link.down_mbit}m", "--up", f"{link.up_mbit}m",
             "--loss", str(link.loss), "--seed", str(self.seed)],
            stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise HarnessError("the link emulator did not start; is /dev/net/tun there?")
        for namespace, own, other in ((self.client, CLIENT_ADDRESS, SERVER_ADDRESS),
                                      (self.server, SERVER_ADDRESS, CLIENT_ADDRESS)):
            run("ip", "-n", namespace, "addr", "add", own, "peer", other, "dev", DEVICE)
            run("ip", "-n", namespace, "link", "set", DEVICE, "up", "mtu", "1500", "txqueuelen", "10000")

    def _start_netem(self):
        run("ip", "link", "add", DEVICE, "netns", self.client, "type", "veth", "peer", "name", DEVICE,
            "netns", self.server)
        for namespace, own, other, rate in ((self.client, CLIENT_ADDRESS, SERVER_ADDRESS, self.link.up_mbit),
                                            (self.server, SERVER_ADDRESS, CLIENT_ADDRESS, self.link.down_mbit)):
            run("ip", "-n", namespace, "addr", "add", own, "peer", other, "dev", DEVICE)
            # One segment a packet: netem charges and loses packets.
            run("ip", "-n", namespace, "link", "set", DEVICE, "up", "mtu", "1500", "gso_max_segs", "1")
            run("tc", "-n", namespace, "qdisc", "add", "dev", DEVICE, "root", "netem", *self.netem_options(rate))

    def netem_options(self, rate_mbit):
        """netem's words for one way: its limit counts packets, those under way included."""
        product = rate_mbit * 1e6 / 8 * self.link.rtt_ms / 1000
        packets = int((product / 2 + max(product, 256 * 1024)) / 1538) + 1
        options = ["delay", f"{self.link.rtt_ms / 2}ms", "rate", f"{rate_mbit}mbit", "24", "limit", str(packets)]
        return options + (["loss", f"{self.link.loss * 100}%"] if self.link.loss else [])
