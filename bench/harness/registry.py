"""A docker-registry with TLS, what may stand before it, and the pushes that fill it."""

import http.client
import socket
import ssl
import subprocess
import time
from urllib.parse import urlsplit

from .images import MANIFEST_TYPE
from .shell import HarnessError, cpu_seconds, run, stop_process

PORT = 5443  # in namespaces of our own
LOOPBACK = "127.0.0.1"

CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {storage}}}
http:
  addr: {address}:{port}
  tls: {{certificate: {certificates}/server.pem, key: {certificates}/server.key}}
"""

EXTENSIONS = """\
subjectAltName=IP:{server},IP:127.0.0.1,DNS:registry.test
extendedKeyUsage=serverAuth
"""


def make_certificates(directory, server_address):
    """An authority of our own and a certificate for the registry's addresses.

    Returns the authority's certificate, alone in its directory: skopeo's and podman's
    --cert-dir take a directory of ca.crt and nothing else.
    """
    authority = directory / "trust" / "ca.crt"
    extensions, wanted = directory / "extensions", EXTENSIONS.format(server=server_address)
    if authority.exists() and extensions.read_text() == wanted:
        return authority
    (directory / "trust").mkdir(parents=True, exist_ok=True)
    here = {"cwd": directory}
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "365", "-subj", "/CN=hawser bench",
        "-keyout", "ca.key", "-out", "ca.pem", **here)
    run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=registry", "-keyout", "server.key",
        "-out", "server.csr", **here)
    extensions.write_text(wanted)
    run("openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
        "-days", "365", "-extfile", "extensions", "-out", "server.pem", **here)
    (directory / "ca.key").unlink()  # the authority signs nothing else
    (directory / "ca.pem").rename(authority)
    return authority


def free_port():
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]


class Registry:
    """docker-registry over `storage`, in a namespace (path; None: where the harness runs)."""

    def __init__(self, storage, certificates, address, port=PORT, namespace=None):
        self.storage, self.certificates, self.namespace = storage, certificates, namespace
        self.address, self.port = address, port
        self.process = None

    def __enter__(self):
        config = self.certificates / f"registry-{self.address}.yml"
        config.write_text(CONFIG.format(storage=self.storage, address=self.address, port=self.port,
                                        certificates=self.certificates))
        enter = ["nsenter", f"--net={self.namespace}"] if self.namespace else []
        self.process = start([*enter, "docker-registry", "serve", str(config)], config.with_suffix(".log"))
        wait_until_listening(self.process, config.with_suffix(".log"), self.port, enter)
        return self

    def __exit__(self, *_):
        stop_process(self.process)

    def cpu_seconds(self):
        """CPU time that the registry has used so far."""
        return cpu_seconds(self.process)


# For every nginx here, whose files are in `directory`.
NGINX_HEAD = """\
daemon off;
user root;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr error;
events {{worker_connections 1024;}}
"""


class Front:
    """nginx before `registry`, as some registries are built.

    `rate`: bytes a second that each connection gets; 0: as much as there is. `three_origins`: the registry wants a
    token of a service at another origin, and redirects blobs to a third one, the storage.
    """

    CONFIG = NGINX_HEAD + """\
