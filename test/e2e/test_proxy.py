"""Through the proxies that the environment names, and around them.

Loopback never takes a proxy, so these registries go by a name that only the proxies can resolve.
"""

import pathlib
import shutil
import socket
import tempfile
import threading
import urllib.parse

import bcrypt
import pytest

from support import images
from support.archive import Archive
from support.hawser import AUTHENTICATION, NETWORK, OK, USAGE
from support.pki import NAME
from support.registry import PASSWORD, USER
from support.nginx import Nginx
from support.process import Daemon, clean_environment, free_port, listens, wait_until


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    """A hosts file that knows the name."""
    path = tmp_path_factory.mktemp("hosts") / "hosts"
    path.write_text(f"127.0.0.1 localhost {NAME}\n")
    return path


@pytest.fixture(scope="module")
def squid(hosts, pki):
    """squid on loopback; .seen() are the lines of its access log about the name, each written when a request has ended.
    .tls is it behind TLS, .guarded wants a password; it refuses to go to blocked.test."""
    # It gives up root for the user proxy, to whom pytest's own directories are closed.
    directory = pathlib.Path(tempfile.mkdtemp(prefix="hawser-squid-"))
    directory.chmod(0o777)
    (directory / "hosts").write_bytes(hosts.read_bytes())
    port, tls_port, guarded_port = free_port(), free_port(), free_port()
    log = directory / "access.log"
    (directory / "users").write_bytes(
        USER.encode() + b":" + bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4, b"2a")) + b"\n")
    for name, file in (("proxy.crt", pki.server.certificate_file), ("proxy.key", pki.server.key_file)):
        (directory / name).write_bytes(file.read_bytes())
    (directory / "squid.conf").write_text(f"""
http_port 127.0.0.1:{port}
https_port 127.0.0.1:{tls_port} tls-cert={directory}/proxy.crt tls-key={directory}/proxy.key
http_port 127.0.0.1:{guarded_port} name=guarded
auth_param basic program /usr/lib/squid/basic_ncsa_auth {directory}/users
auth_param basic utf8 on
acl guarded myportname guarded
acl known proxy_auth REQUIRED
acl blocked dstdomain blocked.test
http_access deny blocked
http_access allow !guarded
http_access allow known
http_access deny all
cache deny all
hosts_file {directory}/hosts
pid_filename none
access_log stdio:{log}
cache_log {directory}/cache.log
coredump_dir {directory}
shutdown_lifetime 0 seconds
pinger_enable off
via off
logfile_rotate 0
""")
    daemon = Daemon(["squid", "-N", "-f", directory / "squid.conf"], directory, "squid")
    daemon.wait_for(lambda: listens(port) and listens(tls_port) and listens(guarded_port))
    daemon.url = f"http://127.0.0.1:{port}"
    daemon.tls = f"https://127.0.0.1:{tls_port}"
    daemon.guarded = f"127.0.0.1:{guarded_port}"
    daemon.seen = lambda: [line for line in log.read_text().splitlines() if NAME in line] if log.exists() else []
    yield daemon
    daemon.stop()
    shutil.rmtree(directory)


def microsocks(tmp_path_factory, hosts, *options):
    """microsocks on loopback; it takes names from /etc/hosts, so it gets one of its own."""
    directory = tmp_path_factory.mktemp("socks")
    port = free_port()
    daemon = Daemon(
        ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"',
         hosts, "microsocks", "-i", "127.0.0.1", "-p", port, *options], directory, "microsocks")
    daemon.wait_for(lambda: listens(port))
    daemon.host = f"127.0.0.1:{port}"
    daemon.url = f"socks5h://{daemon.host}"
    return daemon


@pytest.fixture(scope="module")
def socks(tmp_path_factory, hosts):
    daemon = microsocks(tmp_path_factory, hosts)
    yield daemon
    daemon.stop()


def pushed(registry):
    """An image, its reference by the name, and the name with the port."""
    image = images.many_layers(5)
    reference = registry.push("proxy/image", image, "v1")
    name = f"{NAME}:{registry.port}"
    return image, reference.replace(registry.host, name), name


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_connect_tunnel_for_https(hawser, registries, squid, variable):
    registry = registries("htpasswd", True)
    image, reference, name = pushed(registry)
    before = len(squid.seen())
    hawser.pull(registry, reference, environment={variable: squid.url})
    Archive(hawser.directory / "image.tar").check_image(image)
    seen = wait_until(lambda: squid.seen()[before:], 10, "the access log")
    assert all(f"CONNECT {name}" in line for line in seen)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy"])
def test_plain_http_through_a_proxy(hawser, registry, squid, variable):
    image, reference, name = pushed(registry)
    before = len(squid.seen())
    hawser.pull(registry, reference, environment={variable: squid.url})
    Archive(hawser.directory / "image.tar").check_image(image)
    wanted = f"GET http://{name}/v2/proxy/image/manifests/v1"
    wait_until(lambda: any(wanted in line for line in squid.seen()[before:]), 10, "the access log")


