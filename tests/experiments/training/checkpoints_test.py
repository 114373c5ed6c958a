"""Checkpoints are kept, loaded as they were saved, and skipped if damaged."""

import tempfile
import threading
from pathlib import Path
from typing import Any
from unittest import mock

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from experiments.cli import console
from experiments.errors import RunFolderError
from experiments.run_folder import results
from experiments.training import checkpoints
from experiments.training.checkpoints import Keeping
from gan_jax.training import Checkpoint, Progress
from gan_jax.types import Players, TrainState


def make_progress(step) -> Any:
  """Makes the progress of two seeds with random parameters."""
  rng = np.random.default_rng(step)
  failed_at: Any = Players(*np.full((2, 2), -1, np.int32))
  steps: Any = np.full(2, step, np.int32)
  return Progress(
    TrainState(
      step=steps,
      params=Players(
        {"kernel": rng.normal(size=(2, 30, 40)).astype(np.float32)},
        {
          "bias": rng.normal(size=(2, 5)).astype(np.float32),
          # Bits that a conversion would lose: of a NaN, and of a zero's sign.
          "bits": np.array([0x7FC01234, 0x80000000], np.uint32).view(
            np.float32
          ),
          "done": np.array([True, False]),
          "half": np.asarray(jnp.array([[1.5], [-2.0]], jnp.bfloat16)),
          "transposed": np.arange(8, dtype=np.float32).reshape(4, 2).T,
          "zeros": np.array([[-0.0], [-0.0]], np.float32),
        },
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
    """Writes checkpoints of steps, each with a number of failed seeds."""
    with checkpoints.Writer(self.workdir, keeping, {"seeds": [1, 2]}) as writer:
      for step, num_failed in saved:
        checkpoint = Checkpoint(
          step, make_progress(step), step, 2, num_failed, step / 7
        )
        writer.save(checkpoint, num_failed, wall_seconds=step / 3)

  def load(self):
    return checkpoints.load_newest(self.workdir, STRUCTURE)

  def test_what_is_written_is_read_back(self):
    self.write([(10, 0), (20, 1)])
    checkpoint, description = self.load()
    saved = make_progress(20)
    chex.assert_trees_all_equal_structs(checkpoint.progress, saved)
    chex.assert_trees_all_equal_shapes_and_dtypes(checkpoint.progress, saved)
    for loaded, before in zip(
      jax.tree.leaves(checkpoint.progress), jax.tree.leaves(saved), strict=True
    ):
      self.assertEqual(loaded.tobytes(), before.tobytes())
    self.assertEqual((checkpoint.step, *checkpoint[2:]), (20, 20, 2, 1, 20 / 7))
    self.assertEqual(
      description,
      {"seeds": [1, 2], "wall_seconds": 20 / 3, "metrics_sha256": {}},
    )

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
  def test_a_damaged_one_is_skipped(self, how):
    self.write([(10, 0), (20, 0), (30, 0)])
    said = self.enterContext(mock.patch.object(console, "say"))
    self.damage(30, how)
    self.assertEqual(self.load().checkpoint.step, 20)
    self.assertRegex(
      said.call_args.args[0],
      "the checkpoint of step 30 is damaged; going back to the one of step 20",
    )
    self.damage(20, how)
    self.damage(10, how)
    with self.assertRaisesRegex(
      RunFolderError, "no checkpoint of .* can be read: all are damaged"
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
    # The manifest is removed first.
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

  @parameterized.named_parameters(
    ("other parameters", {}, "kernel is float32.2, 30, 40., not absent"),
    (
      "another shape",
      {"kernel": jax.ShapeDtypeStruct((2, 30, 41), np.float32)},
      r"kernel is float32\[2, 30, 40\], not float32\[2, 30, 41\]",
    ),
    (
      "another type",
      {"kernel": jax.ShapeDtypeStruct((2, 30, 40), np.int32)},
      "kernel is float32.*, not int32.*",
    ),
  )
  def test_one_of_other_networks(self, generator, message):
    self.write([(10, 0), (20, 0)])
    params = STRUCTURE.state.params._replace(generator=generator)
    structure = STRUCTURE._replace(state=STRUCTURE.state.replace(params=params))
    with self.assertRaisesRegex(
      RunFolderError,
      f"^the checkpoint .*20 is of other networks: its .*{message}$",
    ):
      checkpoints.load_newest(self.workdir, structure)

  @parameterized.parameters(
    ({"progress": np.zeros(9, np.uint8)}, {"layout": [], "sha256": ""}),
    (make_progress(10), {}),
  )
  def test_one_of_an_older_version(self, saved, metadata):
    """It packed all arrays into one; the version before that did not."""
    from orbax.checkpoint.experimental import v1

    path = self.workdir / results.CHECKPOINTS / "10"
    v1.save(
      str(path),
      saved,
      custom_metadata={"step": 10, "num_troubled": 0, **metadata},
    )
    results.write_json(
      path / checkpoints.MANIFEST, checkpoints._hash_files(path)
    )
    results.write_json(
      self.workdir / results.SETTINGS,
      {"versions": {"gan_jax": "0.0.9"}, "git_commit": "5eebe6e1234567"},
    )
    with self.assertRaisesRegex(
      RunFolderError,
      r"^the checkpoint .*10 was written by an older gan_jax 0\.0\.9 \(commit "
      r"5eebe6e123\) and cannot be read; use that version to resume or sample$",
    ):
      self.load()

  def test_one_without_the_statistics_of_the_average(self):
    self.write([(10, 0)])
    results.write_json(
      self.workdir / results.SETTINGS,
      {"versions": {"gan_jax": "0.0.9"}, "git_commit": "5eebe6e1234567"},
    )
    statistics = {"batch_stats": {"mean": STRUCTURE.state.step}}
    structure = STRUCTURE._replace(
      state=STRUCTURE.state.replace(average_statistics=statistics)
    )
    with self.assertRaisesRegex(
      RunFolderError,
      r"^the checkpoint .*10 was written by an older gan_jax 0\.0\.9 \(commit "
      r"5eebe6e123\) and lacks the batch statistics of the generator's "
      "average; use that version to resume or sample$",
    ):
      checkpoints.load_newest(self.workdir, structure)

  def test_the_writer_works_in_the_background(self):
    """The training waits only for the checkpoint before."""
    may_write = threading.Event()
    hash_files = checkpoints._hash_files

    def hash_later(path):
      self.assertTrue(may_write.wait(60))
      return hash_files(path)

    self.enterContext(mock.patch.object(checkpoints, "_hash_files", hash_later))
    with checkpoints.Writer(self.workdir, ALL, {}) as writer:
      writer.save(Checkpoint(10, make_progress(10), 1, 1, 0, 0.0), 0, 0.0)
      self.assertEmpty(checkpoints.steps(self.workdir))
      may_write.set()
      writer.wait()
      self.assertEqual(checkpoints.steps(self.workdir), [10])

  def test_a_failure_to_write_is_an_error(self):
    (self.workdir / results.CHECKPOINTS).write_text("a file")
    with self.assertRaisesRegex(
      RunFolderError,
      "a checkpoint cannot be written.*--resume continues from step 0$",
    ):
      self.write([(10, 0)])


if __name__ == "__main__":
  absltest.main()
