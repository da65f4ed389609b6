"""Fixtures of the tests of what scripts/release.sh has built.

HAWSER_DIST names the directory of the files (default: build/dist), HAWSER_TARGETS those targets that were built (default:
all); tests of others are not run. HAWSER_BIN is a hawser that was built natively, whose archives are what all must write.
"""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "test/e2e"))
sys.path.insert(0, str(pathlib.Path(__file__).parent))

from support import images  # noqa: E402
from support.hawser import Hawser  # noqa: E402
from support.pki import Pki  # noqa: E402
from support.registry import Registry  # noqa: E402

DIST = pathlib.Path(os.environ.get("HAWSER_DIST", ROOT / "build/dist"))
TARGETS = os.environ.get(
    "HAWSER_TARGETS", "linux-x86_64 linux-aarch64 windows-x86_64 macos-aarch64 macos-x86_64 deb").split()


def pytest_configure(config):
    config.addinivalue_line("markers", "target(name): a test of what is built for one target")
    if not (DIST / "SHA256SUMS").exists():
        pytest.exit(f"nothing in {DIST}: scripts/release.sh builds it", returncode=4)


def pytest_collection_modifyitems(config, items):
    """Without the tests of targets that were not asked for."""
    def wanted(item):
        return all(mark.args[0] in TARGETS for mark in item.iter_markers("target"))

    config.hook.pytest_deselected(items=[each for each in items if not wanted(each)])
    items[:] = [each for each in items if wanted(each)]


@pytest.fixture(scope="session")
def dist():
    return DIST


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory):
    """A function (target) → the directory that its archive unpacks to."""
    done = {}

    def get(target):
        if target not in done:
            [archive] = DIST.glob(f"hawser-*-{target}.*")
            directory = tmp_path_factory.mktemp(target)
            shutil.unpack_archive(archive, directory)
            [done[target]] = directory.iterdir()
        return done[target]

    return get


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def registry(tmp_path_factory, pki):
    """One that gives tokens, behind TLS."""
    running = Registry(tmp_path_factory.mktemp("registry"), pki, "token", tls=True)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def reference(registry):
    """An image with layers of each compression, one of them long enough for several connections."""
    layers = [images.random_layer(1, 24_000_000), images.text_layer(2), images.text_layer(3, "zstd", 3_000_000),
              images.random_layer(4, 500_000, "gzip"), images.text_layer(5, "none")]
    return registry.push("released/image", images.Image(layers, "linux/amd64"), "v1")


@pytest.fixture(scope="session")
def expected(tmp_path_factory, registry, reference):
    """{options: the archive that the native build writes with them}."""
    archives = {}
    for options in ((), ("--uncompressed",)):
        native = Hawser(pathlib.Path(os.environ.get("HAWSER_BIN", ROOT / "build/release/hawser")).resolve(),
                        tmp_path_factory.mktemp("native"))
        native.pull(registry, "--platform", "linux/amd64", *options, reference)
        archives[options] = (native.directory / "image.tar").read_bytes()
    return archives


@pytest.fixture(scope="session")
def debian(tmp_path_factory):
    """A function (suite) → a root directory with the smallest Debian of that suite, made once a session."""
    roots = {}

    def get(suite):
        if suite not in roots:
            root = tmp_path_factory.mktemp(suite) / "root"
            done = subprocess.run(["debootstrap", "--variant=minbase", suite, root], capture_output=True, text=True)
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
            roots[suite] = root
        return roots[suite]

    yield get
    for root in roots.values():
        shutil.rmtree(root, ignore_errors=True)
