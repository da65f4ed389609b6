"""Deltas: archives without the layers that are there already, and what engines make of them."""

import json
import pathlib
import random
import subprocess

import pytest

from support import images
from support.archive import Archive
from support.engines import EngineError
from support.hawser import INTEGRITY, NOT_FOUND, USAGE
from support.images import DOCKER, OCI


def _image(*tops, flavour=OCI, base=(1, 2)):
    """busybox below, two more layers, and what is on top."""
    busybox = images.layer({"bin": None, "bin/busybox": open("/bin/busybox", "rb").read(), "bin/cat": "busybox"})
    layers = [busybox, *(images.text_layer(number) for number in base)]
    return images.Image([*layers, *(images.layer({"top": top}) for top in tops)], flavour=flavour)


class Pair:
    """Two successive images in the registry: the new one has the old one's layers but for the last."""

    def __init__(self, hawser, registry, repository, flavour=OCI):
        self.hawser, self.registry = hawser, registry
        self.old_image, self.new_image = _image(b"one", flavour=flavour), _image(b"two\n", flavour=flavour)
        self.old = registry.push(repository, self.old_image, "1")
        self.new = registry.push(repository, self.new_image, "2")
        self.shared = [layer.digest for layer in self.old_image.layers[:-1]]

    def pull(self, *options, output):
        return self.hawser.pull(self.registry, "--no-cache", *options, output=output)

    def delta(self, *options, have="old.tar", output="delta.tar"):
        return self.pull("--without", have, *options, self.new, output=output)

    def path(self, name):
        return self.hawser.directory / name


@pytest.fixture
def pair(request, hawser, registry):
    made = Pair(hawser, registry, f"deltas/{request.node.name.lower().translate(str.maketrans('[]', '--'))}".rstrip("-"))
    made.pull(made.old, output="old.tar")
    return made


def check_delta(pair, archive, *, layout=True):
    """That the archive is the new image but for the layers that the old one has, and says so."""
    held = [digest for digest in pair.shared if f"blobs/{digest.replace(':', '/')}" in archive.files]
    assert held == []
    said = archive.json("hawser-delta.json")
    assert sorted(layer["digest"] for layer in said["left_out"]) == sorted(pair.shared)
    for layer in said["left_out"]:
        blob = next(blob for blob in pair.new_image.layers if blob.digest == layer["digest"])
        assert (layer["diff_id"], layer["size"]) == (blob.diff_id, len(blob.data))
    assert [image["digest"] for image in said["images"]] == [pair.new_image.digest]
    if layout:
        assert archive.json("index.json")["annotations"] == {"io.github.hawser.delta": "hawser-delta.json"}
        assert archive.blob(pair.new_image.layers[-1].digest) == pair.new_image.layers[-1].data
    return said


# -- what is there may be told in many ways


@pytest.mark.sanitized
@pytest.mark.parametrize("form", ["docker-archive", "oci-archive", "oci-dir"])
def test_what_a_tar_has_is_neither_fetched_nor_written(pair, form):
    since = pair.registry.mark()
    said = pair.delta("--format", form).out.decode()
    fetched = {read.path.rpartition("/")[2] for read in pair.registry.blob_reads(since)}
    assert fetched == {pair.new_image.config.digest, pair.new_image.layers[-1].digest}
    document = check_delta(pair, Archive(pair.path("delta.tar")))
    assert all(layer["held_by"] == ["old.tar"] for layer in document["left_out"])
    assert "left out: 3 layers" in said and "there by old.tar" in said


def test_a_second_delta_is_made_against_the_first(pair):
    pair.delta()
    third = _image(b"two\n", b"three")
    pair.new, pair.new_image = pair.registry.push("deltas/third", third, "3"), third
    pair.shared = [layer.digest for layer in third.layers[:-1]]
    pair.delta(have="delta.tar", output="third.tar")
    check_delta(pair, Archive(pair.path("third.tar")))


def test_an_image_layout(pair):
    pair.pull("--format", "oci-dir", pair.old, output="layout")
    pair.delta(have="layout")
    check_delta(pair, Archive(pair.path("delta.tar")))


def test_a_lock(pair):
    pair.pull("--lock", "old.lock", "--dry-run", pair.old, output="unused.tar")
    pair.delta(have="old.lock")
    check_delta(pair, Archive(pair.path("delta.tar")))


