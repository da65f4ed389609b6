"""hawser.exe of the archive for download, under wine; test/e2e/test_windows.py has the rest."""

import pytest

from support.wine import WindowsHawser, Wine

pytestmark = pytest.mark.target("windows-x86_64")


@pytest.fixture(scope="module")
def wine(tmp_path_factory):
    wine = Wine(tmp_path_factory.mktemp("wine"))
    yield wine
    wine.stop()


@pytest.mark.parametrize("options", [(), ("--uncompressed",)])
def test_pulls(tmp_path, unpacked, wine, registry, reference, expected, options):
    windows = WindowsHawser(unpacked("windows-x86_64") / "hawser.exe", tmp_path, wine)
    windows.pull(registry, "--platform", "linux/amd64", *options, reference)
    assert (tmp_path / "image.tar").read_bytes() == expected[options]
