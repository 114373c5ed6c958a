"""A figure of every f-divergence: conjugate, activation and bound.

  f*(t) = sup_u [u t - f(u)],  so that  f*(f'(u)) = u f'(u) - f(u),
  D_f(p || q) = int q f(p / q) >= E_p[T] - E_q[f*(T)],

with equality at T = f'(p / q). Each row shows one divergence: f with the
tangent at u = 2, which meets u = 0 at -f*(f'(2)); f*, whose tangent at t =
f'(2) has the slope 2; the activation g, which maps a critic's output to the
domain of f*; and the bound for a critic that estimates p / q up to a factor
e^s.

The library's f, f* and g are compared with f and f' written out below, with
suprema found by a search, and with adaptive quadrature.

Source: Nowozin, Cseke and Tomioka, f-GAN: Training Generative Neural Samplers
using Variational Divergence Minimization, arXiv 1606.00709, section 2 and its
supplement.
"""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from matplotlib.figure import Figure
from scipy import optimize

from experiments.plots import curves
from experiments.reproduce.common import expected, pictures
from experiments.reproduce.common.checks import Check, at_least, at_most, close
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax import divergences
from gan_jax.divergences.f_divergences import F_DIVERGENCES

Function = Callable[[Any], Any]


class Form(NamedTuple):
  """A divergence written out in NumPy: its title, f, f' and the ends of f*.

  The domain of f* lies between `low` and `high`.
  """

  title: str
  f: Function
  slope: Function
  low: float = -math.inf
  high: float = math.inf


FORMS: Mapping[str, Form] = {
  "kl": Form("KL", lambda u: u * np.log(u), lambda u: np.log(u) + 1),
  "reverse_kl": Form(
    "reverse KL", lambda u: -np.log(u), lambda u: -1 / u, high=0.0
  ),
  "jensen_shannon": Form(
    "Jensen-Shannon",
    lambda u: u * np.log(2 * u / (1 + u)) + np.log(2 / (1 + u)),
    lambda u: np.log(2 * u / (1 + u)),
    high=math.log(2),
  ),
  "gan": Form(
    "GAN",
    lambda u: u * np.log(u / (1 + u)) - np.log(1 + u),
    lambda u: np.log(u / (1 + u)),
    high=0.0,
  ),
  "pearson": Form("Pearson", lambda u: (u - 1) ** 2, lambda u: 2 * (u - 1)),
  "neyman": Form(
    "Neyman", lambda u: u - 2 + 1 / u, lambda u: 1 - 1 / u**2, high=1.0
  ),
  "squared_hellinger": Form(
    "squared Hellinger",
    lambda u: 1 - 2 * np.sqrt(u) + u,
    lambda u: 1 - 1 / np.sqrt(u),
    high=1.0,
  ),
  "jeffrey": Form(
    "Jeffrey",
    lambda u: (u - 1) * np.log(u),
    lambda u: np.log(u) + 1 - 1 / u,
  ),
  "total_variation": Form(
    "total variation",
    lambda u: np.abs(u - 1) / 2,
    lambda u: np.sign(u - 1) / 2,
    low=-0.5,
    high=0.5,
  ),
}

RATIOS = 2.0 ** np.arange(-2, 4)
TOUCHED = 3
"""Index of the ratio whose tangent is drawn: u = 2."""
P, Q = (0.0, 1.0), (0.5, 1.1)
"""Mean and standard deviation of two normals. Pearson's or Neyman's divergence
would be infinite if one variance were twice the other."""
ENDS = -8.0, 10.0
OFFSETS = math.log(2) * np.linspace(-2, 2, 41)
TIGHT, MISJUDGED = 20, 30
"""Indices of the offsets s = 0 and s = log 2."""
FAR = 1e5
"""An output of the critic that is practically infinite."""
EXPONENT = 10
"""An activation without an end has to reach f' at the ratio e^10, or e^-10."""
PANELS = {
  "f": ("u", "f(u), tangent at u = 2"),
  "conjugate": ("t", "conjugate f*(t), tangent at t = f'(2)"),
  "activation": ("v", "activation g(v)"),
  "bound": ("s", "E_p T - E_q f*(T), T = f'(e^s p/q)"),
}
TANGENT: dict[str, Any] = {"color": curves.GENERATED, **curves.REFERENCE}
LEVEL: dict[str, Any] = {"color": curves.DATA, **curves.REFERENCE}
POINT: dict[str, Any] = {"color": curves.GENERATED, "ms": 5}


