"""Images of every kind that a registry serves, and which part of them a pull takes."""

import pytest

from support import images
from support.archive import Archive
from support.hawser import INTEGRITY, NETWORK, NOT_FOUND, OTHER
from support.images import DOCKER, HOST_PLATFORM, OCI, SIX_PLATFORMS
from support.process import free_port

KINDS = [(OCI, "gzip"), (OCI, "zstd"), (OCI, "none"), (DOCKER, "gzip"), (DOCKER, "none")]


def archive(hawser):
    return Archive(hawser.directory / "image.tar")


@pytest.mark.sanitized
@pytest.mark.parametrize("count", [1, 60])
@pytest.mark.parametrize("flavour,compression", KINDS)
def test_kinds_of_layers(hawser, registry, flavour, compression, count):
    image = images.many_layers(count, flavour, compression)
    reference = registry.push(f"kinds/{flavour}-{compression}", image, f"n{count}")
    hawser.pull(registry, reference)
    archive(hawser).check_image(image)
    assert archive(hawser).tags == [reference]


@pytest.mark.parametrize("flavour,compression", KINDS)
def test_uncompressed_layers(hawser, registry, flavour, compression):
    image = images.many_layers(7, flavour, compression)
    reference = registry.push(f"kinds/{flavour}-{compression}", image, "plain")
    hawser.pull(registry, "--uncompressed", reference)
    archive(hawser).check_uncompressed(image)
    assert archive(hawser).tags == [reference]


def test_image_without_layers(hawser, registry):
    image = images.Image([])
    reference = registry.push("kinds/no-layers", image, "v1")
    hawser.pull(registry, reference)
    archive(hawser).check_image(image)


def test_large_layer_among_small_ones(hawser, registry):
    image = images.Image([images.text_layer(1), images.random_layer(1, 30_000_000), images.text_layer(2)])
    reference = registry.push("kinds/large", image, "v1")
    hawser.pull(registry, reference)
    archive(hawser).check_image(image)


@pytest.mark.sanitized
@pytest.mark.parametrize("flavour", [OCI, DOCKER])
@pytest.mark.parametrize("platform", SIX_PLATFORMS)
def test_each_of_six_platforms(hawser, registry, flavour, platform):
    index = images.six_platforms(flavour, attestations=flavour == OCI)
    reference = registry.push(f"six/{flavour}", index, "v1")
    hawser.pull(registry, "--platform", platform, reference)
    archive(hawser).check_image(index.image(platform))


def test_the_hosts_platform_is_the_default(hawser, registry):
    index = images.six_platforms()
    reference = registry.push("six/default", index, "v1")
    hawser.pull(registry, reference)
    archive(hawser).check_image(index.image(HOST_PLATFORM))


@pytest.mark.parametrize("asked,taken", [
    ("linux/arm/v8", "linux/arm/v7"), ("linux/arm", "linux/arm/v7"), ("linux/arm64/v8", "linux/arm64")])
def test_variants_fall_back(hawser, registry, asked, taken):
    index = images.six_platforms()
    reference = registry.push("six/variants", index, "v1")
    hawser.pull(registry, "--platform", asked, reference)
    archive(hawser).check_image(index.image(taken))


def test_no_platform_matches(hawser, registry):
    reference = registry.push("six/mismatch", images.six_platforms(attestations=True), "v1")
    result = hawser.pull(registry, "--platform", "linux/riscv64", reference, expect=NOT_FOUND)
    for platform in SIX_PLATFORMS:
        assert platform in result.err
    assert "unknown/unknown" not in result.err
    assert hawser.leftovers() == []


def test_single_image_of_another_platform(hawser, registry):
    reference = registry.push("single/arm64", images.many_layers(1, platform="linux/arm64"), "v1")
    result = hawser.pull(registry, "--platform", "linux/s390x", reference, expect=NOT_FOUND)
    assert "linux/arm64" in result.err
    hawser.pull(registry, "--platform", "linux/arm64", reference)


def test_nested_index(hawser, registry):
    inner = images.six_platforms()
    reference = registry.push("nested/image", images.Index([inner]), "v1")
    hawser.pull(registry, "--platform", "linux/arm64", reference)
    archive(hawser).check_image(inner.image("linux/arm64"))


def test_layer_that_is_named_twice_is_fetched_once(hawser, registry):
    twice = images.random_layer(7, 300_000)
    image = images.Image([twice, images.text_layer(1), twice])
    reference = registry.push("kinds/twice", image, "v1")
    mark = registry.mark()
    hawser.pull(registry, reference)
    archive(hawser).check_image(image)
    assert sum(a.size for a in registry.blob_reads(mark) if twice.digest in a.path) == len(twice.data)


