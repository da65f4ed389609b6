"""Reads the archives that hawser writes, and checks that they are what was pulled."""

import hashlib
import io
import json
import pathlib
import tarfile

from .images import Image, digest_of


class Archive:
    """A tar's files by name, or an image layout's directory."""

    def __init__(self, source):
        self.files = {}
        if isinstance(source, bytes) or pathlib.Path(source).is_file():
            opened = io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb")
            with opened as file, tarfile.open(fileobj=file, mode="r:") as tar:
                self.entries = tar.getmembers()
                for entry in self.entries:
                    if entry.isfile():
                        assert entry.name not in self.files, f"{entry.name} is there twice"
                        self.files[entry.name] = tar.extractfile(entry).read()
        else:
            self.entries = []
            for path in pathlib.Path(source).rglob("*"):
                if path.is_file():
                    self.files[str(path.relative_to(source))] = path.read_bytes()
        for name, data in self.files.items():
            if name.startswith("blobs/sha256/"):
                assert hashlib.sha256(data).hexdigest() == name.rpartition("/")[2], f"{name} is something else"

    def json(self, name: str):
        return json.loads(self.files[name])

    def blob(self, digest: str) -> bytes:
        return self.files["blobs/" + digest.replace(":", "/")]

    @property
    def tags(self) -> list:
        """All RepoTags of manifest.json."""
        return [tag for image in self.json("manifest.json") for tag in image["RepoTags"] or []]

    @property
    def index(self) -> list:
        """The descriptors of index.json."""
        return self.json("index.json")["manifests"]

    def check_image(self, image: Image, position: int = 0):
        """That the archive holds the image as the registry has it: docker's view and the layout's."""
        entry = self.json("manifest.json")[position]
        assert self.files[entry["Config"]] == image.config.data
        assert [self.files[name] for name in entry["Layers"]] == [layer.data for layer in image.layers]
        self.check_layout(image)

    def check_layout(self, what):
        """That the image or index is in the layout, byte for byte, with everything below it."""
        assert self.json("oci-layout") == {"imageLayoutVersion": "1.0.0"}
        assert what.digest in [entry["digest"] for entry in self.index]
        self._check_blobs(what)

    def _check_blobs(self, what):
        assert self.blob(what.digest) == what.data
        for child in getattr(what, "manifests", ()):
            self._check_blobs(child)
        for blob in what.blobs():
            assert self.blob(blob.digest) == blob.data

    def check_uncompressed(self, image: Image, position: int = 0):
        """That the config is the registry's and each layer plain tar, equal to its diff ID."""
        entry = self.json("manifest.json")[position]
        assert self.files[entry["Config"]] == image.config.data
        assert [digest_of(self.files[name]) for name in entry["Layers"]] == [
            layer.diff_id for layer in image.layers]
