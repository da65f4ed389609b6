"""Fixtures of the end-to-end tests. HAWSER_BIN names the binary under test (default: the release build)."""

import os
import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from support import engines as engine_types  # noqa: E402
from support.hawser import Hawser  # noqa: E402
from support.pki import Pki  # noqa: E402
from support.registry import Registry  # noqa: E402

_ROOT = pathlib.Path(__file__).parents[2]
BINARY = pathlib.Path(os.environ.get("HAWSER_BIN", _ROOT / "build/release/hawser")).resolve()


def pytest_configure(config):
    config.addinivalue_line("markers", "sanitized: runs against the sanitizer builds too")
    if not os.access(BINARY, os.X_OK):
        pytest.exit(f"no hawser at {BINARY}: build it, or name one in HAWSER_BIN", returncode=4)


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def registries(tmp_path_factory, pki):
    """A function (auth, tls) → Registry; each kind is started once a session."""
    running = {}

    def get(auth=None, tls=False):
        if (auth, tls) not in running:
            running[auth, tls] = Registry(tmp_path_factory.mktemp("registry"), pki, auth, tls)
        return running[auth, tls]

    yield get
    for registry in running.values():
        registry.stop()


@pytest.fixture
def registry(registries):
    """The plain anonymous registry. Tests share it: each pushes into repositories of its own."""
    return registries()


@pytest.fixture
def own_registry(tmp_path, pki):
    """A function like Registry's constructor; what it starts is the test's own."""
    running = []

    def start(**options):
        running.append(Registry(tmp_path / "home" / f"registry-{len(running)}", pki, **options))
        return running[-1]

    yield start
    for registry in running:
        registry.stop()


@pytest.fixture
def hawser(tmp_path):
    """hawser in an empty directory that does not outlive the test."""
    yield Hawser(BINARY, tmp_path)
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture(scope="session")
def hawser_build():
    """The directory that the binary was built in, for cmake --install."""
    return BINARY.parent


def _engine(kind):
    @pytest.fixture(scope="session")
    def fixture(tmp_path_factory):
        engine = kind(tmp_path_factory.mktemp(kind.__name__.lower()))
        yield engine
        engine.stop()

    return fixture


docker = _engine(engine_types.Docker)
podman = _engine(engine_types.Podman)
containerd = _engine(engine_types.Containerd)
skopeo = _engine(engine_types.Skopeo)
buildah = _engine(engine_types.Buildah)
