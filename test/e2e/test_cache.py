"""What is there already is not fetched again: caches, batches, several processes."""

import json
import os
import subprocess
import threading

import pytest

from support import images
from support.archive import Archive
from support.hawser import DISK, NOT_FOUND, OK
from support.process import wait_until


def test_second_pull_fetches_no_blob(hawser, registry):
    reference = registry.push("cache/again", images.many_layers(6), "v1")
    hawser.pull(registry, reference, output="first.tar")
    mark = registry.mark()
    result = hawser.pull(registry, reference, output="second.tar")
    assert registry.blob_reads(mark) == []
    assert "100" in result.err + result.out.decode()  # percent of hits
    assert (hawser.directory / "first.tar").read_bytes() == (hawser.directory / "second.tar").read_bytes()


def test_similar_image_fetches_what_differs(hawser, registry):
    first = images.many_layers(5)
    second = images.Image([*first.layers, images.text_layer(99)])
    hawser.pull(registry, registry.push("cache/similar", first, "v1"))
    reference = registry.push("cache/similar", second, "v2")
    mark = registry.mark()
    hawser.pull(registry, reference)
    fetched = {access.path.rpartition("/")[2] for access in registry.blob_reads(mark)}
    assert fetched == {second.config.digest, second.layers[-1].digest}


def test_layers_are_shared_between_repositories(hawser, registry):
    image = images.many_layers(5)
    hawser.pull(registry, registry.push("cache/one", image, "v1"))
    reference = registry.push("cache/other", image, "v1")
    mark = registry.mark()
    hawser.pull(registry, reference)
    assert registry.blob_reads(mark) == []


def test_without_cache(hawser, registry):
    image = images.many_layers(6)
    reference = registry.push("cache/none", image, "v1")
    for _ in range(2):
        mark = registry.mark()
        hawser.pull(registry, "--no-cache", "--force", reference)
        assert sum(a.size for a in registry.blob_reads(mark)) == image.layer_bytes() + len(image.config.data)
        Archive(hawser.directory / "image.tar").check_image(image)
    assert not hawser.cache.exists()
    assert hawser.leftovers() == ["image.tar"]


def test_default_cache_directory(hawser, registry):
    reference = registry.push("cache/default", images.many_layers(1), "v1")
    result = hawser.run("pull", *registry.options, "-o", "image.tar", reference)
    assert result.code == OK, result.err
    assert (hawser.directory / "docker_images_cache/oci-layout").exists()


def test_cache_is_an_image_layout(hawser, registry):
    image = images.many_layers(3)
    hawser.pull(registry, registry.push("cache/layout", image, "v1"))
    layout = Archive(hawser.cache)
    for blob in image.blobs():
        assert layout.blob(blob.digest) == blob.data


def test_a_blob_that_was_changed_in_the_cache(hawser, registry):
    image = images.many_layers(3)
    reference = registry.push("cache/changed", image, "v1")
    hawser.pull(registry, reference)
    victim = hawser.cache / "blobs" / image.layers[1].digest.replace(":", "/")
    victim.chmod(0o600)
    victim.write_bytes(b"\0" * victim.stat().st_size)
    hawser.pull(registry, reference)
    Archive(hawser.directory / "image.tar").check_image(image)


def test_a_blob_that_was_changed_without_a_trace_is_found_by_verify_cache(hawser, registry):
    image = images.many_layers(3)
    reference = registry.push("cache/forged", image, "v1")
    hawser.pull(registry, reference)
    victim = hawser.cache / "blobs" / image.layers[1].digest.replace(":", "/")
    before = victim.stat()
    victim.write_bytes(b"\0" * before.st_size)
    os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
    hawser.pull(registry, "--verify-cache", reference)
    Archive(hawser.directory / "image.tar").check_image(image)


@pytest.fixture
def read_only_cache(hawser, registry):
    """A cache that can't be written, with one image; a function gives that image's reference, or another's."""
    hawser.cache.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", hawser.cache], check=True)
    cached = registry.push("cache/read-only", images.many_layers(3), "v1")
    other = registry.push("cache/read-only", images.many_layers(5), "v2")
    hawser.pull(registry, cached, output="cached.tar")
    subprocess.run(["mount", "-o", "remount,ro", hawser.cache], check=True)
    yield cached, other
    subprocess.run(["umount", hawser.cache], check=True)


OUTPUTS = [pytest.param([], "image.tar", id="file"), pytest.param([], "-", id="stdout"),
           pytest.param(["--format", "oci-dir"], "layout", id="oci-dir"),
           pytest.param(["--uncompressed"], "image.tar", id="uncompressed")]


