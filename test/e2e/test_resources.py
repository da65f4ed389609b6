"""Memory stays small whatever the image's size."""

import os

import pytest

from support import images
from support.archive import Archive

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def half_gigabyte(registries):
    """An image of five layers of 100 MB, and a reference to it in a registry with TLS and tokens."""
    registry = registries("token", True)
    image = images.Image([images.random_layer(seed, 100_000_000) for seed in range(5)])
    reference = registry.push("large/image", image, "v1")
    sizes = sorted(len(layer.data) for layer in image.layers)
    return registry, reference, sizes


@pytest.mark.parametrize("options", [[], ["--no-cache"], ["--uncompressed"]],
                         ids=["cache", "no-cache", "uncompressed"])
def test_memory(hawser, half_gigabyte, options):
    registry, reference, sizes = half_gigabyte
    result, peak = hawser.pull_measured(registry, *options, reference, timeout=300)
    assert os.path.getsize(hawser.directory / "image.tar") > len(sizes) * 100_000_000
    print(f"{peak / MIB:.1f} MiB at most, {result.seconds:.1f} s")
    assert peak < 40 * MIB


def test_memory_to_stdout(hawser, half_gigabyte):
    registry, reference, sizes = half_gigabyte
    _, peak = hawser.pull_measured(registry, "--no-cache", reference, output="-")
    assert peak < 40 * MIB


def test_many_small_layers_need_little(hawser, registries):
    registry = registries("token", True)
    image = images.many_layers(60)
    _, peak = hawser.pull_measured(registry, registry.push("large/many", image, "v1"))
    Archive(hawser.directory / "image.tar").check_image(image)
    assert peak < 40 * MIB
