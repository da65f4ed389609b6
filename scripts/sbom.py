#!/usr/bin/python3
"""Prints the SBOM of a release, in SPDX 2.3 JSON: sbom.py VERSION FILE...

What the files are made of is what scripts/dependencies.lock pins. The same commit gives the same bytes: the time is
SOURCE_DATE_EPOCH, and the name of the document is made of the files' sums.
"""

import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

LOCK = pathlib.Path(__file__).parent / "dependencies.lock"
# What is not linked into the executables, or not alone.
ROLES = {
    "zig": ("STATIC_LINK", "the compiler; its musl, libc++, libc++abi, libunwind and compiler-rt are linked in"),
    "googletest": ("TEST_TOOL_OF", "for tests alone"),
}
# What mingw links into every executable for Windows: name, Debian's package, licence.
MINGW = [
    ("mingw-w64", "mingw-w64-x86-64-dev", "NOASSERTION"),
    ("gcc-runtime", "gcc-mingw-w64-x86-64-posix-runtime", "GPL-3.0-or-later WITH GCC-exception-3.1"),
]


def pinned(text: str) -> dict:
    """{name: (version, licence, [(SHA-256, URL)])} of a lock file."""
    sources = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split()
        if len(fields) != 5 or not re.fullmatch("[0-9a-f]{64}", fields[3]):
            sys.exit(f"{LOCK}:{number}: not name, version, licence, SHA-256 and address")
        name, version, licence, digest, url = fields
        sources.setdefault(name, (version, licence, []))[2].append((digest, url))
    return sources


def installed(package_: str) -> str:
    """The version of a Debian package of this machine."""
    return subprocess.run(["dpkg-query", "--show", "--showformat=${Version}", package_], check=True, capture_output=True,
                          text=True).stdout


def spdx_id(name: str) -> str:
    return "SPDXRef-" + re.sub("[^A-Za-z0-9.-]", "-", name)


def package(name, version, licence, files, comment) -> dict:
    digest, url = files[0] if files else (None, "NOASSERTION")
    patches = "; ".join(f"patched by {each} (SHA-256 {sum_})" for sum_, each in files[1:])
    return {
        "SPDXID": spdx_id(f"Package-{name}"),
        "name": name,
        "versionInfo": version,
        "supplier": "NOASSERTION",
        "downloadLocation": url,
        "filesAnalyzed": False,
        **({"checksums": [{"algorithm": "SHA256", "checksumValue": digest}]} if digest else {}),
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": licence,
        "copyrightText": "NOASSERTION",
        **({"comment": "; ".join(filter(None, [comment, patches]))} if comment or patches else {}),
    }


def file_entry(path: pathlib.Path) -> dict:
    data = path.read_bytes()
    return {
        "SPDXID": spdx_id(f"File-{path.name}"),
        "fileName": "./" + path.name,
        "fileTypes": ["ARCHIVE"],
        "checksums": [{"algorithm": "SHA1", "checksumValue": hashlib.sha1(data).hexdigest()},
                      {"algorithm": "SHA256", "checksumValue": hashlib.sha256(data).hexdigest()}],
        "licenseConcluded": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        **({"comment": "linked with Debian's libraries, which its Depends names"} if path.suffix == ".deb" else {}),
    }


def document(version: str, paths: list, sources: dict, epoch: int) -> dict:
    files = [file_entry(path) for path in sorted(paths)]
    sums = hashlib.sha256("".join(each["checksums"][1]["checksumValue"] for each in files).encode()).hexdigest()
    hawser = spdx_id("Package-hawser")
    relationships = [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": hawser}]
    for each in files:
        relationships.append({"spdxElementId": hawser, "relationshipType": "CONTAINS", "relatedSpdxElement": each["SPDXID"]})
    for name in sources:
        role = ROLES.get(name, ("STATIC_LINK",))[0]
        ends = [hawser, spdx_id(f"Package-{name}")]
        if role.endswith("_OF"):
            ends.reverse()
        relationships.append({"spdxElementId": ends[0], "relationshipType": role, "relatedSpdxElement": ends[1]})
    licences = sorted({licence for _, licence, _ in sources.values() if licence.startswith("LicenseRef-")})
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"hawser-{version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/hawser-{version}-{sums[:32]}",
        "creationInfo": {
            "created": datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": ["Tool: hawser-sbom.py"],
        },
        "packages": [
            {
                "SPDXID": hawser,
                "name": "hawser",
                "versionInfo": version,
                "supplier": "Organization: The hawser developers",
                "downloadLocation": "NOASSERTION",
                "filesAnalyzed": False,
                "licenseConcluded": "MIT",
                "licenseDeclared": "MIT",
                "copyrightText": "Copyright (c) 2026 The hawser developers",
            },
            *(package(name, version_, licence, pins, ROLES.get(name, ("", ""))[1])
              for name, (version_, licence, pins) in sources.items()),
        ],
        "files": files,
        "relationships": relationships,
        "hasExtractedLicensingInfos": [
            {"licenseId": each, "name": "Public domain",
             "extractedText": "liblzma is in the public domain; the archive has the file that says so."}
            for each in licences],
    }


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    paths = [pathlib.Path(each) for each in sys.argv[2:]]
    sources = pinned(LOCK.read_text())
    if any("windows" in path.name for path in paths):
        sources |= {name: (installed(debian), licence, []) for name, debian, licence in MINGW}
    json.dump(document(sys.argv[1], paths, sources, epoch), sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
