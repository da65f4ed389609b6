"""Images of fixed shape, made locally and the same on every machine.

A layer is a real gzip'd tar of files that compress about as well as a
distribution's: text drawn from a vocabulary with Zipf's frequencies, and stretches
that do not compress at all, as in binaries.
"""

import hashlib
import io
import json
import random
import tarfile
import zlib
from dataclasses import dataclass

FILE_BYTES = 512 * 1024
STRETCH_BYTES = 16 * 1024
RANDOM_SHARE = 0.15  # of the stretches; gives gzip a ratio of about 2.4
POOL_BYTES = 8 * 1024 * 1024
RECIPE = 2  # to be raised when any of this changes: images made before are then made again
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"


@dataclass(frozen=True)
class Blob:
    digest: str
    size: int
    path: str | None = None  # layers
    content: bytes | None = None  # config and manifest


@dataclass(frozen=True)
class Image:
    """What is in the registry: `manifest` lists `config` and `layers`."""

    repository: str
    tag: str
    manifest: Blob
    config: Blob
    layers: tuple

    @property
    def transfer_bytes(self):
        return self.manifest.size + self.config.size + sum(layer.size for layer in self.layers)


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Content:
    """Endless file content from a seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        letters = "etaoinshrdlucmfwypvbgkqjxz"
        words = ["".join(self.random.choices(letters, k=self.random.randint(2, 11))) for _ in range(6000)]
        weights = [1 / (rank + 3) for rank in range(len(words))]
        text = io.StringIO()
        while text.tell() < POOL_BYTES:
            text.write(" ".join(self.random.choices(words, weights, k=4096)) + "\n")
        self.pool = text.getvalue().encode()

    def stretch(self, size):
        if self.random.random() < RANDOM_SHARE:
            return self.random.randbytes(size)
        start = self.random.randrange(len(self.pool) - size)
        return self.pool[start : start + size]

    def file(self, size):
        parts = []
        while size > 0:
            parts.append(self.stretch(min(size, STRETCH_BYTES)))
            size -= len(parts[-1])
        return b"".join(parts)


class HashingGzip:
    """Writes a gzip file and keeps the digests of both sides."""

    def __init__(self, path):
        self.file = open(path, "wb")
        self.packer = zlib.compressobj(6, zlib.DEFLATED, 31)
        self.packed, self.plain = hashlib.sha256(), hashlib.sha256()
        self.packed_bytes = 0

    def write(self, content):
        self.plain.update(content)
        self._keep(self.packer.compress(content))

    def sync(self):
        """Makes packed_bytes true of what was written."""
        self._keep(self.packer.flush(zlib.Z_SYNC_FLUSH))

    def close(self):
        self._keep(self.packer.flush(zlib.Z_FINISH))
        self.file.close()

    def _keep(self, packed):
        self.packed.update(packed)
        self.packed_bytes += len(packed)
        self.file.write(packed)


def tar_member(name, content):
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(content), 0o644, 1_700_000_000
    header = member.tobuf(tarfile.USTAR_FORMAT)
    return header + content + b"\0" * (-len(content) % tarfile.BLOCKSIZE)


def write_layer(path, layer_index, size, content):
    """Writes a layer of about `size` compressed bytes; returns its blob and diff ID."""
    layer = HashingGzip(path)
    count = 0
    closing = 170  # last header, end of archive
    while (left := size - layer.packed_bytes - closing) > FILE_BYTES:
        layer.write(tar_member(f"usr/lib/layer{layer_index:02}/file{count:05}", content.file(FILE_BYTES)))
        layer.sync()
        count += 1
    if left > 0:  # content that doesn't compress meets the size
        filler = content.random.randbytes(left)
        layer.write(tar_member(f"usr/lib/layer{layer_index:02}/last", filler))
    layer.write(b"\0" * 2 * tarfile.BLOCKSIZE)
    layer.close()
    blob = Blob("sha256:" + layer.packed.hexdigest(), layer.packed_bytes, path=str(path))
    return blob, "sha256:" + layer.plain.hexdigest()


def diff_ids_of(image):
    """The digests of the layers' tars, as the config has them."""
    return json.loads(image.config.content)["rootfs"]["diff_ids"]


def make_image(shape, directory):
    """Makes the image of `shape` below `directory`, or takes what an earlier call made."""
    directory = directory / shape.name
    record = directory / "layers.json"
    wanted = {"recipe": RECIPE, "sizes": list(shape.layers)}
    known = json.loads(record.read_text()) if record.exists() else {}
    if known.get("made_of") == wanted:
        pairs = [(Blob(entry["digest"], entry["size"], path=entry["path"]), entry["diff_id"])
                 for entry in known["layers"]]
    else:
        directory.mkdir(parents=True, exist_ok=True)
        content = Content(shape.name)
        pairs = [write_layer(directory / f"{i:02}.tar.gz", i, size, content) for i, size in enumerate(shape.layers)]
        entries = [{"digest": b.digest, "size": b.size, "path": b.path, "diff_id": d} for b, d in pairs]
        record.write_text(json.dumps({"made_of": wanted, "layers": entries}))
    return describe_image(shape, [blob for blob, _ in pairs], [diff_id for _, diff_id in pairs])


def describe_image(shape, layers, diff_ids):
    """Config and manifest for finished layers."""
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "created": "2023-11-14T22:13:20Z",
        "config": {"Cmd": ["/bin/true"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created": "2023-11-14T22:13:20Z", "created_by": f"layer {i}"} for i in range(len(layers))],
    }).encode()
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "size": len(config), "digest": digest_of(config)},
        "layers": [{"mediaType": LAYER_TYPE, "size": layer.size, "digest": layer.digest} for layer in layers],
    }).encode()
    return Image(f"bench/{shape.name}", "v1",
                 Blob(digest_of(manifest), len(manifest), content=manifest),
                 Blob(digest_of(config), len(config), content=config), tuple(layers))