@pytest.mark.parametrize("exception", [NAME, ".test", "*", f"example.com, {NAME}"])
def test_no_proxy(hawser, registry, squid, exception):
    """Around the proxy, the name has no address."""
    _, reference, _ = pushed(registry)
    before = len(squid.seen())
    result = hawser.pull(registry, "--retries", "0", reference, expect=NETWORK, environment={
        "HTTP_PROXY": squid.url, "HTTPS_PROXY": squid.url, "NO_PROXY": exception})
    assert NAME in result.err
    assert squid.seen()[before:] == []


def test_no_proxy_for_others(hawser, registry, squid):
    image, reference, _ = pushed(registry)
    hawser.pull(registry, reference, environment={
        "HTTP_PROXY": squid.url, "NO_PROXY": "other.test, registry.test.example.com,10.0.0.0/8"})
    Archive(hawser.directory / "image.tar").check_image(image)


def test_loopback_takes_no_proxy(hawser, registry):
    _, reference, name = pushed(registry)
    dead = f"http://127.0.0.1:{free_port()}"
    result = hawser.run(*hawser.pull_arguments(registry, reference.replace(name, registry.host)),
                        environment={"HTTP_PROXY": dead, "HTTPS_PROXY": dead})
    assert result.code == OK, result.err


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_proxy_that_is_not_there(hawser, registries, scheme):
    registry = registries("htpasswd", True)
    _, reference, _ = pushed(registry)
    port = free_port()
    result = hawser.pull(registry, "--retries", "0", reference, expect=NETWORK,
                         environment={"HTTPS_PROXY": f"{scheme}://127.0.0.1:{port}"})
    assert f"cannot connect to the proxy 127.0.0.1:{port}" in result.err and "the proxy is up" in result.err


def test_registry_without_tls(hawser, registry, squid):
    """Not loopback, as far as hawser can tell: plain HTTP only where the user says so."""
    _, reference, _ = pushed(registry)
    result = hawser.run("pull", "--retries", "0", "-o", "image.tar", reference,
                        environment={"HTTPS_PROXY": squid.url, "HTTP_PROXY": squid.url})
    assert result.code == NETWORK, result.err
    assert "--plain-http" in result.err


@pytest.mark.sanitized
@pytest.mark.parametrize("tls", [True, False])
def test_tls_with_the_proxy_itself(hawser, registries, squid, pki, tls):
    registry = registries("htpasswd" if tls else None, tls)
    image, reference, name = pushed(registry)
    options = [] if tls else ["--ca-cert", pki.ca_file]
    before = len(squid.seen())
    hawser.pull(registry, *options, reference, environment={"ALL_PROXY": squid.tls})
    Archive(hawser.directory / "image.tar").check_image(image)
    seen = wait_until(lambda: squid.seen()[before:], 10, "the access log")
    assert all(("CONNECT " if tls else "http://") + name in line for line in seen)


def test_tls_that_ends_before_the_proxy(hawser, registries, squid, pki):
    """nginx takes TLS off and passes on to squid."""
    registry = registries("htpasswd", True)
    image, reference, name = pushed(registry)
    port = free_port()
    nginx = Nginx(hawser.directory / "nginx", [port], streams=f"""
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {pki.server.certificate_file};
    ssl_certificate_key {pki.server.key_file};
    proxy_pass {squid.url[7:]};
  }}""")
    try:
        before = len(squid.seen())
        hawser.pull(registry, reference, environment={"HTTPS_PROXY": f"https://127.0.0.1:{port}"})
    finally:
        nginx.stop()
    Archive(hawser.directory / "image.tar").check_image(image)
    assert all("CONNECT " + name in line for line in wait_until(lambda: squid.seen()[before:], 10, "the access log"))


def test_tls_with_a_proxy_that_is_not_trusted_or_speaks_none(hawser, registry, squid):
    _, reference, _ = pushed(registry)
    result = hawser.pull(registry, reference, expect=NETWORK, environment={"HTTP_PROXY": squid.tls})
    assert f"the certificate of {squid.tls} is signed by an unknown CA" in result.err
    plain = squid.url.replace("http:", "https:")
    result = hawser.pull(registry, reference, expect=NETWORK, environment={"HTTP_PROXY": plain})
    assert f"the proxy {squid.url[7:]} does not speak TLS" in result.err
    assert "write it as http://" in result.err


def test_a_certificate_behind_a_proxy(hawser, registries, squid):
    """A proxy that opens TLS would put its own in place: which one it came through is said."""
    registry = registries("htpasswd", True)
    _, reference, name = pushed(registry)
    result = hawser.run("pull", "-o", "image.tar", reference, environment={"HTTPS_PROXY": squid.url})
    assert result.code == NETWORK, result.err
    assert f"through the proxy {squid.url[7:]}: the certificate of https://{name} is signed by an unknown CA" in result.err


