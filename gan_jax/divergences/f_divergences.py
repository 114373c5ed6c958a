"""f-divergences and the variational objectives that estimate them.

An f-divergence is D_f(p || q) = int q f(p / q), f convex. It is the maximum of
an objective over critics v. With the conjugate f*(t) = sup_u [u t - f(u)] and
an increasing activation g from the reals to the domain of f*,

  D_f(p || q) = sup_v E_p[g(v)] - E_q[f*(g(v))], reached where g(v) = f'(p / q).

A generator q that minimises this maximum descends D_f. One that maximises
E_q[g(v)] instead, the practical objective of f-GAN, descends another one:
`FDivergence.practical`.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy import special

from gan_jax.numerics import expm1, sigmoid, softplus, tanh
from gan_jax.types import Array

EXPONENT_LIMIT = 20.0
"""The critic output above which exponentials continue linearly.

The slope stays below e^20 = 4.9e8. If a network's Jacobian multiplies it by up
to 3e10 and an optimizer squares the product, the result is still below
float32's 3.4e38. No batch can distinguish a log density ratio of 20 from
infinity.
"""


def limit_exponent(x: Array) -> Array:
  """Limits x so that exp(limit(x)) is linear above L = EXPONENT_LIMIT.

  limit(x) = x                  where x <= L,
             L + log(1 + x - L) where x > L,

  so that exp(limit(x)) = e^L (1 + x - L) above L, with a continuous slope.
  """
  inside, beyond = _split_at_limit(x)
  return inside + jnp.log1p(beyond)


def limited_exp(x: Array, offset: float | Array = 0.0) -> Array:
  """Computes exp(limit_exponent(x) + offset), with accurate derivatives.

  Above L the second derivative in x is 0. That of the composition would be the
  rounding error of e^L - e^L.
  """
  inside, beyond = _split_at_limit(x)
  return jnp.exp(inside + offset) * (1.0 + beyond)


def _limited_expm1(x: Array) -> Array:
  """Computes exp(limit_exponent(x)) - 1, accurate for small x too."""
  inside, beyond = _split_at_limit(x)
  return expm1(inside) * (1.0 + beyond) + beyond


def _split_at_limit(x: Array) -> tuple[Array, Array]:
  """Returns min(x, L) and max(x - L, 0)."""
  # Clamped arguments instead of jnp.where, because the derivative of the branch
  # that is not taken would be 0 * inf. At x = L both slopes are 1, and JAX
  # takes their average.
  beyond = jnp.maximum(x - EXPONENT_LIMIT, 0.0)
  return jnp.minimum(x, EXPONENT_LIMIT), beyond


@jax.custom_jvp
def log_wright_omega(y: Array) -> Array:
  """Solves s + exp(s) = y for s, the logarithm of the Wright omega function.

  exp(s) = W(exp(y)), with W the Lambert function. The logarithm is finite for
  every finite y, even where W underflows or exp(y) overflows.

  References:
    Corless and Jeffrey, The Wright omega function, 2002.
  """
  # The left side is convex and increasing, so Newton's method converges from
  # every start. The error of this start is at most log 2 (at y = 0), and five
  # steps then reach the precision of float64.
  s = jnp.minimum(y, jnp.log1p(jnp.maximum(y, 0.0)))
  for _ in range(5):
    omega = jnp.exp(s)
    s -= (s + omega - y) / (1.0 + omega)
  return s


@log_wright_omega.defjvp
def _log_wright_omega_jvp(primals, tangents):
  # From (1 + e^s) s' = 1. Unlike the iteration's derivative, this is exact.
  s = log_wright_omega(*primals)
  return s, sigmoid(-s) * tangents[0]


class Integrand(NamedTuple):
  """The integrand q f(p / q) of a divergence, as elementwise functions.

  Attributes:
    f: u = p / q -> f(u), convex on u >= 0.
    at_zero: the limit f(0), the contribution of a unit of q where p = 0.
    slope_at_infinity: the limit of f(u) / u for u -> inf, the contribution of a
      unit of p where q = 0.
    perspective: (p, q, r = log p / q) -> q f(p / q), for p, q >= 0 that may
      underflow although r does not. If p or q is 0, r is very large instead of
      infinite, and the result is correct wherever its limit is finite.
  """

  f: Callable[[Array], Array]
  at_zero: float
  slope_at_infinity: float
  perspective: Callable[[Array, Array, Array], Array]


class FDivergence(NamedTuple):
  """A divergence and its variational objective, as elementwise functions.

  Attributes:
    f, at_zero, slope_at_infinity, perspective: those of `Integrand`.
    activation: v -> g(v), increasing, from the reals into the domain of f*.
    conjugate: t -> f*(t), in the published form.
    conjugate_of_activation: v -> f*(g(v)), in a form without the cancellation
      and overflow of the composition.
    probability: whether the optimal v is log p / q, so that sigmoid(v) is
      p / (p + q), the probability that a sample is real.
    practical: D_h, which a generator that minimises J_G = -E_q[g(v)] descends.
      At the best critic g(v) = f'(u). A change dq then changes J_G by
      -int dq f'(u), and D_h by int dq (h(u) - u h'(u)). These are equal if
      u h'(u) - h(u) = f'(u); so h'' = f'' / u, and h is convex. As int dq = 0,
      a constant may be added to f', and any multiple of u to h.

  References:
    Poole, Alemi, Sohl-Dickstein and Angelova, Improved generator objectives for
      GANs, arXiv 1612.02780.
    Shannon et al., Non-saturating GAN training as divergence minimization,
      arXiv 2010.08029, on the practical divergence of "gan".
  """

  f: Callable[[Array], Array]
  at_zero: float
  slope_at_infinity: float
  perspective: Callable[[Array, Array, Array], Array]
  activation: Callable[[Array], Array]
  conjugate: Callable[[Array], Array]
  conjugate_of_activation: Callable[[Array], Array]
  probability: bool
  practical: Integrand


def _expm1_of_limit_both(v: Array) -> Array:
  """Computes exp(limit(v)) - 1, with v limited above L and below -L."""
  return _limited_expm1(-limit_exponent(-v))


def _sqrt(x: Array) -> Array:
  # The slope at 0 is set to 0, because 0 * inf in the chain rule is NaN.
  positive = x > 0
  return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def _jeffrey_conjugate(t: Array) -> Array:
  # f'(u) = log u + 1 - 1/u = t has the solution 1/u = W(e^(1-t)) = w, and
  # f*(t) = t u - f(u) = w + 1/w + t - 2, the published form, in which w and t
  # cancel for t -> -inf. Inserting w = 1 - t - log w gives 1/w - log w - 1.
  s = log_wright_omega(1.0 - t)
  return jnp.exp(-s) - s - 1.0


def _jeffrey_conjugate_of_activation(v: Array) -> Array:
  t = limit_exponent(v)
  s = log_wright_omega(1.0 - t)
  # In the second derivative of e^-s beyond the limit, e^L - e^L would cancel.
  # With w = e^s = 1 - t - s, e^-s = e^(t + w - 1), and e^t is linear there. The
  # minimum is s there, and keeps the branch that is not taken finite.
  w = jnp.exp(jnp.minimum(s, 0.0))
  beyond = limited_exp(v, w - 1.0) + t + w - 2.0
  return jnp.where(v > EXPONENT_LIMIT, beyond, jnp.exp(-s) - s - 1.0)


# KL(q || p) less "jensen_shannon", so that h = (1 + u) log((1 + u) / (2 u)).
_NON_SATURATING = Integrand(
  f=lambda u: (1.0 + u) * (jnp.log1p(1.0 / u) - math.log(2.0)),
  at_zero=math.inf,
  slope_at_infinity=-math.log(2.0),
  perspective=lambda p, q, r: (p + q) * (softplus(-r) - math.log(2.0)),
)
_TOTAL_VARIATION = Integrand(
  f=lambda u: 0.5 * jnp.abs(u - 1.0),
  at_zero=0.5,
  slope_at_infinity=0.5,
  perspective=lambda p, q, r: 0.5 * jnp.abs(p - q),
)

# Where the objective has an exponential of v, `limit_exponent` is applied to v
# in both g and f*(g). For every increasing g the objective is a lower bound of
# D_f, so beyond the limit it still estimates this divergence and the optimal v
# is finite. Continuing the two exponentials separately would lose both
# properties: for Neyman's divergence the objective would grow without bound as
# v -> -inf wherever q > p.
#
# Derivations of f*(g(v)), where they are not immediate:
#   jensen_shannon: e^t = 2 sigmoid(v), so that
#     -log(2 - e^t) = -log(2 sigmoid(-v)) = softplus(v) - log 2
#   gan: e^t = sigmoid(v), so that -log(1 - e^t) = softplus(v)
#   neyman: 1 - t = e^-v, so that 2 - 2 sqrt(1 - t) = -2 (e^(-v/2) - 1)
#   squared_hellinger: 1 - t = e^-v, so that t / (1 - t) = e^v - 1
F_DIVERGENCES: dict[str, FDivergence] = {
  # E_p[log p / q].
  "kl": FDivergence(
    f=lambda u: special.xlogy(u, u),
    at_zero=0.0,
    slope_at_infinity=math.inf,
    perspective=lambda p, q, r: p * r,
    activation=limit_exponent,
    conjugate=lambda t: jnp.exp(t - 1.0),
    conjugate_of_activation=lambda v: limited_exp(v, -1.0),
    probability=False,
    # KL(q || p).
    practical=Integrand(
      f=lambda u: -jnp.log(u),
      at_zero=math.inf,
      slope_at_infinity=0.0,
      perspective=lambda p, q, r: -q * r,
    ),
  ),
  # E_q[log q / p].
  "reverse_kl": FDivergence(
    f=lambda u: -jnp.log(u),
    at_zero=math.inf,
    slope_at_infinity=0.0,
    perspective=lambda p, q, r: -q * r,
    activation=lambda v: -limited_exp(-v),
    conjugate=lambda t: -1.0 - jnp.log(-t),
    conjugate_of_activation=lambda v: -1.0 - limit_exponent(-v),
    probability=True,
    # Half of Neyman's.
    practical=Integrand(
      f=lambda u: 0.5 * jnp.square(1.0 - u) / u,
      at_zero=math.inf,
      slope_at_infinity=0.5,
      perspective=lambda p, q, r: 0.5 * (q - p) * expm1(-r),
    ),
  ),
  # Twice the Jensen-Shannon divergence whose largest value is log 2.
  "jensen_shannon": FDivergence(
    f=lambda u: special.xlogy(u, u) - (u + 1.0) * jnp.log((u + 1.0) / 2.0),
    at_zero=math.log(2.0),
    slope_at_infinity=math.log(2.0),
    perspective=lambda p, q, r: (
      p * (math.log(2.0) - softplus(-r)) + q * (math.log(2.0) - softplus(r))
    ),
    activation=lambda v: math.log(2.0) - softplus(-v),
    conjugate=lambda t: -jnp.log(2.0 - jnp.exp(t)),
    conjugate_of_activation=lambda v: softplus(v) - math.log(2.0),
    probability=True,
    practical=_NON_SATURATING,
  ),
  # The value of the minimax game: "jensen_shannon" - log 4, so f(1) is not 0.
  "gan": FDivergence(
    f=lambda u: special.xlogy(u, u) - (u + 1.0) * jnp.log1p(u),
    at_zero=0.0,
    slope_at_infinity=0.0,
    perspective=lambda p, q, r: -p * softplus(-r) - q * softplus(r),
    activation=lambda v: -softplus(-v),
    conjugate=lambda t: -jnp.log(-jnp.expm1(t)),
    conjugate_of_activation=softplus,
    probability=True,
    practical=_NON_SATURATING,
  ),
  # int (p - q)^2 / q. The conjugate is that of f on all reals. With u >= 0 only
  # it would be constant, with slope 0, below t = -2.
  "pearson": FDivergence(
    f=lambda u: jnp.square(u - 1.0),
    at_zero=1.0,
    slope_at_infinity=math.inf,
    perspective=lambda p, q, r: (p - q) * (jnp.exp(r) - 1.0),
    activation=lambda v: v,
    conjugate=lambda t: t * t / 4.0 + t,
    conjugate_of_activation=lambda v: v * v / 4.0 + v,
    probability=False,
    # 2 KL(p || q).
    practical=Integrand(
      f=lambda u: 2.0 * special.xlogy(u, u),
      at_zero=0.0,
      slope_at_infinity=math.inf,
      perspective=lambda p, q, r: 2.0 * p * r,
    ),
  ),
  # int (p - q)^2 / p.
  "neyman": FDivergence(
    f=lambda u: jnp.square(1.0 - u) / u,
    at_zero=math.inf,
    slope_at_infinity=1.0,
    perspective=lambda p, q, r: (q - p) * (jnp.exp(-r) - 1.0),
    activation=lambda v: -_limited_expm1(-v),
    conjugate=lambda t: 2.0 - 2.0 * jnp.sqrt(1.0 - t),
    conjugate_of_activation=lambda v: -2.0 * expm1(limit_exponent(-v) / 2.0),
    probability=False,
    # int (q^3 / p^2 - q) / 3.
    practical=Integrand(
      f=lambda u: (1.0 / jnp.square(u) - 1.0) / 3.0,
      at_zero=math.inf,
      slope_at_infinity=0.0,
      perspective=lambda p, q, r: q * expm1(-2.0 * r) / 3.0,
    ),
  ),
  # int (sqrt p - sqrt q)^2.
  "squared_hellinger": FDivergence(
    f=lambda u: jnp.square(jnp.sqrt(u) - 1.0),
    at_zero=1.0,
    slope_at_infinity=1.0,
    perspective=lambda p, q, r: jnp.square(_sqrt(p) - _sqrt(q)),
    activation=lambda v: -_expm1_of_limit_both(-v),
    conjugate=lambda t: t / (1.0 - t),
    conjugate_of_activation=_expm1_of_limit_both,
    probability=False,
    # 2/3 int (q sqrt(q / p) - q).
    practical=Integrand(
      f=lambda u: (1.0 / jnp.sqrt(u) - 1.0) / 1.5,
      at_zero=math.inf,
      slope_at_infinity=0.0,
      perspective=lambda p, q, r: q * expm1(-r / 2.0) / 1.5,
    ),
  ),
  # KL(p || q) + KL(q || p).
  "jeffrey": FDivergence(
    f=lambda u: (u - 1.0) * jnp.log(u),
    at_zero=math.inf,
    slope_at_infinity=math.inf,
    perspective=lambda p, q, r: (p - q) * r,
    activation=limit_exponent,
    conjugate=_jeffrey_conjugate,
    conjugate_of_activation=_jeffrey_conjugate_of_activation,
    probability=False,
    # KL(q || p) and half of Neyman's.
    practical=Integrand(
      f=lambda u: 0.5 * jnp.square(1.0 - u) / u - jnp.log(u),
      at_zero=math.inf,
      slope_at_infinity=0.5,
      perspective=lambda p, q, r: 0.5 * (q - p) * expm1(-r) - q * r,
    ),
  ),
  # 1/2 int |p - q|.
  "total_variation": FDivergence(
    *_TOTAL_VARIATION,
    activation=lambda v: 0.5 * tanh(v),
    conjugate=lambda t: t,
    conjugate_of_activation=lambda v: 0.5 * tanh(v),
    probability=False,
    # The same: f'' is 0 but where u = 1.
    practical=_TOTAL_VARIATION,
  ),
}
"""The divergences of Nowozin, Cseke and Tomioka, f-GAN: Training Generative
Neural Samplers using Variational Divergence Minimization, arXiv 1606.00709
(section 2 and supplement), by name; p is the data and q the generator."""


def named(name: str) -> FDivergence:
  """Returns F_DIVERGENCES[name], or raises ValueError with the names."""
  if name not in F_DIVERGENCES:
    allowed = ", ".join(F_DIVERGENCES)
    raise ValueError(f"no f-divergence is called {name!r}; allowed: {allowed}")
  return F_DIVERGENCES[name]
