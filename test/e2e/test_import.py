"""Image tars that are there already save what a pull would fetch."""

import dataclasses
import json
import subprocess

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


def _umoci(skopeo, name, archive):
    """A layout whose config umoci has changed, in a tar with ./ in front of all names."""
    layout = archive.parent / "layout"
    skopeo.copy(f"docker://{name}", f"oci:{layout}:v1", "--quiet", "--src-tls-verify=false")
    subprocess.run(["umoci", "config", "--image", f"{layout}:v1", "--author", "somebody"], check=True)
    subprocess.run(["tar", "-C", layout, "-cf", archive, "."], check=True)


def _named_by_digests(image, archive, config, layer):
    """A tar with the registry's own layers under the names that `config` and `layer` make of their hex digits."""
    names = [layer(blob.digest[7:]) for blob in image.layers]
    config_name = config(image.config.digest[7:])
    manifest = json.dumps([{"Config": config_name, "RepoTags": ["saved:v1"], "Layers": names}]).encode()
    files = {config_name: image.config.data, **dict(zip(names, (blob.data for blob in image.layers))),
             "manifest.json": manifest}
    archive.write_bytes(images.tar_of(files))


@dataclasses.dataclass(frozen=True)
class Saved:
    """A way to save an image: (what it is done with, image, its name, archive); whether the layers stay what they were."""

    save: object
    same_layers: bool


SAVED = {
    "docker": Saved(lambda get, image, *to: get("docker").save(*to), False),
    "podman": Saved(lambda get, image, *to: get("podman").save(*to, "docker-archive"), False),
    "podman-oci": Saved(lambda get, image, *to: get("podman").save(*to, "oci-archive"), False),
    "skopeo": Saved(lambda get, image, *to: get("skopeo").save(*to, "docker-archive"), False),
    "skopeo-oci": Saved(lambda get, image, *to: get("skopeo").save(*to, "oci-archive"), True),
    "buildah": Saved(lambda get, image, *to: get("buildah").save(*to, "docker-archive"), False),
    "buildah-oci": Saved(lambda get, image, *to: get("buildah").save(*to, "oci-archive"), False),
    "umoci": Saved(lambda get, image, *to: _umoci(get("skopeo"), *to), True),
    "crane": Saved(lambda get, image, name, archive: _named_by_digests(
        image, archive, lambda hex: f"sha256:{hex}", lambda hex: f"{hex}.tar.gz"), True),
    "rules_oci": Saved(lambda get, image, name, archive: _named_by_digests(
        image, archive, lambda hex: f"blobs/sha256/{hex}", lambda hex: f"blobs/sha256/{hex}.tar.gz"), True),
}


@pytest.mark.parametrize("tool", SAVED)
def test_what_a_tool_saved_is_not_fetched(request, hawser, registry, tool):
    image = images.Image([images.text_layer(1), images.text_layer(2), images.text_layer(1)])
    reference = registry.push(f"import/of-{tool}", image, "v1")
    SAVED[tool].save(request.getfixturevalue, image, reference, hawser.directory / "saved.tar")
    done = hawser.run("import", "--cache-dir", hawser.cache, "saved.tar")
    assert done.code == 0, done.err
    assert b"2 layers taken" in done.out
    since = registry.mark()
    options = () if SAVED[tool].same_layers else ("--uncompressed",)
    plan = json.loads(hawser.pull(registry, "--json", "--dry-run", *options, reference).out)
    said = json.loads(hawser.pull(registry, "--json", *options, reference).out)
    for result in (plan, said):
        assert (result["cached_layers"], result["to_fetch_bytes"]) == (2, 0)
    assert not [read for read in registry.blob_reads(since) if image.config.digest not in read.path]
    hawser.pull(registry, "--no-cache", *options, reference, output="again.tar")
    assert (hawser.directory / "image.tar").read_bytes() == (hawser.directory / "again.tar").read_bytes()


def test_a_pull_says_what_uncompressed_would_save(hawser, registry, saved):
    image = images.many_layers(2)
    reference = saved(image, "classic", "--uncompressed")
    done = hawser.run("import", "--cache-dir", hawser.cache, "--json", "saved.tar")
    report = json.loads(done.out)["files"][0]
    assert (report["layers"], report["uncompressed_layers"]) == (2, 2)
    since = registry.mark()
    size = image.layer_bytes()
    told = f"warning: {reference}: --uncompressed would save {size} B"
    assert hawser.pull(registry, "--dry-run", reference).err.count(told) == 1
    assert hawser.pull(registry, reference).err.count(told) == 1
    assert len(registry.blob_reads(since)) == 2
    assert "would save" not in hawser.pull(registry, reference).err


def test_layers_of_another_image_serve_plain_tars_too(hawser, registry, saved):
    """Its config is not in the cache, so the layers wait for it."""
    base = [images.text_layer(1), images.text_layer(2)]
    saved(images.Image(base), "base", "--uncompressed")
    reference = registry.push("import/derived", images.Image([*base, images.text_layer(3)]), "v1")
    since = registry.mark()
    hawser.pull(registry, "--import-tar", "saved.tar", "--uncompressed", reference)
    assert len(registry.blob_reads(since)) == 2, "the config and one layer"


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


def test_a_directory_that_is_no_image_layout(hawser):
    (hawser.directory / "saved").mkdir()
    done = hawser.run("import", "--cache-dir", hawser.cache, "saved")
    assert done.code == INTEGRITY
    assert "saved is no saved image" in done.err


def test_an_image_layout_in_a_directory(hawser, registry):
    image = images.many_layers(3)
    reference = registry.push("import/layout", image, "v1")
    hawser.pull(registry, "--no-cache", "--format", "oci-dir", reference, output="layout")
    done = hawser.run("import", "--cache-dir", hawser.cache, "layout")
    assert done.code == 0 and b"3 layers taken" in done.out, done.err
    since = registry.mark()
    hawser.pull(registry, reference)
    assert registry.blob_reads(since) == []
