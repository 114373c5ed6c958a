"""The runs of the article's figures, and how a figure is made from them.

Figures that need the same training use the same run.

With --published_settings the runs have the settings of the author's code, in
which every hidden layer reads the input, so that only the last has an effect.
The article prints less of them: that noise is N(0, 1) and a linear generator
starts from it, that both costs are cross-entropies, that the players take turns
of one step, and a generator with this mistake, 256 units, truncated normal
weights of deviation 0.1 and biases of 0.1. Batches of 32, Adam and its rates,
2,000 steps, the discriminator's network, the weight of L2 and the probability
of dropout are in the code alone. The rate of the generator is 0.1 in the
version whose data is one normal distribution, and 0.02 in those with mixtures.
The means of the mixtures are in neither. The checks are the same.

Source: the author's code is github.com/Monnoroch/generative,
`gan-normal/main.py`.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from experiments.configs.registry import BY_NAME
from experiments.configs.toy_1d import OneDimensionalSettings
from experiments.reproduce.common import pictures
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
PUBLISHED_STEPS = 2000
_PUBLISHED_MIXTURE: Mapping[str, Any] = {
  "steps": PUBLISHED_STEPS,
  "batch_size": 32,
  "generator_learning_rate": 0.02,
  "discriminator_learning_rate": 0.01,
  "learning_rate_decay": "none",
  "generator_beta1": 0.9,
  "discriminator_beta1": 0.9,
  "published_networks": True,
  "discriminator_width": 256,
  "initializer": "truncated_normal",
  "initial_scale": 0.1,
  "initial_bias": 0.1,
}
_PUBLISHED_PERCEPTRON = {**_PUBLISHED_MIXTURE, "generator_width": 256}
PUBLISHED: Mapping[str, Mapping[str, Any]] = {
  "normal": {**_PUBLISHED_MIXTURE, "generator_learning_rate": 0.1},
  "mixture_near": _PUBLISHED_MIXTURE,
  "mixture_far": _PUBLISHED_MIXTURE,
  "mixture_near_mlp": _PUBLISHED_PERCEPTRON,
  "mixture_far_mlp": _PUBLISHED_PERCEPTRON,
}
"""The settings of each experiment in the author's code."""


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

Runs = Mapping[str, Results]
"""Runs by the name of their discriminator."""


def source(figure: int) -> str:
  """Returns the source line of a figure of the article."""
  return f"Habr 2018, figure {figure}"


def with_published(
  make: Callable[[bool], Reproduction],
) -> Reproduction:
  """Makes a figure, and beside it the one at the author's settings."""
  published = make(True)
  draw = published.draw

  def draw_labelled(drawn: Mapping[str, Any]) -> Figure:
    figure = draw(drawn)
    label = f"{figure.get_suptitle()} · settings of the author's code"
    pictures.headline(figure, label)
    return figure

  return make(False)._replace(
    published=published._replace(
      summary=f"{published.summary}, at the settings of the author's code",
      draw=draw_labelled,
    )
  )


def of_runs(
  figure: int,
  experiment: str,
  summary: str,
  check: Callable[[Results], Sequence[Check]],
  draw: Callable[[Mapping[str, Any]], Figure],
  *,
  discriminators: Sequence[str] = tuple(DISCRIMINATORS),
  settings: Mapping[str, Any] = {},
  beside: str = "",
  compare: Callable[[Runs, Runs], Sequence[Check]] = lambda runs, beside: (),
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
    draw: draws the `runs` and those `beside`, by discriminator, and what
      `prepare` returns.
    discriminators: the names of the discriminators.
    settings: settings that differ from the experiment's defaults.
    beside: name of another experiment to compare with, if any.
    compare: checks the runs together, with those of `beside`.
    prepare: computes what is drawn besides the runs.
    animate: maps the same to the frames of an animation.
  """

  def trainings(name: str, is_published: bool) -> dict[str, Training]:
    perceptron = name.endswith("mlp")
    return {
      discriminator: Training(
        name,
        {
          **(PUBLISHED[name] if is_published else settings),
          **DISCRIMINATORS[discriminator],
        },
        NUM_PERCEPTRON_SEEDS if perceptron else NUM_SEEDS,
      )
      for discriminator in discriminators
    }

  def compute(inputs: Inputs) -> Computed:
    runs = {name: inputs.runs[name] for name in discriminators}
    others = (
      {name: inputs.runs[f"{beside}, {name}"] for name in discriminators}
      if beside
      else {}
    )
    checks = [
      one._replace(name=f"{one.name}, {name}") if len(runs) > 1 else one
      for name, run in runs.items()
      for one in check(run)
    ]
    return Computed(
      [*checks, *compare(runs, others)],
      {"runs": runs, "beside": others, **prepare()},
    )

  def make(is_published: bool) -> Reproduction:
    others = trainings(beside, is_published) if beside else {}
    return Reproduction(
      id=f"habr_fig{figure:02d}",
      source=source(figure),
      summary=summary,
      compute=compute,
      draw=draw,
      trainings={
        **trainings(experiment, is_published),
        **{f"{beside}, {name}": other for name, other in others.items()},
      },
      animate=animate,
      minutes=len(discriminators),
    )

  return with_published(make)
