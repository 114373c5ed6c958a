"""Names and values that other programs use lead to those of this one."""

import importlib
import re

from absl.testing import absltest, parameterized

from experiments.cli.flags import COMMANDS
from experiments.configs import hints
from experiments.configs.fields import fields_of
from experiments.configs.registry import EXPERIMENTS

SETTINGS = {
  field.name: field
  for experiment in EXPERIMENTS
  for field in fields_of(type(experiment.settings))
}


def options_of(command):
  module = importlib.import_module(f"experiments.{command}")
  (options,) = (
    value
    for name, value in vars(module).items()
    if name.endswith("Options") and value.__module__ == module.__name__
  )
  return {field.name: field for field in fields_of(options)}


OPTIONS = {name: options_of(name) for name in COMMANDS}
FLAGS = {
  name: {**fields, **SETTINGS} if name in ("run", "sweep") else fields
  for name, fields in OPTIONS.items()
}


class FlagsTest(parameterized.TestCase):
  @parameterized.parameters(
    ("run", "epochs", "there is no --epochs; training is counted in --steps"),
    ("run", "gpus", "--platform=gpu"),
    ("sample", "gpus", "--platform=cpu, gpu or tpu"),
    (
      "run",
      "lr",
      "--generator_learning_rate and --discriminator_learning_rate",
    ),
    ("run", "learning_rate", "--generator_learning_rate and"),
    ("run", "Learning-Rate", "--generator_learning_rate and"),
    ("run", "lrG", "is --generator_learning_rate"),
    ("run", "generator_loss", "cost is --generator_objective"),
    ("run", "n_critic", "--update=alternating and --discriminator_steps"),
    ("run", "z_dim", "--latent_dim"),
    ("run", "batch", "--batch_size"),
    ("run", "num_steps", "--steps"),
    ("run", "iterations", "--steps"),
    ("run", "output_dir", "--workdir"),
    ("figures", "output_dir", "--out"),
    ("report", "output_dir", "--out"),
    ("run", "name", "--experiment"),
    ("figures", "name", "--figure"),
    ("prepare_data", "name", "--dataset"),
    ("run", "ngf", "--generator_filters in convolutional networks"),
    ("run", "ndf", "--discriminator_width in perceptrons"),
    ("run", "grid", "experiments.sweep"),
    ("sweep", "list", "experiments.run"),
    ("sweep", "resume", "--workdir alone"),
    ("sample", "n", "--num_samples"),
    ("run", "imageSize", "did you mean --image_size? --help lists all flags"),
    ("run", "sed", "no --sed; did you mean --seed?"),
    ("report", "epochs", "there is no --epochs; --help lists all flags"),
    ("run", "", "there is no --; --help lists all flags"),
  )
  def test_unknown(self, command, given, message):
    self.assertIn(message, hints.unknown_flag(given, FLAGS[command]))

  def test_every_row_is_of_use_to_a_command(self):
    known = set().union(*FLAGS.values())
    for names, text in hints.OTHER_FLAGS:
      named = set(re.findall(r"--(?:no)?(\w+)", text))
      self.assertContainsSubset(named, known, text)
      commands = re.findall(r"experiments\.(\w+)", text)
      self.assertContainsSubset(commands, COMMANDS, text)
      for name in names.split():
        self.assertTrue(
          any(
            text in hints.unknown_flag(name, flags)
            for flags in FLAGS.values()
            if name not in flags
          ),
          (name, text),
        )


class ValuesTest(parameterized.TestCase):
  @parameterized.parameters(
    ("loss", "wgan-gp", "--loss=wasserstein --penalty=gradient_penalty"),
    ("loss", "Hinge", "--loss=hinge"),
    ("loss", "least-squares", "--loss=least_squares"),
    ("loss", "lsgan", "--loss=least_squares"),
    ("loss", "vanilla", "--loss=non_saturating"),
    ("loss", "WGAN", "--loss=wasserstein"),
    ("loss", "kl", "--loss=f_kl"),
    ("loss", "wassertein", "--loss=wasserstein"),
    ("optimizer", "Adam", "--optimizer=adam"),
    ("optimizer", "RMS-prop", "--optimizer=rmsprop"),
    ("update", "sga", "--update=symplectic_gradient_adjustment"),
    ("penalty", "gp", "--penalty=gradient_penalty"),
    ("penalty", "R1", "--penalty=r1"),
    ("generator_objective", "ns", "--generator_objective=practical"),
    ("dataset", "fashion-mnist", "--dataset=fashion_mnist"),
    ("platform", "cuda", "--platform=gpu"),
  )
  def test_meant(self, flag, given, meant):
    allowed = {**SETTINGS, **OPTIONS["run"]}[flag].metadata["choices"]
    found = hints.near_value(flag, given, allowed)
    self.assertEqual(found, f"did you mean {meant}? ")

  def test_nothing_is_meant(self):
    self.assertEqual(hints.near_value("loss", "xyzzy", ("hinge",)), "")
    self.assertEqual(hints.near_value("loss", "", ("hinge",)), "")

  def test_every_row_leads_to_values_that_are_allowed(self):
    for flag, rows in hints.OTHER_VALUES.items():
      allowed = {**SETTINGS, **OPTIONS["sweep"]}[flag].metadata["choices"]
      for names, text in rows:
        self.assertNoCommonElements(names.split(), allowed)
        if not text.startswith("--"):
          text = f"--{flag}={text}"
        for part in text.split():
          name, _, value = part.removeprefix("--").partition("=")
          field = {**SETTINGS, **OPTIONS["sweep"]}[name]
          field.check(field.parse(value))


class NearNamesTest(parameterized.TestCase):
  @parameterized.parameters(
    ("Ring", ["ring"]),
    ("rng", ["ring"]),
    ("swiss-roll", ["swiss_roll"]),
    ("mnist", ["dcgan_mnist"]),
    ("nal", ["conditional_mnist"]),
    ("x", []),
    ("", []),
  )
  def test_near(self, given, names):
    allowed = ("ring", "swiss_roll", "dcgan_mnist", "conditional_mnist")
    self.assertEqual(hints.near_names(given, allowed), names)


if __name__ == "__main__":
  absltest.main()
