"""inspect, tags and the other commands that print: what they show, what they say, and where nothing can be written."""

import contextlib
import hashlib
import json
import os
import pty
import socket
import subprocess
import threading

import pytest

from support import images
from support.hawser import AUTHENTICATION, DISK, NETWORK, NOT_FOUND, OK, RATE_LIMITED, USAGE
from support.process import clean_environment, wait_until
from support.registry import PASSWORD, USER


@contextlib.contextmanager
def answering(answer):
    """A server on loopback that gives `answer` (None: none at all) to whatever comes; yields its host."""
    def talk(connection):
        with connection, contextlib.suppress(OSError):
            while connection.recv(65536):
                if answer is not None:
                    connection.sendall(answer)
                    return

    def serve(listener):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def output_on_a_terminal(hawser, *arguments, expect=OK) -> bytes:
    ours, theirs = pty.openpty()
    process = subprocess.Popen([hawser.binary, *map(str, arguments)], stdout=theirs, stderr=subprocess.DEVNULL,
                               cwd=hawser.directory, env=clean_environment(HOME=str(hawser.directory / "home")))
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # EIO is the end of a terminal
        while data := os.read(ours, 65536):
            shown += data
    os.close(ours)
    assert process.wait(60) == expect
    return shown


@pytest.fixture
def hostile(registry):
    """A reference to an image whose config wants to rule the terminal, and the config's bytes."""
    image = images.Image([images.text_layer(1)], config={"Cmd": ["\u009b2J \u202e"]})
    return registry.push("commands/hostile", image, "v1"), image.config.data


def test_raw_on_a_terminal_is_printable_and_elsewhere_untouched(hawser, registry, hostile):
    reference, config = hostile
    arguments = ["inspect", *registry.options, "--config", "--raw", reference]
    assert hawser.run(*arguments).out == config
    shown = output_on_a_terminal(hawser, *arguments)
    assert b"\\u009b2J \\u202e" in shown
    assert "\u009b".encode() not in shown and "\u202e".encode() not in shown
    assert json.loads(shown) == json.loads(config)


@pytest.mark.parametrize("options", [[], ["--uncompressed"], ["--format", "oci-archive"], ["--dry-run"]])
def test_a_tar_does_not_go_to_a_terminal(hawser, registry, options):
    reference = registry.push("commands/terminal", images.many_layers(1), "v1")
    mark = registry.mark()
    arguments = hawser.pull_arguments(registry, *options, reference, output="-")
    assert output_on_a_terminal(hawser, *arguments, expect=USAGE) == b""
    assert registry.accesses(mark) == []


def test_each_machine_pulls_its_part_of_a_list(hawser, registry):
    references = [registry.push(f"commands/shard-{n}", images.Image([images.text_layer(n)]), "v1") for n in range(3)]
    (hawser.directory / "list").write_text("\n".join(references))
    pulled = []
    for index in range(1, 5):
        result = hawser.pull(registry, "--json", "--from-file", "list", "--shard", f"{index}/4", output=None)
        pulled.append([image["reference"] for image in json.loads(result.out)["images"]])
    assert pulled == [*([reference] for reference in references), []]
    assert "nothing to pull: shard 4/4 has no image" in result.err
    assert hawser.run("--shard", "5/4", references[0]).code == USAGE


def test_digest_and_manifest_are_what_the_registry_has(hawser, registry):
    index = images.six_platforms()
    reference = registry.push("commands/digest", index, "v1")
    manifest = hawser.run("manifest", *registry.options, reference)
    assert manifest.code == OK, manifest.err
    mark = registry.mark()
    digest = hawser.run("digest", *registry.options, reference)
    assert digest.out.decode().strip() == "sha256:" + hashlib.sha256(manifest.out).hexdigest()
    assert {access.method for access in registry.accesses(mark)} == {"HEAD"}
    for platform in ("linux/arm64", "linux/s390x"):
        one = hawser.run("manifest", *registry.options, "--platform", platform, reference)
        digest = hawser.run("digest", *registry.options, "--json", "--platform", platform, reference)
        assert json.loads(digest.out)["digest"] == "sha256:" + hashlib.sha256(one.out).hexdigest()
        assert one.out != manifest.out
    assert hawser.run("digest", *registry.options, reference + "0").code == NOT_FOUND
    assert b"tells no limit" in hawser.run("ratelimit", *registry.options, reference).out


