"""Samples of finished runs: of images, of classes, of points."""

import os
import shutil
import tempfile
from pathlib import Path
from unittest import mock

import jax
import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from experiments import sample
from experiments.errors import RunFolderError, UsageError
from experiments.run_folder import results
from experiments.training import checkpoints, load_run, run_config
from gan_jax import training
from tests.experiments import tiny_images, trained_runs

SMALL = {
  name: tiny_images.SETTINGS[name]
  for name in ("steps", "log_every", "evaluation_samples")
}


class SampleTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
    tiny_images.write(cls.folder)
    cls.enterClassContext(
      mock.patch.dict(os.environ, {"XDG_CACHE_HOME": str(cls.folder / "cache")})
    )
    cls.enterClassContext(trained_runs.on_one_device())
    cls.enterClassContext(trained_runs.undrawn())
    data = {**tiny_images.SETTINGS, "data_dir": str(cls.folder)}
    cls.runs = {
      name: cls.train(name, seeds, **settings)
      for name, seeds, settings in (
        ("ring", [5, 6], SMALL),
        ("conditional_mnist", [3], data),
      )
    }

  @classmethod
  def train(cls, name, seeds, **values):
    run = trained_runs.settings_of(name, seeds, **values)
    return trained_runs.train(cls.folder, run)[0]

  def sample(self, name, out, *flags):
    """Runs the command, and returns what is in the file."""
    path = self.folder / out
    code = sample.run(
      ["sample", f"--workdir={self.runs[name]}", f"--out={path}", *flags]
    )
    self.assertEqual(code, 0)
    return dict(np.load(path)) if path.suffix == ".npz" else {}

  def test_points_are_those_of_the_run(self):
    first = self.sample("ring", "a.npz", "--num_samples=300")["samples"]
    self.assertEqual(first.shape, (300, 2))
    self.assertEqual(first.dtype, np.float32)
    # Fewer are the first of more; another seed's are others.
    few = self.sample("ring", "b.npz", "--num_samples=10", "--seed=5")
    np.testing.assert_array_equal(few["samples"], first[:10])
    for flag in ("--seed=6", "--latents_seed=1"):
      other = self.sample("ring", f"{flag}.npz", "--num_samples=10", flag)
      self.assertGreater(np.abs(other["samples"] - first[:10]).min(), 0)

  def test_it_is_what_the_run_evaluated(self):
    # The average of the generator, which ring keeps, with the same key.
    member = load_run.load_run(self.runs["ring"], 6, jax.devices()[0])
    self.assertEqual(int(member.state.step), 2)
    read = results.read_results(self.runs["ring"])
    problem = member.experiment.build(member.settings)
    evaluation = problem.evaluate(
      member.state, training.member_keys(6).evaluation, problem.data
    )
    np.testing.assert_allclose(
      evaluation["generator_cost"],
      read.metrics["generator_cost"][1, -1],
      rtol=1e-5,
    )

  def test_images_of_one_class_and_of_all(self):
    whole = self.sample("conditional_mnist", "c.npz", "--num_samples=25")
    self.assertEqual(whole["samples"].shape, (25, 16, 16, 1))
    self.assertEqual(whole["samples"].dtype, np.uint8)
    np.testing.assert_array_equal(whole["labels"], np.arange(25) % 10)
    one = self.sample(
      "conditional_mnist", "d.npz", "--num_samples=25", "--label=7"
    )
    np.testing.assert_array_equal(one["labels"], np.full(25, 7))
    # The same latents: where the class is the same, so is the image.
    np.testing.assert_array_equal(one["samples"][7], whole["samples"][7])
    self.assertTrue((one["samples"][8] != whole["samples"][8]).any())
    self.sample("conditional_mnist", "e.png", "--num_samples=20")
    with Image.open(self.folder / "e.png") as page:
      # Two rows of ten classes, a pixel between.
      self.assertEqual(page.size, (10 * 17 - 1, 2 * 17 - 1))

  @parameterized.parameters(
    ("ring", ["--out=x.png"], "are not images"),
    ("ring", ["--out=x.jpg"], "must end in .png or .npz"),
    ("ring", ["--out=x.npz", "--label=3"], "has no classes"),
    ("ring", ["--out=nowhere/x.npz"], "there is no nowhere"),
    (
      "conditional_mnist",
      ["--out=x.npz", "--label=12"],
      "^--label=12: there is no such class; the 10 classes are 0, 1, 2, 3, 4, "
      "5, 6, 7, 8, 9$",
    ),
    ("ring", [], "--out is missing"),
  )
  def test_what_makes_no_sense_is_refused(self, name, flags, message):
    with self.assertRaisesRegex(UsageError, message):
      sample.run(["sample", f"--workdir={self.runs[name]}", *flags])
    self.assertFalse(Path("x.npz").exists())

  def test_a_folder_that_is_no_run_or_lost_its_end(self):
    out = f"--out={self.folder / 'z.npz'}"
    with self.assertRaisesRegex(RunFolderError, "there is no folder .*none"):
      sample.run(["sample", f"--workdir={self.folder / 'none'}", out])
    with self.assertRaisesRegex(RunFolderError, "has no seed 9; it has 5, 6"):
      sample.run(["sample", f"--workdir={self.runs['ring']}", out, "--seed=9"])
    again = self.folder / "again"
    shutil.copytree(self.runs["ring"], again)
    (again / results.CHECKPOINTS).rename(again / "moved")
    with self.assertRaisesRegex(RunFolderError, "has no checkpoint"):
      sample.run(["sample", f"--workdir={again}", out])


