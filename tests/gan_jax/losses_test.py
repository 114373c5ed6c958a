"""Tests of the loss factories.

Expected values and slopes are NumPy float64, written from the published
formulas with an explicit sigmoid and logarithm.
"""

import functools
import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import scipy.special
from absl.testing import absltest, parameterized

from gan_jax import losses
from gan_jax.divergences import f_divergences
from gan_jax.types import Players

REAL = np.array([2.0, -1.0, 0.5, 0.25])
FAKE = np.array([-0.5, 1.5, -3.0, 0.75])

FACTORIES = {
  "minimax": losses.minimax,
  "non_saturating": losses.non_saturating,
  "maximum_likelihood": losses.maximum_likelihood,
  "least_squares": losses.least_squares,
  "hinge": losses.hinge,
  "wasserstein": losses.wasserstein,
  "bounded_linear": losses.bounded_linear,
  "relativistic_average": losses.relativistic_average,
  "relativistic_pairing": losses.relativistic_pairing,
} | {
  f"f_divergence_{name}": functools.partial(losses.f_divergence, name)
  for name in f_divergences.F_DIVERGENCES
}
PRACTICAL = {
  f"practical_{name}": functools.partial(
    losses.f_divergence, name, practical=True
  )
  for name in f_divergences.F_DIVERGENCES
}
FACTORIES |= PRACTICAL
ZERO_SUM = (
  "minimax",
  "bounded_linear",
  *(name for name in FACTORIES if name.startswith("f_divergence")),
)


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def cross_entropy(r, f):
  return -np.log(sigmoid(r)) - np.log(1 - sigmoid(f))


def divergence_value(g, conjugate):
  return lambda r, f: -g(r) + conjugate(g(f))


def jeffrey_conjugate(t):
  w = np.real(scipy.special.wrightomega(1 - t))
  return w + 1 / w + t - 2


# name: per-sample (J_D, dJ_D/dr, dJ_D/df), whose means are the costs. With
# D = sigmoid(logit): D' = D (1 - D), (-log D)' = -(1 - D), (-log(1 - D))' = D.
# In the f-divergences the slopes are -g'(r) and, as f*' inverts f', u g'(f)
# where u solves f'(u) = g(f).
DISCRIMINATORS = {
  "minimax": (cross_entropy, lambda r: sigmoid(r) - 1, sigmoid),
  "bounded_linear": (
    lambda r, f: -sigmoid(r) + sigmoid(f),
    lambda r: -sigmoid(r) * (1 - sigmoid(r)),
    lambda f: sigmoid(f) * (1 - sigmoid(f)),
  ),
  "least_squares": (
    lambda r, f: (r - 1) ** 2 / 2 + f**2 / 2,
    lambda r: r - 1,
    lambda f: f,
  ),
  # Of these samples r = 2 and f = -3 are beyond the margin, and pay nothing.
  "hinge": (
    lambda r, f: np.maximum(0, 1 - r) + np.maximum(0, 1 + f),
    lambda r: np.where(r < 1, -1, 0),
    lambda f: np.where(f > -1, 1, 0),
  ),
  "wasserstein": (lambda r, f: f - r, lambda r: 0 * r - 1, lambda f: 0 * f + 1),
  # g = v, f'(u) = 1 + log u.
  "f_divergence_kl": (
    divergence_value(lambda v: v, lambda t: np.exp(t - 1)),
    lambda r: 0 * r - 1,
    lambda f: np.exp(f - 1),
  ),
  # g = -e^-v, f'(u) = -1/u, so u = e^v and u g' = 1.
  "f_divergence_reverse_kl": (
    divergence_value(lambda v: -np.exp(-v), lambda t: -1 - np.log(-t)),
    lambda r: -np.exp(-r),
    lambda f: 0 * f + 1,
  ),
  # g = log 2D, so g' = 1 - D and u = D / (1 - D).
  "f_divergence_jensen_shannon": (
    divergence_value(
      lambda v: np.log(2 * sigmoid(v)), lambda t: -np.log(2 - np.exp(t))
    ),
    lambda r: sigmoid(r) - 1,
    sigmoid,
  ),
  "f_divergence_gan": (cross_entropy, lambda r: sigmoid(r) - 1, sigmoid),
  # g = v, f'(u) = 2 (u - 1).
  "f_divergence_pearson": (
    divergence_value(lambda v: v, lambda t: t**2 / 4 + t),
    lambda r: 0 * r - 1,
    lambda f: 1 + f / 2,
  ),
  # g = 1 - e^-v, f'(u) = 1 - u^-2, so u = e^(v/2).
  "f_divergence_neyman": (
    divergence_value(
      lambda v: 1 - np.exp(-v), lambda t: 2 - 2 * np.sqrt(1 - t)
    ),
    lambda r: -np.exp(-r),
    lambda f: np.exp(f / 2) * np.exp(-f),
  ),
  # g = 1 - e^-v, f'(u) = 1 - u^-1/2, so u = e^(2v).
  "f_divergence_squared_hellinger": (
    divergence_value(lambda v: 1 - np.exp(-v), lambda t: t / (1 - t)),
    lambda r: -np.exp(-r),
    lambda f: np.exp(2 * f) * np.exp(-f),
  ),
  # g = v, f'(u) = log u + 1 - 1/u, so 1/u = W(e^(1 - v)).
  "f_divergence_jeffrey": (
    divergence_value(lambda v: v, jeffrey_conjugate),
    lambda r: 0 * r - 1,
    lambda f: 1 / np.real(scipy.special.wrightomega(1 - f)),
  ),
  # g = tanh(v) / 2 = f*(g).
  "f_divergence_total_variation": (
    divergence_value(lambda v: np.tanh(v) / 2, lambda t: t),
    lambda r: -(1 - np.tanh(r) ** 2) / 2,
    lambda f: (1 - np.tanh(f) ** 2) / 2,
  ),
}
DISCRIMINATORS["non_saturating"] = DISCRIMINATORS["minimax"]
DISCRIMINATORS["maximum_likelihood"] = DISCRIMINATORS["minimax"]
DISCRIMINATORS |= {
  name: DISCRIMINATORS[name.replace("practical", "f_divergence")]
  for name in PRACTICAL
}

