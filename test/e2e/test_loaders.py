"""Real engines take what hawser writes, and report the digests that the registry has."""

import json

import pytest

from support import images
from support.engines import EngineError
from support.images import DOCKER, HOST_PLATFORM, OCI, digest_of

KINDS = {
    "oci-gzip": lambda: images.many_layers(3),
    "oci-zstd": lambda: images.many_layers(3, OCI, "zstd"),
    "oci-plain": lambda: images.many_layers(3, OCI, "none"),
    "docker-gzip": lambda: images.many_layers(3, DOCKER),
    "docker-plain": lambda: images.many_layers(3, DOCKER, "none"),
    "sixty-layers": lambda: images.many_layers(60),
    "one-layer": lambda: images.many_layers(1, DOCKER),
    "same-layer-twice": lambda: images.Image([images.text_layer(1), images.text_layer(2), images.text_layer(1)]),
    "odd-sizes": lambda: images.Image([images.random_layer(n, size) for n, size in enumerate((70_001, 66_666, 99_999))]),
    "big-layer": lambda: images.Image([images.text_layer(1), images.random_layer(5, 20_000_000)]),
}


@pytest.fixture(params=KINDS)
def pulled(request, hawser, registry):
    """A function (options…) that pulls one image of each kind: (archive, image, its name)."""
    image = KINDS[request.param]()
    reference = registry.push(f"load/{request.param}", image, "v1")

    def pull(*options, output="image.tar"):
        hawser.pull(registry, *options, reference, output=output)
        return hawser.directory / output, image, reference

    pull.kind = request.param
    return pull


def test_docker_load(pulled, docker):
    archive, image, name = pulled()
    if pulled.kind == "oci-zstd":
        # docker 20.10 knows no zstd: that is what --uncompressed is for.
        with pytest.raises(EngineError):
            docker.load(archive)
        return
    assert docker.load(archive) == [name]
    assert docker.image_id(name) == image.config.digest
    assert docker.inspect(name)["RootFS"]["Layers"] == [layer.diff_id for layer in image.layers]
    docker.remove(name)


def test_docker_load_uncompressed(pulled, docker):
    archive, image, name = pulled("--uncompressed")
    assert docker.load(archive) == [name]
    assert docker.image_id(name) == image.config.digest
    docker.remove(name)


def test_podman_load(pulled, podman):
    archive, image, name = pulled()
    assert podman.load(archive) == [name]
    assert podman.digest(name) == image.digest
    assert podman.image_id(name) == image.config.digest
    podman.remove(name)


def test_podman_load_uncompressed(pulled, podman):
    archive, image, name = pulled("--uncompressed")
    assert podman.load(archive) == [name]
    assert podman.image_id(name) == image.config.digest
    podman.remove(name)


def test_podman_load_oci_archive(pulled, podman):
    archive, image, name = pulled("--format", "oci-archive")
    podman.load(archive)
    loaded = podman.inspect(image.config.digest)
    assert loaded["Digest"] == image.digest
    podman.remove(image.config.digest)


def test_ctr_import(pulled, containerd):
    archive, image, name = pulled()
    containerd.load(archive)
    assert containerd.digests()[name] == image.digest
    containerd.remove(name)


def test_ctr_import_oci_archive(pulled, containerd):
    archive, image, name = pulled("--format", "oci-archive")
    containerd.load(archive)
    assert containerd.digests()[name] == image.digest
    containerd.remove(name)


def test_ctr_import_uncompressed(pulled, containerd):
    archive, image, name = pulled("--uncompressed")
    containerd.load(archive)
    assert name in containerd.digests()
    containerd.remove(name)


def test_skopeo_docker_archive(pulled, skopeo, hawser):
    archive, image, name = pulled()
    target = hawser.directory / "copied"
    skopeo.copy(f"docker-archive:{archive}", f"dir:{target}")
    manifest = json.loads((target / "manifest.json").read_text())
    assert manifest["config"]["digest"] == image.config.digest


def test_skopeo_docker_archive_uncompressed(pulled, skopeo, hawser):
    archive, image, name = pulled("--uncompressed")
    target = hawser.directory / "copied"
    skopeo.copy(f"docker-archive:{archive}", f"dir:{target}")
    manifest = json.loads((target / "manifest.json").read_text())
    assert manifest["config"]["digest"] == image.config.digest
    assert [layer["digest"] for layer in manifest["layers"]] == [layer.diff_id for layer in image.layers]


def test_skopeo_oci_archive(pulled, skopeo, hawser):
    archive, image, name = pulled("--format", "oci-archive")
    assert skopeo.digest(f"oci-archive:{archive}") == image.digest
    target = hawser.directory / "copied"
    skopeo.copy(f"oci-archive:{archive}", f"dir:{target}", "--preserve-digests")
    assert digest_of((target / "manifest.json").read_bytes()) == image.digest


