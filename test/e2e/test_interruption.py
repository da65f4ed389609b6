"""Stopped by the user, killed, and carried on: nothing half done under a final name, nothing fetched twice."""

import contextlib
import json
import os
import pty
import shutil
import signal
import subprocess
import time

import pytest

from support import images
from support.archive import Archive
from support.hawser import INTEGRITY, INTERRUPTED, TERMINATED
from support.process import clean_environment, wait_until
from support.throttle import Throttle

SIZE = 30_000_000


@pytest.fixture
def slow(own_registry):
    """(registry, image, function (rate, stop_after) → throttle and reference through it)."""
    registry = own_registry()
    image = images.Image([images.random_layer(21, SIZE), images.text_layer(1)])
    registry.push("slow/image", image, "v1")
    throttles = []

    def through(rate, stop_after=None):
        throttles.append(Throttle(registry.port, rate, stop_after))
        return throttles[-1], f"{throttles[-1].host}/slow/image:v1"

    yield registry, image, through
    for throttle in throttles:
        throttle.stop()


@pytest.mark.sanitized
@pytest.mark.parametrize("cache", [[], ["--no-cache"]])
@pytest.mark.parametrize("number,code", [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED)])
def test_a_signal_stops_it_cleanly(hawser, slow, number, code, cache):
    registry, _, through = slow
    throttle, reference = through(2_000_000)
    run = hawser.start(*hawser.pull_arguments(registry, *cache, reference))
    wait_until(lambda: throttle.carried > 1_000_000, 60, "the pull to be under way")
    run.signal(number)
    signalled = time.monotonic()
    result = run.wait(30)
    took = time.monotonic() - signalled
    assert result.code == code, result.err
    assert took < 5, f"{took:.1f} s to stop"  # the promise is one; a busy machine may need longer
    assert hawser.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGHUP])
def test_the_cursor_is_shown_again_when_a_signal_ends_it(hawser, slow, number):
    registry, _, through = slow
    _, reference = through(2_000_000)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [hawser.binary, *map(str, hawser.pull_arguments(registry, reference))], cwd=hawser.directory, stderr=theirs,
        stdout=subprocess.DEVNULL, env=clean_environment(HOME=str(hawser.directory / "home"), TERM="xterm"),
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # EIO is the end of a terminal
        while data := os.read(ours, 65536):
            hidden = b"\x1b[?25l" in shown
            shown += data
            if not hidden and b"\x1b[?25l" in shown:
                process.send_signal(number)
    os.close(ours)
    assert process.wait(30) == -number
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")


def test_a_signal_while_a_silent_peer_is_waited_for(hawser, slow):
    registry, _, through = slow
    throttle, reference = through(1e9, stop_after=0)
    run = hawser.start(*hawser.pull_arguments(registry, reference))
    time.sleep(0.5)
    run.signal(signal.SIGINT)
    assert run.wait(10).code == INTERRUPTED
    assert hawser.leftovers() == []


@pytest.mark.parametrize("signals", [1, 2])
def test_a_signal_while_the_reader_of_standard_output_stands_still(hawser, registry, signals):
    image = images.Image([images.random_layer(22, 5_000_000)])
    reference = registry.push("slow/reader", image, "v1")
    scratch = hawser.directory / "scratch"
    scratch.mkdir()
    command = [hawser.binary, *map(str, hawser.pull_arguments(registry, "--no-cache", reference, output="-"))]
    run = subprocess.Popen(command, cwd=hawser.directory, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                           env=clean_environment(HOME=str(hawser.directory / "home"), TMPDIR=str(scratch)))
    layer = image.layers[0].digest.partition(":")[2]
    wait_until(lambda: any(scratch.glob(f".hawser.*/blobs/sha256/{layer}")), 60, "the layer to be there")
    time.sleep(0.5)
    for _ in range(signals):
        run.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    assert run.wait(30) == TERMINATED
    run.stdout.close()
    assert list(scratch.iterdir()) == []


def test_a_signal_while_a_credential_helper_thinks(hawser, registries):
    registry = registries("htpasswd", False)
    reference = registry.push("slow/helper", images.many_layers(1), "v1")
    home = hawser.directory / "home"
    asked, thinking = home / "asked", home / "thinking"
    helper = home / "bin" / "docker-credential-slow"
    helper.parent.mkdir()
    helper.write_text(f"#!/bin/sh\ntouch {asked}\nwhile [ -e {thinking} ]; do sleep 0.1; done\n")
    helper.chmod(0o755)
    thinking.touch()
    config = home / ".docker" / "config.json"
    config.parent.mkdir()
    config.write_text(json.dumps({"credsStore": "slow"}))
    path = f"{helper.parent}:{os.environ['PATH']}"
    run = hawser.start("pull", "--plain-http", "-o", "i.tar", reference, environment={"PATH": path})
    wait_until(asked.exists, 60, "the helper to be asked")
    run.signal(signal.SIGINT)
    assert run.wait(10).code == INTERRUPTED
    thinking.unlink()
    assert hawser.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_had_arrived_is_not_fetched_again(hawser, slow, number):
    registry, image, through = slow
    # The throttle lets 24 MB pass and no more; the promise is to lose at most 8 MiB of it.
    throttle, reference = through(1e9, stop_after=24_000_000)
    run = hawser.start(*hawser.pull_arguments(registry, reference))
    wait_until(lambda: throttle.carried > 23_900_000, 60, "the throttle to be reached")
    time.sleep(0.5)
    run.signal(number)
    run.wait(30)
    throttle.stop()
    if number == signal.SIGINT:
        assert hawser.leftovers() == []
    else:
        assert "image.tar" not in hawser.leftovers()
    second, reference = through(1e9)
    hawser.pull(registry, reference)
    Archive(hawser.directory / "image.tar").check_image(image)
    assert second.carried < SIZE - 24_000_000 + 8 * 1024 * 1024 + 500_000


