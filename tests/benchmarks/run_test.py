"""Tests of the command `benchmarks.run`."""

import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import pytest
from absl.testing import absltest

from benchmarks import run
from experiments.errors import UsageError

ROOT = Path(__file__).parents[2]


def command(*flags, cwd):
  """Runs the command in a folder and returns the completed process."""
  return subprocess.run(
    [sys.executable, "-m", "benchmarks.run", *flags],
    cwd=cwd,
    env={**os.environ, "PYTHONPATH": str(ROOT)},
    capture_output=True,
    text=True,
    timeout=600,
  )


class RunTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.folder = Path(folder.name)

  def refuse(self, flags, pattern):
    """Checks that the flags are refused with a one-line message."""
    with self.assertRaisesRegex(UsageError, pattern) as caught:
      run.run(["run", *flags])
    self.assertNotIn("\n", str(caught.exception))

  def test_a_mistake_is_one_line(self):
    done = command("--suite=toys", cwd=self.folder)
    self.assertEqual(done.returncode, 2)
    self.assertEqual(
      done.stderr,
      "error: unknown suite 'toys'; did you mean 'toy'? allowed: toy, dcgan, "
      "sweep, scaling, checkpoints\n",
    )
    self.assertEqual(done.stdout, "")

  def test_mistakes_are_refused(self):
    self.refuse(["--sweet=toy"], "sweet")
    self.refuse(["--quick=perhaps"], "quick")
    self.refuse([f"--out={self.folder}/none/a.json"], "not a writable folder")
    self.refuse([f"--out={self.folder}"], "is a folder")

  def test_a_report_is_not_overwritten(self):
    out = self.folder / "report.json"
    out.write_text("mine")
    self.refuse([f"--out={out}"], "--overwrite")
    self.assertEqual(out.read_text(), "mine")

  def test_without_pytorch(self):
    out = self.folder / "report.json"
    out.write_text("mine")
    with mock.patch.object(importlib.util, "find_spec", return_value=None):
      self.refuse(
        [f"--out={out}", "--overwrite"], r"pip install -e '\.\[bench\]'"
      )
    self.assertEqual(out.read_text(), "mine")

  def report(self, *flags):
    """Runs a suite and returns its report."""
    done = command(*flags, "--out=report.json", cwd=self.folder)
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertIn("gan_jax", done.stdout)
    report = json.loads((self.folder / "report.json").read_text())
    self.assertCountEqual(
      report,
      (
        *("suite", "machine", "versions", "rows", "missing"),
        *("reference", "ratios", "bounds"),
      ),
    )
    self.assertIn("cores", report["machine"]["device"])
    self.assertIn("torch", report["versions"])
    for row in report["rows"]:
      for name in ("steps_per_second", "first_step_seconds", "peak_memory_mib"):
        self.assertGreater(row[name], 0)
      self.assertLen(row["rounds"], 2)
    return report

  @pytest.mark.slow
  @unittest.skipUnless(
    importlib.util.find_spec("torch"),
    "PyTorch is not installed",
  )
  def test_the_toy_report(self):
    report = self.report("--quick")
    self.assertEqual(report["suite"], "toy")
    rows = {(row["game"], row["name"]): row for row in report["rows"]}
    # Without a C++ compiler some are missing, with a reason.
    missing = [(entry["game"], entry["name"]) for entry in report["missing"]]
    self.assertLessEqual({name for _, name in missing}, {"pytorch_compiled"})
    self.assertTrue(all(entry["reason"] for entry in report["missing"]))
    shared = (
      *("pytorch_eager", "pytorch_economical", "pytorch_compiled"),
      *("gan_jax", "gan_jax_8_seeds"),
    )
    others = "jax_textbook", "gan_jax_alternating", "gan_jax_32_seeds"
    self.assertCountEqual(
      [*rows, *missing],
      [
        *(("non_saturating", name) for name in (*shared, *others)),
        *(("wgan_gp", name) for name in shared),
      ],
    )
    for game in ("non_saturating", "wgan_gp"):
      compared = report["ratios"][game]["64"]["contestants"]["pytorch_eager"]
      self.assertEqual(compared["to_pytorch_eager"], 1.0)
    peak, shapes = report["bounds"]
    self.assertNotEqual(peak["products"], shapes["products"])
    self.assertTrue(
      math.isclose(
        peak["reached"]["gan_jax"] * peak["steps_per_second"],
        rows["non_saturating", "gan_jax"]["steps_per_second"],
      )
    )

  @pytest.mark.slow
  @unittest.skipUnless(
    importlib.util.find_spec("torch"),
    "PyTorch is not installed",
  )
  def test_the_dcgan_report(self):
    report = self.report("--suite=dcgan", "--quick")
    self.assertEqual(report["suite"], "dcgan")
    self.assertEqual(report["missing"], [])
    rows = {(row["game"], row["name"]): row for row in report["rows"]}
    dcgan = (
      *("pytorch_textbook", "pytorch_simultaneous", "flax_textbook"),
      *("gan_jax", "gan_jax_without_batch_norm"),
    )
    wgan_gp = (
      *("pytorch_textbook", "pytorch_simultaneous"),
      *("gan_jax_alternating", "gan_jax"),
    )
    self.assertCountEqual(
      rows,
      [
        *(("16x16x1", name) for name in dcgan),
        *(("wgan_gp 16x16x1", name) for name in wgan_gp),
      ],
    )
    for (_, name), row in rows.items():
      if name.startswith("pytorch"):
        self.assertCountEqual(
          row["by_variant"], ("contiguous", "channels_last")
        )
        self.assertIsNone(row["restart_seconds"])
      else:
        # That it compiles nothing is tested where it is measured: which of the
        # two takes longer depends on what else the machine does.
        self.assertGreater(row["restart_seconds"], 0)
    compared = report["ratios"]["16x16x1"]["4"]["contestants"]
    self.assertEqual(compared["flax_textbook"]["to_flax_textbook"], 1.0)
    compared = report["ratios"]["wgan_gp 16x16x1"]["4"]["contestants"]
    self.assertEqual(list(compared["gan_jax"]), ["to_best_pytorch"])
    self.assertEqual(
      [list(bound["reached"]) for bound in report["bounds"]],
      [["pytorch_simultaneous", "gan_jax"], ["gan_jax_without_batch_norm"]],
    )

  @pytest.mark.slow
  @unittest.skipUnless(
    importlib.util.find_spec("torch"),
    "PyTorch is not installed",
  )
  def test_the_suites_of_one_implementation(self):
    for suite in ("scaling", "checkpoints"):
      out = self.folder / f"{suite}.json"
      done = command(
        f"--suite={suite}", "--quick", f"--out={out}", cwd=self.folder
      )
      self.assertEqual(done.returncode, 0, done.stderr)
      report = json.loads(out.read_text())
      self.assertIn("cores", report["machine"]["device"])
      for row in report["rows"]:
        self.assertIn(f"| {row['game']} |", done.stdout)


if __name__ == "__main__":
  absltest.main()
