"""hawser bench: what it prints, what it keeps to, and what ends it."""

import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
import time

import pytest

from support import images
from support.hawser import AUTHENTICATION, INTERRUPTED, NOT_FOUND, OK, RATE_LIMITED, USAGE
from support.nginx import Nginx
from support.process import clean_environment, free_port


@pytest.fixture
def image(registry):
    return registry.push("bench/image", images.Image([images.random_layer(1, 300_000),
                                                             images.random_layer(2, 9_000)]), "1")


def bench(hawser, *arguments, expect=OK, **how):
    result = hawser.run("bench", *arguments, **how)
    assert result.code == expect, f"exit {result.code}, expected {expect}\n{result.err}"
    assert hawser.leftovers() == []
    return result


def document(result):
    return json.loads(result.out)


@pytest.mark.sanitized
def test_the_table_says_what_the_json_does(hawser, image):
    shown = document(bench(hawser, "--connections", "1,3,auto", "--runs", "3", "--json", image))
    assert [setting["name"] for setting in shown["settings"]] == ["1", "3", "auto"]
    for setting in shown["settings"]:
        times = sorted(sample["seconds"] for sample in setting["samples"])
        assert len(times) == 3 and setting["median"] == times[1]
        assert setting["interval"][0] <= setting["median"] <= setting["interval"][1]
        assert all(sample["bytes"] >= shown["bytes"] for sample in setting["samples"])
    fastest = min(shown["settings"], key=lambda setting: setting["median"])
    assert shown["best"] == fastest["name"] and fastest["ratio"] == 1
    assert shown["recommended"]["name"] in ("1", "3", "auto")
    one = shown["settings"][0]
    assert one["control"] and "reduction" not in one
    assert shown["settings"][1]["reduction"] == pytest.approx(1 - shown["settings"][1]["median"] / one["median"])


def test_table_csv_and_markdown(hawser, image):
    options = ("--connections", "2", "--runs", "2", image)
    table = bench(hawser, *options).out.decode()
    rows = re.findall(r"^(1|2) +2 +[0-9.]+ s .*#", table, re.MULTILINE)
    assert rows == ["1", "2"] and "take " in table and "options: " in table
    lines = list(csv.DictReader(io.StringIO(bench(hawser, "--csv", *options).out.decode())))
    assert sorted((line["setting"], line["round"]) for line in lines) == [
        ("1", "1"), ("1", "2"), ("2", "1"), ("2", "2")]
    assert all(float(line["seconds"]) > 0 for line in lines)
    assert "| 2 | 2 |" in bench(hawser, "--markdown", *options).out.decode()


def test_it_keeps_to_its_bytes(hawser, image):
    size = document(bench(hawser, "--connections", "2", "--runs", "1", "--json", image))["bytes"]
    allowed = 6 * size  # a warm-up and two rounds of two
    shown = document(bench(hawser, "--connections", "2", "--max-bytes", allowed, "--json", image))
    assert shown["rounds"] == 2 and shown["downloaded"] <= allowed
    assert any("2 rounds only" in warning for warning in shown["warnings"])
    refused = bench(hawser, "--connections", "2", "--max-bytes", 2 * size, image, expect=USAGE)
    assert "--max-bytes" in refused.err and refused.out == b""


def test_a_grid_and_a_tar(hawser, image):
    shown = document(bench(hawser, "--connections", "2", "--layers", "1,auto", "--chunk-size", "64K", "--runs", "1",
                           "--to-tar", "--json", image, environment={"TMPDIR": str(hawser.directory / "home")}))
    assert [setting["options"] for setting in shown["settings"]] == [
        "--max-connections 1", "--max-connections 2 --max-concurrent-downloads 1 --chunk-size 64K",
        "--max-connections 2 --chunk-size 64K"]
    assert not list((hawser.directory / "home").glob(".*partial"))


