"""What goes wrong on the way to a real registry ends with the right exit code, a clear word, no debris."""

import contextlib
import signal
import socket
import threading
import time

import pytest

from support import images
from support.hawser import INTEGRITY, NETWORK, OTHER, TERMINATED, USAGE
from support.process import free_port


def failing(hawser, *arguments, code):
    result = hawser.run("pull", "--cache-dir", hawser.cache, "-o", "image.tar", *arguments)
    assert result.code == code, f"exit {result.code}, expected {code}\n{result.err}"
    assert hawser.leftovers() == []
    return result.err


@pytest.mark.sanitized
def test_refused_port(hawser):
    host = f"127.0.0.1:{free_port()}"
    assert host in failing(hawser, "--plain-http", "--retries", "0", f"{host}/a/b:c", code=NETWORK)


def test_a_port_that_never_took_a_connection_is_given_up_soon(hawser):
    host = f"127.0.0.1:{free_port()}"
    error = failing(hawser, "--plain-http", f"{host}/a/b:c", code=NETWORK)
    assert error.count("trying again") <= 2


def test_unknown_name(hawser):
    error = failing(hawser, "--retries", "0", "no-such-host.invalid/a/b:c", code=NETWORK)
    assert "no-such-host.invalid" in error


def test_name_that_a_capital_letter_made_a_registry(hawser):
    assert "capital letter" in failing(hawser, "--retries", "0", "NoSuchTeam/app", code=NETWORK)


def test_connection_that_is_closed_without_a_word(hawser):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def slam():
            while True:
                try:
                    listener.accept()[0].close()
                except OSError:
                    return
        threading.Thread(target=slam, daemon=True).start()
        failing(hawser, "--plain-http", "--retries", "1", f"127.0.0.1:{listener.getsockname()[1]}/a/b:c", code=NETWORK)
        listener.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def flooding(head, again):
    """The address of a listener that answers every request with `head` and then `again` without end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def flood(client):
            with client, contextlib.suppress(OSError):
                client.recv(4096)
                client.sendall(head)
                while True:
                    client.sendall(again)

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=flood, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def test_informational_responses_without_end(hawser):
    with flooding(b"", 5_000 * b"HTTP/1.1 103 E\r\n\r\n") as host:
        error = failing(hawser, "--plain-http", f"{host}/a/b:c", code=INTEGRITY)
    assert f"http://{host}: the head of the response is longer than 64 KiB" in error


def test_a_signal_amid_answers_without_end(hawser):
    """An answer is given up at 1 MiB and asked for again, a thousand times: a signal ends it."""
    head = b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n"
    with flooding(head, 5_000 * b"4\r\nbusy\r\n") as host:
        run = hawser.start("pull", "--plain-http", "--retries", "1000", "-o", "image.tar", f"{host}/a/b:c")
        time.sleep(1)
        run.signal(signal.SIGTERM)
        result = run.wait(20)
    assert result.code == TERMINATED, result.err
    assert hawser.leftovers() == []


@pytest.fixture
def tls_registry(own_registry, pki):
    """A function (certificate) → reference to an image in a registry that presents it."""
    def start(certificate):
        registry = own_registry(tls=True, certificate=certificate)
        return f"{registry.host}/a/b:c"
    return start


def test_self_signed_certificate(hawser, pki, tls_registry):
    error = failing(hawser, tls_registry(pki.self_signed("self-signed")), code=NETWORK)
    assert "self-signed" in error or "self signed" in error
    assert "--ca-cert" in error


def test_unknown_ca(hawser, pki, tls_registry):
    error = failing(hawser, tls_registry(pki.server), code=NETWORK)
    assert "--ca-cert" in error


def test_expired_certificate(hawser, pki, tls_registry):
    reference = tls_registry(pki.issue("expired", expired=True))
    error = failing(hawser, "--ca-cert", pki.ca_file, reference, code=NETWORK)
    assert "expired" in error


def test_certificate_of_another_host(hawser, pki, tls_registry):
    reference = tls_registry(pki.issue("other-host", hosts=("registry.example.com",)))
    error = failing(hawser, "--ca-cert", pki.ca_file, reference, code=NETWORK)
    assert "127.0.0.1" in error
    assert "name" in error or "host" in error


def test_insecure_takes_any_certificate(hawser, own_registry, pki):
    registry = own_registry(tls=True, certificate=pki.self_signed("insecure"))
    error = failing(hawser, "--insecure", f"{registry.host}/a/b:c", code=4)
    assert "a/b:c" in error


def test_self_signed_certificate_as_its_own_ca(hawser, own_registry, pki):
    certificate = pki.self_signed("own-ca")
    registry = own_registry(tls=True, certificate=certificate)
    failing(hawser, "--ca-cert", certificate.certificate_file, f"{registry.host}/a/b:c", code=4)


def test_loopback_registry_needs_no_option_for_plain_http(hawser, registry):
    """As docker has it; the other hosts' refusal is in test_proxy.py."""
    reference = registry.push("failures/loopback", images.many_layers(1), "v1")
    result = hawser.run("pull", "-o", "image.tar", reference)
    assert result.code == 0, result.err


