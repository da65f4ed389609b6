"""Where the archive goes, what it is called, and that it is the same each time."""

import json
import os
import subprocess

import pytest

from support import images
from support.archive import Archive
from support.hawser import DISK, INTEGRITY, NOT_FOUND, OK, OTHER, USAGE
from support.images import HOST_PLATFORM

FORMATS = [pytest.param([], id="docker-archive"), pytest.param(["--uncompressed"], id="uncompressed"),
           pytest.param(["--format", "oci-archive"], id="oci-archive")]


@pytest.mark.sanitized
@pytest.mark.parametrize("options", FORMATS)
def test_same_input_same_bytes(hawser, registry, options):
    image = images.Image([images.text_layer(n) for n in range(12)] + [images.random_layer(2, 3_000_000)])
    reference = registry.push("output/same", image, "v1")
    seen = set()
    for number, more in enumerate([[], [], ["--no-cache"], ["--max-concurrent-downloads", "1", "--no-cache"]]):
        hawser.pull(registry, *options, *more, reference, output=f"{number}.tar")
        seen.add((hawser.directory / f"{number}.tar").read_bytes())
    assert len(seen) == 1


@pytest.mark.sanitized
@pytest.mark.parametrize("options", FORMATS)
@pytest.mark.parametrize("cache", [[], ["--no-cache"]], ids=["cache", "no-cache"])
def test_streaming_to_stdout(hawser, registry, options, cache):
    image = images.Image([images.text_layer(1), images.random_layer(9, 5_000_000)])
    reference = registry.push("output/stdout", image, "v1")
    hawser.pull(registry, *options, reference, output="file.tar")
    streamed = hawser.pull(registry, *options, *cache, reference, output="-")
    assert streamed.out == (hawser.directory / "file.tar").read_bytes()
    assert hawser.leftovers() == ["file.tar"]


