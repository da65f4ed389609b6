"""Network namespaces of a test's own: machines that reach nothing but each other."""

import contextlib
import ctypes
import os
import socket
import subprocess
import threading

from .name_server import NameServer
from .process import HarnessError, die_with_parent, wait_until

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A machine with loopback alone, until ip() gives it more."""

    def __init__(self):
        self._holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], preexec_fn=die_with_parent)
        self._net = f"/proc/{self._holder.pid}/ns/net"
        wait_until(lambda: os.readlink(self._net) != os.readlink("/proc/self/ns/net"), 10, "a network namespace")
        self._listeners = []
        self.pid = self._holder.pid
        self.wrapper = ["nsenter", f"--net={self._net}", "--"]
        self.ip("link", "set", "lo", "up")

    def run(self, *words) -> str:
        """What a command says in there."""
        done = subprocess.run([*self.wrapper, *words], capture_output=True, text=True)
        if done.returncode != 0:
            raise HarnessError(f"{' '.join(words)}: {done.stderr}")
        return done.stdout

    def ip(self, *words) -> str:
        return self.run("ip", *words)

    def connect_to(self, other: "Namespace", name: str):
        """A cable between the two, with an interface of this name at both ends."""
        self.ip("link", "add", name, "type", "veth", "peer", "name", name, "netns", str(other.pid))
        for end in (self, other):
            end.ip("link", "set", name, "up")

    def black_hole(self, other: "Namespace", name: str, *addresses):
        """A cable to the other that swallows what goes to these addresses: nobody there has the hardware address."""
        self.connect_to(other, name)
        for address in addresses:
            self.ip("route", "add", address, "dev", name)
            self.ip("neighbour", "add", address, "lladdr", "02:00:00:00:00:01", "dev", name, "nud", "permanent")

    def forward(self, address: str, port: int, target: int) -> list:
        """Leads connections to `address` in there to `target` of 127.0.0.1 out here; returns a list that grows by the
        address of each client."""
        listener = self._listen(address, port)
        self._listeners.append(listener)
        clients = []
        threading.Thread(target=self._accept, args=(listener, target, clients), daemon=True).start()
        return clients

    def name_server(self, address: str, silent: bool) -> NameServer:
        """A NameServer on 127.0.0.1 in there."""
        def bind():
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.bind(("127.0.0.1", 53))
            return made

        self._listeners.append(self._made(bind))
        return NameServer(self._listeners[-1], address, silent)

    def _listen(self, address, port) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return self._made(lambda: socket.create_server((address, port), family=family))

    def _made(self, make) -> socket.socket:
        """The socket that make() makes in there."""
        made = []

        def listen():
            with open(self._net) as net:
                if _libc.setns(net.fileno(), _CLONE_NEWNET) == 0:
                    made.append(make())

        thread = threading.Thread(target=listen)  # which stays in there, and ends
        thread.start()
        thread.join()
        if not made:
            raise HarnessError("cannot listen in a network namespace")
        return made[0]

    @staticmethod
    def _accept(listener, target, clients):
        def copy(source, sink):
            try:
                while data := source.recv(65536):
                    sink.sendall(data)
            except OSError:
                pass
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

        while True:
            try:
                client, peer = listener.accept()
            except OSError:
                return
            clients.append(peer[0])
            server = socket.create_connection(("127.0.0.1", target))
            for ends in ((client, server), (server, client)):
                threading.Thread(target=copy, args=ends, daemon=True).start()

    def stop(self):
        for listener in self._listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self._holder.kill()
        self._holder.wait()
