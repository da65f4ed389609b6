"""Lists of images: lines with settings, compose files and Kubernetes manifests, patterns, locks, what failed; and
pulls from the cache alone."""

import json
import os
import signal
import subprocess

import pytest

from support import images
from support.hawser import NOT_FOUND, OK, USAGE
from support.process import wait_until


def push(registry, name, tag, *layers):
    return registry.push(f"lists/{name}", images.Image([images.text_layer(n) for n in layers]), tag)


def result_of(hawser, registry, *arguments):
    return json.loads(hawser.pull(registry, "--json", *arguments, output="out/").out)


@pytest.fixture
def out(hawser):
    (hawser.directory / "out").mkdir()
    return hawser.directory / "out"


def names(directory):
    return sorted(os.listdir(directory))


def test_a_list_with_settings_a_failure_and_the_list_of_what_failed(hawser, registry, out):
    one, two = push(registry, "settings-a", "1", 1, 2), push(registry, "settings-b", "1", 2, 3)
    missing = f"{registry.host}/lists/settings-a:none"
    listed = hawser.directory / "images.txt"
    listed.write_text(f"{one} output=both.tar tag-as=registry.local/app:7  # a comment\n{two} output=both.tar\n"
                      f"{missing} platform=linux/arm64 output=late.tar\n{one}\n")
    mark = registry.mark()
    table = hawser.pull(registry, "--from-file", listed, "--failed-file", "failed.txt", output="out/",
                        expect=NOT_FOUND)
    assert names(out) == [f"127.0.0.1_{registry.port}_lists_settings-a_1.tar", "both.tar"]
    assert b"registry.local/app:7" in (out / "both.tar").read_bytes()
    text = table.out.decode()
    assert "1 of 4 images failed" in text and "failed, exit code 4" in text and "out/both.tar" in text, text
    digests = [read.path.rsplit("/", 1)[1] for read in registry.blob_reads(mark)]
    assert len(digests) == len(set(digests)) == 3 + 2, "each layer and config once"
    failed = (hawser.directory / "failed.txt").read_text()
    assert failed.startswith(f"{missing} platform=linux/arm64 output=late.tar  # exit code 4: "), failed
    # It is there by now, and the list of what failed is a list.
    registry.push("lists/settings-a", images.six_platforms(), "none")
    again = result_of(hawser, registry, "--from-file", "failed.txt", "--failed-file", "failed.txt")
    assert [image["platform"] for image in again["images"]] == ["linux/arm64"]
    assert (out / "late.tar").exists() and (hawser.directory / "failed.txt").read_text() == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_a_signal_stopped_is_in_the_list_of_what_failed(hawser, registry, out, number):
    one = push(registry, "stopped", "1", 1)
    slow = registry.push("lists/stopped", images.Image([images.random_layer(5, 3_000_000)]), "2")
    hawser.pull(registry, one, output="out/")
    listed, mark = hawser.directory / "failed.txt", registry.mark()
    run = hawser.start(*hawser.pull_arguments(registry, one, slow, "--limit-rate", "100K", "--failed-file", listed,
                                              output="out/"))
    wait_until(lambda: registry.blob_reads(mark), 60, "a layer to be asked for")
    run.signal(number)
    assert run.wait().code == 128 + number
    # What has not ended a second after SIGINT leaves the list of the beginning, too.
    lines = listed.read_text().splitlines()
    assert lines[-1].startswith(f"{slow}  # ") and len(lines) <= 2, lines
    if number == signal.SIGKILL:
        assert lines == [f"{one}  # not finished", f"{slow}  # not finished"]
    again = result_of(hawser, registry, "--from-file", listed, "--failed-file", listed)
    assert len(again["images"]) == len(lines) and listed.read_text() == ""


def test_what_is_there_is_up_to_date(hawser, registry, out):
    references = [push(registry, "current", tag, number) for number, tag in enumerate(("1", "2"))]
    result_of(hawser, registry, *references)
    before = {name: (out / name).stat().st_mtime_ns for name in names(out)}
    push(registry, "current", "2", 9)
    again = result_of(hawser, registry, "--no-cache", *references)
    assert [image["up_to_date"] for image in again["images"]] == [True, False]
    after = {name: (out / name).stat().st_mtime_ns for name in names(out)}
    assert [before[name] == after[name] for name in names(out)] == [True, False]
    forced = result_of(hawser, registry, "--force", *references)
    assert not any(image["up_to_date"] for image in forced["images"])


