"""Tests Boltzmann machines against enumeration in NumPy and float64."""

import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from gan_jax.estimation import boltzmann

N, M = 4, 3
LAYERS = ((N, M), (M, N))
DATA = np.array([[0, 0, 1, 1], [1, 0, 1, 1], [1, 1, 0, 0]], float)


def some_model(n=N, m=M, scale=1.0):
  """A machine whose parameters are all different."""
  random = np.random.default_rng(0)
  return boltzmann.RBM(
    *(
      jnp.asarray(scale * random.normal(size=shape), jnp.float32)
      for shape in ((n, m), n, m)
    )
  )


def states(n) -> np.ndarray:
  return np.array(list(itertools.product((0.0, 1.0), repeat=n)))


def energies(model) -> np.ndarray:
  """E(v, h) of all states, [2^n, 2^m], one term at a time."""
  w, b, c = (np.asarray(leaf, np.float64) for leaf in model)
  n, m = w.shape
  table = np.zeros((2**n, 2**m))
  for row, v in enumerate(states(n)):
    for column, h in enumerate(states(m)):
      for i in range(n):
        table[row, column] -= b[i] * v[i]
        for j in range(m):
          table[row, column] -= v[i] * w[i, j] * h[j]
      table[row, column] -= sum(c[j] * h[j] for j in range(m))
  return table


def weights_of(model) -> np.ndarray:
  """exp(-E(v, h)), [2^n, 2^m]."""
  return np.exp(-energies(model))


def probabilities(model) -> np.ndarray:
  """p(v), [2^n]."""
  joint = weights_of(model)
  return joint.sum(axis=1) / joint.sum()


def transitions(model) -> np.ndarray:
  """sum_h p(h | v) p(v' | h), [2^n, 2^n]."""
  joint = weights_of(model)
  return (joint / joint.sum(axis=1, keepdims=True)) @ (
    joint / joint.sum(axis=0)
  ).T


def mean_gradient(model, weights):
  """The mean of dF(v)/dparams under weights [2^n] of the states v.

  dF/dparams = -E[v h^T, v, h | v].
  """
  joint = weights_of(model)
  given = weights[:, None] * joint / joint.sum(axis=1, keepdims=True)
  n, m = model.weights.shape
  v, h = states(n), states(m)
  return boltzmann.RBM(
    -np.einsum("ab,ai,bj->ij", given, v, h),
    -np.einsum("ab,ai->i", given, v),
    -np.einsum("ab,bj->j", given, h),
  )


def data_weights():
  """The empirical distribution of DATA over the states."""
  return np.mean([(states(N) == row).all(axis=1) for row in DATA], axis=0)


def assert_mean_is(test, gradients, expected):
  """Checks means over the first axis, within five standard errors."""
  for leaf, value in zip(gradients, expected, strict=True):
    draws = np.asarray(leaf, np.float64)
    error = draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
    test.assertLess(np.max(error), 0.02)
    np.testing.assert_array_less(np.abs(draws.mean(axis=0) - value), 5 * error)


class EnergyTest(parameterized.TestCase):
  @parameterized.parameters(*LAYERS)
  def test_energy(self, n, m):
    model = some_model(n, m)
    for column, h in enumerate(states(m)):
      hidden = np.tile(h, (2**n, 1))
      np.testing.assert_allclose(
        boltzmann.energy(model, jnp.asarray(states(n)), jnp.asarray(hidden)),
        energies(model)[:, column],
        rtol=1e-5,
        atol=1e-5,
      )

  @parameterized.parameters(*LAYERS)
  def test_free_energy(self, n, m):
    model = some_model(n, m)
    np.testing.assert_allclose(
      boltzmann.free_energy(model, jnp.asarray(states(n))),
      -np.log(weights_of(model).sum(axis=1)),
      rtol=1e-5,
      atol=1e-5,
    )

  def test_large_parameters(self):
    # As the parameters grow, F(v) becomes the least energy.
    model = some_model(scale=1e4)
    np.testing.assert_allclose(
      boltzmann.free_energy(model, jnp.asarray(states(N))),
      energies(model).min(axis=1),
      rtol=1e-5,
    )

  def test_wrong_shapes_raise(self):
    model = some_model()
    with self.assertRaises(AssertionError):
      boltzmann.free_energy(model, jnp.zeros((2, N + 1)))
    with self.assertRaises(AssertionError):
      boltzmann.energy(model, jnp.zeros((2, N)), jnp.zeros((2, N)))
    with self.assertRaises(AssertionError):
      boltzmann.free_energy(
        model._replace(hidden_bias=model.visible_bias), jnp.zeros((2, N))
      )