def test_an_image_of_a_lock_that_is_gone_is_not_counted_on(pair):
    gone = pair.registry.host + "/deltas/gone:1@sha256:" + 64 * "0"
    pair.path("old.lock").write_text(gone + "\n")
    assert "not taken to be there" in pair.delta(have="old.lock").err
    assert Archive(pair.path("delta.tar")).json("hawser-delta.json")["left_out"] == []


def test_what_docker_has(pair, docker):
    docker.load(pair.path("old.tar"))
    pair.path("docker.json").write_text(json.dumps([docker.inspect(pair.old)]))
    pair.delta(have="docker.json")
    check_delta(pair, Archive(pair.path("delta.tar")))
    docker.load(pair.path("delta.tar"))
    assert docker.image_id(pair.new) == pair.new_image.config.digest
    docker.remove(pair.old)
    docker.remove(pair.new)


def test_docker_needs_the_same_layers_below(pair, docker):
    """A layer that docker has elsewhere is in the delta: it would not be found."""
    docker.load(pair.path("old.tar"))
    pair.path("docker.json").write_text(json.dumps([docker.inspect(pair.old)]))
    other = images.Image([pair.old_image.layers[0], pair.old_image.layers[2]])
    name = pair.registry.push("deltas/other", other, "1")
    pair.pull("--without", "docker.json", name, output="delta.tar")
    left_out = Archive(pair.path("delta.tar")).json("hawser-delta.json")["left_out"]
    assert [layer["digest"] for layer in left_out] == [pair.old_image.layers[0].digest]
    docker.load(pair.path("delta.tar"))
    docker.remove(pair.old)
    docker.remove(name)


@pytest.mark.parametrize("options", [["--format", "oci-archive"], ["--format", "oci-dir"]])
def test_what_docker_would_refuse_is_not_written(pair, docker, options):
    docker.load(pair.path("old.tar"))
    pair.path("docker.json").write_text(json.dumps([docker.inspect(pair.old)]))
    docker.remove(pair.old)
    done = pair.hawser.run(*pair.hawser.pull_arguments(pair.registry, "--without", "docker.json", *options, pair.new))
    assert done.code == USAGE
    assert "docker load would refuse it" in done.err and all(digest in done.err for digest in pair.shared)
    assert not pair.path("image.tar").exists()


def test_what_podman_has(pair, podman):
    podman.load(pair.path("old.tar"))
    pair.path("podman.json").write_text(json.dumps([podman.inspect(pair.old)]))
    assert "whether it does, podman.json does not tell" in pair.delta(have="podman.json").err
    check_delta(pair, Archive(pair.path("delta.tar")))
    podman.load(pair.path("delta.tar"))
    assert podman.digest(pair.new) == pair.new_image.digest
    podman.remove(pair.old)
    podman.remove(pair.new)


@pytest.mark.parametrize("listing", [["content", "ls"], ["content", "ls", "-q"], ["images", "ls"]])
def test_what_containerd_has(pair, containerd, listing):
    containerd.load(pair.path("old.tar"))
    pair.path("ctr.txt").write_text(containerd.do(*listing))
    pair.delta(have="ctr.txt")
    check_delta(pair, Archive(pair.path("delta.tar")))
    containerd.load(pair.path("delta.tar"))
    assert containerd.digests()[pair.new] == pair.new_image.digest
    containerd.remove(pair.old)
    containerd.remove(pair.new)
    done = pair.hawser.run(
        *pair.hawser.pull_arguments(pair.registry, "--without", "ctr.txt", "--uncompressed", pair.new))
    assert done.code == USAGE and "ctr image import would refuse it" in done.err


# -- a delta is no whole archive


def test_import_names_what_a_delta_lacks(pair):
    pair.delta()
    done = pair.hawser.run("import", "--cache-dir", pair.hawser.cache, "delta.tar")
    assert done.code == INTEGRITY
    assert b"it is a delta, and lacks 3 layers" in done.out
    assert all(digest.encode() in done.out for digest in pair.shared)
    again = pair.hawser.run("import", "--cache-dir", pair.hawser.cache, "old.tar", "delta.tar")
    assert again.code == 0, "the cache has them now"


