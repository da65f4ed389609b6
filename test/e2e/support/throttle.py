"""A TCP forwarder in front of a registry that is as slow as a test needs, and counts what it carried."""

import contextlib
import socket
import threading
import time

_PIECE = 4096


class Throttle:
    """Forwards connections on `port` to `target_port` of 127.0.0.1, all answers together at `rate` bytes
    a second. `carried` is the number of answer bytes so far; with `stop_after` no more than that many
    pass, and the connections then stand still."""

    def __init__(self, target_port: int, rate: float, stop_after: int = None):
        self._target, self._rate, self._stop_after = target_port, rate, stop_after
        self._lock = threading.Lock()
        self._next = time.monotonic()
        self._closed = False
        self._open = set()
        self.carried = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def go_on(self):
        """Lets all pass that `stop_after` has held up."""
        self._stop_after = None

    def cut(self):
        """Breaks the connections that are open."""
        for end in list(self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            # Small buffers: what was carried must be what the client could have seen.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _PIECE)
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            self._open |= {client, server}
            threading.Thread(target=self._copy, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._copy, args=(server, client, True), daemon=True).start()

    def _copy(self, source, target, throttled):
        with contextlib.suppress(OSError):
            while data := source.recv(_PIECE):
                if throttled and not self._pass(len(data)):
                    break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            self._open.discard(end)
            end.close()

    def _pass(self, size: int) -> bool:
        """Waits for the turn of `size` bytes; False where they must not pass at all."""
        with self._lock:
            if self._closed:
                return False
            while (limit := self._stop_after) is not None and self.carried + size > limit:
                if self._closed:
                    return False
                time.sleep(0.05)
            now = time.monotonic()
            self._next = max(self._next, now) + size / self._rate
            self.carried += size
            wait = self._next - now
        if wait > 0:
            time.sleep(wait)
        return True
