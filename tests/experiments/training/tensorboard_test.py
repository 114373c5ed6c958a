"""Event files have what was logged, and no step twice."""

import struct
import tempfile
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl.testing import absltest
from tensorboardX.proto import event_pb2

from experiments.run_folder import results, workdirs
from experiments.training import tensorboard, trainer
from gan_jax import training
from tests.experiments import trained_runs

# Its classes are made when it is imported, which type checkers do not see.
PROTO: Any = event_pb2


def read(workdir):
  """Returns tag, step and value of all that TensorBoard shows, in order.

  TensorBoard reads the files in order of their names. The start of a file hides
  what was written before it and has its step or a later one.
  """
  found = []
  for path in sorted((workdir / results.TENSORBOARD).glob("*tfevents*")):
    content = path.read_bytes()
    while content:
      # Its length and a checksum of that, and a checksum at the end.
      (length,) = struct.unpack("<Q", content[:8])
      event = PROTO.Event.FromString(content[12 : 12 + length])
      if event.session_log.status == PROTO.SessionLog.START:
        found = [row for row in found if row[1] < event.step]
      found += [(value.tag, event.step, value) for value in event.summary.value]
      content = content[16 + length :]
  return found


class TensorBoardTest(absltest.TestCase):
  def train(self, run):
    parent = Path(self.enterContext(tempfile.TemporaryDirectory()))
    devices = jax.devices()[:1]
    problem = trainer.build_problem(run, devices)
    with workdirs.create_numbered(parent, "run") as workdir:
      trainer.train(
        [run],
        [workdir],
        lambda _: problem,
        devices,
        trainer.Options(loggers=[tensorboard.TensorBoard]),
      )
    return workdir

  def test_scalars_histograms_and_figures(self):
    run = trained_runs.settings_of(
      "ring", [3, 4], steps=4, log_every=2, evaluation_samples=64
    )
    workdir = self.train(run)
    written = read(workdir)
    run = results.read_results(workdir)
    scalars = {
      (tag, step): value.simple_value
      for tag, step, value in written
      if value.HasField("simple_value")
    }
    for name, values in run.metrics.items():
      for index, seed in enumerate(run.seeds):
        for log, step in enumerate(run.steps):
          np.testing.assert_allclose(
            scalars[f"{name}/seed_{seed}", step], values[index, log], rtol=1e-6
          )
    self.assertLen(scalars, len(run.metrics) * 2 * 3)
    histograms = [
      (tag, step) for tag, step, value in written if value.HasField("histo")
    ]
    self.assertContainsSubset(
      [("samples", 0), ("generator/Dense_0/kernel", 4)], histograms
    )
    images = {tag for tag, _, value in written if value.HasField("image")}
    self.assertContainsSubset({"costs", "final"}, images)

  def test_a_resumed_run_hides_what_was_logged_after_its_step(self):
    workdir = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def log(first_step, steps, value):
      logger = tensorboard.TensorBoard(workdir, [3], first_step)
      for step in steps:
        metrics = {"score": np.array([value])}
        logger.on_log(training.Log(step, metrics, (), None))
      logger.close()

    log(0, (0, 2, 4, 5, 6), 1.0)
    (stopped,) = (workdir / results.TENSORBOARD).iterdir()
    # A file is named for the second of its start, which may be the same here.
    stopped.rename(stopped.with_name("events.out.tfevents.1"))
    log(4, (6, 8), 2.0)
    self.assertEqual(
      [(tag, step, value.simple_value) for tag, step, value in read(workdir)],
      [
        ("score/seed_3", step, value)
        for step, value in ((0, 1), (2, 1), (4, 1), (6, 2), (8, 2))
      ],
    )


if __name__ == "__main__":
  absltest.main()