def test_neither_is_up_to_date_where_the_other_is(pair):
    pair.delta()
    assert "up to date" in pair.delta().out.decode()
    pair.pull(pair.new, output="delta.tar")
    Archive(pair.path("delta.tar")).check_image(pair.new_image)
    assert "up to date" not in pair.delta().out.decode()
    check_delta(pair, Archive(pair.path("delta.tar")))


def test_what_a_delta_is_made_against_is_not_replaced(pair):
    before = pair.path("old.tar").read_bytes()
    done = pair.hawser.run(*pair.hawser.pull_arguments(pair.registry, "--without", "old.tar", pair.new, output="old.tar"))
    assert done.code == USAGE and "is the same file as --without" in done.err
    assert pair.path("old.tar").read_bytes() == before


def test_deltas_have_names_of_their_own(pair):
    pair.delta(output=None)
    (name,) = pair.hawser.directory.glob("*.delta.tar")
    check_delta(pair, Archive(name))


# -- hawser apply makes it whole


def apply(pair, *arguments, output="whole.tar", expect=0):
    done = pair.hawser.run("apply", "--no-cache", "--output", output, *arguments)
    assert done.code == expect, done.err
    return done


@pytest.mark.sanitized
@pytest.mark.parametrize("options", [[], ["--format", "oci-archive"], ["--uncompressed"]], ids=lambda each: "".join(each))
def test_the_whole_archive_is_what_a_pull_writes(pair, options):
    pair.delta()
    pair.pull(*options, pair.new, output="pulled.tar")
    done = apply(pair, "delta.tar", "--with", "old.tar", *options)
    assert pair.path("whole.tar").read_bytes() == pair.path("pulled.tar").read_bytes()
    assert "saved to whole.tar" in done.out.decode()
    assert pair.hawser.leftovers() == ["delta.tar", "old.tar", "pulled.tar", "whole.tar"]


def test_an_image_layout_too(pair):
    pair.pull("--format", "oci-dir", pair.old, output="layout")
    pair.delta("--format", "oci-dir", have="layout", output="delta")
    apply(pair, "delta", "--with", "layout", "--format", "oci-dir", output="whole")
    Archive(pair.path("whole")).check_layout(pair.new_image)
    pair.pull("--format", "oci-dir", pair.new, output="pulled")
    assert Archive(pair.path("whole")).files == Archive(pair.path("pulled")).files


def test_what_is_applied_loads_everywhere(pair, docker, podman, containerd):
    pair.delta()
    apply(pair, "delta.tar", "--with", "old.tar")
    for engine in (docker, podman, containerd):
        engine.load(pair.path("whole.tar"))
    assert docker.image_id(pair.new) == podman.image_id(pair.new) == pair.new_image.config.digest
    assert podman.digest(pair.new) == containerd.digests()[pair.new] == pair.new_image.digest
    assert docker.run(pair.new, "/bin/cat", "/top") == "two\n"
    for engine in (docker, podman, containerd):
        engine.remove(pair.new)


def _package_files(*packages) -> dict:
    """The files of installed Debian packages."""
    names = subprocess.run(["dpkg", "--listfiles", *packages], capture_output=True, text=True, check=True).stdout
    paths = [pathlib.Path(name) for name in names.split("\n") if name]
    return {str(path)[1:]: path.read_bytes() for path in paths if path.is_file() and not path.is_symlink()}


def test_an_application_on_debian(hawser, registry, docker, podman, containerd):
    """One changed file, with layers of Debian packages below: the delta is next to nothing of the whole."""
    below = [images.layer(_package_files("libc6", "coreutils")), images.layer(_package_files("bash", "perl-base"))]
    one, two = (images.Image([*below, images.layer({"app/main.py": f"print({number})\n".encode()})]) for number in (1, 2))
    names = [registry.push("deltas/debian", image, tag) for image, tag in ((one, "1"), (two, "2"))]
    hawser.pull(registry, "--no-cache", names[0], output="app_1.tar")
    hawser.pull(registry, "--no-cache", "--without", "app_1.tar", names[1], output="app_2.delta.tar")
    done = hawser.run("apply", "--no-cache", "app_2.delta.tar", "--with", "app_1.tar", "-o", "app_2.tar")
    assert done.code == 0, done.err
    sizes = {name: (hawser.directory / name).stat().st_size for name in ("app_2.tar", "app_2.delta.tar")}
    assert sizes["app_2.delta.tar"] * 100 < sizes["app_2.tar"]
    for engine in (docker, podman, containerd):
        engine.load(hawser.directory / "app_2.tar")
    assert docker.image_id(names[1]) == podman.image_id(names[1]) == two.config.digest
    assert podman.digest(names[1]) == containerd.digests()[names[1]] == two.digest
    for engine in (docker, podman, containerd):
        engine.remove(names[1])


