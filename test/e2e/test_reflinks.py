"""On a filesystem that can, the archive shares its blocks with the cache: real XFS and Btrfs, on a loop device."""

import os
import subprocess

import pytest

from support import images

LAYERS = [8_000_001, 70_003, 5_000_000, 66_666]


@pytest.fixture(params=["xfs", "btrfs"])
def mounted(request, tmp_path):
    """A directory on a fresh filesystem of that kind."""
    disk, directory = tmp_path / "home" / "disk", tmp_path / "mounted"
    directory.mkdir()
    disk.parent.mkdir(exist_ok=True)
    with open(disk, "wb") as file:
        file.truncate(512 * 1024 * 1024)
    subprocess.run([f"mkfs.{request.param}", "-q", disk], check=True)
    mounting = subprocess.run(["mount", "-o", "loop", disk, directory], capture_output=True, text=True)
    if mounting.returncode != 0:  # loop devices and filesystems are the kernel's to have
        pytest.skip(f"this machine can't mount {request.param}: {mounting.stderr.strip()}")
    yield directory
    subprocess.run(["umount", directory], check=True)


def used(directory) -> int:
    """Bytes that are taken on the filesystem of `directory`."""
    os.sync()
    status = os.statvfs(directory)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


@pytest.fixture
def image(registry):
    made = images.Image([images.random_layer(seed, size) for seed, size in enumerate(LAYERS, 77)])
    return registry.push("reflinks/some", made, "v1")


def test_the_archive_takes_no_room_beside_the_cache(hawser, registry, image, mounted):
    hawser.pull(registry, image, output="elsewhere.tar")
    wanted = (hawser.directory / "elsewhere.tar").read_bytes()
    before = used(mounted)
    hawser.cache = mounted / "cache"
    hawser.pull(registry, image, output=mounted / "fresh.tar")
    after_fresh = used(mounted)
    hawser.pull(registry, image, output=mounted / "cached.tar")
    after_cached = used(mounted)
    assert (mounted / "fresh.tar").read_bytes() == wanted
    assert (mounted / "cached.tar").read_bytes() == wanted
    assert sum(LAYERS) <= after_fresh - before < 1.3 * sum(LAYERS)
    assert after_cached - after_fresh < 0.2 * sum(LAYERS)


@pytest.mark.parametrize("size,shared", [(1 << 20, True), (1_000_003, False)])
def test_parts_that_begin_at_blocks_take_no_room_either(hawser, registry, image, mounted, size, shared):
    hawser.cache = mounted / "cache"
    hawser.pull(registry, image, output="elsewhere.tar")
    before = used(mounted)
    hawser.pull(registry, "--split", size, image, output=mounted / "image.tar")
    assert (used(mounted) - before < 0.3 * sum(LAYERS)) == shared
    parts = sorted(mounted.glob("image.tar.[0-9][0-9][0-9]"))
    assert b"".join(part.read_bytes() for part in parts) == (hawser.directory / "elsewhere.tar").read_bytes()


def test_what_is_shared_needs_no_room(hawser, registry, image, mounted):
    hawser.cache = mounted / "cache"
    hawser.pull(registry, image, output=mounted / "fresh.tar")
    os.sync()
    status = os.statvfs(mounted)
    with open(mounted / "filler", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize - sum(LAYERS) // 2)
    hawser.pull(registry, image, output=mounted / "cached.tar")
    assert (mounted / "cached.tar").read_bytes() == (mounted / "fresh.tar").read_bytes()


def test_without_a_cache_it_is_written_once(hawser, registry, image, mounted):
    before = used(mounted)
    hawser.pull(registry, "--no-cache", image, output=mounted / "image.tar")
    assert used(mounted) - before < 1.3 * sum(LAYERS)


def test_from_another_filesystem_it_is_copied(hawser, registry, image, mounted):
    hawser.pull(registry, image, output=mounted / "image.tar")
    hawser.pull(registry, image, output="elsewhere.tar")
    assert (mounted / "image.tar").read_bytes() == (hawser.directory / "elsewhere.tar").read_bytes()