@pytest.mark.parametrize("arguments", [["save", "REF"], ["copy", "docker://REF", "docker-archive:x.tar"],
                                       ["REF", "x.tar"], ["--creds", "me:hush99", "REF"], ["--arch", "arm64", "REF"]])
def test_habits_from_other_tools_ask_no_registry(hawser, registry, arguments):
    reference = registry.push("commands/habits", images.many_layers(1), "v1")
    mark = registry.mark()
    result = hawser.run(*registry.options, *(word.replace("REF", reference) for word in arguments))
    assert result.code == USAGE
    assert "hush99" not in result.err
    assert registry.accesses(mark) == [] and hawser.leftovers() == []


def test_the_scheme_of_skopeo_is_taken(hawser, registry):
    reference = registry.push("commands/scheme", images.many_layers(1), "v1")
    hawser.pull(registry, "docker://" + reference)


def test_json_of_inspect_is_printable(hawser, registry, hostile):
    reference, config = hostile
    result = hawser.run("inspect", *registry.options, "--config", "--json", reference)
    assert b"\\u009b2J \\u202e" in result.out
    assert json.loads(result.out)["document"] == json.loads(config)


def test_inspect_refuses_an_image_of_another_platform(hawser, registry):
    reference = registry.push("commands/one-platform", images.many_layers(1), "v1")
    other = "linux/s390x"
    for more in ([], ["--config"]):
        assert hawser.run("inspect", *registry.options, *more, reference).code == OK
        result = hawser.run("inspect", *registry.options, "--platform", other, *more, reference)
        assert result.code == NOT_FOUND, result.err
        assert other in result.err and result.out == b""


