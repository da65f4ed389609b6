"""The executables for macOS, as far as can be seen where they can't run."""

import struct

import pytest

LOAD_DYLIB, CODE_SIGNATURE, BUILD_VERSION = (0xC, 0x80000018, 0x8000001F), 0x1D, 0x32  # weak and exported again, too


def load_commands(executable):
    """[(kind, bytes)] of a 64-bit Mach-O file."""
    content = executable.read_bytes()
    magic, count = struct.unpack_from("<I12xI", content)
    assert magic == 0xFEEDFACF
    commands, at = [], 32
    for _ in range(count):
        kind, size = struct.unpack_from("<II", content, at)
        commands.append((kind, content[at:at + size]))
        at += size
    return commands


@pytest.mark.parametrize("target", [pytest.param(each, marks=pytest.mark.target(each))
                                    for each in ("macos-aarch64", "macos-x86_64")])
def test_needs_what_each_macos_has(unpacked, target):
    commands = load_commands(unpacked(target) / "bin/hawser")
    libraries = [text[24:].rstrip(b"\0") for kind, text in commands if kind in LOAD_DYLIB]
    assert libraries == [b"/usr/lib/libSystem.B.dylib"]
    [oldest] = [struct.unpack_from("<I", text, 12)[0] >> 16 for kind, text in commands if kind == BUILD_VERSION]
    assert oldest == 11


@pytest.mark.target("macos-aarch64")
def test_is_signed_without_which_apple_silicon_starts_nothing(unpacked):
    assert CODE_SIGNATURE in [kind for kind, _ in load_commands(unpacked("macos-aarch64") / "bin/hawser")]
