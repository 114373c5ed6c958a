"""Help and lists are as wide as the terminal; flags are grouped by subject."""

import os
from unittest import mock

from absl.testing import absltest, parameterized

from experiments.cli import help_text
from experiments.configs.fields import group_fields
from experiments.configs.registry import BY_NAME, EXPERIMENTS
from experiments.run import USAGE, RunOptions

ROWS = (
  ("first", "a", "some words that are wrapped where the line ends"),
  ("the_second", "bcd", "other words"),
)


def with_columns(count):
  return mock.patch.dict(os.environ, COLUMNS=str(count))


class WidthTest(parameterized.TestCase):
  @parameterized.parameters(60, 80, 140)
  def test_no_line_is_wider_than_the_terminal(self, count):
    with with_columns(count):
      texts = (
        help_text.flags_text([RunOptions]),
        help_text.settings_text(EXPERIMENTS),
        help_text.settings_text([BY_NAME["ring"]]),
        help_text.usage_text(USAGE),
        help_text.table([(each.name, each.summary) for each in EXPERIMENTS]),
      )
    widths = [max(map(len, text.splitlines())) for text in texts]
    self.assertLessEqual(max(widths), count)
    # All of the width is used.
    self.assertGreater(min(widths[:3]), count - 10)

  def test_without_a_terminal(self):
    size = os.terminal_size((0, 0))
    with (
      mock.patch.dict(os.environ),
      mock.patch.object(os, "get_terminal_size", return_value=size),
    ):
      os.environ.pop("COLUMNS", None)
      self.assertEqual(help_text.columns(), 80)

  def test_a_table(self):
    with with_columns(53):
      text = help_text.table(ROWS)
    self.assertEqual(
      text.splitlines(),
      [
        "first       a    some words that are wrapped where",
        "                 the line ends",
        "the_second  bcd  other words",
      ],
    )

  def test_a_table_on_a_narrow_terminal(self):
    with with_columns(40):
      text = help_text.table(ROWS)
    self.assertEqual(
      text.splitlines(),
      [
        "first a",
        "    some words that are wrapped where",
        "    the line ends",
        "the_second bcd",
        "    other words",
      ],
    )

  def test_commands_in_the_usage_keep_their_lines(self):
    with with_columns(40):
      text = help_text.usage_text(
        "python -m a.command --with=FLAG --and=FLAG\n\nIt does\nthis."
      )
    self.assertEqual(
      text,
      "python -m a.command --with=FLAG\n    --and=FLAG\n\nIt does this.",
    )


class GroupsTest(parameterized.TestCase):
  @parameterized.parameters("ring", "normal", "dcgan_mnist", "mixture_far_mlp")
  def test_an_experiment_has_each_setting_once_below_its_heading(self, name):
    settings = BY_NAME[name].settings
    text = help_text.settings_text([BY_NAME[name]])
    position = 0
    for group in group_fields([type(settings)]):
      for field in group.fields:
        self.assertEqual(text.count(f"\n  --{field.name}="), 1)
        self.assertGreater(text.index(f"\n  --{field.name}="), position)
        position = text.index(f"\n  --{field.name}=")
      self.assertIn(f"\n{group.heading}:\n", text)

  def test_what_settings_are_about(self):
    groups = group_fields([type(BY_NAME["ring"].settings)])
    self.assertEqual(
      [group.heading for group in groups],
      [
        "Loss and update rule",
        "Optimizers",
        "Steps, minibatches and latents",
        "Regularisation of the discriminator",
        "Samples that the discriminator sees",
        "Average of the generator",
        "Evaluation",
        "Perceptron of the discriminator",
        "Initial parameters of perceptrons",
        "Latents of the generator",
        "Perceptron of the generator",
        "Training set",
        "Modes in the plane",
        "Ring",
      ],
    )

  def test_all_experiments(self):
    text = help_text.settings_text(EXPERIMENTS)
    self.assertIn("\nModes in the plane (ring, grid, swiss_roll):\n", text)
    self.assertIn("\n  --steps (the default varies)\n", text)
    self.assertIn("\n  --radius=1\n", text)


if __name__ == "__main__":
  absltest.main()
