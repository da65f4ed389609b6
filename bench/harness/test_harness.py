"""Tests of the harness's arithmetic, images and tables; nothing here needs root or a network."""

import gzip
import io
import json
import tarfile
import tempfile
import unittest
from pathlib import Path

from . import fleet, images, report
from .link import Network
from .measure import Cost, interleave, median_cost
from .scenarios import FAR, SCENARIOS, Link, Shape
from .shell import HarnessError


class Limit(unittest.TestCase):
    def test_is_four_round_trips_and_the_bytes(self):
        self.assertAlmostEqual(SCENARIOS["far"].limit_seconds(49_000_000), 2.492, places=3)
        self.assertAlmostEqual(SCENARIOS["fast"].limit_seconds(49_000_000), 0.498, places=3)

    def test_of_a_cached_pull_is_three_round_trips(self):
        self.assertAlmostEqual(SCENARIOS["cached"].limit_seconds(49_000_000), 0.3)

    def test_loopback_has_none(self):
        self.assertIsNone(SCENARIOS["loopback"].limit_seconds(233_000_000))


class Images(unittest.TestCase):
    shape = Shape("tiny", "two layers", (700_000, 5_000))

    def make(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return images.make_image(self.shape, Path(directory.name))

    def test_are_the_same_each_time(self):
        self.assertEqual(self.make().manifest.digest, self.make().manifest.digest)

    def test_layers_have_their_size_within_a_percent_or_200_bytes(self):
        for blob, wanted in zip(self.make().layers, self.shape.layers):
            self.assertAlmostEqual(blob.size, wanted, delta=max(200, wanted / 100))

    def test_layers_are_gzipped_tars_whose_plain_digest_the_config_names(self):
        image = self.make()
        diff_ids = json.loads(image.config.content)["rootfs"]["diff_ids"]
        for blob, diff_id in zip(image.layers, diff_ids):
            packed = Path(blob.path).read_bytes()
            self.assertEqual(images.digest_of(packed), blob.digest)
            plain = gzip.decompress(packed)
            self.assertEqual(images.digest_of(plain), diff_id)
            with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
                self.assertTrue(all(member.isfile() for member in archive.getmembers()))

    def test_an_image_that_is_there_is_not_made_again(self):
        with tempfile.TemporaryDirectory() as directory:
            first = images.make_image(self.shape, Path(directory))
            before = Path(first.layers[0].path).stat().st_mtime_ns
            second = images.make_image(self.shape, Path(directory))
            self.assertEqual(second.manifest.digest, first.manifest.digest)
            self.assertEqual(Path(first.layers[0].path).stat().st_mtime_ns, before)


class Content(unittest.TestCase):
    def test_compresses_like_a_distribution(self):
        content = images.Content("ratio").file(2 * images.FILE_BYTES)
        ratio = len(content) / len(gzip.compress(content, 6))
        self.assertGreater(ratio, 1.8)
        self.assertLess(ratio, 3)


class Rounds(unittest.TestCase):
    def test_every_round_has_every_tool_and_starts_with_another(self):
        self.assertEqual([tool for _, tool in interleave(["a", "b", "c"], 3)],
                         ["a", "b", "c", "b", "c", "a", "c", "a", "b"])

    def test_medians_leave_failures_out(self):
        costs = [Cost(wall, 1, 1024, 0, 0) for wall in (3.0, 1.0, 2.0)]
        self.assertEqual(median_cost([*costs, "failed"]).wall, 2.0)
        self.assertIsNone(median_cost(["failed"]))


class Netem(unittest.TestCase):
    def test_options_hold_the_queue_and_what_is_under_way(self):
        options = Network(Link(250, 100, 20, 0.001), "cubic", "").netem_options(100)
        self.assertEqual(options[:5], ["delay", "125.0ms", "rate", "100mbit", "24"])
        self.assertEqual(int(options[6]), int(1.5 * 3_125_000 / 1538) + 1)
        self.assertEqual(options[7:], ["loss", "0.1%"])
        self.assertNotIn("loss", Network(FAR, "cubic", "").netem_options(200))


class Tables(unittest.TestCase):
    record = {
        "scenario": "far", "shape": "6 layers", "link": "100 ms", "link_kind": "emulator", "congestion": "cubic",
        "image_bytes": 50_000_000, "limit_seconds": 2.0, "target": "1.20 × limit", "rounds": 2, "made": "today",
        "tools": {
            "slow": {"runs": [{"wall": 8.0, "cpu": 1.0, "peak_kib": 2048, "received_bytes": 50e6, "registry_cpu": 1.0},
                              {"error": "reset"}]},
            "hawser": {"runs": [{"wall": 4.0, "cpu": 0.5, "peak_kib": 1024, "received_bytes": 0, "registry_cpu": 1.0}]},
            "broken": {"runs": [{"error": "no"}]},
        }}

    def test_rows_go_from_the_fastest_to_what_failed(self):
        rows = report.rows_of(self.record)
        self.assertEqual([row[0] for row in rows], ["hawser", "slow (1 of 2 failed)", "broken"])
        self.assertEqual(rows[0][1:], ("4.00", "4.00–4.00", "2.00", "1.00", "1", "0.50", "10.00", "—"))
        self.assertEqual(rows[1][3:5], ("4.00", "2.00"))
        self.assertEqual(rows[2][1], "failed")

    def test_markdown_has_a_cell_for_each_heading(self):
        lines = [line for line in report.as_markdown(self.record).splitlines() if line.startswith("|")]
        self.assertEqual({line.count("|") for line in lines}, {len(report.HEADINGS) + 1})


class Fleets(unittest.TestCase):
    def test_are_a_cache_and_a_way(self):
        self.assertEqual(fleet.parse_fleets("nginx:at-once,docker-registry+nginx:one-first"),
                         [("nginx", "at-once"), ("docker-registry+nginx", "one-first")])

    def test_others_are_refused(self):
        for text in ("", "nginx", "nginx:never", "squid:at-once", "nginx:at-once,"):
            with self.assertRaises(HarnessError):
                fleet.parse_fleets(text)


if __name__ == "__main__":
    unittest.main()
