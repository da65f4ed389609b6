"""A name server in a namespace that knows one name, and may have nothing to say of IPv6."""

import socket
import threading

_A, _AAAA = 1, 28


class NameServer:
    """Answers on port 53 of `socket`: each name is at this IPv4 address. Questions for IPv6 have an empty answer, or
    with `silent` none at all."""

    def __init__(self, listener: socket.socket, address: str, silent: bool):
        self._listener, self._address, self._silent = listener, socket.inet_aton(address), silent
        self.questions = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                question, client = self._listener.recvfrom(512)
            except OSError:
                return
            if not question:  # the socket was closed
                return
            end = 12
            while question[end]:
                end += question[end] + 1
            kind = int.from_bytes(question[end + 1:end + 3], "big")
            self.questions.append(kind)
            if kind == _AAAA and self._silent:
                continue
            answers = 1 if kind == _A else 0
            reply = question[:2] + b"\x81\x80\0\1" + answers.to_bytes(2, "big") + b"\0\0\0\0" + question[12:end + 5]
            if answers:
                reply += b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + self._address
            self._listener.sendto(reply, client)