def test_plain_http_to_a_tls_registry(hawser, registries):
    # docker-registry answers 400 to plain HTTP on its TLS port.
    result = hawser.run("pull", "--plain-http", "-o", "image.tar", f"{registries(tls=True).host}/a/b:c")
    assert result.code == OTHER, result.err
    assert "HTTPS" in result.err or "400" in result.err


@pytest.mark.parametrize("what", ["missing", "no certificate"])
def test_ca_file_that_is_none(hawser, what):
    path = hawser.directory / "home" / "ca.pem"
    if what != "missing":
        path.write_text("this is no certificate\n")
    result = hawser.run("pull", "--ca-cert", path, "-o", "image.tar", "127.0.0.1:1/a/b:c")
    assert result.code == USAGE, result.err
    assert str(path) in result.err


@pytest.mark.sanitized
@pytest.mark.parametrize("arguments", [
    ["docker.io/UPPER/case"],
    ["image/Upper"],
    ["image:tag:tag"],
    ["image@sha256:1234"],
    ["image@sha256:../../../../etc/passwd"],
    ["-image"],
    ["image:" + 129 * "t"],
    [""],
    [],
    ["--no-such-option", "image"],
    ["--platform", "///", "image"],
    ["--platform"],
    ["--format", "zip", "image"],
    ["--max-concurrent-downloads", "0", "image"],
    ["--max-concurrent-downloads", "many", "image"],
    ["--max-connections", "-1", "image"],
    ["--password-stdin", "image"],
    ["--username", "u", "--password", "p", "--password-stdin", "image"],
])
def test_words_that_make_no_sense(hawser, arguments):
    result = hawser.run("pull", *arguments)
    assert result.code == USAGE, f"exit {result.code}\n{result.err}"
    assert result.err.strip()
    assert hawser.leftovers() == []


def test_reference_error_points_at_what_is_wrong(hawser):
    assert "Upper" in hawser.run("pull", "registry.example.com/Upper/case").err


@pytest.mark.parametrize("option", ["--help", "-h", "--version"])
def test_help_and_version(hawser, option):
    result = hawser.run(option)
    assert result.code == 0
    assert result.out.strip()
    assert result.err == ""


def test_blob_that_is_gone_from_the_registry(hawser, own_registry):
    """The registry still has the manifest, but one layer's bytes were deleted beneath it."""
    registry = own_registry()
    image = images.many_layers(3)
    reference = registry.push("gone/layer", image, "v1")
    digest = image.layers[1].digest.removeprefix("sha256:")
    registry.forget_blob(digest)
    result = hawser.pull(registry, reference, expect=4)
    assert f"hawser: {reference}: " in result.err
    assert digest[:12] in result.err
    assert hawser.leftovers() == []


def test_blob_that_is_something_else_in_the_registry(hawser, own_registry):
    registry = own_registry()
    image = images.many_layers(3)
    reference = registry.push("gone/changed", image, "v1")
    digest = image.layers[1].digest.removeprefix("sha256:")
    registry.change_blob(digest)
    result = hawser.pull(registry, reference, expect=6)
    assert digest[:12] in result.err
    assert hawser.leftovers() == []
