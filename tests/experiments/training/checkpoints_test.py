"""Checkpoints are kept, read back whole, and passed over where damaged."""

import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from experiments.cli import console
from experiments.run_folder import results
from experiments.run_folder.results import RunFolderError
from experiments.training import checkpoints
from experiments.training.checkpoints import Keeping
from gan_jax.training import Checkpoint, Progress
from gan_jax.types import Players, TrainState


def make_progress(step) -> Any:
  """Two members, of random parameters."""
  rng = np.random.default_rng(step)
  failed_at: Any = Players(*np.full((2, 2), -1, np.int32))
  return Progress(
    TrainState(
      step=jnp.full(2, step, jnp.int32),
      params=Players(
        {"kernel": rng.normal(size=(2, 30, 40)).astype(np.float32)},
        {"bias": rng.normal(size=(2, 5)).astype(np.float32)},
      ),
      variables=Players({}, {"count": np.full((2, 1), step, np.uint32)}),
      optimizer_states=Players((), (np.ones((2,), np.float32), None)),
    ),
    failed_at,
  )


STRUCTURE = jax.tree.map(
  lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), make_progress(0)
)


ALL = Keeping(newest=9)


class CheckpointsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.workdir = Path(self.enterContext(tempfile.TemporaryDirectory()))

  def write(self, saved, keeping=ALL):
    """Writes checkpoints of steps, each with a number of failed members."""
    with checkpoints.Writer(self.workdir, keeping, {"seeds": [1, 2]}) as writer:
      for step, num_failed in saved:
        own = Checkpoint(
          step, make_progress(step), step, 2, num_failed, step / 7
        )
        writer.save(own, num_failed, wall_seconds=step / 3)

  def load(self):
    return checkpoints.load_newest(self.workdir, STRUCTURE)

  def test_what_is_written_is_read_back(self):
    self.write([(10, 0), (20, 1)])
    checkpoint, description = self.load()
    jax.tree.map(
      np.testing.assert_array_equal, checkpoint.progress, make_progress(20)
    )
    self.assertEqual((checkpoint.step, *checkpoint[2:]), (20, 20, 2, 1, 20 / 7))
    self.assertEqual(description, {"seeds": [1, 2], "wall_seconds": 20 / 3})

  @parameterized.parameters(
    (Keeping(2), [], [50, 40]),
    (Keeping(1, every=20), [], [50, 40, 20]),
    # The newest with the fewest failures is kept too.
    (Keeping(1), [30, 40, 50], [50, 20]),
    (Keeping(2), [10, 20, 30, 40, 50], [50, 40]),
  )
  def test_some_are_kept(self, keeping, failing, expected):
    self.write([(s, int(s in failing)) for s in range(10, 60, 10)], keeping)
    self.assertEqual(checkpoints.steps(self.workdir), expected)

  def damage(self, step, how):
    """Damages the file of a checkpoint that has the numbers, or all files."""
    folder = self.workdir / results.CHECKPOINTS / str(step)
    files = [path for path in folder.rglob("*") if path.is_file()]
    largest = max(files, key=lambda path: path.stat().st_size)
    content = largest.read_bytes()
    if how == "truncated":
      largest.write_bytes(content[: len(content) // 2])
    elif how == "empty":
      for path in files:
        path.write_bytes(b"")
    elif how == "deleted":
      largest.unlink()
    else:
      middle = len(content) // 2
      changed = bytes([content[middle] ^ 1])
      largest.write_bytes(content[:middle] + changed + content[middle + 1 :])

  @parameterized.parameters("truncated", "empty", "deleted", "one bit")
  def test_a_damaged_one_is_passed_over(self, how):
    self.write([(10, 0), (20, 0), (30, 0)])
    said = self.enterContext(mock.patch.object(console, "say"))
    self.damage(30, how)
    self.assertEqual(self.load().checkpoint.step, 20)
    self.assertRegex(
      said.call_args.args[0],
      "the checkpoint of step 30 is damaged .*going back to the one of step 20",
    )
    self.damage(20, how)
    self.damage(10, how)
    with self.assertRaisesRegex(
      RunFolderError, "no checkpoint of .* can be read .*step 30.*step 10"
    ):
      self.load()

  def test_later_and_damaged_ones_are_discarded(self):
    self.write([(10, 0), (20, 0), (30, 0), (40, 0)])
    self.damage(20, "one bit")
    checkpoints.discard_after(self.workdir, 30)
    self.assertEqual(checkpoints.steps(self.workdir), [30, 10])

  def test_what_was_being_written_does_not_count(self):
    self.write([(10, 0)])
    folder = self.workdir / results.CHECKPOINTS
    (folder / "20.orbax-checkpoint-tmp-9").mkdir()
    (folder / "20.orbax-checkpoint-tmp-9" / "state").mkdir()
    self.assertEqual(self.load().checkpoint.step, 10)
    # The next one that writes there removes it.
    self.write([(20, 0)])
    self.assertEqual(
      sorted(path.name for path in folder.iterdir()), ["10", "20"]
    )

  def test_one_whose_removal_was_interrupted(self):
    self.write([(10, 0), (20, 0)])
    # The manifest goes first.
    folder = self.workdir / results.CHECKPOINTS
    (folder / "10" / checkpoints.MANIFEST).unlink()
    self.write([(30, 1), (40, 1)], Keeping(1))
    self.assertEqual(checkpoints.steps(self.workdir), [40, 20])
    self.assertFalse((folder / "10").exists())

  def test_what_was_kept_before_counts(self):
    self.write([(10, 0), (20, 1)])
    self.write([(30, 1), (40, 1)], Keeping(2))
    self.assertEqual(checkpoints.steps(self.workdir), [40, 30, 10])

  def test_one_that_was_not_finished(self):
    self.write([(10, 0), (20, 0)])
    folder = self.workdir / results.CHECKPOINTS
    (folder / "20" / checkpoints.MANIFEST).unlink()
    self.assertEqual(self.load().checkpoint.step, 10)
    checkpoints.discard_after(self.workdir, 10)
    self.assertEqual([path.name for path in folder.iterdir()], ["10"])
    self.write([(20, 0)])
    self.assertEqual(self.load().checkpoint.step, 20)

  def test_none(self):
    with self.assertRaisesRegex(RunFolderError, "has no checkpoint"):
      self.load()

  def test_one_of_other_networks(self):
    self.write([(10, 0)])
    structure = STRUCTURE._replace(
      state=STRUCTURE.state.replace(params=Players({}, {}))
    )
    with self.assertRaisesRegex(
      RunFolderError, r"can be read \(step 10: it has .*\['kernel'\] of float32"
    ):
      checkpoints.load_newest(self.workdir, structure)

  def test_one_of_another_version(self):
    from orbax.checkpoint.experimental import v1

    path = self.workdir / results.CHECKPOINTS / "10"
    v1.save(str(path), make_progress(10), custom_metadata={"step": 10})
    results.write_json(path / checkpoints.MANIFEST, checkpoints._hashes(path))
    with self.assertRaisesRegex(
      RunFolderError, "can be read .step 10: another version wrote it"
    ):
      self.load()

  def test_what_cannot_be_written_is_told(self):
    (self.workdir / results.CHECKPOINTS).write_text("a file")
    with self.assertRaisesRegex(
      RunFolderError, "a checkpoint cannot be written.*none to go on from"
    ):
      self.write([(10, 0)])


if __name__ == "__main__":
  absltest.main()
