"""Debian's docker-registry on a free loopback port, with any combination of authentication and TLS."""

import base64
import contextlib
import dataclasses
import http.client
import json
import pathlib
import re
import shutil
import ssl

import bcrypt

from .pki import Pki
from .process import Daemon, HarnessError, free_port, listens
from .token_server import ISSUER, SERVICE, TokenServer

USER, PASSWORD = "tester", 's3cret:"pass wörd'

_ACCESS = re.compile(r'^\S+ \S+ \S+ \[[^]]*\] "(\S+) (\S+) [^"]*" (\d{3}) (\d+|-)')


@dataclasses.dataclass(frozen=True)
class Access:
    """A line of the registry's access log."""

    method: str
    path: str
    status: int
    size: int  # bytes of the body that were written


class Registry:
    """One docker-registry. auth is None, "htpasswd", "token" (anonymous tokens) or "token-login". With the URL of
    another as `upstream` it is a pull-through cache of that one."""

    def __init__(self, directory: pathlib.Path, pki: Pki, auth=None, tls=False, certificate=None, upstream=None,
                 client_cas=None, **token_options):
        directory.mkdir(parents=True, exist_ok=True)
        self.auth, self.tls, self._pki = auth, tls, pki
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.token_server = None
        self._storage = directory / "storage"
        config = {
            "version": "0.1",
            "log": {"level": "warn", "accesslog": {"disabled": False}},
            "storage": {
                "filesystem": {"rootdirectory": str(self._storage), "maxthreads": 100},
                "delete": {"enabled": True},
                "maintenance": {"uploadpurging": {"enabled": False}},
            },
            "http": {"addr": self.host, "secret": "of the tests"},
            "validation": {"manifests": {"urls": {"allow": ["^https?://"]}}},
        }
        if upstream:
            config["proxy"] = {"remoteurl": upstream}
        if tls:
            server = certificate or pki.server
            config["http"]["tls"] = {"certificate": str(server.certificate_file), "key": str(server.key_file)}
            if client_cas:
                config["http"]["tls"]["clientcas"] = [str(file) for file in client_cas]
        if auth == "htpasswd":
            line = USER.encode() + b":" + bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4, b"2a")) + b"\n"
            (directory / "htpasswd").write_bytes(line)
            config["auth"] = {"htpasswd": {"realm": "hawser tests", "path": str(directory / "htpasswd")}}
        elif auth in ("token", "token-login"):
            signing = pki.self_signed("token-signing")
            self.token_server = TokenServer(
                signing, tls=pki.server if tls else None,
                users={USER: PASSWORD} if auth == "token-login" else None, **token_options)
            config["auth"] = {"token": {
                "realm": self.token_server.realm, "service": SERVICE, "issuer": ISSUER,
                "rootcertbundle": str(signing.certificate_file)}}
        elif auth is not None:
            raise HarnessError(f"no such authentication: {auth}")
        (directory / "config.yml").write_text(json.dumps(config))  # JSON is YAML
        self._daemon = Daemon(["docker-registry", "serve", directory / "config.yml"], directory, "docker-registry")
        self._daemon.wait_for(lambda: listens(self.port))

    def stop(self):
        self._daemon.stop()
        if self.token_server:
            self.token_server.stop()
        shutil.rmtree(self._storage, ignore_errors=True)

    def kill(self):
        self._daemon.stop(0)

    @property
    def options(self) -> list:
        """What hawser needs on its command line to trust this registry and be let in by it."""
        options = ["--ca-cert", str(self._pki.ca_file)] if self.tls else ["--plain-http"]
        if self.auth in ("htpasswd", "token-login"):
            options += ["--username", USER, "--password", PASSWORD]
        return options

    # -- what goes wrong with a registry's storage

    def forget_blob(self, digest: str):
        """Deletes the bytes of a blob (hex of its SHA-256) that manifests still name."""
        self._blob_file(digest).unlink()

    def change_blob(self, digest: str, every: int = None):
        """Turns over one bit in the middle of a blob, or one in `every` bytes."""
        path = self._blob_file(digest)
        data = bytearray(path.read_bytes())
        for at in range(0, len(data), every) if every else [len(data) // 2]:
            data[at] ^= 1
        path.write_bytes(data)

    def _blob_file(self, digest: str) -> pathlib.Path:
        return self._storage / "docker/registry/v2/blobs/sha256" / digest[:2] / digest / "data"

    # -- the access log

    def mark(self) -> int:
        """A position in the access log, for accesses()."""
        return self._daemon.stdout.stat().st_size

    def accesses(self, since: int = 0) -> list:
        """The requests logged after the mark. A request is logged when its answer is complete."""
        with open(self._daemon.stdout, "rb") as log:
            log.seek(since)
            lines = log.read().decode(errors="replace").splitlines()
        found = [_ACCESS.match(line) for line in lines]
        return [Access(m[1], m[2], int(m[3]), 0 if m[4] == "-" else int(m[4])) for m in found if m]

    def blob_reads(self, since: int = 0) -> list:
        """The GETs of blobs among accesses() that delivered anything."""
        return [a for a in self.accesses(since)
                if a.method == "GET" and "/blobs/" in a.path and a.status in (200, 206)]

    # -- pushing

    def push(self, repository: str, what, tag: str = None) -> str:
        """Uploads an images.Image or images.Index with all it refers to; returns a reference to it by
        tag, or by digest where no tag is given."""
        with contextlib.closing(self._connect()) as connection:
            self._push(connection, repository, what, tag or what.digest)
        return f"{self.host}/{repository}:{tag}" if tag else f"{self.host}/{repository}@{what.digest}"

    def _push(self, connection, repository, what, name):
        for child in getattr(what, "manifests", ()):
            self._push(connection, repository, child, child.digest)
        for blob in what.blobs():
            self._push_blob(connection, repository, blob)
        self._request(connection, repository, "PUT", f"/v2/{repository}/manifests/{name}", what.data,
                      {"Content-Type": what.media_type}, expect=201)

    def _push_blob(self, connection, repository, blob):
        path = f"/v2/{repository}/blobs/{blob.digest}"
        if self._request(connection, repository, "HEAD", path, expect=(200, 404)).status == 200:
            return
        answer = self._request(connection, repository, "POST", f"/v2/{repository}/blobs/uploads/", expect=202)
        where = answer.getheader("Location").split(self.host, 1)[-1]
        where += ("&" if "?" in where else "?") + f"digest={blob.digest}"
        self._request(connection, repository, "PUT", where, blob.data,
                      {"Content-Type": "application/octet-stream"}, expect=201)

    def _connect(self):
        if self.tls:
            context = ssl.create_default_context(cafile=str(self._pki.ca_file))
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=context)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def _request(self, connection, repository, method, path, body=None, headers=None, expect=200):
        headers = dict(headers or {})
        if self.auth == "htpasswd":
            credentials = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            headers["Authorization"] = f"Basic {credentials}"
        elif self.token_server:
            access = [{"type": "repository", "name": repository, "actions": ["pull", "push"]}]
            headers["Authorization"] = "Bearer " + self.token_server.issue(access, lifetime=300)
        if method == "POST" and body is None:
            body = b""
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status not in (expect if isinstance(expect, tuple) else (expect,)):
            raise HarnessError(f"{method} {path}: {answer.status} {text[:500]!r}")
        return answer