def test_skopeo_reads_the_default_format_as_oci_archive(pulled, skopeo):
    archive, image, name = pulled()
    assert skopeo.digest(f"oci-archive:{archive}") == image.digest


def test_skopeo_oci_dir(pulled, skopeo):
    archive, image, name = pulled("--format", "oci-dir", output="layout")
    assert skopeo.digest(f"oci:{archive}") == image.digest


@pytest.mark.parametrize("form", ["oci-archive", "oci-dir"])
def test_podman_takes_oci_outputs_as_it_is_told(hawser, registry, podman, form):
    image = images.many_layers(2)
    reference = registry.push("loaders/told", image, "v1")
    said = hawser.pull(registry, "--format", form, reference, output=str(hawser.directory / "told")).out.decode()
    (command,) = [line.split()[1:] for line in said.splitlines() if line.startswith("  podman ")]
    podman.do(*command)
    assert podman.inspect(image.config.digest)
    podman.remove(image.config.digest)


@pytest.mark.parametrize("name", ["a.b_c__d---e", "Upper", "a+b", "..a", "with space", "two"])
def test_podman_is_offered_a_layout_only_where_it_takes_it(hawser, registry, podman, name):
    image = images.many_layers(2)
    reference = registry.push("loaders/offered", image, "v1")
    where = str(hawser.directory / name)
    if name == "two":
        hawser.pull(registry, "--format", "oci-dir", registry.push("loaders/offered", images.many_layers(1), "v2"),
                    output=where)
    said = hawser.pull(registry, "--format", "oci-dir", reference, output=where).out.decode()
    if name == "a.b_c__d---e":
        assert f"  podman pull oci:{where}\n" in said
        podman.do("pull", f"oci:{where}")
        podman.remove(image.config.digest)
    else:
        assert "podman pull" not in said
        with pytest.raises(EngineError):
            podman.do("pull", f"oci:{where}")


def test_every_platform_loads(hawser, registry, docker, podman):
    index = images.six_platforms()
    reference = registry.push("load/six", index, "v1")
    for platform in images.SIX_PLATFORMS:
        hawser.pull(registry, "--platform", platform, reference)
        image = index.image(platform)
        docker.load(hawser.directory / "image.tar")
        podman.load(hawser.directory / "image.tar")
        assert docker.image_id(reference) == image.config.digest
        assert docker.inspect(reference)["Architecture"] == image.platform["architecture"]
        assert podman.digest(reference) == image.digest
    docker.remove(reference)
    podman.remove(reference)


def test_all_platforms_reach_containerd(hawser, registry, containerd, skopeo):
    index = images.six_platforms(attestations=True)
    reference = registry.push("load/all", index, "v1")
    hawser.pull(registry, "--format", "oci-archive", "--all-platforms", reference)
    archive = hawser.directory / "image.tar"
    containerd.load(archive, "--all-platforms")
    assert containerd.digests()[reference] == index.digest
    assert digest_of(skopeo.raw_manifest(f"oci-archive:{archive}")) == index.digest
    containerd.remove(reference)


def test_several_images_in_one_archive(hawser, registry, docker, containerd):
    built = [images.many_layers(n) for n in (1, 2, 3)]
    references = [registry.push("load/several", image, f"n{n}") for n, image in enumerate(built)]
    hawser.pull(registry, *references)
    archive = hawser.directory / "image.tar"
    assert sorted(docker.load(archive)) == sorted(references)
    containerd.load(archive)
    for name, image in zip(references, built):
        assert docker.image_id(name) == image.config.digest
        assert containerd.digests()[name] == image.digest
        docker.remove(name)
        containerd.remove(name)


def test_batch_of_images_with_an_archive_each(hawser, registry, docker):
    references = [registry.push("load/batch", images.many_layers(n), f"n{n}") for n in (1, 2, 3)]
    hawser.pull(registry, *references, output=None)
    loaded = [name for archive in sorted(hawser.directory.glob("*.tar")) for name in docker.load(archive)]
    assert sorted(loaded) == sorted(references)
    for name in references:
        docker.remove(name)


def test_loaded_image_runs(hawser, registry, docker):
    """A container of the image starts: the layers are not only taken, they are right."""
    busybox = open("/bin/busybox", "rb").read()
    image = images.Image([
        images.layer({"bin": None, "bin/busybox": busybox, "bin/cat": "busybox"}),
        images.layer({"greeting": b"ahoy\n"}, "gzip"),
    ], HOST_PLATFORM)
    reference = registry.push("load/busybox", image, "v1")
    hawser.pull(registry, reference)
    docker.load(hawser.directory / "image.tar")
    assert docker.run(reference, "/bin/cat", "/greeting") == "ahoy\n"
    docker.remove(reference)
