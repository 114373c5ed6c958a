"""The command of a sweep plans the same sweep."""

import contextlib
import io
import shlex
from unittest import mock

from absl.testing import absltest, parameterized

from experiments import sweep
from experiments.cli.flags import read_command_line
from experiments.configs.registry import EXPERIMENTS
from experiments.errors import UsageError
from experiments.sweeps import plan as plans

GRID = "--grid=generator_learning_rate=0.1,1e-3"


def planned(text):
  """Plans what a command asks for."""
  line = read_command_line(text, sweep.SweepOptions, EXPERIMENTS, sweep.USAGE)
  return sweep._made(line)


class CommandTest(parameterized.TestCase):
  @parameterized.parameters(
    ([GRID],),
    (["--experiment=ring", GRID, "--steps=70", "--seed=3", "--num_seeds=2"],),
    (["--experiment=ring", "--grid=penalty=none,r1,(r1,r2);packing=1,2"],),
    (
      [
        "--random=generator_beta1=uniform:0:1; loss=hinge,minimax",
        "--trials=5",
      ],
    ),
    ([GRID, "--random=batch_size=log:2:9", "--trials=50", "--max_members=4"],),
    (
      [
        "--grid=loss=hinge,minimax;label_smoothing=0,0.1",
        "--skip_invalid",
        "--input_mean=1,2",
        "--input_stddev=1,0.123456789012",
        "--input_weight=0.5,0.5",
      ],
    ),
  )
  def test_it_plans_the_same(self, flags):
    plan = planned(["sweep", *flags])
    text = plan.command()
    python, m, module, *again = shlex.split(text)
    self.assertEqual((python, m), ("python", "-m"))
    found = planned([module, *again])
    self.assertEqual(plans.plan_json(found), plans.plan_json(plan))
    self.assertEqual(found.command(), text)

  def test_points_that_are_drawn_twice_are_said(self):
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
      plan = planned(["sweep", "--random=batch_size=uniform:2:5", "--trials=9"])
    num_trials = len(plan.trials)
    self.assertLess(num_trials, 5)
    self.assertIn(
      f"{9 - num_trials} of 9 points were drawn before, so there are "
      f"{num_trials} trials",
      stderr.getvalue(),
    )

  def test_many_trials_are_meant(self):
    for module in (sweep, plans):
      self.enterContext(mock.patch.object(module, "MANY_TRIALS", 9))
    flags = [GRID, "--random=batch_size=log:2:900", "--trials=5"]
    with self.assertRaisesRegex(UsageError, "--yes"):
      planned(["sweep", *flags])
    text = planned(["sweep", *flags, "--yes"]).command()
    self.assertEndsWith(text, " --trials=5 --yes=true")

  def test_it_is_readable(self):
    self.assertEqual(
      planned(["sweep", GRID, "--num_seeds=3"]).command(),
      "python -m experiments.sweep --experiment=normal "
      "--grid=generator_learning_rate=0.1,0.001 --num_seeds=3",
    )


if __name__ == "__main__":
  absltest.main()
