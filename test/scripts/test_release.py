"""The scripts that make a release: what they refuse. What they build is tested by test/release."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import sbom  # noqa: E402


def run(*words, **environment):
    return subprocess.run(words, env={**os.environ, **environment}, capture_output=True, text=True)


class InADirectory(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)


class BuildDependencies(InADirectory):
    SCRIPT = ROOT / "scripts/build-dependencies.sh"

    def test_a_source_with_another_sum_is_not_used(self):
        archive = self.directory / "sources/zig-linux-x64-0.11.0.tgz"
        archive.parent.mkdir()
        archive.write_bytes(b"not what was pinned")
        done = run(self.SCRIPT, "linux-x86_64", HAWSER_DEPENDENCIES=str(self.directory))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(f"has SHA-256 {hashlib.sha256(b'not what was pinned').hexdigest()}", done.stderr)
        self.assertIn("not used", done.stderr)
        self.assertFalse(archive.exists())
        self.assertFalse((self.directory / "linux-x86_64/stamp").exists())
        self.assertFalse((self.directory / "zig").exists())

    def test_an_unknown_target_is_refused_by_name(self):
        done = run(self.SCRIPT, "plan9-mips", HAWSER_DEPENDENCIES=str(self.directory))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no target 'plan9-mips'; there are: linux-x86_64", done.stderr)

    def test_without_a_target_it_says_how_it_is_used(self):
        done = run(self.SCRIPT, HAWSER_DEPENDENCIES=str(self.directory))
        self.assertEqual(done.returncode, 2)
        self.assertIn("scripts/build-dependencies.sh TARGET...", done.stderr)


class Release(InADirectory):
    def test_an_unknown_target_is_refused(self):
        done = run(ROOT / "scripts/release.sh", "plan9-mips")
        self.assertEqual(done.returncode, 2)
        self.assertIn("scripts/release.sh [--check] [TARGET...]", done.stderr)

    def test_changes_that_are_in_no_commit_are_refused(self):
        shutil.copytree(ROOT / "scripts", self.directory / "scripts")
        self.assertEqual(run("git", "init", "-q", self.directory).returncode, 0)
        done = run(self.directory / "scripts/release.sh", "deb")
        self.assertEqual(done.returncode, 1)
        self.assertIn("changes that are in none", done.stderr)


class Sbom(InADirectory):
    LOCK = "# a comment\n\nz 1.2 Zlib " + "a" * 64 + " https://example.org/z.tar\nz 1.2 Zlib " + "b" * 64 + \
        " https://example.org/z.patches\ngoogletest 3 MIT " + "c" * 64 + " https://example.org/g.tar\n"

    def document(self):
        file = self.directory / "hawser-1.tar.gz"
        file.write_bytes(b"released")
        return sbom.document("1", [file], sbom.pinned(self.LOCK), 1_700_000_000)

    def test_names_sources_patches_and_files_by_their_sums(self):
        document = self.document()
        packages = {each["name"]: each for each in document["packages"]}
        self.assertEqual(set(packages), {"hawser", "z", "googletest"})
        self.assertEqual(packages["z"]["checksums"][0]["checksumValue"], "a" * 64)
        self.assertIn("b" * 64, packages["z"]["comment"])
        [file] = document["files"]
        self.assertEqual(file["checksums"][1]["checksumValue"], hashlib.sha256(b"released").hexdigest())
        self.assertEqual(document["creationInfo"]["created"], "2023-11-14T22:13:20Z")

    def test_says_what_is_linked_and_what_tests_alone_use(self):
        roles = {(each["spdxElementId"], each["relationshipType"], each["relatedSpdxElement"])
                 for each in self.document()["relationships"]}
        self.assertIn(("SPDXRef-Package-hawser", "STATIC_LINK", "SPDXRef-Package-z"), roles)
        self.assertIn(("SPDXRef-Package-googletest", "TEST_TOOL_OF", "SPDXRef-Package-hawser"), roles)

    def test_is_the_same_each_time(self):
        self.assertEqual(json.dumps(self.document()), json.dumps(self.document()))

    def test_a_line_that_lacks_something_is_an_error(self):
        for line in ("z 1.2 Zlib https://example.org/z.tar", "z 1.2 Zlib xyz https://example.org/z.tar"):
            with self.assertRaises(SystemExit) as raised:
                sbom.pinned(line)
            self.assertIn(":1: not name, version", str(raised.exception))

    def test_every_source_in_the_lock_file_has_an_address_and_a_sum_of_its_own(self):
        pins = sbom.pinned((ROOT / "scripts/dependencies.lock").read_text())
        sums = [digest for _, _, files in pins.values() for digest, _ in files]
        self.assertEqual(len(sums), len(set(sums)))
        for name, (_, _, files) in pins.items():
            self.assertTrue(all(url.startswith("https://") for _, url in files), name)


if __name__ == "__main__":
    unittest.main()