@pytest.mark.parametrize("flavour", [OCI, DOCKER])
def test_by_digest(hawser, registry, flavour):
    image = images.many_layers(2, flavour)
    reference = registry.push("digest/image", image)
    hawser.pull(registry, reference)
    archive(hawser).check_image(image)
    assert archive(hawser).tags == []


def test_by_tag_and_digest_the_digest_decides(hawser, registry):
    old, new = images.many_layers(1), images.many_layers(2)
    registry.push("digest/moved", old)
    reference = registry.push("digest/moved", new, "v1")
    hawser.pull(registry, f"{reference}@{old.digest}")
    archive(hawser).check_image(old)
    assert archive(hawser).tags == [reference]


def test_index_by_digest(hawser, registry):
    index = images.six_platforms()
    reference = registry.push("digest/index", index)
    hawser.pull(registry, "--platform", "linux/386", reference)
    archive(hawser).check_image(index.image("linux/386"))


def test_foreign_layer_needs_permission(hawser, registry, own_registry):
    """Its bytes come from the URL that the manifest names, and only when the user said so."""
    elsewhere = own_registry()
    content = images.random_layer(3, 100_000)
    elsewhere.push("mirror/of", images.Image([content]), "v1")
    url = f"http://{elsewhere.host}/v2/mirror/of/blobs/{content.digest}?signature=hush"
    foreign = images.Blob(content.data, "gzip", content.diff_id, (url,))
    image = images.Image([images.text_layer(1), foreign], flavour=DOCKER)
    reference = registry.push("foreign/image", image, "v1")
    mark = elsewhere.mark()
    result = hawser.pull(registry, reference, expect=OTHER)
    assert "--allow-foreign-layers" in result.err
    assert elsewhere.host in result.err and "hush" not in result.err
    assert elsewhere.accesses(mark) == []
    hawser.pull(registry, "--allow-foreign-layers", reference)
    archive(hawser).check_image(image)


def test_foreign_layer_whose_first_url_is_dead(hawser, registry, own_registry):
    elsewhere = own_registry()
    content = images.random_layer(3, 100_000)
    elsewhere.push("mirror/of", images.Image([content]), "v1")
    blobs = f"http://{elsewhere.host}/v2/mirror/of/blobs"
    gone = (f"{blobs}/sha256:{'0' * 64}", f"http://127.0.0.1:{free_port()}/layer")
    for name, urls in (("there", (*gone, f"{blobs}/{content.digest}")), ("nowhere", gone)):
        foreign = images.Blob(content.data, "gzip", content.diff_id, urls)
        image = images.Image([images.text_layer(1), foreign], flavour=DOCKER)
        reference = registry.push(f"foreign/{name}", image, "v1")
        if name == "there":
            hawser.pull(registry, "--allow-foreign-layers", "--no-cache", reference)
            archive(hawser).check_image(image)
        else:
            error = hawser.pull(registry, "--allow-foreign-layers", "--no-cache", "--retries", "1", reference,
                                expect=NETWORK).err
            assert "none of the 3 places" in error
            assert all(url in error or url.partition("/layer")[0] in error for url in gone)


def test_uncompressed_diff_ids_that_lie(hawser, registry):
    """The blobs are what the manifest says, but not what the config promises."""
    good, other = images.text_layer(1), images.text_layer(2)
    image = images.Image([images.Blob(good.data, "gzip", other.diff_id)])
    reference = registry.push("lies/diff-id", image, "v1")
    result = hawser.pull(registry, "--uncompressed", reference, expect=INTEGRITY)
    assert "diff ID" in result.err
    assert hawser.leftovers() == []


def test_uncompressed_layers_that_do_not_inflate(hawser, registry):
    broken = images.Blob(b"\x1f\x8b\x08\x00 this is no deflate stream", "gzip", "sha256:" + 64 * "0")
    reference = registry.push("lies/gzip", images.Image([broken]), "v1")
    hawser.pull(registry, "--uncompressed", reference, expect=INTEGRITY)
    assert hawser.leftovers() == []


@pytest.mark.parametrize("config_type", [None, "application/octet-stream"])
def test_fewer_diff_ids_than_layers(hawser, registry, config_type):
    layers = [images.text_layer(1), images.text_layer(2)]
    image = images.Image(layers, diff_ids=[layers[0].diff_id], config_type=config_type)
    reference = registry.push("lies/count", image, "v1")
    hawser.pull(registry, reference, expect=INTEGRITY)
    assert hawser.leftovers() == []
