"""The recipes of CONTRIBUTING.md work when they are followed literally."""

import csv
import itertools
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from absl.testing import absltest, parameterized

import gan_jax
from tests.experiments import tiny_images

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
FOLDERS = ("gan_jax", "experiments", "benchmarks", "tests")
MAX_FILES = 3
EDIT = re.compile(
  r"^(?:New file|In) `(?P<path>[^`]+)`"
  r"(?:, (?:(?P<where>after|before|instead of) the line\s`(?P<line>[^`]+)`"
  r"|at the end))?:\n\n"
  r"```python\n(?P<code>.*?)^```$",
  re.DOTALL | re.MULTILINE,
)
SMALL = ("--steps=2", "--log_every=1", "--evaluation_samples=64")


class Edit(NamedTuple):
  """A code block of a recipe.

  Attributes:
    path: the file.
    where: "after", "before" or "instead of" a line, or None.
    line: that line, without its indent. None for a new file, and for the end of
      one that exists.
    code: what to write there.
  """

  path: str
  where: str | None
  line: str | None
  code: str

  def apply(self, root: Path) -> None:
    """Edits the file in a copy of the repository."""
    path = root / self.path
    if self.line is None:
      old = path.read_text() + "\n\n" if path.exists() else ""
      path.write_text(old + self.code)
      return
    lines = path.read_text().splitlines(keepends=True)
    found = [i for i, line in enumerate(lines) if line.strip() == self.line]
    if len(found) != 1:
      raise ValueError(
        f"{self.path} has {len(found)} lines {self.line!r}, not one"
      )
    start = found[0] + (self.where == "after")
    stop = start + (self.where == "instead of")
    lines[start:stop] = [self.code]
    path.write_text("".join(lines))


def read_recipes() -> dict[str, list[Edit]]:
  """Reads the edits of each recipe, by its heading."""
  recipes = {}
  for section in TEXT.partition("\n## Recipes\n")[2].split("\n### ")[1:]:
    title = section.partition("\n")[0]
    recipes[title] = [
      Edit(**found.groupdict()) for found in EDIT.finditer(section)
    ]
    if len(recipes[title]) != section.count("```python"):
      raise ValueError(f"a code block of {title!r} does not say where it goes")
  return recipes


RECIPES = read_recipes()
FIGURE = "A figure of the literature"


class RecipesTestCase(absltest.TestCase):
  """Applies recipes to a copy of the packages, and runs commands there."""

  recipes: tuple[str, ...] = ()

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.root = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
    for name in FOLDERS:
      shutil.copytree(
        ROOT / name,
        cls.root / name,
        ignore=shutil.ignore_patterns("__pycache__"),
      )
    for name in ("pyproject.toml", "setup.cfg"):
      shutil.copy(ROOT / name, cls.root)
    for name in cls.recipes:
      for edit in RECIPES[name]:
        edit.apply(cls.root)
    cls.run_module("ruff", "format", "--quiet", ".")

  @classmethod
  def run_module(cls, module: str, *arguments: str) -> str:
    """Runs `python -m MODULE` in the copy, and returns what it prints."""
    done = subprocess.run(
      [sys.executable, "-m", module, *arguments],
      cwd=cls.root,
      env={**os.environ, "PYTHONPATH": str(cls.root), "JAX_PLATFORMS": "cpu"},
      capture_output=True,
      text=True,
    )
    if done.returncode:
      raise AssertionError(f"{module} {arguments}: {done.stdout}{done.stderr}")
    return done.stdout

  def train(self, workdir: str, *flags: str) -> dict:
    """Trains a run in the copy, and returns its summary."""
    self.run_module("experiments.run", *flags, *SMALL, f"--workdir={workdir}")
    summary = json.loads((self.root / workdir / "summary.json").read_text())
    self.assertEqual(summary["steps"], 2)
    self.assertEmpty(summary["failures"])
    return summary


class TextTest(absltest.TestCase):
  def test_recipes(self):
    self.assertContainsSubset({"A loss", "An experiment", FIGURE}, RECIPES)
    for title, edits in RECIPES.items():
      files = {edit.path for edit in edits}
      self.assertBetween(len(files), 1, MAX_FILES, title)

  def test_paths(self):
    new = {
      edit.path
      for edits in RECIPES.values()
      for edit in edits
      if not (ROOT / edit.path).exists()
    }
    named = re.findall(
      r"`((?:gan_jax|experiments|tests)/[\w./]*)`", TEXT, re.MULTILINE
    )
    self.assertNotEmpty(named)
    missing = {path for path in named if not (ROOT / path).exists()}
    self.assertEqual(missing, new)

  def test_version(self):
    citation = (ROOT / "CITATION.cff").read_text()
    self.assertIn(f"\nversion: {gan_jax.__version__}\n", citation)
    self.assertIn(gan_jax.__version__, (ROOT / "CHANGELOG.md").read_text())


