"""Image tars that are there already save what a pull would fetch."""

import json

import pytest

from support import images
from support.archive import Archive
from support.hawser import DISK, INTEGRITY, OTHER
from support.images import DOCKER


@pytest.fixture
def saved(hawser, registry):
    """A function (image, options…): the image pulled into saved.tar with no cache left; its reference."""

    def save(image, name, *options):
        reference = registry.push(f"import/{name}", image, "v1")
        hawser.pull(registry, "--no-cache", *options, reference, output="saved.tar")
        return reference

    return save


@pytest.mark.sanitized
@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_imported_layers_are_not_fetched(hawser, registry, saved, compression):
    image = images.many_layers(4, images.OCI, compression)
    reference = saved(image, f"whole-{compression}")
    done = hawser.run("import", "--cache-dir", hawser.cache, "saved.tar")
    assert done.code == 0, done.err
    assert b"4 layers taken" in done.out and reference.encode() in done.out
    since = registry.mark()
    hawser.pull(registry, reference)
    assert registry.blob_reads(since) == []
    Archive(hawser.directory / "image.tar").check_image(image)


def test_import_tar_of_a_pull(hawser, registry, saved):
    reference = saved(images.many_layers(3), "pull")
    since = registry.mark()
    result = hawser.pull(registry, "--import-tar", "saved.tar", reference)
    assert f"there already\n  {reference}\n" in result.err
    assert registry.blob_reads(since) == []


def test_uncompressed_layers_serve_registries_that_serve_them_so(hawser, registry, saved):
    image = images.many_layers(3, DOCKER, "none")
    reference = saved(image, "plain", "--uncompressed")
    since = registry.mark()
    hawser.pull(registry, "--import-tar", "saved.tar", reference)
    assert registry.blob_reads(since) == []


def test_uncompressed_layers_are_said_to_be_so(hawser, registry, saved):
    reference = saved(images.many_layers(2), "classic", "--uncompressed")
    done = hawser.run("import", "--cache-dir", hawser.cache, "--json", "saved.tar")
    report = json.loads(done.out)["files"][0]
    assert (report["layers"], report["uncompressed_layers"]) == (2, 2)
    since = registry.mark()
    hawser.pull(registry, reference)
    assert len(registry.blob_reads(since)) == 2


def test_damaged_tar(hawser, registry, saved):
    saved(images.Image([images.random_layer(1, 100_000)]), "damaged")
    data = bytearray((hawser.directory / "saved.tar").read_bytes())
    data[-50_000] ^= 1
    (hawser.directory / "saved.tar").write_bytes(data)
    done = hawser.run("import", "--cache-dir", hawser.cache, "saved.tar")
    assert done.code == INTEGRITY
    assert b"not what it claims" in done.out


def test_what_is_no_tar(hawser):
    (hawser.directory / "note.txt").write_text("not a tar\n" * 100)
    assert hawser.run("import", "--cache-dir", hawser.cache, "note.txt").code in (INTEGRITY, OTHER)
    assert hawser.run("import", "--cache-dir", hawser.cache, "nowhere.tar").code == DISK


def test_a_directory_is_no_tar_and_can_not_be_read(hawser):
    (hawser.directory / "saved").mkdir()
    done = hawser.run("import", "--cache-dir", hawser.cache, "saved")
    assert done.code == DISK
    assert "saved: Is a directory" in done.err
