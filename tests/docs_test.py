"""The pages of docs/: their commands, Python examples, links and tables."""

import configparser
import re
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized
from PIL import Image

from experiments.cli import flags
from experiments.configs import registry
from experiments.configs.fields import fields_of, group_fields
from experiments.configs.registry import BY_NAME, EXPERIMENTS
from experiments.reproduce.registry import BY_ID
from experiments.run_folder import results
from experiments.sweeps import search_space
from tests import docs_modules
from tests.experiments import commands, tiny_images

ROOT = commands.ROOT
DOCS = docs_modules.DOCS
PAGES = {path.stem: path for path in (ROOT / "README.md", *DOCS.glob("*.md"))}
BLOCKS = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINKS = re.compile(r"\]\(((?!http)[^)#]+)\)")
GENERATED = ("api/", "gallery/", "generated/")
"""Folders that `make docs` writes."""
NUMBERS_OF_STEPS = {"steps=8000": "steps=4", "range(1000)": "range(4)"}
TAKES_EXPERIMENT = ("experiments.run", "experiments.sweep")
NOT_OURS = ("source", "sbatch")
ELSEWHERE = re.compile(
  r"--(engine=ray|platform=gpu|distributed|coordinator_address|plan_only)"
  r"|benchmarks\.|--figure=all|=cycle_glasses"
)
"""Commands that need other machines or long times, or that other tests run."""
SMALL = {"log_every": 2, "evaluation_samples": 64, "batch_size": 64}
REFERENCE: Any = docs_modules.load("reference_pages")


def commands_of(page: str) -> Iterator[list[str]]:
  """Yields the words of every command of a page."""
  for language, text in BLOCKS.findall(PAGES[page].read_text()):
    if language in ("bash", "console"):
      for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if words:
          yield words


def module_and_flags(words: list[str]) -> tuple[str, list[str]] | None:
  """Splits `python -m MODULE FLAGS`; None for another command.

  `make run` calls such a command.
  """
  if words[:2] == ["make", "run"]:
    flags = " ".join(words[2:]).removeprefix("FLAGS=") or "--experiment=normal"
    return "experiments.run", flags.split()
  if words[:2] != ["python", "-m"]:
    return None
  return words[2], words[3:]


ALL_COMMANDS = [
  (page, words) for page in sorted(PAGES) for words in commands_of(page)
]


class CommandsTest(parameterized.TestCase):
  def test_there_are_commands(self):
    self.assertGreater(len(ALL_COMMANDS), 50)

  @parameterized.named_parameters(
    (f"{page} {number}", words)
    for number, (page, words) in enumerate(ALL_COMMANDS)
  )
  def test_is_allowed(self, words):
    if command := module_and_flags(words):
      self.check_flags(*command)
    elif words[0] == "make":
      self.assertIn(f"\n{words[1]}:", (ROOT / "Makefile").read_text())
    elif words[0].endswith("pip"):
      setup = configparser.ConfigParser()
      setup.read(ROOT / "setup.cfg")
      (extra,) = re.findall(r"\.\[(\w+)\]", " ".join(words))
      self.assertIn(extra, setup["options.extras_require"])
    elif words[:2] == ["python", "-c"]:
      compile(words[2], "a page", "exec")
    else:
      self.assertIn(words[0], NOT_OURS)

  def check_flags(self, module, arguments):
    options = REFERENCE.commands()[module]
    if "--help" in arguments:
      arguments = [each for each in arguments if each != "--help"]
    line = flags.read_command_line(
      [module, *arguments],
      options,
      EXPERIMENTS if module in TAKES_EXPERIMENT else (),
      "",
      takes_arguments=module == "experiments.report",
    )
    if module in TAKES_EXPERIMENT:
      names = [line.options.experiment]
      if module == "experiments.sweep":
        names = names[0].split(",")
      for experiment in map(BY_NAME.__getitem__, names):
        settings = experiment.settings
        if not getattr(line.options, "resume", False):
          settings = registry.change_settings(
            experiment, settings, line.settings
          )
        if grid := getattr(line.options, "grid", ""):
          self.assertNotEmpty(search_space.read_grid(grid, settings))
    if module == "experiments.figures" and line.options.figure != "all":
      names = line.options.figure.split(",") if line.options.figure else []
      self.assertContainsSubset(names, BY_ID)

  @parameterized.named_parameters((page, page) for page in sorted(PAGES))
  @pytest.mark.slow
  def test_runs(self, page):
    folder = Path(self.enter_context(tempfile.TemporaryDirectory()))
    for name in ("mnist", "photos"):
      (folder / name).mkdir()
    tiny_images.write(folder / "mnist")
    rng = np.random.default_rng(0)
    for number in range(200):
      pixels = rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
      Image.fromarray(pixels).save(folder / "photos" / f"{number}.png")
    for words in commands_of(page):
      command = module_and_flags(words)
      if command is None or ELSEWHERE.search(" ".join(words)):
        continue
      module, arguments = command
      arguments = shortened(module, arguments)
      if arguments is None:
        continue
      done = commands.run(module, *arguments, cwd=folder, draws=False)
      self.assertEqual(done.returncode, 0, (module, arguments, done.stderr))
    if page == "file_formats":
      run = folder / "runs" / "read-me"
      for name in results.FILES:
        self.assertIn(f"`{name}`", PAGES[page].read_text())
      self.assertTrue((run / results.SUMMARY).exists())


