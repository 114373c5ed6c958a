"""Tests penalties on critics of known slope, and weight clipping."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized

from gan_jax import penalties

KEY = jax.random.key(0)


def samples(*shape):
  return jax.random.normal(jax.random.key(len(shape)), (2, *shape))


def linear_cost(penalty, shape=(6, 2)):
  """The penalty of C(x) = w . x, whose slope is |w|, as a function of w."""
  real, fake = samples(*shape)
  axes = tuple(range(1, len(shape)))

  def cost(w):
    return penalty(lambda x: jnp.sum(w[None] * x, axes), real, fake, KEY)

  return cost


class GradientPenaltyTest(parameterized.TestCase):
  @parameterized.product(
    w=((3.0, -4.0), (0.3, -0.4)), target=(1.0, 0.0), one_sided=(False, True)
  )
  def test_linear_critic(self, w, target, one_sided):
    # |w| = n, 5 or 1/2: the value is weight (n - target)^2, its gradient
    # 2 weight (n - target) w / n; both are 0 on the side that is free.
    norm, weight = np.hypot(*w), 10.0
    excess = norm - target
    if one_sided:
      excess = max(excess, 0.0)
    cost = linear_cost(penalties.gradient_penalty(weight, target, one_sided))
    value, gradient = jax.jit(jax.value_and_grad(cost))(jnp.asarray(w))
    np.testing.assert_allclose(value, weight * excess**2, rtol=1e-5)
    np.testing.assert_allclose(
      gradient, 2 * weight * excess * np.asarray(w) / norm, rtol=1e-5
    )

  def test_norm_is_over_all_axes_of_an_image(self):
    # 2 * 2 * 3 weights of 1/2: the norm is sqrt(12 / 4) = sqrt 3.
    cost = linear_cost(penalties.gradient_penalty(2.0), (5, 2, 2, 3))
    np.testing.assert_allclose(
      cost(jnp.full((2, 2, 3), 0.5)), 2 * (np.sqrt(3) - 1) ** 2, rtol=1e-5
    )

  @parameterized.parameters(0.0, 1e-30, 1e-12, 1e-9, 1e-6)
  def test_derivatives_are_finite_at_and_near_zero(self, size):
    cost = linear_cost(penalties.gradient_penalty(10.0))
    w = jnp.asarray([size, 0.0])
    np.testing.assert_allclose(cost(w), 10.0, rtol=1e-5)
    gradient = jax.jit(jax.grad(cost))(w)
    hessian = np.asarray(jax.jit(jax.jacfwd(jax.grad(cost)))(w))
    # From the closed form, -2 weight w / |w|, but 0 within 1e-10 of zero.
    expected = -20.0 if size > 1e-10 else 0.0
    np.testing.assert_allclose(gradient, [expected, 0.0], rtol=1e-5)
    self.assertTrue(np.all(np.isfinite(hessian)))
    # Across w the Hessian of the norm is 1 / |w|, hence -20 / |w| here.
    across = -20.0 / size if size > 1e-10 else 0.0
    np.testing.assert_allclose(hessian[1, 1], across, rtol=1e-5)

  def test_dead_network_has_finite_gradients(self):
    real, fake = samples(4, 2)

    def cost(params):
      def critic(x):
        return (jax.nn.relu(x @ params["in"]) @ params["out"])[:, 0]

      return penalties.gradient_penalty(10.0)(critic, real, fake, KEY)

    dead = {"in": jnp.zeros((2, 3)), "out": jnp.zeros((3, 1))}
    value, gradient = jax.jit(jax.value_and_grad(cost))(dead)
    np.testing.assert_allclose(value, 10.0, rtol=1e-5)
    for leaf in jax.tree.leaves(gradient):
      np.testing.assert_array_equal(leaf, 0.0)

  def test_points_are_uniform_between_each_pair(self):
    # C(x) = |x|^2 / 2 has slope |x|. Between (3, 0) and (0, 1) the squared
    # slope is 9 e^2 + (1 - e)^2, with mean 10/3 and standard deviation 2.5
    # over e ~ U(0, 1); 10^5 samples leave 0.008.
    n = 100_000
    real, fake = (
      jnp.tile(jnp.asarray([point]), (n, 1))
      for point in ([3.0, 0.0], [0.0, 1.0])
    )
    value = penalties.gradient_penalty(1.0, target=0.0)(
      lambda x: 0.5 * jnp.sum(x**2, 1), real, fake, KEY
    )
    np.testing.assert_allclose(value, 10 / 3, atol=0.04)

  def test_gradient_in_a_network_by_finite_differences(self):
    # C(x) = v . tanh(W x) has the slope |W' (v (1 - tanh^2(W x)))|. Where real
    # equals fake, so does the point between them.
    with jax.enable_x64(True):
      rng = np.random.default_rng(0)
      x, w, v = (rng.normal(size=s) for s in ((7, 2), (3, 2), (3,)))

      def reference(w):
        slopes = (v * (1 - np.tanh(x @ w.T) ** 2)) @ w
        return 10 * np.mean((np.linalg.norm(slopes, axis=1) - 1) ** 2)

      def cost(w):
        return penalties.gradient_penalty(10.0)(
          lambda x: jnp.tanh(x @ w.T) @ v, jnp.asarray(x), jnp.asarray(x), KEY
        )

      value, gradient = jax.jit(jax.value_and_grad(cost))(jnp.asarray(w))
      self.assertEqual(gradient.dtype, jnp.float64)
      np.testing.assert_allclose(value, reference(w), rtol=1e-10)
      for index in np.ndindex(*w.shape):
        step = np.zeros_like(w)
        step[index] = 1e-5
        slope = (reference(w + step) - reference(w - step)) / 2e-5
        np.testing.assert_allclose(gradient[index], slope, rtol=1e-6)

  def test_weight_and_target_may_be_traced(self):
    @jax.jit
    def cost(weight, target):
      penalty = penalties.gradient_penalty(weight, target)
      return linear_cost(penalty)(jnp.asarray([3.0, 4.0]))

    weights, targets = jnp.asarray([1.0, 2.0]), jnp.asarray([1.0, 7.0])
    np.testing.assert_allclose(
      jax.vmap(cost)(weights, targets), [16.0, 8.0], rtol=1e-5
    )

  def test_wrong_shapes_are_refused(self):
    penalty = penalties.gradient_penalty(10.0)
    real, fake = samples(4, 2)
    with self.assertRaises(AssertionError):
      penalty(lambda x: x[:, :1], real, fake, KEY)
    with self.assertRaises(AssertionError):
      penalty(lambda x: x[:, 0], real, fake[:3], KEY)


def shifted(key, x):
  """Moves samples of two numbers by (1, 2)."""
  del key
  return x + jnp.asarray([[1.0, 2.0]])


def symmetric(matrix):
  return 0.5 * (matrix + matrix.T)


WEIGHT = 3.0
A = np.array([[1.0, 2.0], [0.5, -1.0]])
S = symmetric(A)
W = np.array([3.0, -4.0])
SHIFT = np.array([1.0, 2.0])
REAL = np.array([[1.0, 2.0], [-1.0, 0.5], [0.0, 3.0]])
FAKE = np.array([[0.5, -2.0], [2.0, 1.0], [-0.25, 0.75]])

# name: (factory, value on C(x) = W . x, its gradient in W, its Hessian).
# The slope is |W| = 5 everywhere.
EYE = np.eye(2)
ALONG = np.outer(W, W) / 25.0
LINEAR = {
  # weight / 2 |w|^2.
  "r1": (penalties.r1, 1.5 * 25, 3 * W, 3 * EYE),
  "r2": (penalties.r2, 1.5 * 25, 3 * W, 3 * EYE),
  # weight |w|^2.
  "zero_centered": (penalties.zero_centered, 3 * 25, 6 * W, 6 * EYE),
  # weight (|w| - 1)^2: the Hessian is 2 weight along w, and across it the
  # gradient 2 weight (|w| - 1) turns at the rate 1 / |w|.
  "dragan": (
    penalties.dragan,
    3 * 16,
    6 * 4 * W / 5,
    6 * ALONG + 6 * 4 / 5 * (EYE - ALONG),
  ),
  # weight (w . a)^2 for the shift a, with w . a = -5.
  "consistency": (
    lambda weight: penalties.consistency(weight, shifted),
    3 * 25,
    6 * -5 * SHIFT,
    6 * np.outer(SHIFT, SHIFT),
  ),
}


def quadratic(matrix):
  """C(x) = x' A x / 2, whose gradient is S x with S = (A + A') / 2."""
  return lambda x: 0.5 * jnp.sum((x @ matrix) * x, axis=1)


def squared_slope(x):
  """E |S x|^2 and its gradient in A, symmetric as S is: 2 E sym(S x x')."""
  slopes = x @ S
  return np.mean(np.sum(slopes**2, 1)), 2 * symmetric(slopes.T @ x) / len(x)


def half(pair):
  return pair[0] / 2, pair[1] / 2


def doubled_values():
  """Of T(x) = 2 x: C(T(x)) - C(x) = 3 C(x), and dC/dA = x x' / 2."""
  values = np.sum((REAL @ A) * REAL, 1) / 2
  return 9 * np.mean(values**2), 9 * (REAL.T * values) @ REAL / len(REAL)


# name: (factory, real, fake, (value, gradient in A)), weight left out. Where
# real equals fake, it is the point between them.
QUADRATIC = {
  "r1": (penalties.r1, REAL, FAKE, half(squared_slope(REAL))),
  "r2": (penalties.r2, REAL, FAKE, half(squared_slope(FAKE))),
  "zero_centered": (penalties.zero_centered, REAL, REAL, squared_slope(REAL)),
  "dragan": (
    lambda weight: penalties.dragan(weight, target=0.0, spread=0.0),
    REAL,
    FAKE,
    squared_slope(REAL),
  ),
  "consistency": (
    lambda weight: penalties.consistency(weight, lambda _, x: 2.0 * x),
    REAL,
    FAKE,
    doubled_values(),
  ),
}


class PenaltiesTest(parameterized.TestCase):
  @parameterized.parameters(*LINEAR)
  def test_linear_critic(self, name):
    factory, value, gradient, hessian = LINEAR[name]
    cost = linear_cost(factory(WEIGHT))
    w = jnp.asarray(W)
    np.testing.assert_allclose(cost(w), value, rtol=1e-5)
    np.testing.assert_allclose(jax.jit(jax.grad(cost))(w), gradient, rtol=1e-5)
    np.testing.assert_allclose(
      jax.jit(jax.hessian(cost))(w), hessian, rtol=1e-5, atol=1e-5
    )

  @parameterized.parameters(*QUADRATIC)
  def test_quadratic_critic(self, name):
    factory, real, fake, (value, gradient) = QUADRATIC[name]
    real, fake = jnp.float32(real), jnp.float32(fake)

    @jax.jit
    @jax.value_and_grad
    def cost(a, real, fake):
      return factory(WEIGHT)(quadratic(a), real, fake, KEY)

    measured = cost(jnp.float32(A), real, fake)
    chex.assert_type(measured, jnp.float32)
    np.testing.assert_allclose(measured[0], WEIGHT * value, rtol=1e-5)
    np.testing.assert_allclose(
      measured[1], WEIGHT * gradient, rtol=1e-5, atol=1e-5
    )

  @parameterized.parameters(
    ("r1", 1), ("r2", 0), ("dragan", 1), ("consistency", 1)
  )
  def test_one_side_is_not_looked_at(self, name, unused):
    factory, real, fake, (value, _) = QUADRATIC[name]
    real, fake = jnp.float32(real), jnp.float32(fake)
    critic, penalty = quadratic(jnp.float32(A)), factory(WEIGHT)
    swapped = penalty(critic, fake, real, KEY)
    self.assertGreater(abs(swapped / (WEIGHT * value) - 1), 0.1)
    sides = [real, fake]
    sides[unused] = jnp.full((3, 2), jnp.nan)
    np.testing.assert_allclose(
      penalty(critic, sides[0], sides[1], KEY), WEIGHT * value, rtol=1e-5
    )

  @parameterized.parameters(*LINEAR)
  def test_derivatives_are_finite_at_zero(self, name):
    # A critic that is 0 costs nothing, or the distance to the target 1.
    factory, _, _, hessian = LINEAR[name]
    cost, zero = linear_cost(factory(WEIGHT)), jnp.zeros(2)
    expected = WEIGHT if name == "dragan" else 0.0
    np.testing.assert_allclose(cost(zero), expected, rtol=1e-5)
    np.testing.assert_array_equal(jax.jit(jax.grad(cost))(zero), 0.0)
    # The penalties that take no root have the same Hessian everywhere.
    np.testing.assert_allclose(
      jax.jit(jax.hessian(cost))(zero),
      0 * hessian if name == "dragan" else hessian,
      rtol=1e-5,
    )

  @parameterized.parameters(*LINEAR)
  def test_wrong_shape_of_values_is_refused(self, name):
    factory, *_ = LINEAR[name]
    real, fake = samples(4, 2)
    with self.assertRaises(AssertionError):
      factory(WEIGHT)(lambda x: x[:, :1], real, fake, KEY)

  def test_wrong_shape_of_augmented_is_refused(self):
    penalty = penalties.consistency(1.0, lambda _, x: x[1:])
    real, fake = samples(4, 2)
    with self.assertRaises(AssertionError):
      penalty(lambda x: x[:, 0], real, fake, KEY)

  def test_zero_centered_is_uniform_between_each_pair(self):
    # As for `gradient_penalty`: (3, 0) to (0, 1) has the mean 10/3.
    real, fake = (
      jnp.tile(jnp.asarray([point]), (100_000, 1))
      for point in ([3.0, 0.0], [0.0, 1.0])
    )
    value = penalties.zero_centered(2.0)(quadratic(jnp.eye(2)), real, fake, KEY)
    np.testing.assert_allclose(value, 20 / 3, atol=0.08)

  def test_dragan_adds_normal_noise_of_half_the_spread_of_data(self):
    # Half the samples are m = 4, half 0: a standard deviation of 2 and noise
    # n ~ N(0, 1). C = x^2 / 2 has the squared slope (m + n)^2, of mean m^2 + 1,
    # and C = x^3 / 3 has (m + n)^4, of mean m^4 + 6 m^2 + 3: over the samples
    # 8 + 1 and 128 + 48 + 3. Standard deviations of 10 and 250 leave 0.03, 0.8.
    real = jnp.tile(jnp.asarray([[4.0], [0.0]]), (50_000, 1))
    fake = jnp.full_like(real, 100.0)
    penalty = penalties.dragan(1.0, target=0.0)
    for power, expected, atol in ((2, 9.0, 0.2), (3, 179.0, 6.0)):
      value = penalty(
        lambda x, power=power: x[:, 0] ** power / power, real, fake, KEY
      )
      np.testing.assert_allclose(value, expected, atol=atol)

  def test_combined_adds(self):
    critic = quadratic(jnp.float32(A))
    real, fake = jnp.float32(REAL), jnp.float32(FAKE)
    both = penalties.combined(penalties.r1(2.0), penalties.r2(4.0))
    # 2/2 E_real + 4/2 E_fake.
    expected = squared_slope(REAL)[0] + 2 * squared_slope(FAKE)[0]
    np.testing.assert_allclose(
      both(critic, real, fake, KEY), expected, rtol=1e-5
    )
    self.assertEqual(penalties.combined()(critic, real, fake, KEY), 0.0)

  def test_combined_splits_the_key(self):
    keys = []

    def penalty(critic, real, fake, key):
      del critic, real, fake
      keys.append(jax.random.key_data(key).tolist())
      return jnp.zeros(())

    real, fake = samples(4, 2)
    penalties.combined(penalty, penalty)(lambda x: x[:, 0], real, fake, KEY)
    self.assertNotEqual(keys[0], keys[1])

  def test_lazy_is_charged_at_every_kth_step(self):
    # Four times weight |w|^2 at steps 0 and 4, and four times its gradient.
    def cost(w, step):
      penalty = penalties.lazy(penalties.zero_centered(WEIGHT), 4, step)
      return linear_cost(penalty)(w)

    values, gradients = zip(
      *(
        jax.jit(jax.value_and_grad(cost))(jnp.asarray(W), jnp.int32(step))
        for step in range(8)
      ),
      strict=True,
    )
    due = 4.0 * np.array([1, 0, 0, 0, 1, 0, 0, 0])
    np.testing.assert_allclose(values, 75 * due, rtol=1e-5)
    np.testing.assert_allclose(
      np.stack(gradients), due[:, None] * 6 * W, rtol=1e-5
    )

  def test_lazy_computes_nothing_between_times(self):
    calls = []

    def penalty(critic, real, fake, key):
      del fake, key
      jax.debug.callback(lambda: calls.append(1))
      return jnp.mean(critic(real))

    @jax.jit
    @jax.grad
    def gradient(w, step):
      return linear_cost(penalties.lazy(penalty, 4, step))(w)

    for step in range(8):
      jax.block_until_ready(gradient(jnp.asarray(W), jnp.int32(step)))
    jax.effects_barrier()
    self.assertLen(calls, 2)

  def test_lazy_without_a_step_is_right_on_average(self):
    penalty = penalties.lazy(penalties.r1(2.0), 4)
    critic = quadratic(jnp.float32(A))
    real, fake = jnp.float32(REAL), jnp.float32(FAKE)
    keys = jax.random.split(KEY, 10_000)
    values = np.asarray(
      jax.jit(jax.vmap(lambda key: penalty(critic, real, fake, key)))(keys)
    )
    full, _ = squared_slope(REAL)
    np.testing.assert_allclose(np.unique(values), [0.0, 4 * full], rtol=1e-5)
    # A share of 1/4 has a standard error of 0.0043, 1.7 % of it.
    np.testing.assert_allclose(values.mean(), full, rtol=0.07)

  def test_lazy_that_is_never_lazy_is_the_penalty(self):
    real, fake = jnp.float32(REAL), jnp.float32(FAKE)
    for step in (None, jnp.int32(3)):
      value = penalties.lazy(penalties.r1(2.0), 1, step)(
        quadratic(jnp.float32(A)), real, fake, KEY
      )
      np.testing.assert_allclose(value, squared_slope(REAL)[0], rtol=1e-5)

  def test_lazy_refuses_a_period_of_none(self):
    with self.assertRaisesRegex(
      ValueError, "every must be at least 1 step, not 0"
    ):
      penalties.lazy(penalties.r1(1.0), 0)


class WeightClippingTest(parameterized.TestCase):
  @parameterized.parameters(
    (optax.sgd(0.3),), (optax.adam(0.1),), (optax.rmsprop(0.1),)
  )
  def test_parameters_stay_in_the_box(self, optimizer):
    # Of sum (p - centre)^2 / 2, from inside and outside: centres beyond the box
    # end on its sides, the one within it is reached.
    limit = 0.5
    params = {"a": jnp.asarray([0.0, 0.0, 3.0]), "b": {"c": jnp.zeros(())}}
    centres = {"a": jnp.asarray([2.0, -2.0, 0.1]), "b": {"c": jnp.asarray(9.0)}}
    optimizer = optax.chain(optimizer, penalties.weight_clipping(limit))
    optimizer_state = optimizer.init(params)

    @jax.jit
    def step(params, optimizer_state):
      gradients = jax.tree.map(jnp.subtract, params, centres)
      updates, optimizer_state = optimizer.update(
        gradients, optimizer_state, params
      )
      return optax.apply_updates(params, updates), optimizer_state

    for _ in range(60):
      params, optimizer_state = step(params, optimizer_state)
      largest = max(jnp.max(jnp.abs(p)) for p in jax.tree.leaves(params))
      self.assertLessEqual(float(largest), limit * (1 + 1e-6))
    np.testing.assert_allclose(params["a"][:2], [0.5, -0.5], rtol=1e-6)
    np.testing.assert_allclose(params["a"][2], 0.1, atol=0.06)
    np.testing.assert_allclose(params["b"]["c"], 0.5, rtol=1e-6)

  def test_updates_within_the_box_are_kept(self):
    # 0.2 + 0.1 stays; 0.2 + 0.9 ends at 1; -3 - 1 at -1; 0.5 - 2 at -1.
    clip = penalties.weight_clipping(jnp.asarray(1.0))
    params = jnp.asarray([0.2, 0.2, -3.0, 0.5])
    updates, _ = clip.update(
      jnp.asarray([0.1, 0.9, -1.0, -2.0]), clip.init(params), params
    )
    chex.assert_trees_all_close(
      updates, jnp.asarray([0.1, 0.8, 2.0, -1.5]), rtol=1e-5
    )

  def test_params_are_asked_for(self):
    clip = penalties.weight_clipping(1.0)
    with self.assertRaisesRegex(ValueError, "weight_clipping needs params"):
      clip.update(jnp.zeros(2), clip.init(jnp.zeros(2)))


if __name__ == "__main__":
  absltest.main()
