"""The progress of a sweep, on terminals of several widths and in a file."""

import contextlib
import io
import re
import tempfile
from pathlib import Path
from unittest import mock

from absl.testing import absltest, parameterized
from rich.console import Console
from rich.progress import Progress

from experiments.run_folder import results
from experiments.sweeps import display, progress, worker_process
from tests.experiments.sweeps import finished_sweeps

# It compiles until second 60: 150 steps in 5 s leave 450 for 15 s.
EVENTS = ((1.0, 0), (60.0, 0), (65.0, 150))


class ProgressTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    # Two trials of 100 steps of three seeds.
    self.plan = finished_sweeps.plan("generator_learning_rate=1e-4,1e-3")
    self.output = io.StringIO()
    self.now = 0.0

  @contextlib.contextmanager
  def progress(self, width=None):
    terminal = Console(
      file=self.output,
      width=width,
      force_terminal=width is not None,
      color_system=None,
      get_time=lambda: self.now,
    )
    with (
      mock.patch.object(display, "Console", lambda stderr: terminal),
      mock.patch.object(display.time, "monotonic", lambda: self.now),
      contextlib.redirect_stderr(self.output),
      display.progress_bar(self.plan, self.folder) as poll,
    ):
      yield poll

  def take(self, member_steps):
    scratch = worker_process.scratch(self.folder, 0)
    scratch.mkdir(parents=True, exist_ok=True)
    file = scratch / progress.PROGRESS
    results.write_json(file, {"member_steps": member_steps})

  def test_a_file(self):
    with self.progress() as poll:
      for self.now, steps in EVENTS:
        self.take(steps)
        poll()
      self.take(600)
      self.now = 80.0
    self.assertEqual(
      self.output.getvalue().splitlines(),
      [
        "0:00:01  0 %, 0 of 2 trials, compiling",
        "0:01:05  25 %, 0 of 2 trials, 15 s left, 30 steps/s of all seeds",
        "0:01:20  100 %, 0 of 2 trials, writing results, 30 steps/s of all "
        "seeds",
      ],
    )

  @parameterized.parameters(
    (60, "", ""),
    (80, "normal ", ""),
    (140, "normal ", " 30 steps/s of all seeds"),
  )
  def test_a_terminal(self, width, name, details):
    with self.progress(width) as poll:
      for self.now, steps in EVENTS:
        self.take(steps)
        poll()
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "\n", self.output.getvalue())
    words = text.strip().splitlines()[-1].split()
    self.assertEqual(
      " ".join(word for word in words if not re.match("[━╸╺⠀-⣿]", word)),
      f"{name}0 of 2 trials 0:01:05 15 s left{details}",
    )

  def test_a_resumed_sweep_shows_what_is_done_while_it_compiles(self):
    bars = []
    self.take(400)
    with (
      mock.patch.object(
        Progress, "update", lambda bar, *_, **fields: bars.append(fields)
      ),
      self.progress(80) as poll,
    ):
      self.now = 1.0
      poll()
    self.assertEqual(bars[0]["status"], "compiling")
    share = bars[0]["completed"] / bars[0]["total"]
    self.assertAlmostEqual(share, 2 / 3, delta=0.01)


if __name__ == "__main__":
  absltest.main()
