"""Whether a link is what it says: round trip and TCP throughput between its ends.

Run as a module it is one of the ends: `link_check serve ADDRESS` or `link_check measure ADDRESS CONNECTIONS`.
"""

import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import threading
import time

from .scenarios import ETHERNET_PAYLOAD_SHARE
from .shell import HarnessError, run, stop_process

PORT = 5555
WARM_UP_SECONDS = 4  # slow start, and the queue it fills
MEASURED_SECONDS = 6


def serve(address):
    """Sends zeros on every connection until the peer goes away."""
    zeros = bytes(1 << 20)

    def send(connection):
        with connection:
            try:
                while True:
                    connection.sendall(zeros)
            except OSError:
                return

    with socket.create_server((address, PORT), backlog=64) as listener:
        print("ready", flush=True)
        while True:
            threading.Thread(target=send, args=(listener.accept()[0],), daemon=True).start()


def measure(address, connections):
    """Returns the median time to connect and the bytes a second that all connections get together."""
    trips = []
    for _ in range(5):
        start = time.monotonic()
        socket.create_connection((address, PORT)).close()
        trips.append(time.monotonic() - start)
        time.sleep(0.3)
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        connection = socket.create_connection((address, PORT))
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ)
    buffer = bytearray(1 << 20)
    start = time.monotonic()
    counted, counted_from = 0, None
    while (now := time.monotonic()) - start < WARM_UP_SECONDS + MEASURED_SECONDS:
        if counted_from is None and now - start >= WARM_UP_SECONDS:
            counted, counted_from = 0, now
        for key, _ in selector.select(1):
            counted += key.fileobj.recv_into(buffer)
    return {"round_trip": statistics.median(trips), "bytes_per_second": counted / (time.monotonic() - counted_from)}


def check(network, connections):
    """Measures `network`'s link; returns a line for the user."""
    module = ["/usr/bin/python3", "-m", "harness.link_check"]
    server = subprocess.Popen(["nsenter", f"--net={network.path(network.server)}", *module, "serve", network.address],
                              stdout=subprocess.PIPE, text=True)
    try:
        if server.stdout.readline().strip() != "ready":
            raise HarnessError("the sending end of the link check did not start")
        before = os.times().elapsed, network.emulator_cpu_seconds()
        seen = json.loads(run("nsenter", f"--net={network.path(network.client)}", *module, "measure", network.address,
                              str(connections)))
        after = os.times().elapsed, network.emulator_cpu_seconds()
    finally:
        stop_process(server)
    rate = seen["bytes_per_second"] * 8 / 1e6
    possible = network.link.down_mbit * ETHERNET_PAYLOAD_SHARE
    return (f"{network.link.describe()}, {network.congestion}, {connections} connection(s): round trip "
            f"{seen['round_trip'] * 1000:.1f} ms, {rate:.1f} Mbit/s = {rate / possible * 100:.1f} % of what Ethernet "
            f"leaves, emulator {(after[1] - before[1]) / (after[0] - before[0]):.2f} core")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]))))