def check_output(hawser, options, output, result, image):
    """That the image is there, and nothing of where its blobs were meanwhile, not even a directory."""
    archive = Archive(result.out if output == "-" else hawser.directory / output)
    if "--uncompressed" in options:
        archive.check_uncompressed(image)
    elif "oci-dir" in options:
        archive.check_layout(image)
    else:
        archive.check_image(image)
    assert list(hawser.directory.rglob(".hawser.*")) == []


@pytest.mark.parametrize("options, output", OUTPUTS)
def test_a_cache_that_can_only_be_read_is_read(hawser, registry, read_only_cache, options, output):
    cached, other = read_only_cache
    mark = registry.mark()
    result = hawser.pull(registry, *options, cached, output=output, timeout=30)
    assert "only read" in result.err
    assert registry.blob_reads(mark) == []
    # What it lacks is fetched, and that alone.
    result = hawser.pull(registry, *options, other, output=output, timeout=30)
    assert len(registry.blob_reads(mark)) == 3  # two layers and the config
    check_output(hawser, options, output, result, images.many_layers(5))


@pytest.mark.parametrize("options, output", OUTPUTS)
def test_a_damaged_blob_of_a_cache_that_can_only_be_read(hawser, registry, read_only_cache, options, output):
    cached, _ = read_only_cache
    image = images.many_layers(3)
    subprocess.run(["mount", "-o", "remount,rw", hawser.cache], check=True)
    (hawser.cache / "blobs" / image.layers[1].digest.replace(":", "/")).write_bytes(b"\0" * len(image.layers[1].data))
    subprocess.run(["mount", "-o", "remount,ro", hawser.cache], check=True)
    mark = registry.mark()
    result = hawser.pull(registry, *options, cached, output=output, timeout=30)
    assert len(registry.blob_reads(mark)) == 1
    check_output(hawser, options, output, result, image)


def test_a_directory_of_something_else_is_no_cache(hawser, registry):
    reference = registry.push("cache/foreign", images.many_layers(1), "v1")
    (hawser.cache / "notes").mkdir(parents=True)
    (hawser.cache / "notes" / "diary").write_text("precious")
    assert "--cache-dir" in hawser.pull(registry, reference, expect=DISK).err
    assert hawser.run("cache", "prune", "--cache-dir", hawser.cache).code == DISK
    assert [path.name for path in hawser.cache.rglob("*")] == ["notes", "diary"]


def test_dry_run_fetches_no_layer(hawser, registry):
    image = images.many_layers(4)
    reference = registry.push("cache/dry", image, "v1")
    mark = registry.mark()
    result = hawser.pull(registry, "--dry-run", reference)
    said = result.out.decode() + result.err
    assert hawser.leftovers() == []
    layers = {layer.digest for layer in image.layers}
    assert not any(access.path.rpartition("/")[2] in layers for access in registry.blob_reads(mark))
    for layer in image.layers:
        assert layer.digest.removeprefix("sha256:")[:12] in said


def test_pruning_all_the_time_spoils_no_pull(hawser, registry):
    made = [images.Image([images.random_layer(41, 400_000), images.random_layer(42 + n, 100_000)]) for n in range(6)]
    references = [registry.push(f"cache/pruned{n}", image, "v1") for n, image in enumerate(made)]
    hawser.pull(registry, references[0], output="first.tar")
    over = threading.Event()

    def prune():
        while not over.is_set():
            hawser.run("cache", "prune", "--max-size", "0", "--quiet", "--cache-dir", hawser.cache)

    pruning = threading.Thread(target=prune)
    pruning.start()
    try:
        for turn in range(3):
            (hawser.directory / f"out{turn}").mkdir()
            hawser.pull(registry, *references, output=f"out{turn}/")
    finally:
        over.set()
        pruning.join()
    for turn in range(3):
        for tar, image in zip(sorted((hawser.directory / f"out{turn}").iterdir()), made, strict=True):
            Archive(tar).check_image(image)


def test_dry_run_counts_what_images_share_once(hawser, registry):
    shared = images.random_layer(31, 300_000)
    own = [images.random_layer(32 + n, 100_000) for n in range(2)]
    references = [registry.push(f"dry/image{n}", images.Image([shared, own[n], shared]), "v1") for n in range(2)]
    result = json.loads(hawser.pull(registry, "--dry-run", "--json", *references, output=None).out)
    assert result["to_fetch_bytes"] == len(shared.data) + sum(len(layer.data) for layer in own)
    assert result["layers"] == 3
    assert [image["bytes"] for image in result["images"]] == [len(shared.data) + len(layer.data) for layer in own]
    hawser.pull(registry, references[0], output=None)
    result = json.loads(hawser.pull(registry, "--dry-run", "--json", "--force", *references, output=None).out)
    assert result["to_fetch_bytes"] == len(own[1].data)
    assert result["cached_bytes"] == len(shared.data) + len(own[0].data)


