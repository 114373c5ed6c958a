"""D's mean on real and on generated samples: figures 1, 2, 8, 9, 16 and 17.

Each figure shows E_p D(x) over the data p, or E_q D(x) over the generated q,
against the step for four discriminators. A linear generator learns a normal
distribution until D = 1/2 (1, 2). It cannot learn two modes, and D keeps
telling real from generated samples (8, 9). A multilayer perceptron learns them,
noisily (16, 17). D is measured as it is trained, with dropout.

The article finds the regularised discriminators far better in 8 and 9; here
they are slightly better. The article's only number is 1/2. The expected values
for figures 8 and 9 are those of the best discriminator against a generator at
rest (`equilibrium`).
"""

from experiments.plots import curves
from experiments.reproduce.common.figure import Check, Reproduction
from experiments.reproduce.habr2018 import equilibrium
from experiments.reproduce.habr2018.discriminators import settings_of
from experiments.reproduce.habr2018.four_panels import Curve, four_panels

REAL, GENERATED = "discriminator_real", "discriminator_fake"
NEAR = settings_of("mixture_near").input_mean
LABELS = {REAL: "real", GENERATED: "generated"}
COLORS = {REAL: curves.DATA, GENERATED: curves.GENERATED}


def _at_rest(metric: str) -> float:
  """Returns the mean of D* against the generator at rest."""
  rest = equilibrium.non_saturating(NEAR)
  return rest.real if metric == REAL else rest.fake


def _curve(metric: str) -> Curve:
  """Returns the curve of D on one kind of samples."""
  return Curve(
    metric,
    f"mean of D on {LABELS[metric]} samples, for four discriminators",
    "D (probability)",
    COLORS[metric],
    (-0.02, 1.02),
    curves.DISCRIMINATOR,
    {"1/2": 0.5},
  )


def _near_curve(metric: str) -> Curve:
  """Returns the curve with a line at D*, where D* is not 1/2."""
  curve = _curve(metric)
  best = {"D* against a generator at rest": lambda: _at_rest(metric)}
  return curve._replace(lines={**curve.lines, **best})


def _half(metric: str, tolerance: float) -> Check:
  """Returns the check that D = 1/2 on one kind of samples."""
  return Check(
    f"mean of D on {LABELS[metric]} samples",
    0.5,
    tolerance,
    "the article: D converges to 1/2; closed form: p / (p + q) at q = p",
    wrong={
      "of a linear generator of two modes": lambda: _at_rest(metric),
    },
  )


def _near(metric: str) -> Check:
  """Returns the check of D* against the generator at rest."""
  return Check(
    f"mean of D on {LABELS[metric]} samples",
    lambda: _at_rest(metric),
    0.05,
    "quadrature: D* where the non-saturating cost is at rest (at the least "
    "JSD: 0.613 and 0.387)",
    wrong={
      "fooled": 0.5,
      "of the other samples": lambda: 1 - _at_rest(metric),
    },
  )


def _reproduce(
  metric: str, normal: int, near: int, perceptron: int
) -> tuple[Reproduction, ...]:
  """Builds the three figures of D on one kind of samples, by number."""
  samples = f"D on {LABELS[metric]} samples of"
  return (
    four_panels(
      normal,
      f"{samples} a normal distribution converges to 1/2",
      "normal",
      _curve(metric),
      _half(metric, 0.05),
    ),
    four_panels(
      near,
      f"{samples} two modes, against a linear generator",
      "mixture_near",
      _near_curve(metric),
      _near(metric),
    ),
    four_panels(
      perceptron,
      f"{samples} two modes, against a perceptron",
      "mixture_near_mlp",
      _curve(metric),
      # The article reports about 1/2, with noise.
      _half(metric, 0.1),
    ),
  )


REPRODUCTIONS = (
  *_reproduce(REAL, normal=1, near=8, perceptron=16),
  *_reproduce(GENERATED, normal=2, near=9, perceptron=17),
)
