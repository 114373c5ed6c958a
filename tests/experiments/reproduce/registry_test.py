"""All figures: they are well described, and the closed forms pass."""

import jax
from absl.testing import absltest, parameterized
from matplotlib.figure import Figure

from experiments import figures
from experiments.configs.registry import BY_NAME
from experiments.configs.settings import with_values
from experiments.reproduce.common.figure import Inputs
from experiments.reproduce.registry import BY_ID, REPRODUCTIONS

CLOSED_FORMS = [each for each in REPRODUCTIONS if not each.trained]
PUBLISHED = [each for each in REPRODUCTIONS if each.published]


def named(reproductions):
  return parameterized.named_parameters(
    (reproduction.id, reproduction) for reproduction in reproductions
  )


class RegistryTest(parameterized.TestCase):
  def test_ids_are_unique(self):
    self.assertLen(BY_ID, len(REPRODUCTIONS))

  @named(REPRODUCTIONS)
  def test_trainings_have_valid_settings(self, reproduction):
    for training in (
      *reproduction.trainings.values(),
      *reproduction.full_trainings.values(),
    ):
      with_values(BY_NAME[training.experiment].settings, training.settings)
      self.assertLessEqual(training.num_seeds, figures.MAX_SEEDS)

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

  def test_figures_of_the_article_have_its_settings(self):
    self.assertEqual(
      [each.id for each in PUBLISHED],
      [f"habr_fig{figure:02d}" for figure in range(1, 22)],
    )

  @named(PUBLISHED)
  def test_published_settings_are_valid_and_others(self, reproduction):
    published = reproduction.published
    self.assertEqual(published.id, reproduction.id)
    self.assertEqual(published.trainings.keys(), reproduction.trainings.keys())
    for name, training in published.trainings.items():
      other = reproduction.trainings[name]
      self.assertEqual(training.experiment, other.experiment)
      settings = BY_NAME[training.experiment].settings
      self.assertNotEqual(
        with_values(settings, training.settings),
        with_values(settings, other.settings),
      )

  @named(CLOSED_FORMS)
  def test_closed_forms(self, reproduction):
    # Like the command: float32 unless the figure enables float64.
    with jax.numpy_rank_promotion("allow"):
      computed = reproduction.compute(Inputs())
    names = [check.name for check in computed.checks]
    self.assertNotEmpty(names)
    self.assertLen(set(names), len(names))
    for check in computed.checks:
      self.assertIsNot(check.passed, False, check)
      if check.expected is not None:
        self.assertNotEmpty(check.origin, check.name)
    self.assertIsInstance(reproduction.draw(computed.drawn), Figure)


if __name__ == "__main__":
  absltest.main()