# name: per-sample (J_G, dJ_G/df) of the games that are not zero-sum.
GENERATORS = {
  # Goodfellow's slope -(1 - D) / 2, without his 1/2.
  "non_saturating": (
    lambda f: -np.log(sigmoid(f)),
    lambda f: -(1 - sigmoid(f)),
  ),
  "maximum_likelihood": (lambda f: -np.exp(f), lambda f: -np.exp(f)),
  "least_squares": (lambda f: (f - 1) ** 2 / 2, lambda f: f - 1),
  "hinge": (lambda f: -f, lambda f: 0 * f - 1),
  "wasserstein": (lambda f: -f, lambda f: 0 * f - 1),
  # -g(f) and -g'(f), with the g of the discriminators above.
  **dict.fromkeys(
    ("practical_kl", "practical_pearson", "practical_jeffrey"),
    (lambda f: -f, lambda f: 0 * f - 1),
  ),
  "practical_reverse_kl": (lambda f: np.exp(-f), lambda f: -np.exp(-f)),
  **dict.fromkeys(
    ("practical_neyman", "practical_squared_hellinger"),
    (lambda f: np.exp(-f) - 1, lambda f: -np.exp(-f)),
  ),
  "practical_jensen_shannon": (
    lambda f: -np.log(2 * sigmoid(f)),
    lambda f: -(1 - sigmoid(f)),
  ),
  "practical_gan": (
    lambda f: -np.log(sigmoid(f)),
    lambda f: -(1 - sigmoid(f)),
  ),
  "practical_total_variation": (
    lambda f: -np.tanh(f) / 2,
    lambda f: -(1 - np.tanh(f) ** 2) / 2,
  ),
}


def values(loss, real: npt.ArrayLike = REAL, fake: npt.ArrayLike = FAKE):
  """Both costs in float32."""
  arguments = jnp.asarray(real, jnp.float32), jnp.asarray(fake, jnp.float32)
  costs = Players(loss.generator(*arguments), loss.discriminator(*arguments))
  chex.assert_type(costs, jnp.float32)
  chex.assert_shape(costs, ())
  return costs


def slopes(cost, real: npt.ArrayLike = REAL, fake: npt.ArrayLike = FAKE):
  """The derivatives of a cost in the real and in the fake logits."""
  return jax.grad(cost, argnums=(0, 1))(
    jnp.asarray(real, jnp.float32), jnp.asarray(fake, jnp.float32)
  )


def assert_close(measured, expected, rtol=2e-6, atol=1e-6):
  chex.assert_trees_all_close(
    jax.tree.map(np.float64, measured), expected, rtol=rtol, atol=atol
  )