class LogLikelihoodTest(parameterized.TestCase):
  @parameterized.parameters(*LAYERS)
  def test_log_partition(self, n, m):
    model = some_model(n, m)
    np.testing.assert_allclose(
      boltzmann.log_partition(model),
      np.log(weights_of(model).sum()),
      rtol=1e-6,
    )

  def test_only_one_layer_needs_to_be_small(self):
    # Without weights Z is the product of (1 + exp(bias)) over all units.
    for n, m in ((50, 2), (2, 50)):
      model = boltzmann.RBM(jnp.zeros((n, m)), jnp.ones(n), -jnp.ones(m))
      np.testing.assert_allclose(
        boltzmann.log_partition(model),
        n * np.log1p(np.exp(1)) + m * np.log1p(np.exp(-1)),
        rtol=1e-6,
      )
    with self.assertRaisesRegex(ValueError, "21 units"):
      boltzmann.log_partition(boltzmann.init(jax.random.key(0), 30, 21))

  def test_order_of_states(self):
    np.testing.assert_array_equal(boltzmann.all_states(N), states(N))

  def test_log_likelihood(self):
    model = some_model()
    np.testing.assert_allclose(
      boltzmann.log_likelihood(model, jnp.asarray(DATA)),
      data_weights() @ np.log(probabilities(model)),
      rtol=1e-5,
    )

  def test_gradient(self):
    # d(mean log p)/dparams = E_p dF/dparams - E_data dF/dparams.
    model = some_model()
    gradient = jax.grad(boltzmann.log_likelihood)(model, jnp.asarray(DATA))
    chex.assert_trees_all_close(
      gradient,
      jax.tree.map(
        np.subtract,
        mean_gradient(model, probabilities(model)),
        mean_gradient(model, data_weights()),
      ),
      atol=1e-5,
    )
    with jax.enable_x64(True):
      exact = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), model)
      for name, index in (
        ("weights", (2, 1)),
        ("visible_bias", (3,)),
        ("hidden_bias", (0,)),
      ):

        def moved(by, name=name, index=index, exact=exact):
          leaf = getattr(exact, name).at[index].add(by)
          return exact._replace(**{name: leaf})

        high, low = (
          boltzmann.log_likelihood(moved(by), jnp.asarray(DATA))
          for by in (1e-5, -1e-5)
        )
        self.assertAlmostEqual(
          float(getattr(gradient, name)[index]),
          float(high - low) / 2e-5,
          delta=1e-5,
        )


class GibbsTest(parameterized.TestCase):
  @parameterized.parameters(*LAYERS)
  def test_transition_matrix(self, n, m):
    model = some_model(n, m)
    matrix = np.asarray(boltzmann.transition_matrix(model), np.float64)
    np.testing.assert_allclose(matrix, transitions(model), atol=1e-6)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-5)
    stationary = probabilities(model)
    np.testing.assert_allclose(stationary @ matrix, stationary, atol=1e-6)
    flow = stationary[:, None] * matrix
    np.testing.assert_allclose(flow, flow.T, atol=1e-6)

  @parameterized.parameters(1, 3)
  def test_chains_follow_the_transition_matrix(self, num_steps):
    # Frequencies of 20,000 chains have standard errors below .0036.
    model = some_model()
    start = 11
    chains = jnp.tile(states(N)[start], (20_000, 1))
    chains = boltzmann.gibbs_chain(
      model, jax.random.key(0), jnp.asarray(chains), num_steps
    )
    index = np.asarray(chains, int) @ (2 ** np.arange(N)[::-1])
    np.testing.assert_allclose(
      np.bincount(index, minlength=2**N) / len(index),
      np.linalg.matrix_power(transitions(model), num_steps)[start],
      atol=0.015,
    )


