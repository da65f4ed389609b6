"""Every way in: anonymous, Basic, tokens for anyone, tokens for users; with and without TLS."""

import base64
import json
import os
import subprocess

import pytest

from support import images
from support.archive import Archive
from support.hawser import AUTHENTICATION, DISK, NOT_FOUND
from support.registry import PASSWORD, USER

WAYS = [(auth, tls) for auth in (None, "htpasswd", "token", "token-login") for tls in (False, True)]
LOGINS = [("htpasswd", True), ("token-login", True)]


def trust(registry):
    """The registry's options without its credentials."""
    return registry.options[:2] if registry.tls else registry.options[:1]


@pytest.mark.sanitized
@pytest.mark.parametrize("auth,tls", WAYS)
def test_every_way_in(hawser, registries, auth, tls):
    registry = registries(auth, tls)
    image = images.many_layers(4)
    reference = registry.push("auth/image", image, "v1")
    hawser.pull(registry, reference)
    Archive(hawser.directory / "image.tar").check_image(image)


@pytest.mark.parametrize("auth,tls", LOGINS)
def test_password_from_stdin(hawser, registries, auth, tls):
    registry = registries(auth, tls)
    reference = registry.push("auth/image", images.many_layers(4), "v1")
    result = hawser.run("pull", *trust(registry), "--username", USER, "--password-stdin", "-o", "i.tar", reference,
                        stdin=PASSWORD.encode() + b"\n")
    assert result.code == 0, result.err
    assert (hawser.directory / "i.tar").exists()


@pytest.mark.parametrize("options", [["--username", USER, "--password-stdin", "image"], ["--from-file", "-"]])
def test_standard_input_that_cannot_be_read(hawser, options):
    directory = os.open(hawser.directory, os.O_RDONLY)
    try:
        result = subprocess.run([str(hawser.binary), "pull", *options], cwd=hawser.directory, stdin=directory,
                                capture_output=True, text=True, timeout=60)
    finally:
        os.close(directory)
    assert result.returncode == DISK, result.stderr
    assert "cannot read standard input: Is a directory" in result.stderr


def test_password_from_the_environment(hawser, registries):
    registry = registries("token-login", True)
    reference = registry.push("auth/image", images.many_layers(4), "v1")
    result = hawser.run("pull", *trust(registry), "--username", USER, "-o", "i.tar", reference,
                        environment={"HAWSER_PASSWORD": PASSWORD})
    assert result.code == 0, result.err


@pytest.mark.parametrize("auth,tls", LOGINS)
def test_password_that_docker_login_kept(hawser, registries, auth, tls):
    registry = registries(auth, tls)
    reference = registry.push("auth/image", images.many_layers(4), "v1")
    config = hawser.directory / "home" / ".docker" / "config.json"
    config.parent.mkdir()
    config.write_text(json.dumps({"auths": {registry.host: kept()}}))
    result = hawser.run("pull", *trust(registry), "-o", "i.tar", reference)
    assert result.code == 0, result.err


def kept(password=PASSWORD):
    """What docker login keeps of a login."""
    return {"auth": base64.b64encode(f"{USER}:{password}".encode()).decode()}


@pytest.mark.parametrize("auth,tls", LOGINS)
def test_login_in_the_environment_goes_before_the_files(hawser, registries, auth, tls):
    registry = registries(auth, tls)
    reference = registry.push("auth/image", images.many_layers(4), "v1")
    config = hawser.directory / "home" / ".docker" / "config.json"
    config.parent.mkdir()
    config.write_text(json.dumps({"auths": {registry.host: kept("old")}}))
    text = json.dumps({"auths": {registry.host: kept()}})
    result = hawser.run("pull", *trust(registry), "-o", "i.tar", reference, environment={"DOCKER_AUTH_CONFIG": text})
    assert result.code == 0, result.err
    result = hawser.run("pull", *trust(registry), "-o", "j.tar", reference)
    assert result.code == AUTHENTICATION, result.err


def test_damaged_and_missing_login_files(hawser, registries):
    closed, public = registries("htpasswd", False), registries(None, False)
    config = hawser.directory / "home" / ".docker" / "config.json"
    config.parent.mkdir()
    config.write_text('{"auths": {"' + closed.host)
    environment = {"REGISTRY_AUTH_FILE": str(hawser.directory / "mistyped.json")}
    references = [registry.push("auth/image", images.many_layers(4), "v1") for registry in (public, closed)]
    result = hawser.run("pull", "--plain-http", "-o", "i.tar", references[0], environment=environment)
    assert result.code == 0, result.err
    for name in (f"warning: {config} is not a JSON object", "mistyped.json"):
        assert result.err.count(name) == 1
    result = hawser.run("pull", "--plain-http", "--quiet", "-o", "j.tar", references[1], environment=environment)
    assert result.code == AUTHENTICATION, result.err
    assert f"{config} is not a JSON object" in result.err and "mistyped.json" in result.err


