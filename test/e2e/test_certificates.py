"""Certificates as docker and podman have them, and those of the command line."""

import shutil
import subprocess

import pytest

from support import images
from support.archive import Archive
from support.hawser import AUTHENTICATION, NETWORK, OK, OTHER, USAGE
from support.nginx import Nginx
from support.process import free_port

pytestmark = pytest.mark.sanitized


@pytest.fixture
def start_nginx(tmp_path):
    """A function (ports, server blocks) → Nginx; what it starts is the test's own."""
    running = []

    def start(ports, servers):
        running.append(Nginx(tmp_path / "home" / f"nginx-{len(running)}", ports, servers))
        return running[-1]

    yield start
    for each in running:
        each.stop()


def behind(registry, pki, port, verify, log, more=""):
    """nginx's words for a server before `registry` that asks for client certificates of the CA, as `verify` says."""
    return f"""
server {{
  listen 127.0.0.1:{port} ssl;
  ssl_certificate {pki.server.certificate_file};
  ssl_certificate_key {pki.server.key_file};
  ssl_client_certificate {pki.ca_file};
  ssl_verify_client {verify};
  access_log {{directory}}/{log} who;
  {more}
  location / {{ proxy_pass http://{registry.host}; proxy_set_header Host $http_host; }}
}}
"""


class Guarded:
    """A registry behind nginx, which lets nobody in without a certificate of the CA."""

    def __init__(self, start_nginx, registry, pki, more=""):
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.nginx = start_nginx([self.port], behind(registry, pki, self.port, "on", "guarded.log", more))
        self.image = images.many_layers(3)
        self.reference = registry.push("guarded/image", self.image, "v1").replace(registry.host, self.host)


@pytest.fixture
def guarded(start_nginx, registry, pki):
    return Guarded(start_nginx, registry, pki)


@pytest.fixture(scope="session")
def client(pki):
    return pki.issue("client", hosts=())


def put(directory, ca=None, client=None):
    """Fills a directory of certificates."""
    directory.mkdir(parents=True)
    if ca:
        shutil.copy(ca, directory / "ca.crt")
    if client:
        shutil.copy(client.certificate_file, directory / "client.cert")
        shutil.copy(client.key_file, directory / "client.key")


def pull(hawser, *arguments, expect=OK, **how):
    result = hawser.run("pull", "--cache-dir", hawser.cache, "-o", "image.tar", *arguments, **how)
    assert result.code == expect, f"exit {result.code}, expected {expect}\n{result.err}"
    return result


@pytest.mark.parametrize("where", ["~/.config/containers", "~/.config/docker", "/etc/containers", "/etc/docker"])
def test_client_certificate_of_certs_d(hawser, guarded, pki, client, where):
    if where.startswith("~"):
        directory = hawser.directory / "home" / where[2:]
    else:
        directory = hawser.directory / "home" / "etc"
        hawser.in_place_of(where, directory)
    put(directory / "certs.d" / guarded.host, pki.ca_file, client)
    pull(hawser, guarded.reference)
    Archive(hawser.directory / "image.tar").check_image(guarded.image)


def test_client_certificate_of_the_command_line(hawser, guarded, pki, client):
    pull(hawser, "--ca-cert", pki.ca_file, "--client-cert", client.certificate_file, "--client-key", client.key_file,
         guarded.reference)
    both = hawser.directory / "home" / "both.pem"
    both.write_bytes(client.key_file.read_bytes() + client.certificate_file.read_bytes())
    pull(hawser, "--no-cache", "--ca-cert", pki.ca_file, "--client-cert", both, guarded.reference)
    put(hawser.directory / "home" / "certificates", pki.ca_file, client)
    pull(hawser, "--no-cache", "--cert-dir", hawser.directory / "home" / "certificates", guarded.reference)
    Archive(hawser.directory / "image.tar").check_image(guarded.image)


