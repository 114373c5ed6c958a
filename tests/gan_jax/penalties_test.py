"""Penalties on critics whose slopes are known, and clipped optimizers."""

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
