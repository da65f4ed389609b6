"""Container images built from nothing, byte for byte the same each time."""

import dataclasses
import gzip
import hashlib
import io
import json
import platform as machine
import random
import tarfile
import zlib

import zstandard

OCI, DOCKER = "oci", "docker"

_TYPES = {
    OCI: {
        "manifest": "application/vnd.oci.image.manifest.v1+json",
        "index": "application/vnd.oci.image.index.v1+json",
        "config": "application/vnd.oci.image.config.v1+json",
        "gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
        "zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
        "none": "application/vnd.oci.image.layer.v1.tar",
        "in-toto": "application/vnd.in-toto+json",
        "empty": "application/vnd.oci.empty.v1+json",
        "foreign": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    },
    DOCKER: {
        "manifest": "application/vnd.docker.distribution.manifest.v2+json",
        "index": "application/vnd.docker.distribution.manifest.list.v2+json",
        "config": "application/vnd.docker.container.image.v1+json",
        "gzip": "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "none": "application/vnd.docker.image.rootfs.diff.tar",
        "foreign": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    },
}

HOST_PLATFORM = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[machine.machine()]
SIX_PLATFORMS = ("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/386", "linux/ppc64le", "linux/s390x")


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclasses.dataclass(frozen=True)
class Blob:
    """Bytes that a descriptor can name. `tar` is a layer's content as plain tar."""

    data: bytes = dataclasses.field(repr=False)
    compression: str = "none"
    diff_id: str = ""
    urls: tuple = ()

    @property
    def digest(self) -> str:
        return digest_of(self.data)


def tar_of(files: dict) -> bytes:
    """A tar of {path: bytes, or str for a symbolic link, or None for a directory}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.mtime = 1_600_000_000
            entry.mode = 0o755
            if content is None:
                entry.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
            else:
                entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content) if isinstance(content, bytes) else None)
    return out.getvalue()


def layer(files: dict, compression: str = "gzip", urls=()) -> Blob:
    """A layer of these files. compression: gzip, zstd, none, or stored (gzip without deflating, quick)."""
    tar = tar_of(files)
    if compression == "gzip":
        data = gzip.compress(tar, 6, mtime=0)
    elif compression == "stored":
        data, compression = _stored_gzip(tar), "gzip"
    elif compression == "zstd":
        data = zstandard.ZstdCompressor(level=3).compress(tar)
    else:
        data = tar
    return Blob(data, compression, digest_of(tar), tuple(urls))


def random_layer(seed: int, size: int, compression: str = "stored") -> Blob:
    """A layer with one file of `size` bytes that don't compress."""
    return layer({f"data/random-{seed}": random.Random(seed).randbytes(size)}, compression)