def test_deltas_in_a_row(pair):
    pair.delta()
    third = _image(b"two\n", b"three")
    pair.new = pair.registry.push("deltas/in-a-row", third, "3")
    pair.delta(have="delta.tar", output="third.tar")
    apply(pair, "delta.tar", "third.tar", "--with", "old.tar")
    Archive(pair.path("whole.tar")).check_image(third)


def test_the_cache_is_looked_into_and_keeps_what_was_applied(pair):
    pair.delta()
    cache = ["--cache-dir", pair.hawser.cache]
    assert pair.hawser.run("import", *cache, "old.tar").code == 0
    done = pair.hawser.run("apply", *cache, "-o", "whole.tar", "delta.tar")
    assert done.code == 0, done.err
    assert pair.hawser.run("pull", "--offline", *cache, "-o", "again.tar", pair.new).code == 0
    assert pair.path("whole.tar").read_bytes() == pair.path("again.tar").read_bytes()


def test_what_is_nowhere_is_named(pair):
    pair.delta()
    done = apply(pair, "delta.tar", expect=NOT_FOUND)
    assert "3 layers are neither in the delta" in done.err
    assert all(layer.digest in done.err and layer.diff_id in done.err for layer in pair.new_image.layers[:-1])
    assert "old.tar" in done.err and not pair.path("whole.tar").exists()


def test_plain_tars_make_an_uncompressed_archive_and_no_other(pair, docker):
    docker.load(pair.path("old.tar"))
    docker.do("save", "--output", pair.path("saved.tar"), pair.old)
    docker.remove(pair.old)
    pair.delta(have="saved.tar")
    done = apply(pair, "delta.tar", "--with", "saved.tar", expect=NOT_FOUND)
    assert "3 layers are there in other bytes than the registry's alone" in done.err and "--uncompressed" in done.err
    apply(pair, "delta.tar", "--with", "saved.tar", "--uncompressed")
    pair.pull("--uncompressed", pair.new, output="pulled.tar")
    assert pair.path("whole.tar").read_bytes() == pair.path("pulled.tar").read_bytes()