def test_without_client_certificate(hawser, guarded, pki):
    result = pull(hawser, "--ca-cert", pki.ca_file, guarded.reference, expect=AUTHENTICATION)
    assert f"https://{guarded.host} wants a client certificate, and there is none for it (HTTP 400)" in result.err
    assert f"certs.d/{guarded.host}" in result.err


def test_client_certificate_of_another_ca(hawser, guarded, pki):
    stranger = pki.self_signed("stranger", hosts=())
    result = pull(hawser, "--ca-cert", pki.ca_file, "--client-cert", stranger.certificate_file, "--client-key",
                  stranger.key_file, guarded.reference, expect=AUTHENTICATION)
    assert f"https://{guarded.host} takes only client certificates of other CAs" in result.err


def test_client_certificate_that_the_registry_wants_by_alert(hawser, own_registry, pki, client):
    """docker-registry itself: it ends the connection with an alert, after the handshake in TLS 1.3."""
    registry = own_registry(tls=True, client_cas=[pki.ca_file])
    result = pull(hawser, "--ca-cert", pki.ca_file, f"{registry.host}/a/b", expect=AUTHENTICATION)
    assert f"https://{registry.host} wants a client certificate, and there is none for it" in result.err
    stranger = pki.self_signed("other-stranger", hosts=())
    result = pull(hawser, "--ca-cert", pki.ca_file, "--client-cert", stranger.certificate_file, "--client-key",
                  stranger.key_file, f"{registry.host}/a/b", expect=AUTHENTICATION)
    assert "client certificates of other CAs" in result.err


@pytest.mark.parametrize("from_certs_d", [True, False])
def test_a_client_certificate_stays_with_its_host(hawser, start_nginx, registry, pki, client, from_certs_d):
    """The storage that the registry redirects to asks for one, too, and gets none."""
    port = free_port()
    storage = start_nginx([port], behind(registry, pki, port, "optional", "storage.log"))
    guarded = Guarded(start_nginx, registry, pki,
                      f"location ~ /blobs/ {{ return 307 https://127.0.0.1:{port}$request_uri; }}")
    if from_certs_d:
        put(hawser.directory / "home/.config/containers/certs.d" / guarded.host, pki.ca_file, client)
        pull(hawser, guarded.reference)
    else:
        pull(hawser, "--ca-cert", pki.ca_file, "--client-cert", client.certificate_file, "--client-key",
             client.key_file, guarded.reference)
    Archive(hawser.directory / "image.tar").check_image(guarded.image)
    guards = guarded.nginx.log("guarded.log")
    assert guards and all("hawser test client" in line for line in guards)
    stored = storage.log("storage.log")
    assert len(stored) >= 3 and all(line.startswith("- GET /v2/guarded/image/blobs/") for line in stored)


@pytest.mark.parametrize("own", [True, False])
def test_a_mirror_is_shown_its_own_client_certificate_alone(hawser, start_nginx, guarded, registry, pki, client, own):
    port = free_port()
    mirror = start_nginx([port], behind(registry, pki, port, "optional", "mirror.log"))
    if own:
        put(hawser.directory / "home/.config/containers/certs.d" / f"127.0.0.1:{port}",
            client=pki.issue("mirrors", hosts=()))
    pull(hawser, "--mirror", f"{guarded.host}=https://127.0.0.1:{port}", "--ca-cert", pki.ca_file, "--client-cert",
         client.certificate_file, "--client-key", client.key_file, guarded.reference)
    seen = mirror.log("mirror.log")
    assert seen and all(line.startswith("CN=hawser test mirrors " if own else "- ") for line in seen)