def test_a_compose_file_and_kubernetes_manifests(hawser, registry, out):
    web, job = push(registry, "web", "1.25", 1), push(registry, "job", "3", 2)
    host = registry.host
    (hawser.directory / "compose.yaml").write_text(
        f"services:\n  web:\n    image: {host}/lists/web:${{TAG:-none}}\n  own:\n    build: .\n")
    (hawser.directory / ".env").write_text("TAG=1.25\n")
    (hawser.directory / "job.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\ndata: {image: nothing}\n---\napiVersion: batch/v1\nkind: CronJob\n"
        f"metadata: {{name: nightly}}\nspec: {{jobTemplate: {{spec: {{template: {{spec: {{initContainers: "
        f"[{{image: '{host}/lists/job:3'}}], containers: [{{image: '{host}/lists/web:1.25'}}]}}}}}}}}}}\n")
    told = hawser.pull(registry, "--from-file", "compose.yaml", "--from-file", "job.yaml", output="out/").err
    assert f"compose.yaml:3: service web: {web}" in told
    assert "compose.yaml:5: service own is built" in told or "compose.yaml:4: service own is built" in told
    assert f"job.yaml:8: CronJob nightly: spec.jobTemplate.spec.template.spec.initContainers[0].image: {job}" in told
    assert len(names(out)) == 2
    (hawser.directory / ".env").unlink()
    (hawser.directory / "compose.yaml").write_text("services:\n  web:\n    image: nginx:${TAG}\n")
    assert "compose.yaml:3: service web: ${TAG} is not set" in hawser.pull(
        registry, "--from-file", "compose.yaml", output="out/", expect=USAGE).err


def test_a_pattern_a_template_and_a_lock(hawser, registry, out):
    for number, tag in enumerate(("1.27.2", "1.27.10", "1.27.9", "1.28.0", "latest")):
        push(registry, "many", tag, number)
    pattern = f"{registry.host}/lists/many:1.27.*"
    template = ("--output-template", "{name}_{tag}_{arch}.tar")
    pulled = result_of(hawser, registry, pattern, "--latest", "2", "--lock", "lock", *template)
    tags = [image["reference"].rsplit(":", 1)[1] for image in pulled["images"]]
    assert tags == ["1.27.9", "1.27.10"]
    arch = images.HOST_PLATFORM.split("/")[1]
    assert names(out) == [f"many_1.27.10_{arch}.tar", f"many_1.27.9_{arch}.tar"]
    first = (out / names(out)[0]).read_bytes()
    # What the tag stands for changes, and there is a newer one: the lock stays.
    push(registry, "many", "1.27.10", 77)
    push(registry, "many", "1.27.11", 78)
    locked = result_of(hawser, registry, pattern, "--locked", "lock", "--no-cache", "--force", *template)
    assert len(locked["images"]) == 2 and (out / names(out)[0]).read_bytes() == first
    other = f"{registry.host}/lists/many:1.28.0"
    error = hawser.pull(registry, other, "--locked", "lock", output="out/", expect=USAGE).err
    assert "missing in the lock" in error and other in error
    assert "the same name" in hawser.pull(registry, pattern, "--output-template", "x.tar", output="out/",
                                          expect=USAGE).err
    # Shards of a pattern: each image once.
    references = []
    for shard in ("1/3", "2/3", "3/3"):
        part = result_of(hawser, registry, f"{registry.host}/lists/many:*", "--shard", shard, "--dry-run")
        references += [image["reference"] for image in part["images"]]
    assert len(references) == len(set(references)) == 6


def test_offline_is_without_any_network(hawser, registry, out):
    references = [push(registry, "offline", "1", 1, 2), push(registry, "offline", "2", 2, 3)]
    result_of(hawser, registry, *references)
    online = {name: (out / name).read_bytes() for name in names(out)}
    for name in online:
        (out / name).unlink()
    missing = f"{registry.host}/lists/offline:9"
    # A network namespace without so much as loopback.
    command = ["unshare", "--net", hawser.binary,
               *map(str, hawser.pull_arguments(registry, "--offline", "--json", *references, missing, output="out/"))]
    done = subprocess.run(command, cwd=hawser.directory, capture_output=True, timeout=120)
    assert done.returncode == NOT_FOUND, done.stderr
    assert [image["exit_code"] for image in json.loads(done.stdout)["images"]] == [0, 0, NOT_FOUND]
    assert {name: (out / name).read_bytes() for name in names(out)} == online