@functools.partial(jax.jit, static_argnames="name")
def _evaluate(name: str, u: Any, t: Any, v: Any, p: Any, q: Any, weights: Any):
  """Evaluates f, f* and g at all points, and D_f(p || q), in one program."""
  divergence = F_DIVERGENCES[name]
  return (
    jax.tree.map(divergence.f, u),
    jax.tree.map(divergence.conjugate, t),
    divergence.activation(v),
    divergences.f_divergence(name, p, q, weights),
  )


def compute(inputs: Inputs) -> Computed:
  """Evaluates f, f*, g and the bound of every divergence."""
  del inputs
  u, v = np.linspace(0.15, 4, 200), np.linspace(-4, 4, 200)
  checks, rows = [], {}
  with jax.enable_x64(True):
    x, weights = map(np.asarray, divergences.gauss_legendre(*ENDS, 8, 500))
    log_p, log_q = expected.log_normal(x, *P), expected.log_normal(x, *Q)
    p, q = np.exp(log_p), np.exp(log_q)
    # The quotient p / q would overflow in the tails.
    ratio = np.exp(log_p - log_q + OFFSETS[:, None])
    for name, form in FORMS.items():
      slopes, critics = form.slope(RATIOS), form.slope(ratio)
      t = np.linspace(form.slope(0.3), form.slope(4.5), 200)
      values = _evaluate(
        name,
        (RATIOS, u),
        (slopes, t, critics),
        np.concatenate([[-FAR], v, [FAR]]),
        p,
        q,
        weights,
      )
      (
        (f, f_drawn),
        (conjugates, drawn, conjugates_of_critics),
        activation,
        divergence,
      ) = jax.tree.map(np.asarray, values)
      bounds = critics @ (weights * p) - conjugates_of_critics @ (weights * q)
      checks += [
        close(
          f"{name}: mean of f(u)",
          np.mean(f),
          np.mean(form.f(RATIOS)),
          1e-9,
          "closed form, written out",
        ),
        close(
          f"{name}: mean of f*(f'(u))",
          np.mean(conjugates),
          np.mean([_supremum(form.f, slope) for slope in slopes]),
          1e-6,
          "sup_u [u t - f(u)] by scipy.optimize.minimize_scalar",
        ),
        _end(f"{name}: least activation", activation[0], form, form.low),
        _end(f"{name}: greatest activation", activation[-1], form, form.high),
        *(
          close(
            f"{name}: {what}",
            value,
            _integral(form, offset),
            # T jumps where p = q, which limits the quadrature.
            1e-3 if name == "total_variation" else 1e-6,
            f"{origin} by scipy.integrate.quad",
          )
          for what, value, offset, origin in (
            ("D_f(p || q)", divergence, 0.0, "int q f(p / q)"),
            ("bound at T = f'(p/q)", bounds[TIGHT], 0.0, "D_f(p || q)"),
            (
              "bound at T = f'(2 p/q)",
              bounds[MISJUDGED],
              OFFSETS[MISJUDGED],
              "E_p T - E_q[w T - f(w)], w = 2 p/q,",
            ),
          )
        ),
      ]
      rows[name] = {
        "f": (u, f_drawn),
        "conjugate": (t, drawn),
        "activation": (v, activation[1:-1]),
        "bound": (OFFSETS, bounds),
        "divergence": divergence,
        "slope": slopes[TOUCHED],
        "touched": conjugates[TOUCHED],
      }
  return Computed(checks, rows)


