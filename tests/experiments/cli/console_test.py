"""The progress of a training, on terminals of several widths and in a file."""

import contextlib
import io
import re
import types
from collections.abc import Iterator
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from rich.console import Console

from experiments.cli import console


def make_log(step):
  """Makes a log of two seeds, of which one has failed."""
  costs = {
    "generator_cost": np.array([0.5, np.nan]),
    "discriminator_cost": np.array([1.25, 1.75]),
  }
  return types.SimpleNamespace(step=step, metrics=costs)


class TextTest(parameterized.TestCase):
  @parameterized.parameters(
    (0.2633, "260 ms"),
    (0.0997, "100 ms"),
    (2.6e-4, "0.26 ms"),
    (12, "12,000 ms"),
  )
  def test_milliseconds(self, seconds, expected):
    self.assertEqual(console.milliseconds(seconds), expected)


class ProgressTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.output = io.StringIO()
    self.now = 0.0

  @contextlib.contextmanager
  def progress(
    self, num_steps, first_step=0, width=None
  ) -> Iterator[console.TrainingProgress]:
    """Shows a training on a terminal of a width, or in a file."""
    terminal = Console(
      file=self.output,
      width=width,
      force_terminal=width is not None,
      color_system=None,
      get_time=lambda: self.now,
    )
    with (
      mock.patch.object(console, "Console", lambda stderr: terminal),
      contextlib.redirect_stderr(self.output),
      console.progress("ring", num_steps, first_step) as shown,
    ):
      yield shown

  def last_line(self):
    """Returns the last line of a terminal, without the spinner and the bar."""
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "\n", self.output.getvalue())
    words = text.strip().splitlines()[-1].split()
    return " ".join(word for word in words if not re.match("[━╸╺⠀-⣿]", word))

  @parameterized.parameters(
    (60, "", ""), (80, "ring ", ""), (140, "ring ", " J_G 0.500 J_D 1.500")
  )
  def test_a_terminal(self, width, name, costs):
    with self.progress(20_000, width=width) as shown:
      bar = shown._bar
      self.now = 65.0
      bar.refresh()
      self.assertEqual(self.last_line(), f"{name}0:01:05 compiling")
      shown.advance(0, 0.0)
      bar.refresh()
      text = f"{name}0/20,000 0:01:05 first step"
      self.assertEqual(self.last_line(), text)
      shown.advance(1_200, 1_000.0 / 9)
      shown.log(make_log(1_200), ())
      bar.refresh()
      # 18,800 * 9 / 1,000 = 169.2 s.
      text = f"{name}1,200/20,000 0:01:05 111 steps/s, 3 min left{costs}"
      self.assertEqual(self.last_line(), text)
      shown.advance(20_000, 1_234.5)
      shown.show("drawing discriminator.png")
      self.now = 3_700.0
      bar.refresh()
      text = f"{name}20,000/20,000 1:01:40 drawing discriminator.png{costs}"
      self.assertEqual(self.last_line(), text)
    text = f"{name}20,000/20,000 1:01:40 1,234 steps/s{costs}"
    self.assertEqual(self.last_line(), text)

  @parameterized.parameters(
    # First step; (seconds, step, rate), with a log where there is a row; lines.
    (
      0,
      [(9, 0, 0.0), (10, 1, 0.9), (12, 5, 2.0), (15, 11, 2), (70, 100, 1.5)],
      [
        "0:00:09  step 0 of 1,000, first step  J_G 0.500  J_D 1.500",
        # After 11 / 2 s of steps there are 989 / 2 = 494.5 s left.
        "0:00:15  the steps take about 8 min at 2 steps/s, and measurements "
        "are added",
        # 900 / 1.5 = 600 s.
        "0:01:10  step 100 of 1,000, 1.5 steps/s, 10 min left  J_G 0.500  "
        "J_D 1.500",
      ],
    ),
    # It resumes, and ends soon.
    (
      930,
      [(9, 930, 50.0), (10, 980, 50.0), (11, 1_000, 50.0)],
      [
        "0:00:09  step 930 of 1,000, 50 steps/s, 1 s left  J_G 0.500  "
        "J_D 1.500",
        "0:00:11  step 1,000 of 1,000, 50 steps/s  J_G 0.500  J_D 1.500",
      ],
    ),
  )
  def test_a_file(self, first_step, events, expected):
    with self.progress(1_000, first_step) as shown:
      for self.now, step, rate in events:
        shown.advance(step, rate)
        if step not in (1, 5, 11):
          shown.log(make_log(step), ())
      shown.show("drawing costs.png")
    last = f"0:{events[-1][0] // 60:02}:{events[-1][0] % 60:02}"
    first = "0:00:00  compiling"
    if first_step:
      first = "0:00:00  resumes at step 930, compiling"
    self.assertEqual(
      self.output.getvalue().splitlines(),
      [first, *expected, f"{last}  drawing costs.png"],
    )

  @parameterized.parameters(
    (0.04, "0.04"), (1.5, "1.5"), (12.6, "13"), (10_234.5, "10,234")
  )
  def test_speed(self, rate, text):
    self.assertEqual(console.speed(rate), f"{text} steps/s")

  @parameterized.parameters(
    (0.2, "0 s"), (119, "119 s"), (121, "2 min"), (7_300, "2.0 h")
  )
  def test_duration(self, seconds, text):
    self.assertEqual(console.duration(seconds), text)


if __name__ == "__main__":
  absltest.main()
