"""The README names what there is."""

from pathlib import Path

from absl.testing import absltest

from experiments.configs import choices
from experiments.configs.fields import fields_of
from experiments.configs.registry import EXPERIMENTS
from experiments.figures import FiguresOptions
from experiments.run import RunOptions

README = (Path(__file__).parents[1] / "README.md").read_text()


class ReadmeTest(absltest.TestCase):
  def test_experiments(self):
    for experiment in EXPERIMENTS:
      row = f"| `{experiment.name}` | {experiment.source} | "
      self.assertIn(row + experiment.summary, README)

  def test_flags(self):
    classes = {
      RunOptions,
      FiguresOptions,
      *(type(e.settings) for e in EXPERIMENTS),
    }
    for settings_class in classes:
      for field in fields_of(settings_class):
        self.assertIn(f"`--{field.name}", README)

  def test_losses(self):
    for loss in choices.LOSSES:
      self.assertIn(f"`{loss}`", README)


if __name__ == "__main__":
  absltest.main()