def with_two_values(argument: str) -> str:
  """Leaves two values of each axis, if the argument is a grid."""
  if not argument.startswith("--grid="):
    return argument
  axes = []
  for axis in argument.removeprefix("--grid=").split(";"):
    name, _, values = axis.partition("=")
    # A value in parentheses has commas.
    first = re.split(r",(?![^()]*\))", values)[:2]
    axes.append(f"{name}={','.join(first)}")
  return f"--grid={';'.join(axes)}"


def shortened(module: str, arguments: list[str]) -> list[str] | None:
  """Makes a command short; None if it cannot be."""
  if "--help" in arguments or "--list" in arguments:
    return arguments
  if module == "experiments.prepare_data":
    return [*arguments, "--source=mnist", "--data_dir=prepared"]
  if module == "experiments.figures":
    (figures,) = (a for a in arguments if a.startswith("--figure="))
    names = figures.removeprefix("--figure=").split(",")
    if any(BY_ID[name].trained for name in names):
      return None
    return arguments
  if module == "experiments.sample":
    return [a.replace("=1000", "=100") for a in arguments]
  if module not in TAKES_EXPERIMENT:
    return arguments
  named = re.search(r"--experiment=(\w+)", " ".join(arguments))
  if not named:
    return ["--steps=8" if "--steps" in a else a for a in arguments]
  settings = BY_NAME[named[1]].settings
  small = {"steps": 4, **SMALL}
  if hasattr(settings, "image_size"):
    small |= {**tiny_images.SETTINGS, "steps": 4}
    if "--dataset=folder" not in arguments:
      small |= {"dataset": "mnist", "data_dir": "mnist"}
    if named[1] == "colouring":
      small |= {"image_channels": 3, "dataset": "folder", "data_dir": "photos"}
    if "training_images=" in " ".join(arguments):
      small["batch_size"] = 4
    small = {name: small[name] for name in small if hasattr(settings, name)}
  return [
    with_two_values("--trials=3" if each.startswith("--trials") else each)
    for each in arguments
    if each.partition("=")[0].removeprefix("--") not in small
  ] + [f"--{name}={value}" for name, value in small.items()]