class SeparableTest(parameterized.TestCase):
  """Losses that are a mean over r plus a mean over f."""

  @parameterized.parameters(*DISCRIMINATORS)
  def test_discriminator(self, name):
    value, real_slope, fake_slope = DISCRIMINATORS[name]
    loss = FACTORIES[name]()
    assert_close(values(loss).discriminator, value(REAL, FAKE).mean())
    # The mean over the batch of 4 divides every sample's slope by 4.
    assert_close(
      slopes(loss.discriminator), (real_slope(REAL) / 4, fake_slope(FAKE) / 4)
    )

  @parameterized.parameters(*GENERATORS)
  def test_generator(self, name):
    value, fake_slope = GENERATORS[name]
    loss = FACTORIES[name]()
    assert_close(values(loss).generator, value(FAKE).mean())
    assert_close(slopes(loss.generator), (0 * REAL, fake_slope(FAKE) / 4))

  @parameterized.parameters(*ZERO_SUM)
  def test_zero_sum(self, name):
    loss = FACTORIES[name]()
    costs = values(loss)
    self.assertEqual(float(costs.generator), -float(costs.discriminator))
    # Goodfellow's minimax slope -D / 2, without his 1/2, among them.
    _, real_slope, fake_slope = DISCRIMINATORS[name]
    assert_close(
      slopes(loss.generator), (-real_slope(REAL) / 4, -fake_slope(FAKE) / 4)
    )

  def test_every_loss_is_covered(self):
    relativistic = {"relativistic_average", "relativistic_pairing"}
    self.assertEqual(set(DISCRIMINATORS) | relativistic, set(FACTORIES))
    self.assertEqual({*GENERATORS, *ZERO_SUM, *relativistic}, set(FACTORIES))


class ConventionsTest(parameterized.TestCase):
  @parameterized.parameters(
    # At logit 0, D = 1/2. Goodfellow's figure 16 has half of these:
    # -log(2) / 2 = -0.347 less the real term, 0.347 and -0.5.
    ("minimax", -2 * np.log(2), 2 * np.log(2)),
    ("non_saturating", np.log(2), 2 * np.log(2)),
    ("maximum_likelihood", -1.0, 2 * np.log(2)),
    ("least_squares", 0.5, 0.5),
    ("hinge", 0.0, 2.0),
    ("wasserstein", 0.0, 0.0),
    ("bounded_linear", 0.0, 0.0),
    ("relativistic_average", 2 * np.log(2), 2 * np.log(2)),
    ("relativistic_pairing", np.log(2), np.log(2)),
  )
  def test_at_logits_zero(self, name, generator, discriminator):
    zeros = np.zeros(4)
    costs = values(FACTORIES[name](), zeros, zeros)
    assert_close(costs, Players(generator, discriminator))

  def test_least_squares_targets(self):
    loss = losses.least_squares(
      real_target=1.0, fake_target=-1.0, generator_target=0.25
    )
    # J_D = ((2 - 1)^2 + (3 + 1)^2) / 2, J_G = (3 - 1/4)^2 / 2.
    assert_close(values(loss, [2.0], [3.0]), Players(3.78125, 8.5))
    for cost, expected in (
      (loss.discriminator, (1.0, 4.0)),
      (loss.generator, (0.0, 2.75)),
    ):
      np.testing.assert_allclose(
        np.ravel(slopes(cost, [2.0], [3.0])), expected, rtol=1e-6
      )

  def test_total_variation_is_bounded_linear_of_twice_the_logit(self):
    # tanh(v) / 2 = sigmoid(2 v) - 1/2, and the halves cancel.
    assert_close(
      values(losses.f_divergence("total_variation")),
      jax.tree.map(
        np.float64, values(losses.bounded_linear(), 2 * REAL, 2 * FAKE)
      ),
    )

  def test_probability(self):
    self.assertSetEqual(
      {name for name, factory in FACTORIES.items() if factory().probability},
      {
        "minimax",
        "non_saturating",
        "maximum_likelihood",
        "bounded_linear",
        "f_divergence_gan",
        "f_divergence_jensen_shannon",
        "f_divergence_reverse_kl",
        "practical_gan",
        "practical_jensen_shannon",
        "practical_reverse_kl",
      },
    )

  def test_unknown_divergence_lists_the_known(self):
    with self.assertRaises(ValueError) as context:
      losses.f_divergence("kullback", practical=True)
    for name in ("kullback", *f_divergences.F_DIVERGENCES):
      self.assertIn(name, str(context.exception))


