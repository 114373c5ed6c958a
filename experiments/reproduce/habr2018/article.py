"""The runs of the article's figures, and how a figure is made from them.

Figures that need the same training use the same run.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from experiments.configs.registry import BY_NAME
from experiments.configs.toy_1d import OneDimensionalSettings
from experiments.reproduce.common.checks import Check
from experiments.reproduce.common.figure import (
  Computed,
  Inputs,
  Reproduction,
  Training,
)
from experiments.run_folder.results import Results

NUM_SEEDS = 8
NUM_PERCEPTRON_SEEDS = 16
"""A perceptron's last divergence differs much between seeds."""
DISCRIMINATORS: Mapping[str, Mapping[str, float]] = {
  "plain": {},
  "L2": {"discriminator_l2": 5e-4},
  "dropout": {"discriminator_dropout": 0.5},
  "L2 and dropout": {"discriminator_l2": 5e-4, "discriminator_dropout": 0.5},
}
"""The settings of each discriminator. The weight and the probability are those
of the author's code."""


def settings_of(experiment: str) -> OneDimensionalSettings:
  """Returns the default settings of one of the article's experiments."""
  settings = BY_NAME[experiment].settings
  assert isinstance(settings, OneDimensionalSettings)
  return settings


(NORMAL_MEAN,) = settings_of("normal").input_mean
(NORMAL_STDDEV,) = settings_of("normal").input_stddev
NORMAL_MOMENTS = {
  "generated_mean": NORMAL_MEAN,
  "generated_stddev": NORMAL_STDDEV,
}
NEAR = settings_of("mixture_near").input_mean
FAR = settings_of("mixture_far").input_mean
NEAR_STDDEV = math.sqrt(10)
"""Standard deviation of the modes -3 and 3 of width 1: variance 1 + 3^2."""


def source(figure: int) -> str:
  """Returns the source line of a figure of the article."""
  return f"Habr 2018, figure {figure}"


def of_runs(
  figure: int,
  experiment: str,
  summary: str,
  check: Callable[[Results], Sequence[Check]],
  draw: Callable[[Mapping[str, Any]], Figure],
  *,
  discriminators: Sequence[str] = tuple(DISCRIMINATORS),
  prepare: Callable[[], Mapping[str, Any]] = dict,
  animate: Callable[[Mapping[str, Any]], Iterator[Image.Image]] | None = None,
) -> Reproduction:
  """Describes a figure of an experiment's runs.

  Args:
    figure: number of the figure in the article.
    experiment: name of the experiment.
    summary: one line that says what the figure shows.
    check: checks one run; the discriminator is appended to the names of the
      checks if there are several.
    draw: draws the `runs` by discriminator, and what `prepare` returns.
    discriminators: the names of the discriminators.
    prepare: computes what is drawn besides the runs.
    animate: maps the same to the frames of an animation.
  """

  num_seeds = NUM_PERCEPTRON_SEEDS if experiment.endswith("mlp") else NUM_SEEDS

  def compute(inputs: Inputs) -> Computed:
    runs = inputs.runs
    checks = [
      one._replace(name=f"{one.name}, {name}") if len(runs) > 1 else one
      for name, run in runs.items()
      for one in check(run)
    ]
    return Computed(checks, {"runs": runs, **prepare()})

  return Reproduction(
    id=f"habr_fig{figure:02d}",
    source=source(figure),
    summary=summary,
    compute=compute,
    draw=draw,
    trainings={
      name: Training(experiment, DISCRIMINATORS[name], num_seeds)
      for name in discriminators
    },
    animate=animate,
    minutes=len(discriminators),
  )