class ContrastiveDivergenceTest(parameterized.TestCase):
  @parameterized.parameters(1, 3)
  def test_expected_gradient_of_cd(self, num_steps):
    # The chains start at the data, so their mean is under p_data T^k.
    model = some_model()
    keys = jax.random.split(jax.random.key(0), 4_000)

    @jax.jit
    @jax.vmap
    def draw(key):
      return boltzmann.contrastive_divergence(
        model, jnp.asarray(DATA), key, num_steps
      )

    gradients, chains = draw(keys)
    chex.assert_shape(chains, (len(keys), *DATA.shape))
    after = data_weights() @ np.linalg.matrix_power(
      transitions(model), num_steps
    )
    expected = jax.tree.map(
      np.subtract,
      mean_gradient(model, data_weights()),
      mean_gradient(model, after),
    )
    assert_mean_is(self, gradients, expected)

  def test_cd_misses_a_far_mode(self):
    # With the energy -4 (V - 2) (H - 3/2) + constant, the states with all units
    # on and with all units off have about 1/2 each. The data are the first. In
    # the gradient by the visible bias, -E_data v + E_model v, the model's mean
    # is 1/2, but chains of one step are still at the data.
    model = boltzmann.RBM(
      jnp.full((N, M), 4.0), jnp.full(N, -6.0), jnp.full(M, -8.0)
    )
    data = jnp.ones((1_000, N))
    gradient, _ = boltzmann.contrastive_divergence(
      model, data, jax.random.key(0), 1
    )
    np.testing.assert_allclose(gradient.visible_bias, 0, atol=0.05)
    exact = jax.grad(boltzmann.log_likelihood)(model, data)
    np.testing.assert_allclose(exact.visible_bias, 0.5, atol=0.01)

  def test_stationary_chains_have_the_gradient_of_the_likelihood(self):
    model = some_model()
    keys = jax.random.split(jax.random.key(1), 4_000)

    @jax.jit
    @jax.vmap
    def draw(key):
      start_key, steps_key = jax.random.split(key)
      start = jax.random.choice(
        start_key,
        jnp.asarray(states(N)),
        (5,),
        p=jnp.asarray(probabilities(model)),
      )
      return boltzmann.contrastive_divergence(
        model, jnp.asarray(DATA), steps_key, 1, start
      )

    gradients, chains = draw(keys)
    chex.assert_shape(chains, (len(keys), 5, N))
    exact = jax.grad(boltzmann.log_likelihood)(model, jnp.asarray(DATA))
    assert_mean_is(
      self, gradients, jax.tree.map(lambda leaf: -np.asarray(leaf), exact)
    )

  def test_persistent_chains_continue(self):
    model, key = some_model(), jax.random.key(0)
    start = jnp.asarray(states(N))
    _, chains = boltzmann.contrastive_divergence(
      model, jnp.asarray(DATA), key, 2, start
    )
    np.testing.assert_array_equal(
      chains, boltzmann.gibbs_chain(model, key, start, 2)
    )

  def test_learns_with_persistent_chains(self):
    # Two equally probable states: no likelihood is above -log 2.
    data = jnp.asarray(DATA[:2].repeat(20, axis=0))
    model = boltzmann.init(jax.random.key(0), N, M, stddev=0.1)
    before = boltzmann.log_likelihood(model, data)

    def update(index, carry):
      model, chains = carry
      gradient, chains = boltzmann.contrastive_divergence(
        model, data, jax.random.fold_in(jax.random.key(1), index), 1, chains
      )
      return jax.tree.map(
        lambda leaf, slope: leaf - 0.1 * slope, model, gradient
      ), chains

    model, _ = jax.lax.fori_loop(0, 1_000, update, (model, data))
    after = boltzmann.log_likelihood(model, data)
    self.assertLess(before, -2.5)
    self.assertBetween(float(after), -np.log(2) - 0.3, -np.log(2))


class AnnealedImportanceSamplingTest(parameterized.TestCase):
  @parameterized.product(num_temperatures=(1, 4), has_base=(False, True))
  def test_unbiased(self, num_temperatures, has_base):
    model = some_model()
    base = jnp.asarray([0.5, -1.0, 0.0, 2.0]) if has_base else None
    keys = jax.random.split(jax.random.key(0), 2_000)

    @jax.jit
    @jax.vmap
    def estimate(key):
      return boltzmann.annealed_importance_sampling(
        model, key, 200, num_temperatures, base
      )

    estimates = estimate(keys)
    log_partition = np.log(weights_of(model).sum())
    errors = np.asarray(estimates.log_partition, np.float64) - log_partition
    ratios = np.exp(errors)
    spread = ratios.std(ddof=1)
    self.assertLess(spread, 0.5)
    self.assertLess(abs(ratios.mean() - 1), 5 * spread / np.sqrt(len(ratios)))
    # The standard error is that of Z, relative to Z.
    stderr = np.asarray(estimates.stderr, np.float64)
    np.testing.assert_allclose(
      np.sqrt(np.mean((ratios * stderr) ** 2)), spread, rtol=0.15
    )

  def test_more_temperatures_help(self):
    model = some_model(scale=2.0)
    keys = jax.random.split(jax.random.key(0), 50)

    def stderr(num_temperatures):
      estimate = jax.vmap(
        lambda key: boltzmann.annealed_importance_sampling(
          model, key, 100, num_temperatures
        )
      )
      return np.median(estimate(keys).stderr)

    self.assertLess(stderr(100), stderr(3) / 3)

  def test_without_weights_it_is_exact(self):
    # The first machine is the last, so that all weights are 1.
    bias = jnp.asarray([0.5, -1.0, 0.0, 2.0])
    model = boltzmann.RBM(jnp.zeros((N, M)), bias, jnp.zeros(M))
    estimate = boltzmann.annealed_importance_sampling(
      model, jax.random.key(0), 3, 5, bias
    )
    np.testing.assert_allclose(
      estimate.log_partition, boltzmann.log_partition(model), rtol=1e-5
    )
    np.testing.assert_allclose(estimate.stderr, 0, atol=1e-5)


if __name__ == "__main__":
  absltest.main()