def test_what_was_damaged_on_the_way_is_named(pair):
    pair.delta()
    top = pair.new_image.layers[-1]
    damaged = bytearray(pair.path("delta.tar").read_bytes())
    damaged[damaged.index(top.data) + len(top.data) // 2] ^= 1
    pair.path("delta.tar").write_bytes(damaged)
    done = apply(pair, "delta.tar", "--with", "old.tar", expect=INTEGRITY)
    assert "it is damaged" in done.err and top.digest in done.err
    assert not pair.path("whole.tar").exists()


def test_what_damaged_files_have_does_not_count(pair):
    pair.delta()
    layer = pair.old_image.layers[1]
    damaged = bytearray(pair.path("old.tar").read_bytes())
    damaged[damaged.index(layer.data) + len(layer.data) // 2] ^= 1
    pair.path("old.tar").write_bytes(damaged)
    done = apply(pair, "delta.tar", "--with", "old.tar", expect=NOT_FOUND)
    assert f"old.tar: {layer.digest} in it is not what it claims to be" in done.err
    assert "1 layer" in done.err


def test_all_platforms(hawser, registry):
    old, new = images.six_platforms(), images.six_platforms(attestations=True)
    options = ["--no-cache", "--all-platforms", "--format", "oci-archive"]
    names = [registry.push("deltas/six", what, tag) for what, tag in ((old, "1"), (new, "2"))]
    hawser.pull(registry, *options, names[0], output="old.tar")
    hawser.pull(registry, *options, "--without", "old.tar", names[1], output="delta.tar")
    hawser.pull(registry, *options, names[1], output="pulled.tar")
    done = hawser.run("apply", "--no-cache", "delta.tar", "--with", "old.tar", "--format", "oci-archive", "-o", "whole.tar")
    assert done.code == 0, done.err
    assert (hawser.directory / "whole.tar").read_bytes() == (hawser.directory / "pulled.tar").read_bytes()


def test_other_platforms_and_several_images(hawser, registry):
    index = images.six_platforms()
    six, one = registry.push("deltas/arm", index, "1"), registry.push("deltas/arm", _image(b"x"), "2")
    (hawser.directory / "list").write_text(f"{six} platform=linux/arm/v7 tag-as=elsewhere/arm:7\n{one}\n")
    pull = lambda *options, output: hawser.pull(
        registry, "--no-cache", "--from-file", "list", *options, output=output)
    hawser.pull(registry, "--no-cache", "--platform", "linux/s390x", six, output="old.tar")
    pull("--without", "old.tar", output="delta.tar")
    pull(output="pulled.tar")
    done = hawser.run("apply", "--no-cache", "delta.tar", "--with", "old.tar", "-o", "whole.tar")
    assert done.code == 0, done.err
    assert (hawser.directory / "whole.tar").read_bytes() == (hawser.directory / "pulled.tar").read_bytes()


# -- --fine: the differences of layers


class Versions:
    """Images of a layer that has Debian packages and a file that changes, and perhaps of a second, in the registry."""

    def __init__(self, hawser, registry, compression="gzip"):
        self.hawser, self.registry, self.compression = hawser, registry, compression
        self.files = _package_files("bash", "coreutils")

    def push(self, tag, first=None, second=None):
        layers = [images.layer(self.files | {"bin/bash-static": self._program(first or tag), "app/version": b"x"},
                               self.compression)]
        if second:
            layers.append(images.layer({"bin/other": self._program(second)}, self.compression))
        image = images.Image(layers)
        return self.registry.push(f"deltas/fine-{self.compression}", image, tag), image

    def _program(self, version):
        program = bytearray(self.files["bin/bash"])
        program[5000:5000] = version.encode() * 100
        return bytes(program)

    def pull(self, name, *options, output):
        return self.hawser.pull(self.registry, "--no-cache", *options, name, output=output)

    def size(self, name):
        return (self.hawser.directory / name).stat().st_size

    def check_whole(self, *arguments):
        """That hawser apply writes what a pull writes."""
        done = self.hawser.run("apply", "--no-cache", *arguments, "-o", "whole.tar")
        assert done.code == 0, done.err
        assert (self.hawser.directory / "whole.tar").read_bytes() == (self.hawser.directory / "pulled.tar").read_bytes()


@pytest.fixture
def versions(hawser, registry):
    return Versions(hawser, registry)


@pytest.mark.sanitized
def test_a_fine_delta_has_the_differences_alone(versions):
    old, new = versions.push("1")[0], versions.push("2")[0]
    versions.pull(old, output="old.tar")
    said = versions.pull(new, "--without", "old.tar", "--fine", output="fine.tar").out.decode()
    assert "patched: 1 layer, " in said and "taken as it is" not in said
    versions.pull(new, output="pulled.tar")
    assert versions.size("fine.tar") * 20 < versions.size("pulled.tar")
    versions.check_whole("fine.tar", "--with", "old.tar")
    assert versions.hawser.leftovers() == ["fine.tar", "old.tar", "pulled.tar", "whole.tar"]


def test_a_fine_delta_of_a_layout(versions):
    old, new = versions.push("1")[0], versions.push("2")[0]
    layout = ["--format", "oci-dir"]
    versions.pull(old, *layout, output="old")
    versions.pull(new, *layout, "--without", "old", "--fine", output="fine")
    versions.pull(new, output="pulled.tar")
    versions.check_whole("fine", "--with", "old")


def test_fine_deltas_in_a_row(versions):
    names = [versions.push(tag)[0] for tag in ("1", "2", "3")]
    for number, name in enumerate(names[:2]):
        versions.pull(name, output=f"{number}.tar")
    versions.pull(names[1], "--without", "0.tar", "--fine", output="1.delta.tar")
    versions.pull(names[2], "--without", "1.tar", "--fine", output="2.delta.tar")
    versions.pull(names[2], output="pulled.tar")
    versions.check_whole("1.delta.tar", "2.delta.tar", "--with", "0.tar")


def test_fine_deltas_in_a_row_that_change_one_layer_each(versions):
    """The last delta counts on having a layer that the first one makes."""
    names = [versions.push(f"1{i}", first, second)[0]
             for i, (first, second) in enumerate([("a", "b"), ("c", "b"), ("c", "d")])]
    for number, name in enumerate(names[:2]):
        versions.pull(name, output=f"{number}.tar")
    versions.pull(names[1], "--without", "0.tar", "--fine", output="1.delta.tar")
    versions.pull(names[2], "--without", "1.delta.tar", "--without", "1.tar", "--fine", output="2.delta.tar")
    versions.pull(names[2], output="pulled.tar")
    versions.check_whole("1.delta.tar", "2.delta.tar", "--with", "0.tar")


@pytest.mark.sanitized
def test_a_cached_layer_that_has_rotted_is_taken_from_an_archive(versions):
    (old, old_image), (new, _) = versions.push("1"), versions.push("2")
    hawser, digest = versions.hawser, old_image.layers[0].digest
    hawser.pull(versions.registry, old, output="old.tar")
    versions.pull(new, "--without", "old.tar", "--fine", output="fine.tar")
    versions.pull(new, output="pulled.tar")
    blob = hawser.cache / "blobs/sha256" / digest.removeprefix("sha256:")
    blob.chmod(0o600)
    blob.write_bytes(blob.read_bytes()[::-1])
    apply = ["apply", "--cache-dir", hawser.cache, "fine.tar", "-o", "whole.tar"]
    done = hawser.run(*apply)
    assert done.code == NOT_FOUND and digest in done.err
    blob.write_bytes(bytes(len(old_image.layers[0].data)))
    done = hawser.run(*apply, "--with", "old.tar")
    assert done.code == 0, done.err
    assert (hawser.directory / "whole.tar").read_bytes() == (hawser.directory / "pulled.tar").read_bytes()


def test_what_a_fine_delta_is_patched_of_is_named(versions, docker, podman, containerd):
    (old, old_image), (new, _) = versions.push("1"), versions.push("2")
    versions.pull(old, output="old.tar")
    versions.pull(new, "--without", "old.tar", "--fine", output="fine.tar")
    done = versions.hawser.run("apply", "--no-cache", "fine.tar", "-o", "whole.tar")
    assert done.code == NOT_FOUND and old_image.layers[0].digest in done.err and "in old.tar" in done.err
    done = versions.hawser.run("import", "--cache-dir", versions.hawser.cache, "fine.tar")
    assert done.code == INTEGRITY and b"it is a delta, and lacks 1 layer" in done.out
    for engine in (docker, podman, containerd):
        engine.load(versions.hawser.directory / "old.tar")
        with pytest.raises(EngineError):
            engine.load(versions.hawser.directory / "fine.tar")
        engine.remove(old)
    if new in containerd.digests():
        containerd.remove(new)


@pytest.mark.parametrize("by", ["docker", "podman"])
def test_a_fine_delta_of_what_engines_have_pushed(by, versions, docker, podman, containerd):
    """docker compresses by Go's own library, podman by another one."""
    pushed = []
    for tag in ("1", "2"):
        name, _ = versions.push(tag)
        versions.pull(name, output=f"{tag}.tar")
        engine = {"docker": docker, "podman": podman}[by]
        engine.load(versions.hawser.directory / f"{tag}.tar")
        pushed.append(name.replace("fine-gzip", f"fine-by-{by}"))
        engine.do("tag", name, pushed[-1])
        engine.do("push", *(["--tls-verify=false", "--compression-format=gzip"] if by == "podman" else []), pushed[-1])
        engine.remove(name)
        engine.remove(pushed[-1])
    versions.pull(pushed[0], output="old.tar")
    versions.pull(pushed[1], "--without", "old.tar", "--fine", output="fine.tar")
    versions.pull(pushed[1], output="pulled.tar")
    assert versions.size("fine.tar") * (20 if by == "docker" else 2) < versions.size("pulled.tar")
    versions.check_whole("fine.tar", "--with", "old.tar")
    for engine in (docker, podman, containerd):
        engine.load(versions.hawser.directory / "whole.tar")
    assert podman.digest(pushed[1]) == containerd.digests()[pushed[1]]
    assert docker.image_id(pushed[1]) == podman.image_id(pushed[1])
    for engine in (docker, podman, containerd):
        engine.remove(pushed[1])


def test_what_can_not_be_made_again_is_there_as_a_whole(hawser, registry):
    versions = Versions(hawser, registry, "zstd")
    old, (new, image) = versions.push("1")[0], versions.push("2")
    versions.pull(old, output="old.tar")
    said = versions.pull(new, "--without", "old.tar", "--fine", output="fine.tar").err
    assert "is in the delta as a whole" in said
    assert Archive(hawser.directory / "fine.tar").blob(image.layers[0].digest) == image.layers[0].data


def test_lists_have_nothing_to_patch_with(pair):
    pair.pull("--lock", "old.lock", "--dry-run", pair.old, output="unused.tar")
    assert "no layers to patch with" in pair.delta("--fine", have="old.lock").err
    check_delta(pair, Archive(pair.path("delta.tar")))
    for options in (["--fine"], ["--fine", "--without", "old.tar", "--uncompressed"]):
        assert pair.hawser.run(*pair.hawser.pull_arguments(pair.registry, *options, pair.new)).code == USAGE


# -- what engines take as it is: a test for each row of docs/deltas.md


@pytest.fixture(params=["docker-archive", "oci-archive", "uncompressed"])
def form(request):
    return request.param


@pytest.fixture(params=[OCI, DOCKER])
def archive(request, form, hawser, registry):
    """A delta of that form, and the whole archive of the old image."""
    pair = Pair(hawser, registry, f"deltas/{request.param}-{form}-{random.randrange(10 ** 9)}", request.param)
    pair.pull(pair.old, output="old.tar")
    pair.delta(*(["--uncompressed"] if form == "uncompressed" else ["--format", form]))
    return pair


def _takes(load, archive):
    try:
        load(archive)
        return True
    except EngineError:
        return False


def test_docker_takes_what_lacks_layers_that_it_has(form, archive, docker):
    assert not _takes(docker.load, archive.path("delta.tar")), "it has none"
    docker.load(archive.path("old.tar"))
    assert _takes(docker.load, archive.path("delta.tar")) == (form != "oci-archive")
    if form != "oci-archive":
        assert docker.image_id(archive.new) == archive.new_image.config.digest
        assert docker.run(archive.new, "/bin/cat", "/top") == "two\n"
        docker.remove(archive.new)
    docker.remove(archive.old)


def test_podman_takes_what_lacks_layers_that_it_has(form, archive, podman):
    assert not _takes(podman.load, archive.path("delta.tar")), "it has none"
    podman.load(archive.path("old.tar"))
    assert _takes(podman.load, archive.path("delta.tar")) == (form != "uncompressed")
    if form != "uncompressed":
        assert podman.inspect(archive.new_image.config.digest)["Digest"] == archive.new_image.digest
        podman.remove(archive.new_image.config.digest)
    podman.remove(archive.old)


@pytest.mark.parametrize("options", [[], ["--format", "oci-archive"]])
def test_podman_takes_nothing_for_layers_that_it_has_from_plain_tars(hawser, registry, podman, options):
    """It has never seen these compressed, and nothing tells it that they are the same."""
    below = images.text_layer(random.randrange(1000, 10 ** 9))
    old, new = (registry.push("deltas/plain", images.Image([below, images.layer({"top": top})]), top.decode())
                for top in (b"1", b"2"))
    hawser.pull(registry, "--no-cache", "--uncompressed", old, output="old.tar")
    podman.load(hawser.directory / "old.tar")
    said = hawser.pull(registry, "--no-cache", "--without", "old.tar", *options, new, output="delta.tar").err
    assert "1 layer of what is left out is there as plain tar alone" in said
    assert not _takes(podman.load, hawser.directory / "delta.tar")
    podman.remove(old)


def test_ctr_takes_what_lacks_layers_that_it_has(form, archive, containerd):
    containerd.load(archive.path("old.tar"))
    assert _takes(containerd.load, archive.path("delta.tar")) == (form != "uncompressed")
    if form != "uncompressed":
        assert containerd.digests()[archive.new] == archive.new_image.digest
        containerd.remove(archive.new)
    containerd.remove(archive.old)


def test_ctr_keeps_a_name_for_what_it_can_not_unpack(archive, form, containerd):
    assert not _takes(containerd.load, archive.path("delta.tar"))
    assert (archive.new in containerd.digests()) == (form != "uncompressed")
    if form != "uncompressed":
        containerd.remove(archive.new)