@pytest.mark.parametrize("tls", [True, False])
def test_proxy_with_a_password(hawser, registries, squid, tls):
    registry = registries("htpasswd" if tls else None, tls)
    image, reference, _ = pushed(registry)
    login = f"{USER}:{urllib.parse.quote(PASSWORD)}@"
    hawser.pull(registry, reference, environment={"ALL_PROXY": f"http://{login}{squid.guarded}"})
    Archive(hawser.directory / "image.tar").check_image(image)
    for login, why in (("", "wants credentials (407)"), ("me:wrong@", "refused the credentials in its URL (407)")):
        result = hawser.pull(registry, reference, expect=AUTHENTICATION,
                             environment={"ALL_PROXY": f"http://{login}{squid.guarded}"})
        assert f"the proxy {squid.guarded} {why}" in result.err
        assert "wrong" not in result.err


@pytest.mark.parametrize("options,scheme", [([], ""), (["--plain-http"], "http://")])
def test_whether_the_proxy_or_what_is_behind_it_refused(hawser, squid, socks, options, scheme):
    host = f"{NAME}:{free_port()}"
    for proxy, image, words in (
            (squid.url, f"{host}/a/b", f"could not reach {scheme}{host} (HTTP 503, ERR_CONNECT_FAIL 111)"),
            (squid.url, "blocked.test:1/a/b",
             f"refused to connect to {scheme}blocked.test:1 (HTTP 403, ERR_ACCESS_DENIED 0)"),
            (socks.url, f"{host}/a/b", f"was refused by the host ({host})")):
        result = hawser.run("pull", "--retries", "0", *options, "-o", "image.tar", image,
                            environment={"ALL_PROXY": proxy})
        assert result.code == NETWORK, result.err
        assert f"the proxy {proxy.partition('://')[2]} {words}" in result.err


@pytest.mark.parametrize("value,why", [
    ("https://p:0", "its port is out of range"), ("foo://x", "its scheme is none of http, https, socks5"),
    ("http://127.0.0.1:99999", "its port is out of range")])
@pytest.mark.parametrize("command", [["pull", "--no-cache", "-o", "image.tar"], ["tags"], ["inspect"]])
def test_variable_that_is_no_proxy(hawser, command, value, why):
    hawser.limit_memory(2_000_000_000)
    result = hawser.run(*command, f"{NAME}/a/b", timeout=20, environment={"HTTPS_PROXY": value})
    assert result.code == USAGE, result.err
    assert f"HTTPS_PROXY is no usable proxy: {why}" in result.err


@pytest.mark.parametrize("answer,code", [(b"HTTP/1.1 403 Forbidden\r\n\r\n", NETWORK),
                                         (b"HTTP/1.1 407 Authenticate\r\n\r\n", AUTHENTICATION)])
def test_proxy_that_does_not_allow_it_is_asked_once(hawser, answer, code):
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def refuse():
            while True:
                try:
                    client = listener.accept()[0]
                except OSError:
                    return
                with client:
                    asked.append(client.recv(4096))
                    client.sendall(answer)

        threading.Thread(target=refuse, daemon=True).start()
        result = hawser.run("pull", "--max-connections", "1", "-o", "image.tar", f"{NAME}/a/b:c",
                            environment={"HTTPS_PROXY": f"http://127.0.0.1:{listener.getsockname()[1]}"})
        listener.shutdown(socket.SHUT_RDWR)
    assert result.code == code, result.err
    assert "the proxy 127.0.0.1" in result.err
    # The connection that is opened in advance may have failed before the manifest is asked for.
    assert len(asked) <= 2


@pytest.mark.parametrize("tls", [True, False])
def test_socks_proxy(hawser, registries, socks, tls):
    registry = registries("htpasswd" if tls else None, tls)
    image, reference, _ = pushed(registry)
    hawser.pull(registry, reference, environment={"ALL_PROXY": socks.url})
    Archive(hawser.directory / "image.tar").check_image(image)


def test_socks_proxy_with_a_password(hawser, registry, tmp_path_factory, hosts):
    image, reference, _ = pushed(registry)
    socks = microsocks(tmp_path_factory, hosts, "-u", "me", "-P", "secret")
    try:
        hawser.pull(registry, reference, environment={"ALL_PROXY": f"socks5://me:secret@{socks.host}"})
        Archive(hawser.directory / "image.tar").check_image(image)
        for login, why in (("", "wants credentials"), ("me:wrong@", "refused its credentials")):
            result = hawser.pull(registry, reference, expect=AUTHENTICATION,
                                 environment={"ALL_PROXY": f"socks5h://{login}{socks.host}"})
            assert f"the proxy {socks.host} {why}" in result.err
    finally:
        socks.stop()


def test_the_harness_gives_no_proxy_by_itself():
    assert not [name for name in clean_environment() if name.lower().endswith("_proxy")]
