"""hawser pull --timeline and --trace-http: where the time of a pull went, without a secret in it."""

import json
import signal
import time

import pytest

from support import images
from support.hawser import INTERRUPTED, NOT_FOUND
from support.nginx import Nginx
from support.process import free_port
from support.registry import PASSWORD, USER

FILES = ("--timeline", "pull.json", "--trace-http", "pull.har")


def documents(hawser):
    """Both, checked for what must hold of any pull."""
    timeline = json.loads((hawser.directory / "pull.json").read_text())
    entries = json.loads((hawser.directory / "pull.har").read_text())["log"]["entries"]
    assert timeline["kind"] == "timeline" and len(entries) == len(timeline["exchanges"])
    ids = {connection["id"] for connection in timeline["connections"]}
    for exchange in timeline["exchanges"]:
        assert exchange.get("connection") in ids | {None}
        steps = [exchange[step] for step in ("began", "sent", "first_byte", "ended") if step in exchange]
        assert steps == sorted(steps) and steps[-1] <= timeline["elapsed"] + 0.001
    for entry in entries:
        spent = [max(0, took) for step, took in entry["timings"].items() if step != "ssl"]
        assert entry["time"] == pytest.approx(sum(spent), abs=1e-6)
    return timeline, entries


def of(timeline, purpose):
    return [exchange for exchange in timeline["exchanges"] if exchange.get("purpose") == purpose]


@pytest.mark.sanitized
def test_a_timeline_and_an_archive_of_a_pull(hawser, registries):
    registry = registries("token-login", True)
    image = images.many_layers(4)
    reference = registry.push("traffic/image", image, "v1")
    hawser.pull(registry, *FILES, reference)
    timeline, entries = documents(hawser)
    assert timeline["images"] == [reference] and timeline["exit_code"] == 0
    statuses = {purpose: {exchange["status"] for exchange in of(timeline, purpose)}
                for purpose in ("token", "manifest", "config", "layer")}
    assert statuses["token"] == {200} and statuses["manifest"] == {401, 200}
    assert statuses["config"] == {200} and statuses["layer"] <= {200, 206}
    assert timeline["arrivals"][-1][1] >= image.layer_bytes() + len(image.config.data)
    opened = timeline["connections"][0]
    assert opened["origin"] == f"https://{registry.host}" and opened["address"] == registry.host
    assert opened["began"] <= opened["resolved"] <= opened["connected"] <= opened["secured"] <= opened["ended"]
    assert opened["segments"] > 0
    text = (hawser.directory / "pull.json").read_text() + (hawser.directory / "pull.har").read_text()
    assert "Bearer ey" not in text and USER not in text and json.dumps(PASSWORD)[1:-1] not in text
    sent = [header for entry in entries for header in entry["request"]["headers"] if header["name"] == "Authorization"]
    assert sent and all(header["value"] == "***" for header in sent)


def test_a_redirect_to_a_storage(hawser, registry, tmp_path):
    """nginx before the registry sends blobs to signed URLs of another port."""
    image = images.Image([images.random_layer(1, 300_000)])
    reference = registry.push("traffic/redirected", image, "v1")
    port, storage = free_port(), free_port()
    nginx = Nginx(tmp_path / "home" / "nginx", [port, storage], f"""
      server {{
        listen 127.0.0.1:{port};
        location ~ /blobs/ {{ return 307 http://127.0.0.1:{storage}$uri?X-Amz-Signature=hush; }}
        location / {{ proxy_pass http://{registry.host}; proxy_set_header Host $http_host; }}
      }}
      server {{
        listen 127.0.0.1:{storage};
        location / {{ proxy_pass http://{registry.host}; }}
      }}""")
    try:
        hawser.pull(registry, *FILES, reference.replace(registry.host, f"127.0.0.1:{port}"))
        bench = hawser.run("bench", "--plain-http", "--connections", "2", "--runs", "1", "--json",
                           reference.replace(registry.host, f"127.0.0.1:{port}"))
    finally:
        nginx.stop()
    timeline, entries = documents(hawser)
    assert 307 in {exchange["status"] for exchange in of(timeline, "layer")}
    brought = [exchange for exchange in of(timeline, "layer") if exchange["status"] in (200, 206)]
    addresses = {connection["id"]: connection["address"] for connection in timeline["connections"]}
    assert {addresses[exchange["connection"]] for exchange in brought} == {f"127.0.0.1:{storage}"}
    redirected = next(entry for entry in entries if entry["response"]["status"] == 307)
    assert redirected["response"]["redirectURL"].startswith(f"http://127.0.0.1:{storage}/v2/")
    assert "hush" not in (hawser.directory / "pull.json").read_text() + (hawser.directory / "pull.har").read_text()
    shown = json.loads(bench.out)
    for setting in shown["settings"]:
        for sample in setting["samples"]:
            assert sample["storage"] == [f"127.0.0.1:{storage}"] and sample["wasted"] >= 0
            assert {"resolve", "connect", "manifest", "redirect", "layers"} <= sample["phases"].keys()
        assert setting["timeline"]["elapsed"] in [sample["seconds"] for sample in setting["samples"]]
        assert setting["timeline"]["exchanges"] and "kind" not in setting["timeline"]
    assert "hush" not in bench.out.decode()


def test_a_pull_that_fails_or_is_stopped_is_told_of(hawser, registry):
    reference = registry.push("traffic/slow", images.Image([images.random_layer(2, 3_000_000)]), "v1")
    run = hawser.run("pull", *registry.options, *FILES, "-o", "none.tar", f"{registry.host}/traffic/none:1")
    assert run.code == NOT_FOUND
    timeline, _ = documents(hawser)
    assert timeline["exit_code"] == NOT_FOUND and {e["status"] for e in of(timeline, "manifest")} == {404}
    slow = hawser.start("pull", *registry.options, *FILES, "--limit-rate", "100K", "-o", "slow.tar", reference)
    time.sleep(2)
    slow.signal(signal.SIGINT)
    assert slow.wait().code == INTERRUPTED
    timeline, _ = documents(hawser)
    # Where the machine is too slow for it to stop within a second, it is what had happened when the signal came.
    stopped = timeline.get("exit_code")
    assert stopped in (None, INTERRUPTED) and timeline["images"] == [reference] and of(timeline, "layer")
    assert stopped is None or all("ended" in exchange for exchange in timeline["exchanges"])
    assert hawser.leftovers() == ["pull.har", "pull.json"]
