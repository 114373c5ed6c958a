"""Mean and standard deviation of generated samples: figures 3, 4, 10 and 11.

A linear generator learns the moments of a normal distribution (3, 4). For modes
at -3 and 3 it learns the mean and a wide standard deviation, whatever the
discriminator (10, 11). The deviation is neither the data's sqrt(1 + 3^2) =
3.162 nor the 3.120 of the least Jensen-Shannon divergence, to which the same
game converges with loss=minimax. With the non-saturating cost the generator is
at rest at 2.681 against the best discriminator (`equilibrium`). Trained
discriminators end at 2.8 to 2.9, a tenth or two above; five discriminator steps
per generator step do not change that. Every tolerance is a tenth of the data's
standard deviation.
"""

import math

from experiments.plots import curves
from experiments.reproduce.common.figure import Check
from experiments.reproduce.habr2018 import equilibrium
from experiments.reproduce.habr2018.discriminators import settings_of
from experiments.reproduce.habr2018.four_panels import Curve, four_panels

MEAN, STDDEV = "generated_mean", "generated_stddev"
_NORMAL = settings_of("normal")
(NORMAL_MEAN,), (NORMAL_STDDEV,) = _NORMAL.input_mean, _NORMAL.input_stddev
NEAR = settings_of("mixture_near").input_mean
NEAR_STDDEV = math.sqrt(10)
"""Standard deviation of the modes -3 and 3 of width 1: variance 1 + 3^2."""


def _rest() -> float:
  """Returns the standard deviation of the generator at rest."""
  return equilibrium.non_saturating(NEAR).stddev


def _mean(limits: tuple[float, float], data: float) -> Curve:
  """Returns the curve of the mean."""
  return Curve(
    MEAN,
    "mean of the generated samples, for four discriminators",
    "mean (units of x)",
    curves.GENERATED,
    limits,
    curves.DATA,
    {"data": data},
  )


def _stddev(limits: tuple[float, float], data: float) -> Curve:
  """Returns the curve of the standard deviation."""
  return Curve(
    STDDEV,
    "deviation of the generated samples, for four discriminators",
    "standard deviation (units of x)",
    curves.GENERATED,
    limits,
    curves.DATA,
    {"data": data},
  )


REPRODUCTIONS = (
  four_panels(
    3,
    "the generated mean converges to that of a normal distribution",
    "normal",
    _mean((-2, 20), NORMAL_MEAN),
    Check(
      "mean of the generated samples",
      NORMAL_MEAN,
      0.1 * NORMAL_STDDEV,
      "the article: the mean of the data",
      wrong={"not moved": 0.0},
    ),
  ),
  four_panels(
    4,
    "the generated deviation converges to that of the data",
    "normal",
    _stddev((0, 9), NORMAL_STDDEV),
    Check(
      "standard deviation of the generated samples",
      NORMAL_STDDEV,
      0.1 * NORMAL_STDDEV,
      "the article: the standard deviation of the data",
      wrong={"not moved": 1.0, "the variance": NORMAL_STDDEV**2},
    ),
  ),
  four_panels(
    10,
    "a linear generator comes to rest between two modes",
    "mixture_near",
    _mean((-4, 4), 0.0),
    Check(
      "mean of the generated samples",
      0.0,
      0.1 * NEAR_STDDEV,
      "the article: near 0; closed form: by symmetry",
      wrong={"at the left mode": -3.0, "at the right mode": 3.0},
    ),
  ),
  four_panels(
    11,
    "a linear generator covers two modes with a wide deviation",
    "mixture_near",
    _stddev((0, 4), NEAR_STDDEV)._replace(
      lines={"data": NEAR_STDDEV, "generator at rest against D*": _rest}
    ),
    Check(
      "standard deviation of the generated samples",
      _rest,
      0.1 * NEAR_STDDEV,
      "quadrature: where the non-saturating cost is at rest",
      wrong={
        "of one mode": 1.0,
        "that of the data": NEAR_STDDEV,
        "of the least JSD": 3.120,
      },
    ),
  ),
)
