"""A token service as the distribution specification describes it, whose tokens docker-registry accepts."""

import base64
import dataclasses
import datetime
import http.server
import json
import ssl
import threading
import urllib.parse
import uuid

import jwt

from .pki import Certificate

SERVICE = "hawser test registry"  # the space is on purpose: it has to survive quoting and URLs
ISSUER = "hawser-test-issuer"


@dataclasses.dataclass(frozen=True)
class TokenRequest:
    """What one request asked for, and with what."""

    service: str
    scopes: tuple
    authorization: str  # empty where there was none


class TokenServer:
    """Grants `pull` to anyone, or where `users` (name → password) is given, to these alone.

    The signing certificate must be in the registry's rootcertbundle.
    """

    def __init__(self, signing: Certificate, tls: Certificate = None, users: dict = None,
                 lifetime: int = 300, token_field: str = "token"):
        self._signing = signing
        self._users = users
        self.lifetime = lifetime
        self.token_field = token_field
        self.requests = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server._answer(self)

            def log_message(self, *arguments):
                pass

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        scheme = "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.certificate_file, tls.key_file)
            # The handshake belongs to the connection's thread, not to the one that accepts.
            self._http.socket = context.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False)
            scheme = "https"
        self.realm = f"{scheme}://127.0.0.1:{self._http.server_address[1]}/token"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        self._http.shutdown()
        self._http.server_close()

    def issue(self, access, lifetime: int = None) -> str:
        """A signed token for `access`: a list of {type, name, actions}."""
        now = datetime.datetime.now(datetime.timezone.utc)
        claims = {
            "iss": ISSUER, "sub": "tester", "aud": SERVICE, "jti": uuid.uuid4().hex,
            "iat": now, "nbf": now - datetime.timedelta(seconds=10),
            "exp": now + datetime.timedelta(seconds=lifetime or self.lifetime),
            "access": access,
        }
        chain = [base64.b64encode(self._signing.der()).decode()]
        return jwt.encode(claims, self._signing.key, algorithm="ES256", headers={"x5c": chain})

    def _answer(self, request):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query)
        scopes = tuple(scope for value in query.get("scope", []) for scope in value.split(" "))
        authorization = request.headers.get("Authorization", "")
        self.requests.append(TokenRequest(query.get("service", [""])[0], scopes, authorization))
        if not self._knows(authorization):
            return _reply(request, 401, {"errors": [{"code": "UNAUTHORIZED", "message": "who are you?"}]})
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            granted = [action for action in actions.split(",") if action == "pull"]
            access.append({"type": kind, "name": name, "actions": granted})
        issued = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        return _reply(request, 200, {
            self.token_field: self.issue(access), "expires_in": self.lifetime, "issued_at": issued})

    def _knows(self, authorization: str) -> bool:
        if self._users is None and not authorization:
            return True
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic":
            return False
        name, _, password = base64.b64decode(encoded).decode().partition(":")
        return (self._users or {}).get(name) == password


def _reply(request, status, body):
    data = json.dumps(body).encode()
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(data)))
    request.end_headers()
    request.wfile.write(data)
