"""How command lines are read: types, defaults, help and mistakes."""

import contextlib
import dataclasses
import io
import subprocess
import sys
import tempfile

from absl.testing import absltest, parameterized

from experiments.cli import flags
from experiments.configs.fields import setting
from experiments.configs.registry import BY_NAME, EXPERIMENTS
from experiments.errors import SettingError, UsageError
from tests.experiments import commands


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
  experiment: str = setting("normal", "experiment to train")
  preset: str = setting("", "other values of settings")
  count: int = setting(1, "number of things", minimum=1, maximum=9)
  seed: int = setting(0, "the first seed", minimum=0)
  rate: float = setting(0.5, "rate of things", above=0, below=1)
  color: str = setting("red", "color of things", choices=("red", "green"))
  sizes: tuple[float, ...] = setting((1.0,), "sizes of things", minimum=0)
  quick: bool = setting(False, "be quick")


def read(*argv, **keywords):
  return flags.read_command_line(
    ["command", *argv], Options, EXPERIMENTS, "The usage.", **keywords
  )


def help_of(*argv):
  with contextlib.redirect_stdout(io.StringIO()) as output:
    try:
      read(*argv)
    except SystemExit as error:
      assert error.code == 0
  return output.getvalue()


class FlagsTest(parameterized.TestCase):
  def test_values_have_the_types_of_their_fields(self):
    line = read("--count=3", "--sizes=1, 2.5", "--quick", "--penalty=r1,r2")
    self.assertEqual(line.options, Options(count=3, sizes=(1, 2.5), quick=True))
    self.assertEqual(line.named, {"count", "sizes", "quick"})
    self.assertEqual(line.settings, {"penalty": ("r1", "r2")})
    self.assertEqual(read("--noquick", "--rate=1e-3").options.rate, 1e-3)
    self.assertEqual(read("--penalty=none").settings, {"penalty": ()})

  def test_a_flagfile(self):
    with tempfile.NamedTemporaryFile("w") as file:
      file.write("--count=4\n--radius=2\n")
      file.flush()
      line = read(f"--flagfile={file.name}", "--count=5")
    self.assertEqual(line.options.count, 5)
    self.assertEqual(line.settings, {"radius": 2.0})

  def test_arguments(self):
    self.assertEqual(
      read("a", "--count=2", "b", takes_arguments=True).arguments, ("a", "b")
    )
    with self.assertRaisesRegex(UsageError, "unexpected argument 'a'"):
      read("a")

  @parameterized.parameters(
    ("--count=two", "--count=two is not allowed; it must be a whole number at"),
    ("--count=10", "--count=10 is not allowed; .* at least 1 and at most 9"),
    ("--rate=0", "--rate=0 is not allowed; .* above 0 and below 1"),
    ("--rate=nan", "--rate=nan is not allowed"),
    ("--sizes=1,-2", "--sizes=1,-2 is not allowed; .* separated by commas at"),
    ("--color=blue", "--color=blue is not allowed; it must be one of red, gr"),
    ("--quick=maybe", "--quick=maybe is not allowed; it must be true or false"),
    ("--cuont=1", "there is no --cuont; did you mean --count\\?"),
    ("--Count=1", "there is no --Count; did you mean --count\\?"),
    ("--image-size=8", "did you mean --image_size\\?"),
    ("--epochs=3", "^there is no --epochs; training is counted in --steps$"),
    ("--lr=1", "--generator_learning_rate and --discriminator_learning_rate"),
    ("--n_critic=5", "--update=alternating and --discriminator_steps"),
    ("--z_dim=5", "--latent_dim"),
    ("--grid=loss=hinge", "experiments.sweep"),
    ("--color=Red", "not allowed; did you mean --color=red\\? it must be one"),
    ("--loss=Hinge", "did you mean --loss=hinge\\?"),
    ("--loss=wgan-gp", "--loss=wasserstein --penalty=gradient_penalty\\?"),
    ("--penalty=r1,gp", "did you mean --penalty=gradient_penalty\\?"),
    ("--loss=hinge,minimax", "experiments.sweep --grid=loss=hinge,minimax$"),
    ("--steps=1,2", "experiments.sweep --grid=steps=1,2$"),
    ("--color=red,green", "it must be one of red, green"),
    ("--noquick=1", "^--noquick takes no value; .* --quick=false$"),
    ("--nocount", "^there is no --nocount, as --count is not true or false"),
    ("--nothing", "^there is no --nothing; --help lists all flags$"),
    (
      "--instance_noise=1e39",
      "float32, which has 0 and numbers of 1.18e-38 to",
    ),
    ("--input_mean=0,1e39", "=1e\\+39 is not allowed; it is computed in fl"),
    ("--seed=0,1,2", "the first seed, .*: --seed=0 --num_seeds=3$"),
    ("--instance_noise=1e-46", "=1e-46 is not allowed; .* to 3.4e\\+38$"),
    ("--penalty=r3", "--penalty=r3 is not allowed; it must be none, or some"),
    ("--flagfile=nowhere", "^Unable to open flagfile"),
    ("--count", "^Missing value for flag --count$"),
  )
  def test_a_mistake_is_one_line(self, flag, message):
    with self.assertRaisesRegex((UsageError, SettingError), message) as caught:
      read(flag)
    self.assertNotIn("\n", str(caught.exception))

  def test_a_list_of_values_is_for_a_sweep_of_the_same_experiment(self):
    command = "experiments.sweep --experiment=grid --grid=steps=1,2$"
    with self.assertRaisesRegex(UsageError, command):
      read("--experiment=grid", "--steps=1,2")

  @parameterized.parameters(
    (
      ("--count=1", "--count=2"),
      "^--count is given twice, as '1' and '2'; cho",
    ),
    (("--count", "1", "--count=2"), "as '1' and '2'"),
    (("--quick", "--noquick"), "--quick is given twice, as 'true' and 'false'"),
    (("--penalty=r1", "--penalty=r2"), "separate words by commas$"),
    (("--flagfile={}", "--count=4", "--count=5"), "as '4' and '5'"),
    (("--count=5", "--flagfile={}"), "as '5' and '4'"),
  )
  def test_a_flag_with_two_values(self, argv, message):
    with tempfile.NamedTemporaryFile("w") as file:
      file.write("--count=4\n")
      file.flush()
      with self.assertRaisesRegex(UsageError, message):
        read(*(each.format(file.name) for each in argv))

  @parameterized.parameters(
    (("--count=3", "--count", "3"), 3), (("--count=3", "--", "--count=4"), 3)
  )
  def test_a_flag_with_one_value(self, argv, count):
    self.assertEqual(read(*argv, takes_arguments=True).options.count, count)

  @parameterized.parameters(
    ("ring", "--experiment=ring"),
    ("Ring", "--experiment=ring"),
    ("sweep", "python -m experiments.sweep"),
    ("count=3", "--count=3"),
    ("quick", "--quick"),
    ("hinge", "--loss=hinge"),
  )
  def test_an_argument_that_is_not_a_flag(self, argument, meant):
    with self.assertRaises(UsageError) as caught:
      read(argument)
    self.assertEqual(
      str(caught.exception),
      f"unexpected argument {argument!r}; did you mean {meant}?",
    )

  def test_help_shows_the_defaults_of_the_experiment(self):
    for name in ("ring", "dcgan_mnist"):
      text = help_of(f"--experiment={name}", "--help")
      steps = BY_NAME[name].settings.steps
      self.assertIn(f"\n  --steps={steps}\n", text)
      self.assertEqual("--radius" in text, name == "ring")
      self.assertIn("The usage.", text)
      self.assertIn(
        "--count=1\n      number of things [at least 1 and at most 9]\n", text
      )
      self.assertIn("--color=red\n      color of things [one of red, gr", text)
    self.assertEqual(help_of("-h"), help_of("--help"))

  def test_a_preset_is_changed_by_flags(self):
    preset = BY_NAME["dcgan_faces"].presets["published"]
    argv = ("--experiment=dcgan_faces", "--preset=published")
    self.assertEqual(read(*argv).settings, preset)
    self.assertEqual(
      read("--batch_size=32", "--seed=3", *argv).settings,
      {**preset, "batch_size": 32},
    )
    text = " ".join(help_of(*argv[:1], "--help").split())
    self.assertIn("--preset=published is --loss=non_saturating --pen", text)
    self.assertNotIn("is --loss=non", help_of("--help"))

  @parameterized.parameters(
    (
      ("--experiment=dcgan_faces", "--preset=publishd"),
      "^--preset=publishd is not a preset .*, which has published$",
    ),
    (
      ("--experiment=ring", "--preset=published"),
      "=published is not a preset of the experiment, which has none$",
    ),
    (("--preset=published",), "which has none$"),
  )
  def test_a_preset_that_is_not_there(self, argv, message):
    with self.assertRaisesRegex(UsageError, message):
      read(*argv)

  def test_the_version(self):
    self.assertRegex(help_of("--version"), r"^gan_jax \d+\.\d+\.\d+\n$")

  def test_short_and_full_help(self):
    short = help_of("--experiment=ring", "--helpshort")
    self.assertIn("--count", short)
    self.assertNotIn("--radius", short)
    for argv in (["--experiment=ring", "--helpfull"], ["--help"]):
      full = help_of(*argv)
      for name in ("count", "radius", "image_size", "grid_side"):
        self.assertRegex(full, f"\n  --{name}[= ]")

  def test_help_does_not_import_jax(self):
    done = subprocess.run(
      [sys.executable, "-X", "importtime", "-m", "experiments.run", "--help"],
      env=commands.ENVIRONMENT,
      capture_output=True,
      text=True,
    )
    self.assertEqual(done.returncode, 0, done.stderr)
    modules = {x.split("|")[-1].strip() for x in done.stderr.splitlines()}
    self.assertIn("absl.flags", modules)
    self.assertNoCommonElements(modules, ("jax", "flax", "matplotlib", "scipy"))


if __name__ == "__main__":
  absltest.main()
