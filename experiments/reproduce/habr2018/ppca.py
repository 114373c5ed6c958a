"""Probabilistic PCA: a linear generator whose likelihood is known.

The article introduces it before GANs as the simplest linear generative model:

  x = W z + mu + s e,  z and e normal.

The data's likelihood can be maximised in closed form,

  s^2 = mean of the smallest eigenvalues,  W = U (L - s^2 I)^(1/2),

and by EM, whose every step increases it. The data come from known models: one
in the plane, which is drawn, and one in five dimensions with two latents.

References:
  Habr, "Generative adversarial networks" (2018), the introduction.
  Tipping and Bishop, Probabilistic Principal Component Analysis, 1999,
    equations 3, 7 and 8, and appendix B.
"""

import functools
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from scipy import stats

from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.checks import at_least, at_most, close
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax.estimation import ppca
from gan_jax.types import Array

NUM_POINTS = 1000
NUM_STEPS = 100
# W, mu and s of the models that generate the data.
PLANE = (np.array([[2.0], [1.0]]), np.array([1.0, -0.5]), 0.6)
SPACE = (
  np.array([[2.0, 0.5], [0.0, 1.5], [-1.0, 0.5], [0.5, -1.0], [1.0, 0.0]]),
  np.array([1.0, 0.0, -1.0, 2.0, 0.5]),
  0.5,
)
MODELS = {"2-D": PLANE, "5-D": SPACE}


def make_data(name: str) -> np.ndarray:
  """Draws samples x = W z + mu + s e, [NUM_POINTS, d]."""
  weights, mean, stddev = MODELS[name]
  rng = np.random.default_rng(0)
  latents = rng.normal(size=(NUM_POINTS, weights.shape[1]))
  noise = rng.normal(size=(NUM_POINTS, len(mean)))
  return latents @ weights.T + mean + stddev * noise


def _angle(first: np.ndarray, second: np.ndarray) -> float:
  """Returns the largest angle, in degrees, between two column spans."""
  bases = np.linalg.qr(first)[0], np.linalg.qr(second)[0]
  cosines = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
  return math.degrees(math.acos(min(cosines.min(), 1.0)))


@functools.partial(jax.jit, static_argnums=1)
def _fit(data: Array, k: int) -> tuple[ppca.PPCA, Array, ppca.PPCA, Array]:
  """Fits k latents to data [n, d], in closed form and by EM.

  Returns:
    The closed form and its log-likelihood, the model after EM, and the
    log-likelihood after each step [NUM_STEPS].
  """
  exact = ppca.closed_form(data, k)
  fitted, curve = ppca.expectation_maximization(
    data, k, NUM_STEPS, jax.random.key(0)
  )
  return exact, ppca.log_likelihood(exact, data), fitted, curve


def _expected(data: np.ndarray, k: int) -> tuple[float, float]:
  """Computes the greatest log-likelihood of k latents, and s^2, with SciPy."""
  values, vectors = np.linalg.eigh(np.cov(data.T, bias=True))
  # W W^T + s^2 I keeps the largest k eigenvalues and averages the others.
  values[:-k] = np.mean(values[:-k])
  covariance: Any = vectors @ np.diag(values) @ vectors.T
  density = stats.multivariate_normal(data.mean(axis=0), covariance)
  return float(np.mean(density.logpdf(data))), float(values[0])