def test_dry_run_of_all_platforms(hawser, registry):
    index = images.six_platforms(attestations=True)
    reference = registry.push("dry/platforms", index, "v1")
    result = hawser.pull(registry, "--dry-run", "--all-platforms", "--format", "oci-archive", reference).out.decode()
    assert "(6 platforms): 7 layers, " in result
    assert result.count(index.manifests[0].layers[0].digest) == 1


def test_dry_run_refuses_what_the_pull_refuses(hawser, registry):
    """A platform that only the config tells, and an output that can't be written."""
    other = next(name for name in images.SIX_PLATFORMS if name != images.HOST_PLATFORM)
    reference = registry.push("dry/platform", images.many_layers(1), "v1")
    for dry_run in ["--dry-run"], []:
        for arguments, code in [["--platform", other], NOT_FOUND], [["-o", "missing/image.tar"], DISK], [
                ["--format", "oci-dir", "-o", "home"], DISK]:
            hawser.pull(registry, *dry_run, *arguments, reference, output=None, expect=code)
    assert f"({images.HOST_PLATFORM}): 1 layer, " in hawser.pull(registry, "--dry-run", reference).out.decode()


def test_batch_shares_what_its_images_share(hawser, registry):
    base = images.random_layer(11, 400_000)
    references = [registry.push(f"batch/image{n}", images.Image([base, images.text_layer(n)]), "v1")
                  for n in range(4)]
    mark = registry.mark()
    hawser.pull(registry, *references, output=None)
    assert sum(a.size for a in registry.blob_reads(mark) if base.digest in a.path) == len(base.data)
    archives = [Archive(path) for path in hawser.directory.glob("*.tar")]
    assert sorted(tag for archive in archives for tag in archive.tags) == sorted(references)


def test_one_missing_image_of_a_batch(hawser, registry):
    """The others arrive all the same, and the exit code tells."""
    good = registry.push("batch/good", images.many_layers(2), "v1")
    missing = f"{registry.host}/batch/missing:v1"
    result = hawser.pull(registry, missing, good, output=None, expect=4)
    assert missing in result.err
    assert [Archive(path).tags for path in hawser.directory.glob("*.tar")] == [[good]]


def test_twenty_processes_on_one_cache(hawser, own_registry):
    registry = own_registry()
    image = images.Image([images.random_layer(seed, 2_000_000) for seed in range(6)])
    reference = registry.push("cache/twenty", image, "v1")
    mark = registry.mark()
    runs = [hawser.start(*hawser.pull_arguments(registry, reference, output=f"{n}.tar")) for n in range(20)]
    results = [run.wait(300) for run in runs]
    assert [result.code for result in results] == [OK] * 20, [r.err for r in results if r.code][:1]
    fetched = {access.path.rpartition("/")[2] for access in registry.blob_reads(mark)}
    assert fetched == {blob.digest for blob in image.blobs()}
    # One process fetches a blob, the others wait for it. A range that is taken over by an idle connection
    # counts twice here: the registry logs what it put into its socket, not what was taken from it.
    crossed = sum(access.size for access in registry.blob_reads(mark))
    assert crossed < 1.9 * (image.layer_bytes() + len(image.config.data))
    assert len({(hawser.directory / f"{n}.tar").read_bytes() for n in range(20)}) == 1
    Archive(hawser.directory / "0.tar").check_image(image)


def test_a_prune_in_mid_pull_leaves_what_the_pull_has(hawser, registry):
    image = images.Image([images.text_layer(1), images.random_layer(1, 3_000_000)])
    reference = registry.push("cache/midst", image, "v1")
    run = hawser.start(*hawser.pull_arguments(registry, "--limit-rate", "600K", reference))
    first = hawser.cache / "blobs/sha256" / image.layers[0].digest.partition(":")[2]
    wait_until(first.exists, 60, "the first layer to be there")
    assert hawser.run("cache", "prune", "--max-size", "0", "--keep-referenced", "--cache-dir", hawser.cache).code == OK
    assert run.wait().code == OK
    hawser.pull(registry, "--offline", reference, output="again.tar")
    Archive(hawser.directory / "again.tar").check_image(image)
