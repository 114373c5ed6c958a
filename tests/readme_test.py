"""The README names what there is, and its Python examples run."""

import re
from pathlib import Path

from absl.testing import absltest

from experiments.configs import choices
from experiments.configs.fields import fields_of
from experiments.configs.registry import EXPERIMENTS
from experiments.figures import FiguresOptions
from experiments.run import RunOptions
from gan_jax.data import densities

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PATHS = re.compile(
  r"`((?:gan_jax|experiments|docs|benchmarks|tests)/[\w./]*)`"
  r"|\]\(((?!http)[^)#]+)\)"
)
"""A path in backticks, or the target of a link or picture."""
EXAMPLES = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NUMBERS_OF_STEPS = {"steps=8000": "steps=4", "range(1000)": "range(4)"}


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

  def test_paths(self):
    paths = {name or target for name, target in PATHS.findall(README)}
    self.assertContainsSubset(
      {"gan_jax/losses.py", "experiments/sweeps/", "docs/slurm.md"}, paths
    )
    self.assertEmpty([path for path in paths if not (ROOT / path).exists()])

  def test_examples(self):
    examples = "\n".join(EXAMPLES.findall(README))
    for many, few in NUMBERS_OF_STEPS.items():
      self.assertEqual(examples.count(many), 1, many)
      examples = examples.replace(many, few)
    names = {}
    exec(compile(examples, "README.md", "exec"), names)

    result, covered = names["result"], names["covered"]
    self.assertEqual(result.checkpoint.step, 4)
    self.assertBetween(covered.mean, 0, len(densities.ring().modes))
    self.assertEqual(covered.n, 8)
    self.assertIsNotNone(covered.ci95)
    self.assertEqual(names["samples"].shape, (8, 1000, 2))
    self.assertEqual(int(names["state"].step), 4)
    self.assertIn("generator_cost", names["metrics"])


if __name__ == "__main__":
  absltest.main()