def test_streaming_into_a_pipe_whose_reader_leaves(hawser, registry):
    reference = registry.push("output/pipe", images.Image([images.random_layer(9, 5_000_000)]), "v1")
    command = [hawser.binary, *map(str, hawser.pull_arguments(registry, reference, output="-"))]
    process = subprocess.Popen(command, cwd=hawser.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(1000)
    process.stdout.close()
    error = process.stderr.read().decode()
    assert process.wait(60) not in (OK, -11), error
    assert hawser.leftovers() == []


def test_default_name(hawser, registry):
    reference = registry.push("output/some-image", images.many_layers(1), "v1.2")
    hawser.pull(registry, reference, output=None)
    assert hawser.leftovers() == [f"127.0.0.1_{registry.port}_output_some-image_v1.2.tar"]


def test_default_name_tells_the_platform_that_was_asked_for(hawser, registry):
    reference = registry.push("output/named", images.six_platforms(), "v1")
    hawser.pull(registry, "--platform", "linux/arm64", reference, output=None)
    assert hawser.leftovers() == [f"127.0.0.1_{registry.port}_output_named_v1_arm64.tar"]


def test_two_tags_of_one_repository_make_two_files(hawser, registry):
    references = [registry.push("output/two", images.many_layers(n), f"t{n}") for n in (1, 2)]
    hawser.pull(registry, *references, output=None)
    assert len(hawser.leftovers()) == 2


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_an_existing_archive_is_replaced_whole(hawser, registry, quiet):
    reference = registry.push("output/replace", images.many_layers(1), "v1")
    target = hawser.directory / "image.tar"
    target.write_bytes(b"old" * 10_000)
    hawser.pull(registry, *quiet, reference)
    Archive(target)
    assert hawser.leftovers() == ["image.tar"]


def test_quiet_says_nothing(hawser, registry):
    reference = registry.push("output/quiet", images.many_layers(2), "v1")
    result = hawser.pull(registry, "--quiet", reference)
    assert result.err == ""


def test_it_says_where_the_archive_is_and_how_to_load_it(hawser, registry):
    reference = registry.push("output/says", images.many_layers(2), "v1")
    result = hawser.pull(registry, reference)
    said = result.err + result.out.decode()
    assert "image.tar" in said
    assert "docker load" in said


def test_pull_is_optional(hawser, registry):
    reference = registry.push("output/optional", images.many_layers(1), "v1")
    result = hawser.run(*registry.options, "--cache-dir", hawser.cache, "-o", "image.tar", reference)
    assert result.code == OK, result.err


def test_oci_archive_and_directory_hold_the_same(hawser, registry):
    image = images.many_layers(3)
    reference = registry.push("output/formats", image, "v1")
    hawser.pull(registry, "--format", "oci-archive", reference, output="a.tar")
    hawser.pull(registry, "--format", "oci-dir", reference, output="layout")
    archive, layout = Archive(hawser.directory / "a.tar"), Archive(hawser.directory / "layout")
    archive.check_layout(image)
    layout.check_layout(image)
    assert "manifest.json" not in archive.files
    (entry,), (listed,) = archive.index, layout.index
    platform = listed.pop("platform")
    assert f"{platform['os']}/{platform['architecture']}" == HOST_PLATFORM
    assert entry == listed
    assert entry["annotations"]["org.opencontainers.image.ref.name"] == "v1"
    assert entry["annotations"]["io.containerd.image.name"] == reference


@pytest.mark.parametrize("attestations", [True, "artifacts"])
@pytest.mark.parametrize("form", ["oci-archive", "oci-dir"])
def test_all_platforms(hawser, registry, form, attestations):
    index = images.six_platforms(attestations=attestations)
    reference = registry.push("output/all", index, "v1")
    hawser.pull(registry, "--format", form, "--all-platforms", reference, output="all")
    Archive(hawser.directory / "all").check_layout(index)


def test_attestations_that_are_artifacts_do_not_hinder_one_platform(hawser, registry):
    index = images.six_platforms(attestations="artifacts")
    hawser.pull(registry, registry.push("output/artifacts", index, "v1"))
    Archive(hawser.directory / "image.tar").check_image(index.image(HOST_PLATFORM))


def test_an_artifact_is_no_image(hawser, registry):
    artifact = images.Artifact("application/x-thing", images.text_layer(1))
    result = hawser.pull(registry, registry.push("output/artifact", artifact, "v1"), expect=OTHER)
    assert "artifact" in result.err


def test_images_of_the_same_tag_have_names_of_their_own_in_a_layout(hawser, registry):
    first, second = (registry.push(f"output/{name}", images.many_layers(count), "v1")
                     for name, count in (("first", 1), ("second", 2)))
    for reference in (first, second):
        hawser.pull(registry, "--format", "oci-dir", reference, output="layout")
    for layout in (hawser.directory / "layout", hawser.cache):
        names = [entry["annotations"]["org.opencontainers.image.ref.name"] for entry in Archive(layout).index]
        assert names == ["v1", second]


def test_a_layout_keeps_each_platform_and_the_images_of_other_tools(hawser, registry, skopeo):
    index, theirs = images.six_platforms(), images.many_layers(2)
    reference = registry.push("output/platforms", index, "v1")
    layout = hawser.directory / "layout"
    skopeo.copy(f"docker://{registry.push('output/theirs', theirs, 'v1')}", f"oci:{layout}:v1", "--src-tls-verify=false")
    for platform in ("linux/amd64", "linux/arm64", "linux/amd64"):
        hawser.pull(registry, "--format", "oci-dir", "--platform", platform, reference, output="layout")
    assert len(Archive(layout).index) == 3
    for name, image in (("v1", theirs), (reference, index.image("linux/amd64")),
                        (f"{reference}@linux/arm64", index.image("linux/arm64"))):
        assert images.digest_of(skopeo.raw_manifest(f"oci:{layout}:{name}")) == image.digest
        skopeo.copy(f"oci:{layout}:{name}", f"dir:{hawser.directory / 'home' / 'copy'}")


def test_an_index_that_can_not_be_written_again_stays_as_it_is(hawser, registry):
    references = [registry.push("output/odd", images.many_layers(n), f"v{n}") for n in (1, 2)]
    hawser.pull(registry, "--format", "oci-dir", references[0], output="layout")
    index = hawser.directory / "layout" / "index.json"
    odd = index.read_text().replace('"schemaVersion":2', '"schemaVersion":2,"odd":1e999')
    index.write_text(odd)
    result = hawser.pull(registry, "--format", "oci-dir", references[1], output="layout", expect=INTEGRITY)
    assert "layout/index.json" in result.err
    assert index.read_text() == odd


def test_a_link_keeps_its_place(hawser, registry):
    reference = registry.push("output/link", images.many_layers(1), "v1")
    (hawser.directory / "link.tar").symlink_to("target.tar")
    hawser.pull(registry, reference, output="link.tar")
    assert (hawser.directory / "link.tar").is_symlink()
    Archive(hawser.directory / "target.tar")


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_under_its_file_name(hawser, registry, path):
    reference = registry.push("output/dev", images.many_layers(1), "v1")
    before = os.readlink("/dev/stdout")
    command = [hawser.binary, *map(str, hawser.pull_arguments(registry, reference, output=path))]
    with open(hawser.directory / "out.tar", "wb") as out:
        done = subprocess.run(command, cwd=hawser.directory, stdout=out, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == DISK
    assert b"--output -" in done.stderr
    assert os.readlink("/dev/stdout") == before


def limited(hawser, registry, limit, *arguments, output="image.tar"):
    """A pull under `limit`, an option of the shell's ulimit."""
    command = ["sh", "-c", f'ulimit {limit} && exec "$@"', "sh", str(hawser.binary),
               *map(str, hawser.pull_arguments(registry, *arguments, output=output))]
    return subprocess.run(command, cwd=hawser.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)


def test_a_limit_on_file_sizes_is_a_full_disk(hawser, registry):
    reference = registry.push("output/large", images.Image([images.random_layer(3, 3_000_000)]), "v1")
    done = limited(hawser, registry, "-f 2000", reference)
    assert done.returncode == DISK, done.stderr
    assert hawser.leftovers() == []


@pytest.mark.parametrize("options", FORMATS)
def test_more_layers_than_files_may_be_open(hawser, registry, options):
    image = images.many_layers(300)
    reference = registry.push("output/many", image, "v1")
    done = limited(hawser, registry, "-n 700", *options, reference)
    assert done.returncode == OK, done.stderr
    Archive(hawser.directory / "image.tar")


def test_too_few_files_are_said_to_be_too_few(hawser, registry):
    reference = registry.push("output/few", images.many_layers(60), "v1")
    done = limited(hawser, registry, "-n 40", reference)
    assert done.returncode not in (OK, 139), done.stderr
    assert b"ulimit -n" in done.stderr


def test_without_proc(hawser, registry):
    reference = registry.push("output/proc", images.many_layers(1), "v1")
    command = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh", str(hawser.binary),
               *map(str, hawser.pull_arguments(registry, reference))]
    done = subprocess.run(command, cwd=hawser.directory, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == OK, done.stderr
    Archive(hawser.directory / "image.tar")
    assert hawser.leftovers() == ["image.tar"]


def test_all_platforms_needs_an_oci_format(hawser, registry):
    reference = registry.push("output/all", images.six_platforms(), "v1")
    result = hawser.pull(registry, "--all-platforms", reference, expect=USAGE)
    assert "--format" in result.err


def test_the_default_archive_names_the_image_for_every_loader(hawser, registry):
    reference = registry.push("output/names", images.many_layers(1), "v1")
    hawser.pull(registry, reference)
    archive = Archive(hawser.directory / "image.tar")
    (entry,) = archive.index
    assert entry["annotations"]["io.containerd.image.name"] == reference
    assert entry["annotations"]["org.opencontainers.image.ref.name"] == "v1"
    assert archive.tags == [reference]
    assert json.loads(archive.files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}


@pytest.mark.parametrize("output", ["missing/image.tar", "file/image.tar"])
def test_output_directory_that_is_none(hawser, registry, output):
    (hawser.directory / "file").write_text("no directory")
    reference = registry.push("output/nowhere", images.many_layers(1), "v1")
    mark = registry.mark()
    result = hawser.pull(registry, reference, output=output, expect=DISK)
    assert output.rpartition("/")[0] in result.err
    assert registry.blob_reads(mark) == [], "known before the first byte, said after the last"
    assert hawser.leftovers() == ["file"]


@pytest.fixture
def small_disk(hawser):
    """A file system of 4 MiB below the working directory."""
    where = hawser.directory / "home" / "small"
    where.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", where], check=True)
    yield where
    subprocess.run(["umount", "-l", where], check=True)


@pytest.mark.parametrize("run", [[], ["--dry-run"]], ids=["pull", "dry-run"])
@pytest.mark.parametrize("place", ["output", "cache", "no cache"])
def test_disk_that_is_too_small(hawser, registry, small_disk, place, run):
    image = images.Image([images.random_layer(4, 9_000_000)])
    reference = registry.push("output/full", image, "v1")
    options = ["--cache-dir", small_disk / "cache"] if place == "cache" else []
    output = "image.tar" if place == "cache" else small_disk / "image.tar"
    arguments = hawser.pull_arguments(registry, *run, reference, output=output)
    if options:
        arguments[1:3] = options
    elif place == "no cache":
        arguments[1:3] = ["--no-cache"]
    result = hawser.run(*arguments)
    assert result.code == DISK, result.err
    assert "space" in result.err
    assert hawser.leftovers() == []
    assert not list(small_disk.glob("*.tar*"))
    assert not run or not list(small_disk.iterdir())


@pytest.mark.parametrize("there", [[], ["oci-layout"]], ids=["none", "one"])
def test_a_dry_run_refuses_a_cache_as_the_pull_does(hawser, registry, small_disk, there):
    reference = registry.push("output/no-cache", images.many_layers(1), "v1")
    cache = small_disk / "some" / "cache"
    for name in there:
        cache.mkdir(parents=True)
        (cache / name).write_text('{"imageLayoutVersion":"1.0.0"}')
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for run in (["--dry-run"], []):
        arguments = hawser.pull_arguments(registry, *run, reference)
        arguments[1:3] = ["--cache-dir", cache]
        result = hawser.run(*arguments)
        assert result.code == (OK if there else DISK), result.err
        assert ("only read" if there else "Read-only") in result.err
        assert str(small_disk) in result.err


def test_read_only_output_directory(hawser, registry, small_disk):
    reference = registry.push("output/read-only", images.many_layers(1), "v1")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    result = hawser.pull(registry, reference, output=small_disk / "image.tar", expect=DISK)
    assert str(small_disk) in result.err


def test_files_honour_the_umask(hawser, registry):
    reference = registry.push("output/umask", images.many_layers(1), "v1")
    before = os.umask(0o077)
    try:
        hawser.pull(registry, reference)
    finally:
        os.umask(before)
    assert (hawser.directory / "image.tar").stat().st_mode & 0o077 == 0
    assert hawser.cache.stat().st_mode & 0o077 == 0


def test_host_platform_in_the_loaded_config(hawser, registry):
    reference = registry.push("output/config", images.six_platforms(), "v1")
    hawser.pull(registry, reference)
    archive = Archive(hawser.directory / "image.tar")
    config = archive.json(archive.json("manifest.json")[0]["Config"])
    assert f"{config['os']}/{config['architecture']}" == HOST_PLATFORM


def test_a_bad_image_of_a_shared_output_is_the_one_that_is_blamed(hawser, registry):
    good = registry.push("blame/good", images.many_layers(1), "v1")
    other = registry.push("blame/other", images.Index([images.many_layers(1, platform="plan9/mips")]), "v1")
    gone = f"{registry.host}/blame/gone:v1"
    result = hawser.pull(registry, "--json", good, gone, other, expect=NOT_FOUND)
    told = json.loads(result.out)["images"]
    assert told[0]["error"] == f"not written, since {gone} failed"
    assert "plan9/mips" in told[2]["hint"]
    assert [image["output"] for image in told] == [None] * 3
    assert gone in result.err and other in result.err and good not in result.err
    assert hawser.leftovers() == []


@pytest.mark.parametrize("options", [["--quiet"], ["--quiet", "--json"], ["--json"], []])
def test_a_failure_is_told_once_with_what_can_be_done(hawser, registry, options):
    reference = registry.push("told/once", images.Index([images.many_layers(1, platform="plan9/mips")]), "v1")
    result = hawser.pull(registry, *options, reference, expect=NOT_FOUND)
    assert result.err.count(f"hawser: {reference}: ") == 1
    assert result.err.count("plan9/mips") == 1
    if not options:
        assert result.out.decode() == f"{reference}: failed\n"