def test_a_registrys_ca_is_trusted_at_its_token_service(hawser, registries, pki):
    registry = registries("token", True)
    image = images.many_layers(2)
    reference = registry.push("certs/token", image, "v1")
    certs_d = hawser.directory / "home/.config/containers/certs.d"
    put(certs_d / "127.0.0.1:1", pki.ca_file)
    result = pull(hawser, reference, expect=NETWORK)
    assert "unknown CA" in result.err
    put(certs_d / registry.host, pki.ca_file)
    pull(hawser, reference)
    Archive(hawser.directory / "image.tar").check_image(image)
    other = registries(None, True)
    result = pull(hawser, "--no-cache", reference, f"{other.host}/a/b", expect=NETWORK)
    assert f"the certificate of https://{other.host} is signed by an unknown CA" in result.err
    assert registry.host not in result.err


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_cas_that_the_environment_names(hawser, registries, pki, variable):
    registry = registries(None, True)
    reference = registry.push("certs/environment", images.many_layers(2), "v1")
    directory = hawser.directory / "home" / "cas"
    put(directory, pki.ca_file)
    subprocess.run(["openssl", "rehash", directory], check=True)
    pull(hawser, reference, environment={variable: str(directory / "ca.crt" if "FILE" in variable else directory)})


def test_cas_where_a_distribution_keeps_them_as_one_file(hawser, registries, pki):
    registry = registries(None, True)
    reference = registry.push("certs/bundle", images.many_layers(2), "v1")
    etc = hawser.directory / "home" / "etc"
    (etc / "ssl/certs").mkdir(parents=True)  # where OpenSSL looks, but without the names that it goes by
    hawser.on_machine(etc)
    assert "unknown CA" in pull(hawser, reference, expect=NETWORK).err
    shutil.copy(pki.ca_file, etc / "ssl/certs/ca-certificates.crt")
    pull(hawser, reference)


def test_directories_of_nothing_are_told(hawser):
    empty = hawser.directory / "home" / "empty"
    empty.mkdir()
    assert "holds no *.crt" in pull(hawser, "--cert-dir", empty, "a/b", expect=USAGE).err
    assert "there is no directory" in pull(hawser, "--cert-dir", empty / "not", "a/b", expect=USAGE).err


def test_a_mirror_whose_certificates_cannot_be_used_is_left_out(hawser, registry, pki, client):
    mirror = f"127.0.0.1:{free_port()}"
    directory = hawser.directory / "home/.config/containers/certs.d" / mirror
    put(directory, pki.ca_file, client)
    (directory / "client.key").unlink()
    image = images.many_layers(2)
    reference = registry.push("certs/mirror", image, "v1")
    result = pull(hawser, "--mirror", f"{registry.host}=https://{mirror}", reference)
    Archive(hawser.directory / "image.tar").check_image(image)
    assert f"{directory}/client.key is missing, the key of {directory}/client.cert" in result.err


def test_an_encrypted_key_is_named(hawser, guarded, pki, client):
    directory = hawser.directory / "home/.config/containers/certs.d" / guarded.host
    put(directory, pki.ca_file, client)
    subprocess.run(["openssl", "pkey", "-in", client.key_file, "-aes128", "-passout", "pass:secret",
                    "-out", directory / "client.key"], check=True)
    result = pull(hawser, guarded.reference, expect=USAGE)
    assert f"the key {directory}/client.key is encrypted" in result.err


def test_tls_min(hawser, start_nginx, registry, pki):
    old, new = free_port(), free_port()
    start_nginx([old, new], "".join(f"""
server {{
  listen 127.0.0.1:{port} ssl;
  ssl_certificate {pki.server.certificate_file};
  ssl_certificate_key {pki.server.key_file};
  ssl_protocols {protocol};
  location / {{ proxy_pass http://{registry.host}; }}
}}
""" for port, protocol in ((old, "TLSv1.2"), (new, "TLSv1.3"))))
    reference = registry.push("certs/version", images.many_layers(2), "v1")
    options = ["--ca-cert", pki.ca_file, "--tls-min", "1.3"]
    pull(hawser, *options, reference.replace(str(registry.port), str(new)))
    result = pull(hawser, *options, reference.replace(str(registry.port), str(old)), expect=OTHER)
    assert f"https://127.0.0.1:{old} does not speak TLS 1.3" in result.err
    pull(hawser, "--ca-cert", pki.ca_file, reference.replace(str(registry.port), str(old)))
