"""With how many threads the process of a program computes."""

import contextlib
import io
import os
import tempfile
from pathlib import Path
from unittest import mock

from absl.testing import absltest, parameterized

from experiments import sweep
from experiments.devices import environment
from experiments.run_folder import results
from experiments.sweeps import engines
from experiments.sweeps import plan as plans

NUM_CORES = 5


class ThreadsTest(parameterized.TestCase):
  @parameterized.parameters(
    # --threads of the sweep, if it is given; the threads that the program's
    # first trial began with, if it has; those of the process.
    (None, None, NUM_CORES),
    (3, None, 3),
    (3, 2, 2),
    (None, 2, 2),
    (None, NUM_CORES + 1, NUM_CORES + 1),
  )
  def test_as_many_as_named_or_as_the_trials_began_with(
    self, named, begun, expected
  ):
    workdir = Path(self.enterContext(tempfile.TemporaryDirectory())) / "sweep"
    flags = [] if named is None else [f"--threads={named}"]
    with (
      mock.patch.object(engines, "train_programs", return_value={}) as started,
      contextlib.redirect_stderr(io.StringIO()),
    ):
      sweep.run(
        [
          *("sweep", "--experiment=ring", "--grid=generator_beta1=0,0.5"),
          *(f"--workdir={workdir}", *flags),
        ]
      )
    _, _, programs, program_flags, *_ = started.call_args.args
    self.assertEqual(programs, [0])
    if begun is not None:
      trial = plans.read_plan(workdir).workdir(workdir, 0)
      trial.mkdir(parents=True, exist_ok=True)
      results.write_json(trial / results.SETTINGS, {"threads": begun})

    counts = []

    def choose_devices(*_):
      counts.append(environment.num_threads())
      raise InterruptedError

    with (
      mock.patch.dict(os.environ, NPROC=""),
      mock.patch.object(os, "sched_getaffinity", lambda _: {*range(NUM_CORES)}),
      mock.patch.object(environment, "choose_devices", choose_devices),
      self.assertRaises(InterruptedError),
    ):
      sweep.run(
        ["sweep", f"--workdir={workdir}", "--program=0", *program_flags]
      )
    self.assertEqual(counts, [expected])


if __name__ == "__main__":
  absltest.main()