class UnknownClassTest(parameterized.TestCase):
  @parameterized.parameters(
    (("cat", "dog"), "the 2 classes are 0 (cat), 1 (dog)"),
    # The name of a class that is also its number is written once.
    (("0", "dog"), "the 2 classes are 0, 1 (dog)"),
    (("cat", "xs"), "did you mean 'xs'? the 2 classes are 0 (cat), 1 (xs)"),
    (
      tuple(f"n{n}" for n in range(1000)),
      "the 1000 classes are 0 (n0), 1 (n1), 2 (n2), 3 (n3), 4 (n4), 5 (n5), "
      "6 (n6), 7 (n7), 8 (n8), 9 (n9), ..., 999 (n999)",
    ),
  )
  def test_the_classes_are_named(self, names, classes):
    self.assertEqual(
      sample._unknown_class("xss", names),
      f"--label=xss: there is no such class; {classes}",
    )


class FailedSeedTest(parameterized.TestCase):
  """Seeds of a run that failed, or whose numbers are not finite."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
    cls.enterClassContext(trained_runs.on_one_device())
    cls.enterClassContext(trained_runs.undrawn())
    run = trained_runs.settings_of("ring", [5, 6, 7], **SMALL)
    cls.workdir, _ = trained_runs.train(cls.folder, run)

  def change(self, *changes):
    """Copies the run with another last checkpoint, as each change makes it."""
    workdir = Path(self.enterContext(tempfile.TemporaryDirectory())) / "run"
    shutil.copytree(self.workdir, workdir)
    experiment, settings, seeds = run_config.read_settings(workdir)
    problem = experiment.build(settings)
    structure = training.structure(problem.init, len(seeds))
    loaded = checkpoints.load_newest(workdir, structure)
    progress = jax.tree.map(np.array, loaded.checkpoint.progress)
    for change in changes:
      change(progress)
    checkpoints.discard_after(workdir, -1)
    with checkpoints.Writer(
      workdir, checkpoints.Keeping(), loaded.description
    ) as writer:
      writer.save(loaded.checkpoint._replace(progress=progress), 0, 0.0)
    return workdir

  def sample(self, workdir, *flags):
    out = workdir / "samples.npz"
    self.assertEqual(
      sample.run(["sample", f"--workdir={workdir}", f"--out={out}", *flags]), 0
    )
    with np.load(out) as arrays:
      self.assertTrue(np.isfinite(arrays["samples"]).all())

  @parameterized.named_parameters(
    ("marked", lambda p: p.failed_at.discriminator.__setitem__(0, 1)),
    (
      "parameters",
      lambda p: p.state.params.generator["Dense_0"]["bias"].__setitem__(
        (0, 0), np.nan
      ),
    ),
    (
      "average",
      lambda p: p.state.averages["Dense_0"]["bias"].__setitem__((0, 0), np.inf),
    ),
  )
  def test_one_is_refused_and_the_others_are_named(self, change):
    workdir = self.change(change)
    for flags in ([], ["--seed=5"]):
      with self.assertRaisesRegex(
        RunFolderError,
        "^seed 5 of .* failed and has nothing to sample; choose --seed from "
        "6, 7$",
      ):
        self.sample(workdir, *flags)
    self.assertFalse((workdir / "samples.npz").exists())
    self.sample(workdir, "--seed=6")

  def test_all_have_failed(self):
    workdir = self.change(lambda p: p.failed_at.generator.fill(1))
    with self.assertRaisesRegex(RunFolderError, "to sample; so did all$"):
      self.sample(workdir)

  def test_samples_that_are_not_finite_are_refused(self):
    # Finite parameters, whose products are not.
    def change(progress):
      for layer in progress.state.averages.values():
        layer["kernel"][0] = 1e38

    workdir = self.change(change)
    with self.assertRaisesRegex(
      RunFolderError, "generator of seed 5 draws samples that are not finite"
    ):
      self.sample(workdir)


if __name__ == "__main__":
  absltest.main()
