"""`python -m experiments` lists the commands."""

import contextlib
import io
import os
import pkgutil
from unittest import mock

from absl.testing import absltest, parameterized

import experiments
from experiments import __main__ as commands
from experiments.cli import flags
from experiments.errors import UsageError

NOT_COMMANDS = ("__main__", "errors")


class ListTest(parameterized.TestCase):
  @parameterized.product(
    arguments=((), ("-h",), ("--help",)), columns=(60, 80, 140)
  )
  def test_each_command_has_a_line(self, arguments, columns):
    with (
      contextlib.redirect_stdout(io.StringIO()) as output,
      mock.patch.dict(os.environ, COLUMNS=str(columns)),
    ):
      self.assertEqual(commands.run(["experiments", *arguments]), 0)
    lines = output.getvalue().splitlines()
    self.assertLessEqual(max(map(len, lines)), columns)
    words = " ".join(output.getvalue().split())
    for name, summary in flags.COMMANDS.items():
      self.assertIn(f"python -m experiments.{name} {summary}", words)

  def test_no_command_is_missing(self):
    modules = {
      module.name
      for module in pkgutil.iter_modules(experiments.__path__)
      if not module.ispkg
    }
    self.assertEqual(modules - {*NOT_COMMANDS}, {*flags.COMMANDS})

  @parameterized.parameters(
    (("run", "--steps=3"), "did you mean python -m experiments.run?"),
    (("swep",), "did you mean python -m experiments.sweep?"),
    (("ring",), "unexpected argument 'ring'; python -m experiments lists"),
  )
  def test_an_argument_is_an_error(self, arguments, message):
    with self.assertRaises(UsageError) as caught:
      commands.run(["experiments", *arguments])
    self.assertIn(message, str(caught.exception))
    self.assertNotIn("\n", str(caught.exception))


if __name__ == "__main__":
  absltest.main()