@pytest.mark.parametrize("auth,tls", LOGINS)
def test_login_of_a_part_that_podman_kept(hawser, registries, auth, tls):
    registry = registries(auth, tls)
    inside, outside = (registry.push(name, images.many_layers(4), "v1") for name in ("part/image", "other/image"))
    file = hawser.directory / "home" / "auth.json"
    subprocess.run(["podman", "login", "--authfile", file, "--tls-verify=false", "--username", USER, "--password-stdin",
                    f"{registry.host}/part"], input=PASSWORD, text=True, check=True, timeout=60)
    assert list(json.loads(file.read_text())["auths"]) == [f"{registry.host}/part"]
    environment = {"REGISTRY_AUTH_FILE": str(file)}
    result = hawser.run("pull", *trust(registry), "-o", "i.tar", inside, environment=environment)
    assert result.code == 0, result.err
    result = hawser.run("pull", *trust(registry), "-o", "o.tar", inside, outside, environment=environment)
    assert result.code == AUTHENTICATION, result.err
    assert "other/image" in result.err and "part/image" not in result.err


def test_credential_helper_that_is_not_installed(hawser, registries):
    registry = registries("htpasswd", False)
    reference = registry.push("auth/image", images.many_layers(4), "v1")
    config = hawser.directory / "home" / ".docker" / "config.json"
    config.parent.mkdir()
    config.write_text(json.dumps({"credHelpers": {registry.host: "of-elsewhere"}}))
    missing = "names docker-credential-of-elsewhere, which is not installed"
    result = hawser.run("pull", *trust(registry), "-o", "i.tar", reference)
    assert result.code == AUTHENTICATION, result.err
    assert result.err.count(missing) == 1
    verbose = hawser.run("pull", *trust(registry), "--verbose", "-o", "i.tar", reference)
    assert verbose.err.count(missing) == 2


def test_password_on_the_command_line_is_warned_about(hawser, registries):
    registry = registries("htpasswd", True)
    reference = registry.push("auth/image", images.many_layers(4), "v1")
    result = hawser.pull(registry, reference)
    assert "--password-stdin" in result.err
    assert PASSWORD not in result.err


@pytest.mark.sanitized
@pytest.mark.parametrize("auth,tls", LOGINS)
def test_wrong_password(hawser, registries, auth, tls):
    registry = registries(auth, tls)
    reference = registry.push("auth/image", images.many_layers(4), "v1")
    result = hawser.run("pull", *trust(registry), "--username", USER, "--password-stdin", "-o", "i.tar", reference,
                        stdin=b"guess!")
    assert result.code == AUTHENTICATION, result.err
    assert "guess!" not in result.err
    assert hawser.leftovers() == []


@pytest.mark.parametrize("auth,tls", LOGINS)
def test_no_credentials_where_they_are_needed(hawser, registries, auth, tls):
    registry = registries(auth, tls)
    reference = registry.push("auth/image", images.many_layers(4), "v1")
    result = hawser.run("pull", *trust(registry), "-o", "i.tar", reference)
    assert result.code == AUTHENTICATION, result.err
    assert "--username" in result.err
    assert hawser.leftovers() == []


@pytest.mark.parametrize("auth,tls", [(None, False), ("htpasswd", False), ("token", True), ("token-login", True)])
def test_missing_image(hawser, registries, auth, tls):
    registry = registries(auth, tls)
    registry.push("auth/image", images.many_layers(4), "v1")
    for name in ("auth/nothing:v1", "auth/image:v2", "auth/image@sha256:" + 64 * "0"):
        result = hawser.pull(registry, f"{registry.host}/{name}", expect=NOT_FOUND)
        assert name in result.err
    assert hawser.leftovers() == []


@pytest.mark.parametrize("field", ["token", "access_token"])
def test_one_token_serves_a_whole_pull(hawser, own_registry, field):
    registry = own_registry(auth="token-login", tls=True, token_field=field)
    reference = registry.push("auth/image", images.many_layers(20), "v1")
    hawser.pull(registry, reference)
    requests = registry.token_server.requests
    assert [request.scopes for request in requests] == [("repository:auth/image:pull",)]
    assert requests[0].service == "hawser test registry"
    assert requests[0].authorization.startswith("Basic ")


def test_blobs_are_asked_for_with_the_token_from_the_start(hawser, own_registry):
    """One 401, to learn the challenge; none later."""
    registry = own_registry(auth="token")
    reference = registry.push("auth/image", images.many_layers(10), "v1")
    mark = registry.mark()
    hawser.pull(registry, reference)
    refused = [access.path for access in registry.accesses(mark) if access.status == 401]
    assert len(refused) <= 1, refused
    assert not any("/blobs/" in path for path in refused)


def test_no_ping_before_the_manifest(hawser, own_registry):
    registry = own_registry()
    reference = registry.push("auth/image", images.many_layers(2), "v1")
    mark = registry.mark()
    hawser.pull(registry, reference)
    assert registry.accesses(mark)[0].path == "/v2/auth/image/manifests/v1"
    assert "/v2/" not in [access.path for access in registry.accesses(mark)]