class RelativisticTest(parameterized.TestCase):
  def test_average(self):
    loss = losses.relativistic_average()
    # a_i = D(r_i - E f) and b_j = D(f_j - E r). Each r_i moves a_i with slope 1
    # and all b_j with slope -1/B, and f likewise:
    #   J_D = -E log a - E log(1 - b):  dJ_D/dr = [-(1 - a) - E b] / B,
    #                                   dJ_D/df = [E(1 - a) + b] / B,
    #   J_G = -E log b - E log(1 - a):  dJ_G/dr = [E(1 - b) + a] / B,
    #                                   dJ_G/df = [-(1 - b) - E a] / B.
    a = sigmoid(REAL - FAKE.mean())
    b = sigmoid(FAKE - REAL.mean())
    assert_close(
      values(loss),
      Players(
        -np.log(b).mean() - np.log(1 - a).mean(),
        -np.log(a).mean() - np.log(1 - b).mean(),
      ),
    )
    assert_close(
      slopes(loss.discriminator),
      ((-(1 - a) - b.mean()) / 4, ((1 - a).mean() + b) / 4),
    )
    assert_close(
      slopes(loss.generator),
      (((1 - b).mean() + a) / 4, (-(1 - b) - a.mean()) / 4),
    )

  def test_pairing(self):
    loss = losses.relativistic_pairing()
    # With d = D(r - f), J_D = -E log d and J_G = -E log(1 - d): slopes -(1 - d)
    # and d in r - f.
    d = sigmoid(REAL - FAKE)
    assert_close(
      values(loss), Players(-np.log(1 - d).mean(), -np.log(d).mean())
    )
    assert_close(slopes(loss.discriminator), (-(1 - d) / 4, (1 - d) / 4))
    assert_close(slopes(loss.generator), (d / 4, -d / 4))

  @parameterized.parameters("relativistic_average", "relativistic_pairing")
  def test_a_constant_in_all_logits_changes_nothing(self, name):
    loss = FACTORIES[name]()
    assert_close(
      values(loss, REAL + 8, FAKE + 8),
      jax.tree.map(np.float64, values(loss)),
    )
    # Unlike one in the real logits alone.
    moved = values(loss, REAL + 8, FAKE)
    self.assertLess(moved.discriminator, values(loss).discriminator)
    self.assertGreater(moved.generator, values(loss).generator)


class ExtremesTest(parameterized.TestCase):
  @parameterized.parameters(*FACTORIES)
  def test_finite(self, name):
    loss = FACTORIES[name]()
    # Each pair of signs, and either side of where exponentials turn linear.
    grid = [-1e4, -100.0, -20.0, -1.0, 0.0, 1.0, 20.0, 100.0, 1e4]
    real, fake = map(np.ravel, np.meshgrid(grid, grid))
    real, fake = jnp.float32(real), jnp.float32(fake)

    @jax.jit
    def derivatives(real, fake):
      costs = Players(loss.generator, loss.discriminator)
      return [
        (
          cost(real, fake),
          jax.grad(cost, (0, 1))(real, fake),
          jax.hessian(cost, (0, 1))(real, fake),
        )
        for cost in costs
      ]

    # The grid, and batches all of one extreme.
    batches = [(real, fake)] + [
      (jnp.full_like(real, r), jnp.full_like(fake, f))
      for r, f in itertools.product((-1e4, 1e4), repeat=2)
    ]
    for batch in batches:
      for value, gradient, hessian in derivatives(*batch):
        # The sum of squares is what Adam and a norm clip accumulate.
        squares = jax.tree.map(lambda x: jnp.sum(jnp.square(x)), gradient)
        chex.assert_tree_all_finite((value, gradient, hessian, squares))

  def test_cross_entropy_is_linear_where_the_discriminator_is_wrong(self):
    # -log(sigmoid(-1e4)) = 1e4, on both sides.
    costs = values(losses.non_saturating(), [-1e4], [1e4])
    assert_close(costs.discriminator, 2e4)
    np.testing.assert_array_equal(
      np.ravel(slopes(losses.minimax().discriminator, [-1e4], [1e4])),
      [-1.0, 1.0],
    )

  def test_slope_of_the_generator_where_samples_are_surely_fake(self):
    # -(1 - D) = -1 where it does not saturate, -D = 0 where it does.
    for factory, slope in ((losses.non_saturating, -1), (losses.minimax, 0)):
      _, fake_slope = slopes(factory().generator, [1e4], [-1e4])
      np.testing.assert_array_equal(fake_slope, [slope])

  @parameterized.parameters(
    # exp up to 20, then its tangent e^20 (1 + x - 20); slopes to match.
    (19.0, np.exp(19), np.exp(19)),
    (20.0, np.exp(20), np.exp(20)),
    (25.0, 6 * np.exp(20), np.exp(20)),
    (1e4, 9981 * np.exp(20), np.exp(20)),
  )
  def test_maximum_likelihood_turns_linear(self, logit, value, slope):
    loss = losses.maximum_likelihood()
    _, fake_slope = slopes(loss.generator, [0.0], [logit])
    # float32 exponents of 20 to 30 carry errors of 1e-6.
    assert_close(values(loss, [0.0], [logit]).generator, -value, rtol=4e-6)
    assert_close(fake_slope, np.array([-slope]), rtol=4e-6)