def test_what_is_saved_is_where_auto_begins(hawser, image):
    origins = hawser.directory / "home/.local/state/hawser/origins"
    few = bench(hawser, "--connections", "1", "--runs", "1", "--save", image)
    assert "nothing was kept: fewer than 4 rounds" in few.err and not origins.exists()
    bench(hawser, "--connections", "1", "--runs", "4", "--save", image)
    notes = list(origins.glob("*.json"))
    assert [json.loads(note.read_text())["preferred_connections"] for note in notes] == [1]
    note = json.loads(notes[0].read_text())
    note["preferred_connections"] = 3
    notes[0].write_text(json.dumps(note))
    said = hawser.run("pull", "--no-cache", "-v", "-o", "image.tar", image)
    assert said.code == OK
    # Nothing else is changed by a pull.
    assert json.loads(notes[0].read_text())["preferred_connections"] == 3


@pytest.mark.parametrize("status, code, why", [(429, RATE_LIMITED, "wants fewer requests"), (403, AUTHENTICATION, "failed")])
def test_a_registry_that_refuses_ends_it(hawser, registry, image, tmp_path, status, code, why):
    """nginx before the registry answers so after 20 requests."""
    port = free_port()
    nginx = Nginx(tmp_path / "home" / "nginx", [port], f"""
      limit_req_zone $server_addr zone=all:1m rate=1r/m;
      server {{
        listen 127.0.0.1:{port};
        limit_req zone=all burst=19 nodelay;
        limit_req_status {status};
        location / {{ proxy_pass http://{registry.host}; proxy_set_header Host $http_host; }}
      }}""")
    try:
        result = bench(hawser, "--connections", "1,2", "--runs", "9", "--json",
                       image.replace(registry.host, f"127.0.0.1:{port}"), expect=code)
    finally:
        nginx.stop()
    shown = document(result)
    assert why in shown["ended"]
    assert 0 < sum(len(setting["samples"]) for setting in shown["settings"]) < 18
    assert result.seconds < 20


def test_it_asks_before_much_is_downloaded(hawser, registry):
    """Without a terminal there is nobody to ask; on one, no means no."""
    huge = registry.push("bench/huge", images.Image([images.random_layer(3, 4_000_000)]), "1")
    options = ("--runs", "1000", "--max-bytes", "100G", "--connections", "2", huge)
    result = bench(hawser, *options, expect=USAGE)
    assert "would download 8.0 GB" in result.err and "--yes" in result.err
    master, slave = pty.openpty()
    process = subprocess.Popen([str(hawser.binary), "bench", *options], stdin=slave, stdout=subprocess.PIPE, stderr=slave,
                               env=clean_environment(HOME=str(hawser.directory / "home"), HAWSER_NO_REGISTRY_CONFIG="1",
                                                     TERM="xterm"))
    os.close(slave)
    said = b""
    while b"[y/N]" not in said:
        said += os.read(master, 4096)
    os.write(master, b"n\n")
    assert process.wait(30) == USAGE
    assert process.stdout.read() == b""
    os.close(master)


def test_an_interruption_tells_what_there_is(hawser, image):
    run = hawser.start("bench", "--runs", "1000", "--yes", "--connections", "2", "--json", image)
    time.sleep(1)
    run.signal(signal.SIGINT)
    result = run.wait()
    assert result.code == INTERRUPTED
    shown = document(result)
    assert shown["ended"] == "it was stopped" and shown["settings"][0]["samples"]


def test_its_time_is_kept(hawser, image):
    result = bench(hawser, "--runs", "1000", "--max-time", "1s", "--connections", "2", "--json", image)
    assert "--max-time" in document(result)["ended"] and result.seconds < 10


def test_what_it_refuses(hawser, registry, image):
    missing = bench(hawser, f"{registry.host}/bench/missing:1", expect=NOT_FOUND)
    assert missing.out == b""
    for options in (("--connections", "0"), ("--connections", "1,,2"), ("--chunk-size", "1"), ("--runs", "0"),
                    ("--json", "--csv"), ("--max-time", "0")):
        assert bench(hawser, *options, image, expect=USAGE).out == b""
