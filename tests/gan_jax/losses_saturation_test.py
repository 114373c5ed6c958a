"""Tests the losses' derivatives at logits of certain discriminators.

Expected values and derivatives are closed forms in NumPy float64, each written
so that nothing cancels.
"""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy.special import expit, wrightomega

from gan_jax import losses
from gan_jax.divergences import f_divergences

LOGITS = (-80.0, -30.0, -15.0, -5.0, -0.5, 0.0, 0.5, 5.0, 15.0, 30.0, 80.0)
LIMIT = 20.0
RTOL = 1e-5
SMALLEST = np.finfo(np.float32).tiny

# A term is a function of one logit that returns its value, its slope and its
# second derivative.


def negated(term):
  return lambda x: tuple(-y for y in term(x))


def mirrored(term):
  """The term of -x."""

  def of_opposite(x):
    value, slope, bend = term(-x)
    return value, -slope, bend

  return of_opposite


def shifted(term, by):
  return lambda x: (term(x)[0] + by, *term(x)[1:])


def zero(x):
  return 0 * x, 0 * x, 0 * x


def linear(x):
  return x, 1 + 0 * x, 0 * x


def softplus(x):
  return np.logaddexp(0, x), expit(x), expit(x) * expit(-x)


def sigmoid(x):
  slope = expit(x) * expit(-x)
  return expit(x), slope, -slope * np.tanh(x / 2)


def half_tanh(x):
  slope = 2 * expit(2 * x) * expit(-2 * x)
  return np.tanh(x) / 2, slope, -2 * slope * np.tanh(x)


def half_square(target):
  return lambda x: ((x - target) ** 2 / 2, x - target, 1 + 0 * x)


def margin(x):
  """max(0, 1 + x)."""
  return np.maximum(0, 1 + x), np.where(x > -1, 1, 0), 0 * x


def beyond(x):
  return np.maximum(x - LIMIT, 0)


def exponential(x):
  """exp(x) up to LIMIT, and its tangent beyond."""
  slope = np.exp(np.minimum(x, LIMIT))
  return slope * (1 + beyond(x)), slope, np.where(x < LIMIT, slope, 0)


def limit(x):
  """The logarithm of `exponential`."""
  slope = 1 / (1 + beyond(x))
  value = np.minimum(x, LIMIT) + np.log1p(beyond(x))
  return value, slope, np.where(x < LIMIT, 0, -(slope**2))


def both_exponential(x):
  """`exponential` for x > 0, and the inverse of exponential(-x) below."""
  value, slope, bend = exponential(x)
  inverse, inverse_slope, _ = exponential(-x)
  # (1 / e)' = -e' / e^2, and with e'' = 0 beyond the limit
  # (1 / e)'' = 2 e'^2 / e^3.
  is_beyond = x < -LIMIT
  return (
    np.where(is_beyond, 1 / inverse, value),
    np.where(is_beyond, inverse_slope / inverse**2, slope),
    np.where(is_beyond, 2 * inverse_slope**2 / inverse**3, bend),
  )


def kl_conjugate(x):
  return tuple(y / np.e for y in exponential(x))


def pearson_conjugate(x):
  return x**2 / 4 + x, x / 2 + 1, 0.5 + 0 * x


def neyman_conjugate(x):
  """2 - 2 sqrt(e(-x)), e the exponential."""
  value, slope, bend = exponential(-x)
  root = np.sqrt(value)
  return (
    2 - 2 * root,
    slope / root,
    np.where(-x < LIMIT, -bend / (2 * root), slope**2 / (2 * root**3)),
  )


def jeffrey_conjugate(x):
  """1/w - log w - 1 with w = W(exp(1 - t)) and t = limit(x)."""
  t, slope, _ = limit(x)
  w = np.real(wrightomega(1 - t))
  # The slope in t is 1 / w, and w' = -w / (1 + w). Beyond the limit t'' is
  # -t'^2, so that the second derivative is t'^2 (1 / (w (1 + w)) - 1 / w).
  bend = np.where(x < LIMIT, 1 / (w * (1 + w)), -1 / (1 + w))
  return 1 / w - np.log(w) - 1, slope / w, slope**2 * bend


CROSS_ENTROPY = mirrored(softplus), softplus
LOG_2 = np.log(2)