@pytest.mark.parametrize("lie", [-1, 1_000_000])
def test_a_manifest_that_lies_about_a_size_costs_nothing_that_had_arrived(hawser, slow, lie):
    registry, image, through = slow
    throttle, reference = through(1e9, stop_after=24_000_000)
    run = hawser.start(*hawser.pull_arguments(registry, reference))
    wait_until(lambda: throttle.carried > 23_900_000, 60, "the throttle to be reached")
    run.signal(signal.SIGINT)
    run.wait(30)
    liar = images.Image(image.layers)
    size = len(image.layers[0].data)
    liar.data = liar.data.replace(f'"size": {size}'.encode(), f'"size": {size + lie}'.encode())
    liar.digest = images.digest_of(liar.data)
    registry.push("slow/liar", liar, "v1")
    result = hawser.pull(registry, f"{registry.host}/slow/liar:v1", output="liar.tar", expect=INTEGRITY)
    assert image.layers[0].digest in result.err
    assert hawser.leftovers() == []
    second, reference = through(1e9)
    hawser.pull(registry, reference)
    Archive(hawser.directory / "image.tar").check_image(image)
    assert second.carried < SIZE - 24_000_000 + 8 * 1024 * 1024 + 500_000
    assert list((hawser.cache / "ingest").iterdir()) == []


def test_killed_again_and_again(hawser, slow):
    """In all hardly more is carried than the image has."""
    registry, image, through = slow
    carried = 0
    for attempt in range(1, 11):
        throttle, reference = through(15_000_000)
        run = hawser.start(*hawser.pull_arguments(registry, reference))
        wait_until(lambda: throttle.carried > 2_000_000, 60, f"progress of attempt {attempt}")
        run.signal(signal.SIGKILL)
        run.wait()
        throttle.stop()
        carried += throttle.carried
    throttle, reference = through(1e9)
    hawser.pull(registry, reference)
    carried += throttle.carried
    Archive(hawser.directory / "image.tar").check_image(image)
    assert carried < 1.6 * SIZE


def test_connection_that_breaks_is_continued(hawser, slow):
    registry, image, through = slow
    throttle, reference = through(20_000_000)
    run = hawser.start(*hawser.pull_arguments(registry, reference))
    for part in (5_000_000, 12_000_000, 20_000_000):
        wait_until(lambda: throttle.carried > part, 60, f"{part} bytes")
        throttle.cut()
    result = run.wait(120)
    assert result.code == 0, result.err
    Archive(hawser.directory / "image.tar").check_image(image)
    assert throttle.carried < 1.2 * SIZE


def test_dry_run_says_what_is_left_to_resume(hawser, slow):
    registry, image, through = slow
    throttle, reference = through(1e9, stop_after=10_000_000)
    run = hawser.start(*hawser.pull_arguments(registry, reference))
    wait_until(lambda: throttle.carried >= 9_000_000, 60, "some of the layer")
    run.signal(signal.SIGINT)
    assert "kept in the cache" in run.wait(30).err
    _, reference = through(1e9)
    told = json.loads(hawser.pull(registry, "--dry-run", "--json", reference).out)
    assert told["resumed_bytes"] > 1_000_000
    assert told["to_fetch_bytes"] + told["resumed_bytes"] + told["cached_bytes"] == image.layer_bytes()


def test_without_a_cache_nothing_is_said_to_be_kept(hawser, slow):
    registry, _, through = slow
    throttle, reference = through(2_000_000)
    run = hawser.start(*hawser.pull_arguments(registry, "--no-cache", reference))
    wait_until(lambda: throttle.carried > 500_000, 60, "the pull to be under way")
    run.signal(signal.SIGINT)
    assert "kept" not in run.wait(30).err


def test_a_cache_that_is_deleted_in_mid_pull_is_said(hawser, slow):
    registry, image, through = slow
    throttle, reference = through(10_000_000)
    run = hawser.start(*hawser.pull_arguments(registry, reference))
    wait_until(lambda: throttle.carried > 10_000_000, 60, "the pull to be under way")
    shutil.rmtree(hawser.cache)
    result = run.wait()
    assert result.code == 8, result.err
    assert "was deleted while it was in use" in result.err and "run the command again" in result.err
    assert not (hawser.directory / "image.tar").exists()
    hawser.pull(registry, reference)
    Archive(hawser.directory / "image.tar").check_image(image)
