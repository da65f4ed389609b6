"""The library as others use it: installed, found by CMake, and linked into the example of docs/example."""

import pathlib
import subprocess

import pytest

from support import images
from support.archive import Archive

_EXAMPLE = pathlib.Path(__file__).parents[2] / "docs/example"


def run(*command, code=0, **options):
    ended = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended


@pytest.fixture(scope="module")
def example(hawser_build, tmp_path_factory):
    """The example, built against an installed tree."""
    prefix, build = tmp_path_factory.mktemp("installed"), tmp_path_factory.mktemp("example")
    run("cmake", "--install", hawser_build, "--prefix", prefix)
    run("cmake", "-S", _EXAMPLE, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", build)
    return build / "pull"


def test_the_example_pulls_an_image(example, registry, tmp_path):
    image = images.Image([images.text_layer(1), images.random_layer(7, 3_000_000)])
    reference = registry.push("library/example", image, "v1")
    ended = run(example, reference, tmp_path / "image.tar", cwd=tmp_path)
    assert image.digest in ended.stdout
    assert "MB" in ended.stderr
    Archive(tmp_path / "image.tar").check_image(image)
    assert [path.name for path in tmp_path.iterdir()] == ["image.tar"]


def test_the_example_says_why_there_is_no_image(example, registry, tmp_path):
    ended = run(example, f"127.0.0.1:{registry.port}/library/nothing", tmp_path / "image.tar", code=1)
    assert "pull: " in ended.stderr
    assert not list(tmp_path.iterdir())