def _end(name: str, activation: float, form: Form, end: float) -> Check:
  """Checks the end of an activation's range."""
  if math.isfinite(end):
    return close(name, activation, end, 1e-6, "end of the domain of f*")
  exponent = math.copysign(EXPONENT, end)
  return (at_least if end > 0 else at_most)(
    name,
    activation,
    form.slope(math.exp(exponent)),
    f"f' at p/q = e^{exponent:g}, as the domain of f* has no end",
  )


def _supremum(f: Function, t: float) -> float:
  """Finds the supremum of u t - f(u) by a search."""
  found: Any = optimize.minimize_scalar(
    lambda log_u: f(np.exp(log_u)) - np.exp(log_u) * t,
    bounds=(-5, 5),
    method="bounded",
    options={"xatol": 1e-9},
  )
  return -found.fun


def _integral(form: Form, offset: float) -> float:
  """Integrates p T - q (w T - f(w)) adaptively, T = f'(w), w = e^offset p/q."""

  def integrand(x):
    log_p, log_q = expected.log_normal(x, *P), expected.log_normal(x, *Q)
    ratio = np.exp(log_p - log_q + offset)
    t = form.slope(ratio)
    return np.exp(log_p) * t - np.exp(log_q) * (ratio * t - form.f(ratio))

  return expected.integral(integrand, *ENDS)


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws a row of four panels for each divergence."""
  figure, panels = curves.grid(4 * len(drawn), 4, (12, 16))
  pictures.headline(
    figure,
    "f-divergences, their conjugates, and the bound that is tight at "
    "T = f'(p/q)",
  )
  for column, (name, (x, title)) in enumerate(PANELS.items()):
    panels[column].set_title(title, fontsize=10)
    panels[column - 4].set_xlabel(x)
    color = curves.DATA if name == "f" else curves.DISCRIMINATOR
    for axes, row in zip(panels[column::4], drawn.values(), strict=True):
      axes.plot(*row[name], color=color)
      axes.locator_params(axis="x", nbins=6)
  for index, (name, form) in enumerate(FORMS.items()):
    axes, row = panels[4 * index : 4 * index + 4], drawn[name]
    contact, slope, touched = RATIOS[TOUCHED], row["slope"], row["touched"]
    # f(u) = u f'(u) - f*(f'(u)), and f*(t) = t f*'(t) - f(f*'(t)).
    ends = np.array([0.0, 4.0])
    axes[0].plot(ends, slope * ends - touched, **TANGENT, label="tangent")
    axes[0].plot(contact, slope * contact - touched, "o", **POINT)
    axes[0].plot(
      0, -touched, "o", **POINT, mfc="white", clip_on=False, label="-f*(f'(2))"
    )
    axes[0].set_xlim(0, 4)
    t = row["conjugate"][0]
    ends = np.array([t[0], t[-1]])
    axes[1].plot(ends, touched + contact * (ends - slope), **TANGENT)
    axes[1].plot(slope, touched, "o", **POINT)
    low, high = np.min(row["conjugate"][1]), np.max(row["conjugate"][1])
    pad = 0.1 * (high - low)
    axes[1].set_ylim(low - pad, high + pad)
    for end in (form.low, form.high):
      if math.isfinite(end):
        axes[2].axhline(end, label="end of the range, and D_f(p || q)", **LEVEL)
    axes[3].axhline(row["divergence"], **LEVEL)
    axes[3].plot(
      0, row["divergence"], "o", **POINT, label="u = 2, and T = f'(p/q)"
    )
    axes[0].set_ylabel(form.title, fontsize=10)
  figure.align_ylabels(panels[::4])
  return curves.legend(figure)


REPRODUCTION = Reproduction(
  id="fgan_conjugates",
  source="f-GAN 2016, arXiv 1606.00709, section 2 and supplement",
  summary="f, its conjugate and its critic: the bound is tight at T = f'(p/q)",
  compute=compute,
  draw=draw,
)