class ShapesTest(parameterized.TestCase):
  @parameterized.product(
    name=list(FACTORIES),
    shapes=[((3,), (4,)), ((3, 1), (3, 1)), ((), ()), ((3,), (3, 1))],
  )
  def test_wrong_shapes_raise(self, name, shapes):
    real, fake = map(jnp.zeros, shapes)
    for cost in FACTORIES[name]()[:2]:
      with self.assertRaises(AssertionError):
        cost(real, fake)

  def test_the_number_of_a_loss_is_a_scalar(self):
    with self.assertRaises(AssertionError):
      losses.selected(jnp.arange(2), [losses.hinge(), losses.minimax()])


class SelectedTest(parameterized.TestCase):
  """Expected is each loss alone, which the tests above compare with NumPy."""

  def derivatives(self, loss, real, fake):
    """Value, gradient and its slope in a direction, of both players' costs."""
    logits = real, fake
    direction = jnp.arange(1.0, len(real) + 1), -jnp.ones(len(fake))
    return [
      (cost(*logits), *jax.jvp(jax.grad(cost, (0, 1)), logits, direction))
      for cost in (loss.generator, loss.discriminator)
    ]

  def test_members_have_different_losses(self):
    zoo = [factory() for factory in FACTORIES.values()]
    ordinary = jnp.float32(REAL), jnp.float32(FAKE)
    extreme = (
      jnp.float32([-1e4, 1e4, 1e4, -1e4]),
      jnp.float32([1e4, 1e4, -1e4, 25.0]),
    )

    @jax.jit
    @jax.vmap
    def pick(number, real, fake):
      return self.derivatives(losses.selected(number, zoo), real, fake)

    @jax.jit
    def alone(real, fake):
      return [self.derivatives(loss, real, fake) for loss in zoo]

    # One batch for each loss.
    numbers = jnp.arange(len(zoo))
    for logits in (ordinary, extreme):
      picked = pick(numbers, *(jnp.tile(x, (len(zoo), 1)) for x in logits))
      chex.assert_tree_all_finite(picked)
      for i, expected in enumerate(alone(*logits)):
        actual = jax.tree.map(lambda x, i=i: x[i], picked)
        chex.assert_trees_all_close(actual, expected, rtol=1e-5, atol=1e-6)

  def test_what_is_not_picked_cannot_spoil_what_is(self):
    # exp(100) is infinite in float32, and the difference of two is NaN.
    def overflow(real, fake):
      return jnp.mean(jnp.exp(fake) - jnp.exp(real))

    zoo = [losses.hinge(), losses.AdversarialLoss(overflow, overflow)]
    logits = jnp.float32([100.0, -2.0]), jnp.float32([100.0, 0.5])

    def derivatives(number):
      return self.derivatives(losses.selected(number, zoo), *logits)

    picked = jax.jit(jax.vmap(derivatives))(jnp.arange(2))
    chex.assert_trees_all_close(
      jax.tree.map(lambda x: x[0], picked),
      self.derivatives(zoo[0], *logits),
    )
    self.assertTrue(jnp.isnan(picked[0][0][1]))

  def test_a_constant_picks_too(self):
    loss = losses.selected(1, [losses.hinge(), losses.least_squares()])
    # Half squares: (2 - 1)^2 / 2 + 3^2 / 2 and (3 - 1)^2 / 2.
    assert_close(values(loss, [2.0], [3.0]), Players(2.0, 5.0))

  def test_the_output_counts_as_a_critic(self):
    self.assertFalse(losses.selected(0, [losses.minimax()]).probability)


if __name__ == "__main__":
  absltest.main()
