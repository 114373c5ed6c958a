"""A run knows its images: without them, and when they have changed."""

import contextlib
import io
import json
import os
import shutil
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from experiments import report, run, sample
from experiments.configs.registry import BY_NAME
from experiments.datasets import image_datasets
from experiments.errors import RunFolderError, SettingError
from experiments.run_folder import intervals, results
from experiments.training import checkpoints
from tests.experiments import tiny_images, trained_runs

STEPS = 2


def write_photos(folder, classes=("cat", "dog"), count=90, seed=0):
  """Writes noise in a folder for each class, enough for a classifier."""
  rng = np.random.default_rng(seed)
  for name in classes:
    (folder / name).mkdir(parents=True)
    for index in range(count):
      pixels = rng.integers(0, 256, (16, 16), np.uint8)
      Image.fromarray(pixels).save(folder / name / f"{index:03d}.png")


class OwnImagesTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
    cls.enterClassContext(
      mock.patch.dict(os.environ, {"XDG_CACHE_HOME": str(cls.folder / "cache")})
    )
    cls.enterClassContext(trained_runs.on_one_device())
    cls.enterClassContext(trained_runs.undrawn())
    # A classifier of noise guesses, and on 18 images sometimes guesses well.
    # Always naming the more frequent class is right at least half of the time.
    cls.enterClassContext(
      mock.patch.object(image_datasets.classifier, "accuracy", return_value=0.5)
    )
    write_photos(cls.folder / "photos")
    cls.whole, cls.line = cls.train("whole")

  @classmethod
  def flags(cls, workdir):
    """Returns the command line of a run on the photos, with a relative path."""
    settings = {**tiny_images.SETTINGS, "steps": STEPS}
    return [
      *(f"--{name}={value}" for name, value in settings.items()),
      "--experiment=conditional_mnist",
      "--dataset=folder",
      f"--data_dir={os.path.relpath(cls.folder / 'photos')}",
      f"--workdir={workdir}",
    ]

  @classmethod
  def train(cls, name):
    """Trains a run; returns its folder and what was said before it."""
    workdir = cls.folder / name
    with (
      contextlib.redirect_stdout(io.StringIO()),
      contextlib.redirect_stderr(io.StringIO()) as stderr,
    ):
      assert run.run(["run", *cls.flags(workdir)]) == 0
    return workdir, stderr.getvalue()

  def setUp(self):
    super().setUp()
    self.photos = self.folder / "photos"
    self.kept = self.folder / "kept"
    shutil.copytree(self.photos, self.kept)
    self.addCleanup(self.restore)
    self.workdir = (
      Path(self.enterContext(tempfile.TemporaryDirectory())) / "run"
    )
    shutil.copytree(self.whole, self.workdir)
    self.stderr = self.enterContext(contextlib.redirect_stderr(io.StringIO()))
    self.enterContext(contextlib.redirect_stdout(io.StringIO()))

  def restore(self):
    shutil.rmtree(self.photos, ignore_errors=True)
    self.kept.rename(self.photos)

  def resume(self, *flags, steps=4):
    folder = f"--workdir={self.workdir}"
    return run.run(["run", "--resume", folder, f"--steps={steps}", *flags])

  def test_what_was_read_is_said_and_recorded(self):
    said = "162 training and 18 test images (a tenth of the images"
    self.assertIn(said, self.line)
    self.assertRegex(
      self.line,
      r"2 classes \(training \+ test\): cat \(\d+ \+ \d+\), dog \(\d+ \+ \d+\)",
    )
    for name in (results.SETTINGS, results.SUMMARY):
      data = results.read_json(self.whole / name)["data"]
      self.assertEqual(data["class_names"], ["cat", "dog"])
      self.assertEqual(data["train"]["images"], 162)
      self.assertEqual(sum(data["train"]["classes"].values()), 162)
      # Found again from another working folder.
      self.assertEqual(data["data_dir"], str(self.photos))
    page = (self.whole / results.REPORT).read_text()
    self.assertIn(said, page)
    self.assertIn("images of photos", page)
    self.assertNotIn("handwritten digits", page)

  def test_features_that_know_nothing_do_not_score(self):
    # The photos of both classes are noise.
    (line,) = (x for x in self.line.splitlines() if "not scored" in x)
    summary = results.read_json(self.whole / results.SUMMARY)
    reason = summary["protocol"][intervals.NOT_SCORED]
    self.assertIn(reason, line)
    self.assertIn("on 18 held-out images", reason)
    for which in ("final", "best"):
      self.assertIsNone(summary["score"][which]["mean"])
    for name in ("coverage", "frechet_distance"):
      self.assertIsNotNone(summary["metrics"][name]["final"]["mean"])
    page = (self.whole / results.REPORT).read_text()
    self.assertIn(f"not scored: {reason}", page)
    # The same if it is scored again from its folder.
    read = results.read_results(self.whole)
    score = BY_NAME["conditional_mnist"].score(read)
    self.assertTrue(np.isnan(score).all())
    self.assertFalse(np.isnan(read.metrics["coverage"]).any())

  def test_a_run_needs_no_images_to_be_sampled_and_reported(self):
    shutil.rmtree(self.photos)
    shutil.rmtree(self.folder / "cache" / "gan_jax" / "images")
    for label, number in (("cat", 0), ("dog", 1), ("1", 1)):
      out = self.workdir.parent / f"{label}.npz"
      flags = [f"--workdir={self.workdir}", f"--out={out}", f"--label={label}"]
      self.assertEqual(sample.run(["sample", *flags, "--num_samples=3"]), 0)
      with np.load(out) as arrays:
        np.testing.assert_array_equal(arrays["labels"], [number] * 3)
        np.testing.assert_array_equal(arrays["class_names"], ["cat", "dog"])
    self.assertEqual(report.run(["report", str(self.workdir)]), 0)
    with self.assertRaisesRegex(SettingError, "there is no .*photos"):
      self.resume()

  def test_the_statistics_are_those_of_the_images(self):
    with np.load(self.workdir / results.STATISTICS) as arrays:
      self.assertEqual(arrays["features"].shape[0], 64)
      self.assertIn("network_0", arrays)

  def test_images_elsewhere_are_the_same_images(self):
    shutil.copytree(self.photos, self.workdir.parent / "moved")
    shutil.rmtree(self.photos)
    self.assertEqual(
      self.resume(f"--data_dir={self.workdir.parent / 'moved'}"), 0
    )

  @parameterized.parameters(((), False), (("--refresh_data",), True))
  def test_images_are_decoded_again_when_that_is_asked(self, flags, decodes):
    # Copies of the images are other files, so these are decoded once.
    self.assertEqual(self.resume(), 0)
    self.stderr.truncate(0)
    self.assertEqual(self.resume(*flags, steps=6), 0)
    self.assertEqual("decoding folder" in self.stderr.getvalue(), decodes)

  def swap(self):
    for old, new in (("cat", "x"), ("dog", "cat"), ("x", "dog")):
      (self.photos / old).rename(self.photos / new)

  def rename(self):
    (self.photos / "cat").rename(self.photos / "tiger")

  def add(self):
    write_photos(self.photos, ("emu",))

  def remove(self):
    for index in range(20):
      (self.photos / "cat" / f"{index:03d}.png").unlink()

  def replace(self):
    for path in self.photos.glob("*/00*.png"):
      pixels = np.full((16, 16), 7, np.uint8)
      status = path.stat()
      Image.fromarray(pixels).save(path)
      os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

  @parameterized.parameters(
    ("swap", "(in another order or in other classes|some training images are)"),
    ("rename", "classes were cat, dog and are now dog, tiger"),
    ("add", "are now cat, dog, emu"),
    ("remove", "there were 162 training images and are now 144"),
    ("replace", "some training images are others"),
  )
  def test_other_images_are_refused(self, change, message):
    getattr(self, change)()
    before = {
      path: path.read_bytes()
      for path in self.workdir.rglob("*")
      if path.is_file()
    }
    with self.assertRaisesRegex(RunFolderError, f"other data: .*{message}"):
      self.resume()
    for path, content in before.items():
      self.assertEqual(path.read_bytes(), content)
    if change == "add":
      return
    self.assertEqual(self.resume("--allow_changed_data"), 0)
    self.assertEqual(checkpoints.steps(self.workdir)[0], 4)
    rows = results.read_rows(self.workdir / results.EVENTS).rows
    (event,) = (row for row in rows if row["kind"] == "changed_data")
    self.assertRegex(event["message"], message)

  def test_a_class_without_images_is_no_class_to_condition_on(self):
    (self.photos / "emu").mkdir()
    settings = BY_NAME["conditional_mnist"].settings.replace(
      **tiny_images.SETTINGS, dataset="folder", data_dir=str(self.photos)
    )
    with self.assertRaisesRegex(SettingError, "there are none of emu"):
      BY_NAME["conditional_mnist"].build(settings)
    free = settings.replace(condition="none")
    record = BY_NAME["dcgan_mnist"].build(free).data_record
    self.assertEqual(record["empty_classes"], ["emu"])
    with self.assertRaisesRegex(SettingError, "leaves 1 of 2 classes"):
      (self.photos / "emu").rmdir()
      BY_NAME["conditional_mnist"].build(settings.replace(training_images=1))

  def test_the_record_is_json(self):
    data = results.read_json(self.whole / results.SETTINGS)["data"]
    self.assertEqual(json.loads(json.dumps(data)), data)


if __name__ == "__main__":
  absltest.main()