http {{
  access_log off;
  keepalive_timeout 75s;
  keepalive_requests 1000;
  proxy_temp_path {directory}/front-temporary;
  client_body_temp_path {directory}/front-body;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_certificate {certificates}/server.pem;
  ssl_certificate_key {certificates}/server.key;
  server {{
    listen {address}:{port} ssl;
    {rules}
    location / {{
      proxy_pass https://{address}:{behind};
      proxy_set_header Host $http_host;
      proxy_ssl_session_reuse on;
      limit_rate {rate};
    }}
  }}
  {others}
}}
"""
    # Wants a token before anything else, and says where each blob is.
    TOKEN_AND_REDIRECT = """
    set $challenge 'Bearer realm="https://{address}:{token_port}/token",service="bench"';
    if ($http_authorization != "Bearer {token}") {{set $refused yes;}}
    location ~ ^/v2/.+/blobs/sha256:(..)(.*)$ {{
      if ($refused) {{add_header WWW-Authenticate $challenge always; return 401;}}
      return 307 https://{address}:{storage_port}/docker/registry/v2/blobs/sha256/$1/$1$2/data?signature=abc;
    }}
    location ~ ^/v2/.*$ {{
      if ($refused) {{add_header WWW-Authenticate $challenge always; return 401;}}
      proxy_pass https://{address}:{behind};
      proxy_set_header Host $http_host;
    }}"""
    TOKEN_SERVICE_AND_STORAGE = """
  server {{
    listen {address}:{token_port} ssl;
    location /token {{default_type application/json; return 200 '{{"token": "{token}", "expires_in": 300}}';}}
  }}
  server {{
    listen {address}:{storage_port} ssl;
    location / {{root {storage};}}
  }}"""

    def __init__(self, registry, rate, three_origins, directory):
        self.registry, self.rate, self.three_origins, self.directory = registry, rate, three_origins, directory
        self.port = registry.port + 1
        self.process = None

    def __enter__(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        names = {"address": self.registry.address, "port": self.port, "behind": self.registry.port, "rate": self.rate,
                 "certificates": self.registry.certificates, "directory": self.directory, "token": "a-token",
                 "token_port": self.port + 1, "storage_port": self.port + 2, "storage": self.registry.storage}
        rules = self.TOKEN_AND_REDIRECT.format(**names) if self.three_origins else ""
        others = self.TOKEN_SERVICE_AND_STORAGE.format(**names) if self.three_origins else ""
        config = self.directory / "front.conf"
        config.write_text(self.CONFIG.format(rules=rules, others=others, **names))
        enter = ["nsenter", f"--net={self.registry.namespace}"] if self.registry.namespace else []
        self.process = start([*enter, "nginx", "-c", str(config)], config.with_suffix(".log"))
        wait_until_listening(self.process, config.with_suffix(".log"), self.port, enter)
        return self

    def __exit__(self, *_):
        stop_process(self.process)

    def cpu_seconds(self):
        """CPU time that the registry behind has used so far."""
        return self.registry.cpu_seconds()


def start(command, log):
    """Starts a server that writes to the file `log`: a pipe that nobody reads would stop it once it is full."""
    with open(log, "w", encoding="utf-8") as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)


def wait_until_listening(process, log, port, enter):
    """Returns once `process` listens on `port`; `enter` leads into its namespace."""
    for _ in range(100):
        if process.poll() is not None:
            raise HarnessError(f"{process.args} ended: {log.read_text(errors='replace').strip()[-500:]}")
        if run(*enter, "ss", "-Hltn", f"sport = :{port}").strip():
            return
        time.sleep(0.05)
    raise HarnessError(f"{process.args} did not start to listen within 5 s")


def push(image, port, authority):
    """Pushes `image` into the registry on loopback; blobs that are there are skipped."""
    connection = http.client.HTTPSConnection(LOOPBACK, port, context=ssl.create_default_context(cafile=authority))
    try:
        if _ask(connection, "HEAD", f"/v2/{image.repository}/manifests/{image.manifest.digest}",
                headers={"Accept": MANIFEST_TYPE}).status == 200:
            return
        for blob in (*image.layers, image.config):
            _push_blob(connection, image.repository, blob)
        answer = _ask(connection, "PUT", f"/v2/{image.repository}/manifests/{image.tag}", image.manifest.content,
                      {"Content-Type": MANIFEST_TYPE})
        if answer.status != 201:
            raise HarnessError(f"the registry refused the manifest of {image.repository}: {answer.status}")
    except OSError as error:
        raise HarnessError(f"pushing {image.repository}: {error}") from error
    finally:
        connection.close()


def _ask(connection, method, target, body=None, headers=None):
    connection.request(method, target, body, headers or {})
    answer = connection.getresponse()
    answer.read()
    return answer


def _push_blob(connection, repository, blob):
    if _ask(connection, "HEAD", f"/v2/{repository}/blobs/{blob.digest}").status == 200:
        return
    upload = _ask(connection, "POST", f"/v2/{repository}/blobs/uploads/", headers={"Content-Length": "0"})
    location = urlsplit(upload.getheader("Location", ""))
    target = f"{location.path}?{location.query}&digest={blob.digest}"
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)}
    if blob.content is not None:
        answer = _ask(connection, "PUT", target, blob.content, headers)
    else:
        with open(blob.path, "rb") as file:
            answer = _ask(connection, "PUT", target, file, headers)
    if answer.status != 201:
        raise HarnessError(f"the registry refused blob {blob.digest}: {answer.status}")