class PagesTest(parameterized.TestCase):
  @parameterized.named_parameters((page, page) for page in sorted(PAGES))
  def test_links(self, page):
    path = PAGES[page]
    links = set(LINKS.findall(path.read_text()))
    missing = [
      link
      for link in links
      if not link.startswith(GENERATED) and not (path.parent / link).exists()
    ]
    self.assertEmpty(missing)

  @parameterized.named_parameters(
    (page, page)
    for page in sorted(PAGES)
    if page not in ("benchmarks", "contributing", "index", "README")
  )
  def test_says_how_long_it_takes(self, page):
    text = PAGES[page].read_text()
    if page != "layout":
      self.assertIn("**Time:**", text)

  def test_pictures_are_small(self):
    sizes = [path.stat().st_size for path in DOCS.rglob("*.webp")
             if "gallery" not in path.parts]  # fmt: skip
    self.assertLess(sum(sizes), 1_000_000)

  @pytest.mark.slow
  def test_library(self):
    blocks = BLOCKS.findall(PAGES["library"].read_text())
    code = "\n".join(text for language, text in blocks if language == "python")
    for many, few in NUMBERS_OF_STEPS.items():
      self.assertEqual(code.count(many), 1, many)
      code = code.replace(many, few)
    names = {}
    with jax.numpy_rank_promotion("raise"):
      exec(compile(code, "library.md", "exec"), names)
    self.assertEqual(names["samples"].shape, (8, 1000, 2))
    self.assertEqual(names["covered"].n, 8)
    # x^2 + y^2 starts at 1, and each of 100 steps multiplies it by 1 + .1^2.
    self.assertAlmostEqual(names["radius"], 1.01**100, delta=1e-4)
    # No model of 30 images is better than -log 30; noise has -16 log 2 = -11.
    self.assertBetween(names["log_likelihood"], -5.5, -np.log(30))
    log_z = names["boltzmann"].log_partition(names["machine"])
    self.assertAlmostEqual(names["log_z"].log_partition, log_z, delta=0.15)


class StatementsTest(parameterized.TestCase):
  ROWS = re.findall(
    r"^\| (\d+) \| (.*) \| (.*) \| (.*) \|$",
    PAGES["statements"].read_text(),
    re.MULTILINE,
  )

  def test_all_are_there_in_order(self):
    numbers = [int(number) for number, *_ in self.ROWS]
    self.assertEqual(numbers, list(range(1, 76)))

  @parameterized.named_parameters((row[0], *row[1:]) for row in ROWS)
  def test_what_shows_it_exists(self, statement, where, number):
    self.assertRegex(statement, r"\w.*\.$")
    self.assertRegex(number, r"\d")
    named = re.findall(r"`(.+?)`", where)
    self.assertNotEmpty(named)
    choices = {
      field.name: field.metadata["choices"]
      for experiment in EXPERIMENTS
      for field in fields_of(type(experiment.settings))
    } | {"experiment": BY_NAME}
    for each in named:
      if each.startswith("--"):
        flag, _, value = each.removeprefix("--").partition("=")
        self.assertIn(flag, choices)
        if value:
          self.assertIn(value, choices[flag])
      elif "/" in each:
        self.assertTrue((ROOT / each).is_file(), each)
      else:
        self.assertIn(each, BY_ID)


class ReferenceTest(absltest.TestCase):
  def test_flags(self):
    page = REFERENCE.flags_page()
    for module in ("run", "sweep", "figures", "sample", "report"):
      self.assertIn(f"## python -m experiments.{module}\n", page)
    classes = {type(e.settings) for e in EXPERIMENTS}
    for cls in (*REFERENCE.commands().values(), *classes):
      for field in fields_of(cls):
        self.assertIn(f"| `--{field.name}` |", page)
    order = [
      page.index(f"\n### {group.heading}\n", page.index("\n## Settings"))
      for group in group_fields(type(each.settings) for each in EXPERIMENTS)
    ]
    self.assertEqual(order, sorted(order))
    # All settings of one experiment differ in their default from another's.
    self.assertIn("| `--generator_learning_rate` | varies |", page)
    self.assertIn("`relativistic_pairing`".strip("`"), page)

  def test_experiments(self):
    page = REFERENCE.experiments_page()
    for experiment in EXPERIMENTS:
      row = f"| `{experiment.name}` | {experiment.source} | "
      self.assertIn(row + experiment.summary, page)

  def test_a_missing_name_is_found(self):
    names = REFERENCE.undocumented_names(())
    for name in (
      "gan_jax.simultaneous",
      "gan_jax.steps.extragradient",
      "gan_jax.data.densities.ring",
      "gan_jax.games.closed_form.bilinear",
    ):
      self.assertIn(name, names)
    self.assertEmpty(REFERENCE.undocumented_names(names))


if __name__ == "__main__":
  absltest.main()
