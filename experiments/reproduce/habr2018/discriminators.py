"""The four discriminators of the article and the trainings of its figures.

Figures that need the same training use the same run.
"""

from collections.abc import Mapping

from experiments.configs.registry import BY_NAME
from experiments.configs.toy_1d import OneDimensionalSettings
from experiments.reproduce.common.figure import Training

DISCRIMINATORS: Mapping[str, Mapping[str, float]] = {
  "plain": {},
  "L2": {"discriminator_l2": 5e-4},
  "dropout": {"discriminator_dropout": 0.5},
  "L2 and dropout": {"discriminator_l2": 5e-4, "discriminator_dropout": 0.5},
}
"""The settings of each discriminator. The weight and the probability are those
of the author's code."""


def trainings(experiment: str) -> dict[str, Training]:
  """Returns an experiment's trainings by the name of the discriminator."""
  return {
    name: Training(experiment, settings)
    for name, settings in DISCRIMINATORS.items()
  }


def source(figure: int) -> str:
  """Returns the source line of a figure of the article."""
  return f"Habr 2018, Generative adversarial networks, figure {figure}"


def settings_of(experiment: str) -> OneDimensionalSettings:
  """Returns the default settings of one of the article's experiments."""
  settings = BY_NAME[experiment].settings
  assert isinstance(settings, OneDimensionalSettings)
  return settings