# Name: the loss, and J_D and J_G as pairs of terms in r and in f. J_G is None
# if it is -J_D.
SEPARABLE = {
  "minimax": (losses.minimax(), CROSS_ENTROPY, None),
  "minimax_smoothed": (
    losses.minimax(real_label=0.75),
    # softplus(-r) + r / 4 = 3/4 softplus(-r) + 1/4 softplus(r).
    (
      lambda r: tuple(
        0.75 * a + 0.25 * b
        for a, b in zip(CROSS_ENTROPY[0](r), softplus(r), strict=True)
      ),
      softplus,
    ),
    None,
  ),
  "non_saturating": (
    losses.non_saturating(),
    CROSS_ENTROPY,
    (zero, mirrored(softplus)),
  ),
  "maximum_likelihood": (
    losses.maximum_likelihood(),
    CROSS_ENTROPY,
    (zero, negated(exponential)),
  ),
  "least_squares": (
    losses.least_squares(),
    (half_square(1), half_square(0)),
    (zero, half_square(1)),
  ),
  "hinge": (
    losses.hinge(),
    (mirrored(margin), margin),
    (zero, negated(linear)),
  ),
  "wasserstein": (
    losses.wasserstein(),
    (negated(linear), linear),
    (zero, negated(linear)),
  ),
  "bounded_linear": (
    losses.bounded_linear(),
    (negated(sigmoid), sigmoid),
    None,
  ),
} | {
  key: (losses.f_divergence(name, practical), terms, generator)
  for name, terms in {
    "kl": (negated(limit), kl_conjugate),
    "reverse_kl": (
      mirrored(exponential),
      shifted(negated(mirrored(limit)), -1),
    ),
    "jensen_shannon": (
      shifted(mirrored(softplus), -LOG_2),
      shifted(softplus, -LOG_2),
    ),
    "gan": CROSS_ENTROPY,
    "pearson": (negated(linear), pearson_conjugate),
    "neyman": (shifted(mirrored(exponential), -1), neyman_conjugate),
    "squared_hellinger": (
      shifted(mirrored(both_exponential), -1),
      shifted(both_exponential, -1),
    ),
    "jeffrey": (negated(limit), jeffrey_conjugate),
    "total_variation": (negated(half_tanh), half_tanh),
  }.items()
  # The practical generator maximises what the discriminator does on real data.
  for key, practical, generator in (
    (f"f_{name}", False, None),
    (f"practical_{name}", True, (zero, terms[0])),
  )
}
# Name: the loss and J_D as a term in f - r; J_G is the same term in r - f.
RELATIVISTIC = {
  # A batch of one has its mean, so both of J_D's terms are softplus(f - r).
  "relativistic_average": (
    losses.relativistic_average(),
    lambda x: tuple(2 * y for y in softplus(x)),
  ),
  "relativistic_pairing": (losses.relativistic_pairing(), softplus),
}


def derivatives(cost, real, fake):
  """The value, [2] slopes and [2, 2] second derivatives of batches of one."""

  def of_numbers(both):
    return cost(both[:1], both[1:])

  both = jnp.stack([jnp.asarray(real), jnp.asarray(fake)], -1)
  return [
    np.asarray(jax.jit(jax.vmap(function))(both.astype(jnp.float32)), float)
    for function in (of_numbers, jax.grad(of_numbers), jax.hessian(of_numbers))
  ]


class SaturationTest(parameterized.TestCase):
  def test_every_f_divergence_is_here(self):
    for name in f_divergences.F_DIVERGENCES:
      self.assertContainsSubset({f"f_{name}", f"practical_{name}"}, SEPARABLE)

  def assert_close(self, actual, expected, scale=None):
    scale = np.abs(expected) if scale is None else scale
    error = np.abs(actual - expected)
    bound = np.maximum(RTOL * scale, SMALLEST)
    worst = np.argmax(error / bound)
    self.assertLessEqual(
      np.ravel(error / bound)[worst],
      1.0,
      f"{np.ravel(actual)[worst]} is not {np.ravel(expected)[worst]}; "
      f"index {worst}",
    )

  @parameterized.named_parameters((name, name) for name in SEPARABLE)
  def test_separable(self, name):
    loss, discriminator, generator = SEPARABLE[name]
    if generator is None:
      generator = tuple(map(negated, discriminator))
    real, fake = map(np.ravel, np.meshgrid(LOGITS, LOGITS))
    for cost, terms in (
      (loss.discriminator, discriminator),
      (loss.generator, generator),
    ):
      of_real, of_fake = terms[0](real), terms[1](fake)
      value, slopes, bends = derivatives(cost, real, fake)
      self.assert_close(
        value,
        of_real[0] + of_fake[0],
        # The two terms, or a term's constant, may cancel.
        np.abs(of_real[0]) + np.abs(of_fake[0]) + 0.01,
      )
      for index, of_one in enumerate((of_real, of_fake)):
        with self.subTest(f"slope in {index}"):
          self.assert_close(slopes[:, index], of_one[1])
        with self.subTest(f"second derivative in {index}"):
          self.assert_close(bends[:, index, index], of_one[2])
      np.testing.assert_array_equal(bends[:, 0, 1], 0.0)

  @parameterized.named_parameters((name, name) for name in RELATIVISTIC)
  def test_relativistic(self, name):
    loss, term = RELATIVISTIC[name]
    # Both signs of the logits, and of their differences.
    real, fake = np.asarray([(x / 2, -x / 2) for x in LOGITS]).T
    for cost, sign in ((loss.discriminator, 1), (loss.generator, -1)):
      expected, slope, bend = term(sign * (fake - real))
      value, slopes, bends = derivatives(cost, real, fake)
      self.assert_close(value, expected)
      self.assert_close(slopes, sign * np.stack([-slope, slope], -1))
      self.assert_close(
        bends.reshape(-1, 4), np.stack([bend, -bend, -bend, bend], -1)
      )


if __name__ == "__main__":
  absltest.main()