class LossTest(RecipesTestCase):
  recipes = ("A loss",)

  def test_new_loss_trains(self):
    summary = self.train(
      "out", "--experiment=normal", "--loss=squared_hinge", "--num_seeds=2"
    )
    self.assertEqual(summary["settings"]["loss"], "squared_hinge")
    for cost in ("generator_cost", "discriminator_cost"):
      self.assertTrue(math.isfinite(summary["metrics"][cost]["final"]["mean"]))


@pytest.mark.slow
class ManyRecipesTest(RecipesTestCase, parameterized.TestCase):
  """All recipes but that of a figure, at the same time."""

  recipes = tuple(name for name in RECIPES if name != FIGURE)

  def test_format_and_lint(self):
    self.run_module("ruff", "check", "--quiet", ".")
    for edit in itertools.chain(*(RECIPES[name] for name in self.recipes)):
      if not (ROOT / edit.path).exists():
        # The formatter has left the new file as the recipe shows it.
        self.assertEqual((self.root / edit.path).read_text(), edit.code)

  @parameterized.parameters(
    "tests/gan_jax/losses_test.py",
    "tests/gan_jax/penalties_test.py",
    "tests/gan_jax/metrics/modes_test.py",
  )
  def test_values_of_the_library(self, path):
    self.run_module("pytest", path)

  def test_settings_and_words(self):
    self.run_module(
      "pytest",
      "-m",
      "",
      "-k",
      "SettingsTest or squared_hinge or drift or generator_first or cleared "
      "or every_architecture or (RegistryTest and (ring or three_modes)) "
      "or (PackingTest and (tried or most))",
      *(
        f"tests/experiments/{name}_test.py"
        for name in (
          *("configs/choices", "configs/images", "configs/registry"),
          *("configs/settings", "run_folder/workdirs", "sweeps/vectorize"),
        )
      ),
    )

  def test_one_run_of_many_recipes(self):
    summary = self.train(
      "out",
      "--experiment=ring",
      "--loss=squared_hinge",
      "--penalty=drift",
      "--update=generator_first",
      "--generator_l2=0.01",
      "--draw_figures=false",
      "--table",
      "--num_seeds=2",
    )
    self.assertIn("mode_spread", summary["metrics"])
    self.assertEmpty(list((self.root / "out").glob("figures/*.png")))
    with (self.root / "out" / "table.csv").open(newline="") as file:
      rows = list(csv.reader(file))
    # At steps 0, 1 and 2, the score and each metric of each seed.
    self.assertLen(rows, 3 * 2 * (1 + len(summary["metrics"])))
    last = {(name, int(seed)): value for _, seed, name, value in rows}
    for name, values in summary["metrics"].items():
      for seed in (0, 1):
        self.assertAlmostEqual(
          float(last[name, seed]), values["final"]["per_seed"][seed], places=5
        )

  def test_experiment(self):
    listed = self.run_module("experiments.run", "--list")
    self.assertIn("three_modes", listed)
    summary = self.train("modes", "--experiment=three_modes")
    self.assertLen(summary["settings"]["input_mean"], 3)

  def test_dataset_and_network(self):
    (self.root / "idx").mkdir()
    tiny_images.write(self.root / "idx")
    self.run_module(
      "experiments.prepare_data",
      "--dataset=kmnist",
      "--source=idx",
      "--data_dir=data",
    )
    summary = self.train(
      "images",
      "--experiment=dcgan_mnist",
      "--dataset=kmnist",
      "--data_dir=data",
      "--architecture=resize",
      *(
        f"--{name}={value}"
        for name, value in tiny_images.SETTINGS.items()
        if f"--{name}" not in {flag.partition("=")[0] for flag in SMALL}
      ),
    )
    self.assertEqual(summary["settings"]["architecture"], "resize")


@pytest.mark.slow
class FigureTest(RecipesTestCase):
  recipes = (FIGURE,)

  def test_figure(self):
    self.run_module("ruff", "check", "--quiet", ".")
    self.run_module(
      "experiments.figures", "--figure=bilinear_spiral", "--out=figures"
    )
    record = json.loads(
      (self.root / "figures" / "bilinear_spiral.json").read_text()
    )
    self.assertTrue(record["passed"])
    self.assertLen(record["checks"], 2)
    self.assertTrue((self.root / "figures" / "bilinear_spiral.png").exists())

  def test_checks_find_a_mistake(self):
    printed = self.run_module(
      "pytest",
      "-k",
      # The recipe puts its mistake first.
      "bilinear_spiral or test_a_check_fails0",
      "tests/experiments/reproduce/registry_test.py",
      "tests/experiments/reproduce/mutants_test.py",
    )
    self.assertRegex(printed, r"\b4 passed")


if __name__ == "__main__":
  absltest.main()
