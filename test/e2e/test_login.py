"""login and logout: the registry checks, docker's configuration keeps, and other tools read it."""

import base64
import fcntl
import json
import os
import pty
import signal
import subprocess
import termios

import pytest

from support import images
from support.hawser import AUTHENTICATION, INTERRUPTED, USAGE
from support.process import clean_environment, wait_until
from support.registry import PASSWORD, USER

LOGINS = [("htpasswd", True), ("htpasswd", False), ("token-login", True)]
KEPT = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def trust(registry):
    return registry.options[:2] if registry.tls else registry.options[:1]


def log_in(hawser, registry, *options, password=PASSWORD):
    return hawser.run("login", *trust(registry), "--username", USER, "--password-stdin", *options, registry.host,
                      stdin=password.encode() + b"\n")


@pytest.fixture
def config(hawser):
    """docker's configuration; not there yet."""
    return hawser.directory / "home" / ".docker" / "config.json"


def foreign(hawser, *command):
    """What another tool prints with the same home."""
    done = subprocess.run(command, env=clean_environment(HOME=str(hawser.directory / "home")), capture_output=True,
                          text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.sanitized
@pytest.mark.parametrize("auth,tls", LOGINS)
def test_login_pull_logout(hawser, registries, config, auth, tls):
    registry = registries(auth, tls)
    reference = registry.push("login/image", images.many_layers(4), "v1")
    result = log_in(hawser, registry)
    assert result.code == 0, result.err
    assert f"logged in to {registry.host} as {USER}".encode() in result.out and str(config).encode() in result.out
    assert json.loads(config.read_text()) == {"auths": {registry.host: {"auth": KEPT}}}
    assert config.stat().st_mode & 0o777 == 0o600 and config.parent.stat().st_mode & 0o777 == 0o700
    result = hawser.run("pull", *trust(registry), "-o", "i.tar", reference)
    assert result.code == 0, result.err
    result = hawser.run("logout", registry.host)
    assert result.code == 0 and b"removed the login" in result.out
    result = hawser.run("logout", registry.host)
    assert result.code == 0 and b"there is no login" in result.out
    result = hawser.run("pull", *trust(registry), "-o", "j.tar", reference)
    assert result.code == AUTHENTICATION, result.err
    assert "hawser login" in result.err


@pytest.mark.sanitized
@pytest.mark.parametrize("auth,tls", LOGINS)
def test_a_wrong_password_is_not_kept(hawser, registries, config, auth, tls):
    result = log_in(hawser, registries(auth, tls), password="guess!")
    assert result.code == AUTHENTICATION, result.err
    assert "refused" in result.err and "guess!" not in result.err
    assert not config.parent.exists()


def test_a_registry_that_asks_nobody(hawser, registries, config):
    registry = registries(None, False)
    result = log_in(hawser, registry)
    assert result.code == 0 and "asks for no login" in result.err
    assert registry.host in json.loads(config.read_text())["auths"]


@pytest.mark.parametrize("auth", ["htpasswd", "token-login"])
def test_skopeo_and_podman_read_what_login_kept(hawser, registries, podman, auth):
    registry = registries(auth, False)
    image = images.many_layers(2)
    reference = registry.push("login/image", image, "v1")
    assert log_in(hawser, registry).code == 0
    shown = foreign(hawser, "skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", f"docker://{reference}")
    assert shown.strip() == image.digest
    podman.do("pull", "--tls-verify=false", "--authfile", hawser.directory / "home" / ".docker" / "config.json", reference)


@pytest.mark.parametrize("tool", ["podman", "skopeo"])
def test_other_tools_logins_stay(hawser, registries, config, tool):
    registry, other = registries("htpasswd", False), registries("token-login", False)
    config.parent.mkdir()
    subprocess.run([tool, "login", "--authfile", config, "--tls-verify=false", "--username", USER, "--password-stdin",
                    registry.host], input=PASSWORD, text=True, check=True, timeout=60, capture_output=True)
    before = json.loads(config.read_text())
    before["detachKeys"] = "ctrl-e,e"
    config.write_text(json.dumps(before))
    reference = registry.push("login/image", images.many_layers(2), "v1")
    assert log_in(hawser, other).code == 0
    after = json.loads(config.read_text())
    assert list(after) == list(before) and list(after["auths"]) == [registry.host, other.host]
    assert hawser.run("pull", "--plain-http", "-o", "i.tar", reference).code == 0
    assert hawser.run("logout", other.host).code == 0
    assert json.loads(config.read_text()) == before


def test_what_docker_login_wrote_is_read_and_kept(hawser, registries, config, docker):
    registry = registries("htpasswd", False)
    reference = registry.push("login/image", images.many_layers(2), "v1")
    docker.login(config.parent, registry.host, USER, PASSWORD)
    before = config.read_text()
    assert hawser.run("pull", "--plain-http", "-o", "i.tar", reference).code == 0
    assert log_in(hawser, registry).code == 0
    assert config.read_text().strip() == before.strip()


def install_helper(hawser, keeps):
    """docker-credential-mine, which keeps one login in the file `keeps`; returns the PATH it is in."""
    directory = hawser.directory / "home" / "bin"
    directory.mkdir()
    helper = directory / "docker-credential-mine"
    helper.write_text(f'#!/bin/sh\ncase $1 in\nstore) exec cat >{keeps} ;;\nerase) rm {keeps} ;;\n'
                      f'get) cat {keeps} || {{ echo credentials not found; exit 1; }} ;;\nesac\n')
    helper.chmod(0o755)
    return f"{directory}:{os.environ['PATH']}"


def test_a_helper_keeps_the_password(hawser, registries, config):
    registry = registries("htpasswd", False)
    reference = registry.push("login/image", images.many_layers(2), "v1")
    keeps = hawser.directory / "home" / "kept"
    environment = {"PATH": install_helper(hawser, keeps), "HAWSER_PASSWORD": PASSWORD}
    config.parent.mkdir()
    config.write_text(json.dumps({"credHelpers": {registry.host: "mine"}, "auths": {registry.host: {"auth": "b2xk"}}}))
    result = hawser.run("login", "--plain-http", "-u", USER, registry.host, environment=environment)
    assert result.code == 0 and b"docker-credential-mine" in result.out, result.err
    assert json.loads(keeps.read_text()) == {"ServerURL": registry.host, "Username": USER, "Secret": PASSWORD}
    assert json.loads(config.read_text())["auths"] == {registry.host: {}}
    assert hawser.run("pull", "--plain-http", "-o", "i.tar", reference, environment=environment).code == 0
    result = hawser.run("logout", registry.host, environment=environment)
    assert result.code == 0 and b"docker-credential-mine" in result.out, result.err
    assert not keeps.exists() and json.loads(config.read_text())["auths"] == {}


def test_a_damaged_configuration_is_not_overwritten(hawser, registries, config):
    config.parent.mkdir()
    config.write_text('{"auths": {')
    for command in (["login", "-u", USER], ["logout"]):
        result = hawser.run(*command, registries("htpasswd", False).host, environment={"HAWSER_PASSWORD": PASSWORD})
        assert result.code == USAGE and f"{config} is not a JSON object" in result.err
    assert config.read_text() == '{"auths": {'


def test_without_a_terminal_the_ways_are_told(hawser, registries):
    for options in ([], ["--username", USER]):
        result = hawser.run("login", "--plain-http", *options, registries("htpasswd", False).host)
        assert result.code == USAGE and "--password-stdin" in result.err


class Terminal:
    """hawser on a terminal of its own, which sends it signals unless `stoppable`: then a stop is one."""

    def __init__(self, hawser, *arguments, stoppable=False):
        self._ours, theirs = pty.openpty()

        def own_the_terminal():
            if stoppable:
                os.setpgid(0, 0)  # in the session of its parent: the stop of an orphaned group is ignored
            else:
                os.setsid()
                fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [hawser.binary, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, cwd=hawser.directory,
            env=clean_environment(HOME=str(hawser.directory / "home")), preexec_fn=own_the_terminal)
        self._theirs = theirs  # kept, to see what the terminal is left as
        os.set_blocking(self._ours, False)
        self.shown = ""

    def echoes(self):
        return bool(termios.tcgetattr(self._theirs)[3] & termios.ECHO)

    def read(self):
        try:
            self.shown += os.read(self._ours, 65536).decode()
        except BlockingIOError:
            pass
        return self.shown

    def answer(self, question, text):
        wait_until(lambda: question in self.read(), 20, f"the question for {question}")
        os.write(self._ours, text.encode())

    def end(self):
        code = self.process.wait(30)
        self.read()
        return code

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


@pytest.fixture
def terminal(hawser):
    started = []

    def start(*arguments, **how):
        started.append(Terminal(hawser, *arguments, **how))
        return started[-1]

    yield start
    for each in started:
        each.close()


def test_questions_on_a_terminal(registries, config, terminal):
    registry = registries("htpasswd", False)
    run = terminal("login", "--plain-http", registry.host)
    run.answer("Username: ", USER + "\n")
    wait_until(lambda: "Password: " in run.read(), 20, "the question")
    assert not run.echoes()
    run.answer("Password: ", PASSWORD + "\n")
    assert run.end() == 0, run.shown
    assert PASSWORD not in run.shown and f"logged in to {registry.host}" in run.shown
    assert run.echoes()
    assert json.loads(config.read_text())["auths"][registry.host] == {"auth": KEPT}


@pytest.mark.parametrize("text,code", [("\x03", INTERRUPTED), ("\x04", USAGE), ("\n", USAGE)])
def test_a_question_that_is_not_answered(registries, config, terminal, text, code):
    run = terminal("login", "--plain-http", "--username", USER, registries("htpasswd", False).host)
    run.answer("Password: ", text)
    assert run.end() == code, run.shown
    assert run.echoes()
    assert not config.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_leaves_the_terminal_as_it_was(registries, terminal, number):
    run = terminal("login", "--plain-http", "--username", USER, registries("htpasswd", False).host)
    wait_until(lambda: "Password: " in run.read() and not run.echoes(), 20, "the question")
    run.process.send_signal(number)
    run.end()
    assert run.echoes()


def test_a_stopped_question_is_asked_again(registries, terminal):
    run = terminal("login", "--plain-http", "--username", USER, registries("htpasswd", False).host, stoppable=True)
    wait_until(lambda: "Password: " in run.read() and not run.echoes(), 20, "the question")
    run.process.send_signal(signal.SIGTSTP)
    wait_until(lambda: os.waitpid(run.process.pid, os.WUNTRACED | os.WNOHANG)[0], 20, "hawser to stop")
    assert run.echoes()
    run.process.send_signal(signal.SIGCONT)
    wait_until(lambda: run.read().count("Password: ") == 2, 20, "the question to come again")
    assert not run.echoes()
    run.answer("Password: ", PASSWORD + "\n")
    assert run.end() == 0, run.shown
    assert PASSWORD not in run.shown
