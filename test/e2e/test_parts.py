"""--split and join: parts that go through many hands come out as the archive that they were, or not at all."""

import json
import random
import shutil
import subprocess

import pytest

from support import images
from support.hawser import DISK, INTEGRITY, OK, USAGE

SPLIT = 1 << 18  # bytes of a part


@pytest.fixture
def image(registry):
    """A reference to an image of several parts' size."""
    image = images.Image([images.text_layer(1), images.random_layer(2, 700_000), images.random_layer(3, 300_000)])
    return registry.push("parts/image", image, "v1")


def parts_of(hawser, name="image.tar"):
    return sorted(hawser.directory.glob(name + ".[0-9][0-9][0-9]"))


@pytest.mark.sanitized
@pytest.mark.parametrize("options", [[], ["--format", "oci-archive"], ["--uncompressed"], ["--no-cache"],
                                     ["--no-cache", "--uncompressed"]])
def test_parts_shuffled_are_the_same_archive(hawser, registry, image, options):
    hawser.pull(registry, *options, image, output="whole.tar")
    pulled = hawser.pull(registry, *options, "--split", SPLIT, image)
    whole = (hawser.directory / "whole.tar").read_bytes()
    parts = parts_of(hawser)
    assert [part.stat().st_size for part in parts] == [SPLIT] * (len(whole) // SPLIT) + [len(whole) % SPLIT]
    assert b"".join(part.read_bytes() for part in parts) == whole
    assert b"hawser join image.tar.parts" in pulled.out
    assert subprocess.run(["sha256sum", "--quiet", "-c", "image.tar.parts"], cwd=hawser.directory).returncode == 0
    random.Random(1).shuffle(parts)
    joined = hawser.run("join", "-o", "joined.tar", *parts)
    assert joined.code == OK, joined.err
    assert (hawser.directory / "joined.tar").read_bytes() == whole
    names = ["image.tar.parts", *(part.name for part in parts), "joined.tar", "whole.tar"]
    assert hawser.leftovers() == sorted(names)


def test_docker_and_podman_load_what_was_joined(hawser, registry, image, docker, podman):
    hawser.pull(registry, "--split", SPLIT, image)
    assert hawser.run("join", "image.tar.parts").code == OK
    for engine in (docker, podman):
        assert engine.load(hawser.directory / "image.tar") == [image]
        engine.remove(image)


def test_one_is_lost_and_one_damaged(hawser, registry, image):
    hawser.pull(registry, "--split", SPLIT, image)
    parts = parts_of(hawser)
    data = bytearray(parts[1].read_bytes())
    data[1000] ^= 1
    parts[1].write_bytes(data)
    parts[-1].unlink()
    lost = f"{parts[1].name}, {parts[-1].name}: missing, of {len(parts)} parts"
    result = hawser.run("join", *parts[:-1])
    assert result.code == INTEGRITY
    assert f"{parts[1]}: damaged, or of another pull" in result.err and lost in result.err
    assert not (hawser.directory / "image.tar").exists()
    checked = hawser.run("join", "--check", "--json", "image.tar.parts")
    assert checked.code == INTEGRITY
    assert json.loads(checked.out)["missing"] == [parts[1].name, parts[-1].name]
    assert hawser.run("join", "--check", parts[0]).code == OK
    assert hawser.run("join", "--check", parts[1]).code == INTEGRITY


def test_parts_of_an_older_run_are_not_taken(hawser, registry, image):
    older = registry.push("parts/older", images.Image([images.random_layer(9, 2_000_000)]), "v1")
    hawser.pull(registry, "--split", SPLIT, older)
    before = parts_of(hawser)
    (hawser.directory / "kept").mkdir()
    for part in before:
        shutil.copy(part, hawser.directory / "kept")
    hawser.pull(registry, "--split", SPLIT, image)
    parts = parts_of(hawser)
    assert len(parts) < len(before)
    old = hawser.directory / "kept" / parts[1].name
    result = hawser.run("join", parts[0], old, *parts[2:])
    assert result.code == INTEGRITY
    assert f"{old}: damaged, or of another pull" in result.err
    # All of them beside each other: each is told from the others.
    result = hawser.run("join", *parts, *sorted((hawser.directory / "kept").iterdir()), "-o", "joined.tar")
    assert result.code == OK, result.err
    hawser.pull(registry, image, output="whole.tar")
    assert (hawser.directory / "joined.tar").read_bytes() == (hawser.directory / "whole.tar").read_bytes()


def test_parts_that_are_there_are_left_alone(hawser, registry, image):
    hawser.pull(registry, "--split", SPLIT, image)
    times = [part.stat().st_mtime_ns for part in parts_of(hawser)]
    again = hawser.pull(registry, "--split", SPLIT, "--json", image)
    result = json.loads(again.out)["images"][0]
    assert result["up_to_date"] and result["parts"] == len(times)
    assert [part.stat().st_mtime_ns for part in parts_of(hawser)] == times
    parts_of(hawser)[-1].unlink()
    assert not json.loads(hawser.pull(registry, "--split", SPLIT, "--json", image).out)["images"][0]["up_to_date"]
    assert hawser.run("join", "--check", "image.tar.parts").code == OK


def test_where_parts_can_not_be(hawser, registry, image):
    mark = registry.mark()
    for options, output in ((["--format", "oci-dir"], "layout"), ([], "-")):
        assert hawser.pull(registry, "--split", SPLIT, *options, image, output=output, expect=USAGE).out == b""
    assert registry.accesses(mark) == []
    # A thousand parts are refused before any layer is fetched.
    big = registry.push("parts/big", images.Image([images.random_layer(10, 70 << 20)]), "v1")
    mark = registry.mark()
    for more in ([], ["--dry-run"]):
        result = hawser.pull(registry, "--split", "64K", *more, big, expect=USAGE)
        assert "choose a larger --split" in result.err
    assert sum(access.size for access in registry.blob_reads(mark)) < 1 << 20
    (hawser.directory / "image.tar.001").mkdir()
    hawser.pull(registry, "--split", SPLIT, image, expect=DISK)
    assert hawser.leftovers() == []