def text_layer(number: int, compression: str = "gzip", size: int = 2000) -> Blob:
    """A small layer that compresses well."""
    line = f"layer {number} of a test image\n".encode()
    return layer({f"text/layer-{number}": (line * (size // len(line) + 1))[:size]}, compression)


def _stored_gzip(data: bytes) -> bytes:
    compressor = zlib.compressobj(0, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


class _Document:
    """A manifest or an index: JSON bytes with a media type."""

    def __init__(self, kind: str, flavour: str, document: dict):
        self.media_type = _TYPES[flavour][kind]
        self.data = json.dumps(
            {"schemaVersion": 2, "mediaType": self.media_type, **document}, indent=2).encode()
        self.digest = digest_of(self.data)


class Image(_Document):
    """One platform's image: config and layers."""

    def __init__(self, layers, platform: str = HOST_PLATFORM, flavour: str = OCI, config: dict = None,
                 diff_ids: list = None, config_type: str = None):
        types = _TYPES[flavour]
        self.layers = list(layers)
        self.platform = _platform(platform)
        self.config = Blob(json.dumps({
            "created": "2020-09-13T12:26:40Z",
            **self.platform,
            "config": config or {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids or [blob.diff_id for blob in self.layers]},
            "history": [{"created": "2020-09-13T12:26:40Z", "created_by": f"layer {number}"}
                        for number in range(len(self.layers))],
        }, ensure_ascii=False).encode())
        document = {
            "config": _descriptor(config_type or types["config"], self.config),
            "layers": [_descriptor(types["foreign" if blob.urls else blob.compression], blob)
                       for blob in self.layers],
        }
        super().__init__("manifest", flavour, document)

    def blobs(self):
        """What has to be uploaded before the manifest."""
        return [self.config, *(blob for blob in self.layers if not blob.urls)]

    def layer_bytes(self) -> int:
        """Bytes of the distinct layers as the registry serves them."""
        return sum(len(data) for data in {blob.digest: blob.data for blob in self.layers}.values())


class Artifact(_Document):
    """An OCI artifact: a manifest without a config, which says by artifactType what it is."""

    def __init__(self, artifact_type: str, blob: Blob):
        self.config, self.layers = Blob(b"{}"), [blob]
        super().__init__("manifest", OCI, {
            "artifactType": artifact_type,
            "config": _descriptor(_TYPES[OCI]["empty"], self.config),
            "layers": [_descriptor(_TYPES[OCI][blob.compression], blob)],
        })

    def blobs(self):
        return [self.config, *self.layers]


class Index(_Document):
    """An index (or manifest list) of images, further indexes and, where asked for, attestations: True for those that
    call themselves images, "artifacts" for OCI artifacts."""

    def __init__(self, manifests, flavour: str = OCI, attestations=False):
        self.manifests = list(manifests)
        entries = [self._entry(manifest) for manifest in self.manifests]
        if attestations:
            for subject in [m for m in self.manifests if isinstance(m, Image)]:
                attestation = _attestation(subject, attestations == "artifacts")
                self.manifests.append(attestation)
                entries.append({
                    **self._entry(attestation),
                    "platform": {"architecture": "unknown", "os": "unknown"},
                    "annotations": {
                        "vnd.docker.reference.type": "attestation-manifest",
                        "vnd.docker.reference.digest": subject.digest},
                })
        super().__init__("index", flavour, {"manifests": entries})

    def blobs(self):
        return []

    def image(self, platform: str) -> Image:
        """The image for a platform, by its exact name."""
        return next(m for m in self.manifests if isinstance(m, Image) and m.platform == _platform(platform))

    @staticmethod
    def _entry(manifest):
        entry = {"mediaType": manifest.media_type, "digest": manifest.digest, "size": len(manifest.data)}
        if isinstance(manifest, Image):
            entry["platform"] = manifest.platform
        return entry


def _attestation(subject: Image, artifact: bool):
    statement = json.dumps({"subject": subject.digest}).encode()
    blob = Blob(statement, "in-toto", digest_of(statement))
    if artifact:
        return Artifact("application/vnd.docker.attestation.manifest.v1+json", blob)
    return Image([blob], platform="unknown/unknown", config={})


def _platform(name: str) -> dict:
    system, architecture, *variant = name.split("/")
    platform = {"os": system, "architecture": architecture}
    if variant:
        platform["variant"] = variant[0]
    return platform


def _descriptor(media_type: str, blob: Blob) -> dict:
    descriptor = {"mediaType": media_type, "digest": blob.digest, "size": len(blob.data)}
    if blob.urls:
        descriptor["urls"] = list(blob.urls)
    return descriptor


def many_layers(count: int, flavour: str = OCI, compression: str = "gzip", platform: str = HOST_PLATFORM) -> Image:
    """An image of `count` different small layers."""
    return Image([text_layer(number, compression) for number in range(count)], platform, flavour)


def six_platforms(flavour: str = OCI, attestations=False, compression: str = "gzip") -> Index:
    """An index of six platforms that share their first layer."""
    shared = text_layer(0, compression)
    return Index([Image([shared, layer({"platform": name.encode()}, compression)], name, flavour)
                  for name in SIX_PLATFORMS], flavour, attestations)