def compute(inputs: Inputs) -> Computed:
  """Fits both models, in closed form and by EM."""
  del inputs
  checks, drawn = [], {}
  for name, (weights, _, stddev) in MODELS.items():
    data, k = make_data(name), weights.shape[1]
    best, noise_variance = _expected(data, k)
    with jax.enable_x64(True):
      exact, likelihood, fitted, curve = jax.tree.map(
        np.asarray, _fit(jnp.asarray(data), k)
      )
    checks += [
      close(
        f"{name}: log-likelihood of the closed form",
        likelihood,
        best,
        1e-9,
        "numpy.linalg.eigh and scipy.stats.multivariate_normal.logpdf",
      ),
      close(
        f"{name}: noise variance of the closed form",
        exact.noise_variance,
        noise_variance,
        1e-9,
        "mean of the smallest eigenvalues, by numpy.linalg.eigh",
      ),
      close(
        f"{name}: log-likelihood after EM",
        curve[-1],
        best,
        1e-6,
        "numpy.linalg.eigh and scipy.stats.multivariate_normal.logpdf",
      ),
      close(
        f"{name}: noise variance after EM",
        fitted.noise_variance,
        stddev**2,
        0.1 * stddev**2,
        "the model that the data come from: s^2",
      ),
      at_least(
        f"{name}: least step of EM's log-likelihood",
        np.diff(curve).min(),
        -1e-12,
        "Tipping and Bishop 1999, appendix B: no step lowers it",
      ),
      at_most(
        f"{name}: angle of the closed form to the truth (degrees)",
        _angle(exact.weights, weights),
        3.0,
        "the model that the data come from: the span of W",
      ),
      at_most(
        f"{name}: angle of EM to the closed form (degrees)",
        _angle(fitted.weights, exact.weights),
        0.01,
        "the likelihood has one maximum, up to a rotation of the latents",
      ),
    ]
    drawn[name] = {
      "data": data,
      "fit": exact,
      "below": np.maximum(likelihood - curve, 1e-15),
    }
  return Computed(checks, drawn)


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the plane with the fitted model, and the progress of EM."""
  figure, (plane, em) = curves.grid(2, 2, (11, 5))
  pictures.headline(
    figure,
    "probabilistic PCA: the linear generator before GANs, of known likelihood",
  )
  data, fit = drawn["2-D"]["data"], drawn["2-D"]["fit"]
  plane.plot(*data.T, ".", color=curves.DATA, ms=3, alpha=0.35, label="data")
  covariance = fit.weights @ fit.weights.T + fit.noise_variance * np.eye(2)
  variances, directions = np.linalg.eigh(covariance)
  for deviations in (1, 2):
    plane.add_patch(
      Ellipse(
        fit.mean,
        2 * deviations * math.sqrt(variances[1]),
        2 * deviations * math.sqrt(variances[0]),
        angle=math.degrees(math.atan2(directions[1, 1], directions[0, 1])),
        fill=False,
        color=curves.GENERATED,
        lw=1.5,
        zorder=3,
        label="fitted, 1 and 2 deviations" if deviations == 1 else None,
      )
    )
  true_weights, true_mean, _ = PLANE
  for centre, weights, color, label, style in (
    (fit.mean, fit.weights, curves.GENERATED, "fitted W", "-"),
    (true_mean, true_weights, curves.DISCRIMINATOR, "true W", "--"),
  ):
    ends = centre + np.sign(weights[0]) * np.array([[-2], [2]]) * weights.T
    plane.plot(*ends.T, color=color, ls=style, lw=2, label=label, zorder=4)
  plane.set(xlabel="x", ylabel="y")
  plane.set_aspect("equal", adjustable="datalim")
  plane.set_title(f"{NUM_POINTS:,} points of a line with noise", fontsize=10)
  plane.legend(fontsize=9, loc="upper left", markerscale=3)
  for (name, values), color, marker in zip(
    drawn.items(), (curves.GENERATED, curves.AVERAGE), ("o", "s"), strict=True
  ):
    steps = np.arange(1, NUM_STEPS + 1)
    em.semilogy(
      steps, values["below"], color=color, marker=marker, ms=3, label=name
    )
  em.set(
    xlabel="step of EM", ylabel="below the closed form's\nlog-likelihood (nats)"
  )
  em.set_title("EM climbs to the closed form", fontsize=10)
  em.legend(fontsize=9)
  return figure


REPRODUCTION = Reproduction(
  id="ppca",
  source="Habr 2018, introduction, and Tipping and Bishop 1999",
  summary="probabilistic PCA in closed form and by EM, before GANs",
  compute=compute,
  draw=draw,
)
