"""The commands in environments that people really have."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from absl.testing import absltest, parameterized

from experiments.run_folder import results
from tests.experiments import commands, tiny_images, trained_runs

RING = ("--experiment=ring", "--steps=4", "--evaluation_samples=64")
# Variables that do not meet are set together, which saves many commands.
ENVIRONMENTS = {
  "notebook": {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "XDG_CACHE_HOME": "",
  },
  "nonsense": {"MPLBACKEND": "nonsense", "XDG_CACHE_HOME": "cache"},
  "bare": {
    "XDG_CACHE_HOME": "/proc/nowhere",
    "LC_ALL": "C",
    "PYTHONIOENCODING": "ascii",
  },
  "other_numbers": {
    "JAX_ENABLE_X64": "1",
    "JAX_DEFAULT_PRNG_IMPL": "rbg",
    "JAX_THREEFRY_PARTITIONABLE": "0",
  },
}
BROKEN = ("cuda", "tpu", "bogus")
"""Values of JAX_PLATFORMS that this machine cannot have."""


def run(folder, variables, module, *flags):
  """Runs a command as a user does."""
  return subprocess.run(
    [sys.executable, "-m", f"experiments.{module}", *flags],
    cwd=folder,
    env={**os.environ, "PYTHONPATH": str(commands.ROOT), **variables},
    capture_output=True,
    text=True,
    errors="replace",
    timeout=commands.TIMEOUT_SECONDS,
  )


@pytest.mark.slow
class EnvironmentsTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
    done = run(
      cls.folder, {"JAX_PLATFORMS": ""}, "run", *RING, "--workdir=whole"
    )
    assert done.returncode == 0, done.stderr
    cls.rows = trained_runs.measured_rows(cls.folder / "whole")

  def check(self, done):
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertNotIn("Traceback", done.stderr)
    self.assertNotIn("Warning", done.stderr)

  @parameterized.named_parameters(*ENVIRONMENTS.items())
  def test_every_command(self, variables):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    for module, *flags in (
      ("run", *RING, "--workdir=run"),
      ("run", "--resume", "--workdir=run", "--steps=6"),
      ("sample", "--workdir=run", "--out=x.npz"),
      ("report", "run"),
      ("figures", "--figure=fgan_conjugates", "--out=figures"),
      ("sweep", *RING, "--grid=loss=hinge,wasserstein", "--workdir=sweep"),
      ("prepare_data", "--help"),
    ):
      with self.subTest(f"{module} {' '.join(flags)}"):
        self.check(
          run(folder, {"JAX_PLATFORMS": "", **variables}, module, *flags)
        )
    # A seed means the same, and nothing lies in the working folder.
    rows = trained_runs.measured_rows(folder / "run")
    self.assertEqual(rows[0], self.rows[0])
    self.assertCountEqual(
      os.listdir(folder), ["run", "x.npz", "figures", "sweep"]
    )

  @parameterized.parameters(*BROKEN)
  def test_a_platform_that_is_not_here(self, platform):
    new = self.folder / platform
    for module, *flags in (
      ("run", *RING, f"--workdir={new}"),
      ("sample", "--workdir=whole", f"--out={new}.npz"),
      ("figures", "--figure=fgan_conjugates", f"--out={new}-figures"),
    ):
      done = run(self.folder, {"JAX_PLATFORMS": platform}, module, *flags)
      with self.subTest(module):
        self.assertEqual(done.returncode, 2)
        self.assertRegex(
          done.stderr.splitlines()[-1], f"^error: JAX_PLATFORMS={platform}: "
        )
        self.assertNotIn("Traceback", done.stderr)
        self.assertFalse(Path(flags[-1].partition("=")[2]).exists())
        self.check(
          run(
            self.folder,
            {"JAX_PLATFORMS": platform},
            *(module, *flags, "--platform=cpu"),
          )
        )
    done = run(self.folder, {"JAX_PLATFORMS": platform}, "report", "whole")
    self.check(done)

  def test_damaged_programs_are_replaced(self):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    variables = {"JAX_PLATFORMS": "", "XDG_CACHE_HOME": str(folder / "cache")}

    def programs():
      paths = (folder / "cache" / "gan_jax" / "xla").glob("*-cache")
      return {path.name: path.read_bytes() for path in paths}

    self.check(run(folder, variables, "run", *RING, "--workdir=a"))
    whole = programs()
    self.assertNotEmpty(whole)
    for name in whole:
      (folder / "cache" / "gan_jax" / "xla" / name).write_bytes(b"damaged")
    self.check(run(folder, variables, "run", *RING, "--workdir=b"))
    self.assertEqual(set(programs()), set(whole))
    self.assertNotIn(b"damaged", programs().values())

  @parameterized.parameters("$x$ 'quoted' ü", "-dash", "a\nb")
  def test_names_of_folders(self, name):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    workdir = f"--workdir={name}"
    self.check(run(folder, {}, "run", *RING, workdir))
    self.check(run(folder, {}, "run", workdir, "--resume", "--steps=6"))
    self.check(run(folder, {}, "sample", workdir, "--out=x.npz"))
    whole = str(self.folder / "whole")
    self.check(run(folder, {}, "report", f"./{name}", whole, "--out=x.html"))
    self.assertTrue((folder / "x.html").exists())

  @parameterized.named_parameters(
    ("too_long", "/".join(["deep"] * 1000)),
    ("not_utf8", os.fsdecode(b"\xff")),
  )
  def test_names_that_cannot_be(self, name):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    done = run(folder, {}, "run", *RING, f"--workdir={name}")
    self.assertEqual(done.returncode, 2)
    self.assertLen(done.stderr.splitlines(), 1)
    self.assertEmpty(os.listdir(folder))

  def test_images_without_a_cache(self):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    tiny_images.write(folder)
    flags = [
      f"--{name}={value}" for name, value in tiny_images.SETTINGS.items()
    ]
    done = run(
      folder,
      {"JAX_PLATFORMS": "", "XDG_CACHE_HOME": "/proc/nowhere"},
      *("run", "--experiment=dcgan_mnist", "--data_dir=.", "--workdir=run"),
      *flags,
    )
    self.check(done)
    self.assertIn("the images are not cached, since", done.stderr)
    self.assertIn("the classifier is not kept, since", done.stderr)

  def test_a_home_that_begins_with_a_tilde(self):
    home = Path(self.enterContext(tempfile.TemporaryDirectory()))
    done = run(
      self.folder,
      {"JAX_PLATFORMS": "", "HOME": str(home)},
      *("run", *RING, "--workdir=~/run"),
    )
    self.check(done)
    settings = json.loads((home / "run" / results.SETTINGS).read_text())
    self.assertEqual(settings["experiment"], "ring")
    for module, *flags in (
      ("sample", "--workdir=~/run", "--out=~/x.npz"),
      ("report", "whole", "--out=~/page.html"),
      (
        "figures",
        "--figure=fgan_conjugates",
        "--out=~/figures",
        "--runs=~/runs",
      ),
    ):
      self.check(
        run(
          self.folder, {"JAX_PLATFORMS": "", "HOME": str(home)}, module, *flags
        )
      )
    self.assertFalse((self.folder / "~").exists())
    done = run(self.folder, {}, "report", "whole", "--out=~nobody-here/x.html")
    self.assertRegex(done.stderr, "^error: --out=.*there is no such user")


if __name__ == "__main__":
  absltest.main()
