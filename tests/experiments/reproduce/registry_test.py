"""All figures: their checks can fail, and the closed forms pass."""

import math

import jax
from absl.testing import absltest, parameterized
from matplotlib.figure import Figure

from experiments.configs.registry import BY_NAME
from experiments.configs.settings import with_values
from experiments.reproduce.common.figure import RELATIONS, evaluate
from experiments.reproduce.registry import BY_ID, REPRODUCTIONS

CLOSED_FORMS = [each for each in REPRODUCTIONS if not each.trained]


def named(reproductions):
  return parameterized.named_parameters(
    (reproduction.id, reproduction) for reproduction in reproductions
  )


class RegistryTest(parameterized.TestCase):
  def test_ids_are_unique(self):
    self.assertLen(BY_ID, len(REPRODUCTIONS))

  @named(REPRODUCTIONS)
  def test_checks_are_complete(self, reproduction):
    names = [check.name for check in reproduction.checks]
    self.assertLen(set(names), len(names))
    self.assertNotEmpty(names)
    for check in reproduction.checks:
      self.assertIn(check.relation, RELATIONS)
      self.assertNotEmpty(check.origin, check.name)
      if check.expected is None:
        self.assertIsNotNone(check.published, check.name)

  @named(REPRODUCTIONS)
  def test_checks_fail_for_wrong_values(self, reproduction):
    for check in reproduction.checks:
      if check.expected is None:
        continue
      expected = evaluate(check.expected)
      wrong = {name: evaluate(value) for name, value in check.wrong.items()}
      if check.relation == "within" and expected:
        self.assertTrue(check.judge(expected)["passed"], check.name)
        wrong["sign"] = -expected
        if math.isfinite(expected):
          wrong |= {"twice": 2 * expected, "half": expected / 2}
      self.assertNotEmpty(wrong, f"{check.name} lists no wrong value")
      for name, value in wrong.items():
        self.assertFalse(
          check.judge(value)["passed"],
          f"{check.name}: {name}, {value}, passes for {expected}",
        )
      self.assertFalse(check.judge(math.nan)["passed"])

  @named(REPRODUCTIONS)
  def test_trainings_have_valid_settings(self, reproduction):
    for training in (
      *reproduction.trainings.values(),
      *reproduction.full_trainings.values(),
    ):
      with_values(BY_NAME[training.experiment].settings, training.settings)

  @named(REPRODUCTIONS)
  def test_full_trainings_are_longer(self, reproduction):
    if reproduction.full_trainings:
      self.assertEqual(
        reproduction.full_trainings.keys(), reproduction.trainings.keys()
      )
      for name, training in reproduction.trainings.items():
        self.assertGreater(
          reproduction.full_trainings[name].settings["steps"],
          training.settings["steps"],
        )

  @named(CLOSED_FORMS)
  def test_closed_forms(self, reproduction):
    # Like the command: float32 unless the figure enables float64.
    with jax.numpy_rank_promotion("allow"):
      computed = reproduction.compute({})
    for check in reproduction.judge(computed):
      self.assertIsNot(check["passed"], False, check)
    self.assertIsInstance(reproduction.draw(computed.drawn), Figure)


if __name__ == "__main__":
  absltest.main()