def test_retries_are_told(hawser):
    with answering(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") as host:
        for command in ("tags", "inspect"):
            arguments = [command, "--plain-http", "--retries", "1", f"{host}/a/b"]
            result = hawser.run(*arguments)
            assert result.code == NETWORK
            assert "trying again" in result.err
            assert "trying again" not in hawser.run(*arguments, "--quiet").err


@pytest.mark.parametrize("command", ["pull", "inspect", "manifest", "digest", "tags", "ratelimit"])
def test_who_asks_to_wait_for_hours_is_not_waited_for(hawser, command):
    with answering(b"HTTP/1.1 429 Slow\r\nRetry-After: 21600\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") as host:
        result = hawser.run(command, "--plain-http", f"{host}/a/b")
    assert result.code == RATE_LIMITED, result.err
    assert "6 h 00 min, until 20" in result.err and "--max-wait" in result.err
    assert "trying again" not in result.err


def test_the_limit_is_told_with_verbose_and_where_it_is_used_up(hawser):
    limit = b"RateLimit-Limit: 100;w=21600\r\nRateLimit-Remaining: 0;w=21600\r\n"
    with answering(b"HTTP/1.1 429 Slow\r\n" + limit + b"Content-Length: 0\r\nConnection: close\r\n\r\n") as host:
        shown = hawser.run("ratelimit", "--plain-http", "--verbose", f"{host}/a/b")
        assert shown.code == OK, shown.err
        assert shown.out.decode() == f"{host} allows 100 pulls in 6 hours, 0 left\n"
        assert "100 pulls in 6 hours, 0 left" in shown.err
        refused = hawser.run("digest", "--plain-http", "--retries", "0", f"{host}/a/b")
        assert refused.code == RATE_LIMITED
        assert "the limit is 100 pulls in 6 hours, 0 left" in refused.err


@pytest.mark.parametrize("command", ["tags", "inspect"])
def test_password_on_the_command_line_is_warned_about(hawser, registries, command):
    registry = registries("htpasswd", False)
    registry.push("commands/secret", images.many_layers(1), "latest")
    result = hawser.run(command, *registry.options, f"{registry.host}/commands/secret")
    assert result.code == OK, result.err
    assert "--password-stdin" in result.err
    assert PASSWORD not in result.err


@pytest.mark.sanitized
@pytest.mark.parametrize("command", ["pull", "tags", "inspect"])
def test_a_secret_that_is_echoed_is_not_repeated(hawser, command):
    body = json.dumps({"errors": [{"code": "DENIED", "message": "no, hush99 / Basic bWU6aHVzaDk5"}]}).encode()
    answer = (b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=r\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
              % (len(body), body))
    with answering(answer) as host:
        for style in ([], ["--quiet"], ["--json"], ["--verbose"]):
            result = hawser.run(command, "--plain-http", "--username", "me", *style, f"{host}/a/b",
                                environment={"HAWSER_PASSWORD": "hush99"})
            assert result.code == AUTHENTICATION, result.err
            for text in (result.err, result.out.decode()):
                assert "hush99" not in text and "bWU6aHVzaDk5" not in text
            assert "***" in result.err + result.out.decode()


@pytest.mark.parametrize("given", ["--username", "docker login"])
def test_credentials_for_a_host_in_another_spelling(hawser, registries, given):
    registry = registries("htpasswd", False)
    registry.push("commands/spelling", images.many_layers(1), "v1")
    options = ["--plain-http"]
    if given == "--username":
        options += ["--username", USER]
    else:
        config = hawser.directory / "home" / ".docker" / "config.json"
        config.parent.mkdir()
        config.write_text(json.dumps({"auths": {f"localhost:{registry.port}": {"username": USER,
                                                                               "password": PASSWORD}}}))
    result = hawser.run("pull", *options, "-o", "i.tar", f"LOCALHOST:{registry.port}/commands/spelling:v1",
                        environment={"HAWSER_PASSWORD": PASSWORD})
    assert result.code == OK, result.err


def test_a_result_that_can_not_be_written_is_a_failure(hawser, registry):
    reference = registry.push("commands/full", images.many_layers(1), "v1")
    tar = hawser.directory / "there.tar"
    hawser.pull(registry, reference, output="there.tar")
    cache = ["--cache-dir", hawser.cache]
    for arguments in (["pull", "--json", *cache, *registry.options, "-o", "i.tar", reference],
                      ["pull", "--dry-run", *cache, *registry.options, reference],
                      ["tags", *registry.options, reference.rpartition(":")[0]],
                      ["inspect", *registry.options, reference],
                      ["cache", "ls", *cache], ["import", *cache, tar], ["--help"], ["--version"]):
        for place in ("/dev/full", "closed pipe"):
            if place == "/dev/full":
                out = os.open(place, os.O_WRONLY)
            else:
                reader, out = os.pipe()
                os.close(reader)
            result = subprocess.run([hawser.binary, *map(str, arguments)], stdout=out, stderr=subprocess.PIPE,
                                    cwd=hawser.directory, timeout=60,
                                    env=clean_environment(HOME=str(hawser.directory / "home")))
            os.close(out)
            assert result.returncode == DISK, (arguments, place, result.stderr)
            assert b"cannot write to standard output" in result.stderr, (arguments, place)


def test_a_list_that_can_not_be_read_is_no_empty_list(hawser):
    directory = os.open(hawser.directory, os.O_RDONLY | os.O_DIRECTORY)
    result = subprocess.run([hawser.binary, "--from-file", "-"], stdin=directory, capture_output=True, timeout=60,
                            cwd=hawser.directory, env=clean_environment(HOME=str(hawser.directory / "home")))
    os.close(directory)
    assert result.returncode == DISK, result.stderr
    assert b"cannot read standard input: Is a directory" in result.stderr


def test_secrets_do_not_show_in_proc(hawser):
    config = '{"auths":{"a":{"auth":"hush99"}}}'
    with answering(None) as host:
        for arguments, environment in ((["--password", "hush99"], {}), (["--password=hush99"], {}),
                                       ([], {"HAWSER_PASSWORD": "hush99"}),
                                       ([], {"HAWSER_PASSWORD": "me", "DOCKER_AUTH_CONFIG": config})):
            run = hawser.start("pull", "--plain-http", "--username", "me", *arguments, f"{host}/a/b",
                               environment=environment)

            def shown():
                files = [open(f"/proc/{run.pid}/{name}", "rb") for name in ("cmdline", "environ")]
                with files[0], files[1]:
                    return b" ".join(file.read() for file in files)

            try:
                wait_until(lambda: b"******" in shown(), 20, "the password to be overwritten")
                assert b"hush99" not in shown()
            finally:
                run.signal(15)
                run.wait()
