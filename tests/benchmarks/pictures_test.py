"""The pictures of the pages, and the record of how they were made."""

import contextlib
import hashlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from absl.testing import absltest
from PIL import Image

from benchmarks import results
from experiments.devices import environment
from tests import docs_modules

DOCS = docs_modules.DOCS
PICTURES: Any = docs_modules.load("pictures")
MACHINE = {"device": "1 x cpu", "versions": {}, "git_commit": "0123"}


class PicturesTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.folder = Path(folder.name)
    self.kept = self.folder / "kept"
    self.kept.mkdir()

  def make(self, **pictures):
    """Makes pictures in the test's folder; returns success and messages."""
    runs = PICTURES.Runs(self.folder / "runs", self.folder / "data")
    messages = io.StringIO()
    with (
      mock.patch.multiple(
        PICTURES, FOLDER=self.folder, KEPT=self.kept, PICTURES=pictures
      ),
      mock.patch.multiple(
        environment,
        choose_devices=mock.DEFAULT,
        describe=mock.Mock(return_value=MACHINE),
      ),
      contextlib.redirect_stderr(messages),
    ):
      return PICTURES.make(list(pictures), runs), messages.getvalue()

  def record(self):
    return json.loads((self.kept / "pictures.json").read_text())

  def test_every_picture_of_the_pages_is_made(self):
    shown = {
      str(path.relative_to(DOCS).with_suffix(""))
      for path in DOCS.rglob("*.webp")
      if "gallery" not in path.parts
    }
    self.assertEqual(shown, set(PICTURES.PICTURES))

  def test_pictures_are_those_of_the_record(self):
    path = results.KEPT / "pictures.json"
    if not path.exists():
      self.skipTest("the pictures were made before there was a record")
    for name, entry in json.loads(path.read_text())["pictures"].items():
      content = (DOCS / f"{name}.webp").read_bytes()
      self.assertEqual(hashlib.sha256(content).hexdigest(), entry["sha256"])

  def test_a_picture_is_small_and_recorded(self):
    def noise(runs):
      runs.command("run", "--data_dir={data}/mnist",
                   f"--workdir={runs.folder}/noise", finished=True)  # fmt: skip
      rng = np.random.default_rng(0)
      return Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8))

    made, messages = self.make(noise=noise)
    self.assertTrue(made, messages)
    content = (self.folder / "noise.webp").read_bytes()
    with Image.open(io.BytesIO(content)) as picture:
      self.assertIsNotNone(picture.getcolors(64))
    record = self.record()
    self.assertLessEqual({"date", "seconds", *MACHINE}, set(record))
    entry = record["pictures"]["noise"]
    self.assertEqual(entry["sha256"], hashlib.sha256(content).hexdigest())
    self.assertEqual(entry["bytes"], len(content))
    self.assertEqual(
      entry["commands"],
      ["python -m experiments.run --data_dir=data/mnist --workdir=runs/noise"],
    )

  def test_a_picture_without_its_measurements_stays(self):
    (self.folder / "speed.webp").write_bytes(b"old")
    self.make(white=lambda runs: Image.new("RGB", (4, 4)))
    made, messages = self.make(
      speed=PICTURES.speed, black=lambda runs: Image.new("RGB", (4, 4))
    )
    self.assertFalse(made)
    self.assertLen(messages.splitlines(), 1)
    self.assertIn("speed.webp stays as it is", messages)
    self.assertIn("--only=speed_toy,speed_dcgan,speed_sweep", messages)
    self.assertEqual((self.folder / "speed.webp").read_bytes(), b"old")
    self.assertEqual(set(self.record()["pictures"]), {"white", "black"})

  def test_populations_are_those_of_the_kept_file(self):
    speeds = {"pytorch_eager": 7.0, "pytorch_compiled": 15.0, "gan_jax": 29.0,
              "gan_jax_8_seeds": 59.0, "gan_jax_32_seeds": 58.0}  # fmt: skip
    game = "non_saturating"
    kept = {
      "rows": [
        {"game": game, "name": name, "batch_size": size, "steps_per_second": s}
        for name, speed in speeds.items()
        for size, s in ((64, speed), (512, 1.0))
      ],
      "ratios": {game: {"64": {"best_pytorch": "pytorch_compiled"}}},
    }
    (self.kept / "speed_toy.json").write_text(json.dumps(kept))
    with mock.patch.object(PICTURES, "KEPT", self.kept):
      figure = PICTURES.populations(None)
    (axes,) = figure.axes
    self.assertEqual(
      [bar.get_width() for bar in axes.patches], [15.0, 29.0, 59.0, 58.0]
    )


if __name__ == "__main__":
  absltest.main()
