"""Restricted Boltzmann machines on binary data.

  p(v, h) = exp(-E(v, h)) / Z,  E(v, h) = -v^T W h - b^T v - c^T h,

with visible units v in {0, 1}^n and hidden units h in {0, 1}^m. The sum over h
is known, so that p(v) = exp(-F(v)) / Z with the free energy F. The sum Z over
both layers is not, unless one layer is small. The gradient of log Z is a mean
over the model's samples, which take a Markov chain, both in training and to
generate.

References:
  Hinton, Training Products of Experts by Minimizing Contrastive Divergence,
    Neural Computation 14(8), 2002.
  Goodfellow, NIPS 2016 Tutorial, arXiv 1701.00160, section 3.2.1.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from gan_jax.types import Array, PRNGKey

MAX_ENUMERATED_UNITS = 20
"""Most units of a layer whose 2^n states are enumerated."""

# By default accelerators round the inputs of matrix products to fewer bits. The
# error of an energy would be a factor of a probability.
_full_precision = jax.default_matmul_precision("highest")


class RBM(NamedTuple):
  """The parameters of the model.

  Attributes:
    weights: [n, m], W.
    visible_bias: [n], b.
    hidden_bias: [m], c.
  """

  weights: Array
  visible_bias: Array
  hidden_bias: Array


class Estimate(NamedTuple):
  """An estimate of log Z.

  Attributes:
    log_partition: [], the logarithm of the estimate of Z.
    stderr: [], its standard error, which is that of Z relative to Z.
  """

  log_partition: Array
  stderr: Array


def init(
  key: PRNGKey, num_visible: int, num_hidden: int, stddev: float = 0.01
) -> RBM:
  """Draws weights from N(0, stddev^2); the biases are 0."""
  shape = (num_visible, num_hidden)
  return RBM(
    stddev * jax.random.normal(key, shape),
    jnp.zeros(num_visible),
    jnp.zeros(num_hidden),
  )


def _check(model: RBM) -> None:
  n, m = model.weights.shape
  chex.assert_shape(model.visible_bias, (n,))
  chex.assert_shape(model.hidden_bias, (m,))


def _hidden_logits(model: RBM, visible: Array) -> Array:
  """Computes log p(h_j = 1 | v) / p(h_j = 0 | v), [k, m], for v [k, n]."""
  _check(model)
  chex.assert_shape(visible, (None, len(model.visible_bias)))
  return visible @ model.weights + model.hidden_bias[None]


def _sample_hidden(model: RBM, key: PRNGKey, visible: Array) -> Array:
  """Draws hidden units [k, m] given visible ones [k, n]."""
  probabilities = jax.nn.sigmoid(_hidden_logits(model, visible))
  return jax.random.bernoulli(key, probabilities).astype(visible.dtype)


def _transposed(model: RBM) -> RBM:
  """Exchanges the visible and the hidden layer."""
  return RBM(model.weights.T, model.hidden_bias, model.visible_bias)


@_full_precision
def energy(model: RBM, visible: Array, hidden: Array) -> Array:
  """Computes E(v, h) [k] of visible [k, n] and hidden [k, m] units."""
  chex.assert_shape(hidden, (len(visible), len(model.hidden_bias)))
  logits = _hidden_logits(model, visible)
  return -jnp.sum(hidden * logits, axis=1) - visible @ model.visible_bias


@_full_precision
def free_energy(model: RBM, visible: Array) -> Array:
  """Computes F(v) [k] of visible units [k, n].

  F(v) = -log sum_h exp(-E(v, h))
       = -b^T v - sum_j log(1 + exp(c_j + (v^T W)_j)).
  """
  softplus = jax.nn.softplus(_hidden_logits(model, visible))
  return -visible @ model.visible_bias - jnp.sum(softplus, axis=1)


@_full_precision
def gibbs_step(model: RBM, key: PRNGKey, visible: Array) -> Array:
  """Draws hidden units given visible ones [k, n], and new visible ones.

  h ~ p(h | v),  v' ~ p(v | h).

  The units of a layer are independent given the other layer.
  """
  hidden_key, visible_key = jax.random.split(key)
  hidden = _sample_hidden(model, hidden_key, visible)
  return _sample_hidden(_transposed(model), visible_key, hidden)


def gibbs_chain(
  model: RBM, key: PRNGKey, visible: Array, num_steps: int
) -> Array:
  """Takes steps of k chains from visible units [k, n]; returns the last."""

  def step(index, visible):
    return gibbs_step(model, jax.random.fold_in(key, index), visible)

  return jax.lax.fori_loop(0, num_steps, step, visible)


def contrastive_divergence(
  model: RBM,
  data: Array,
  key: PRNGKey,
  num_steps: int,
  chains: Array | None = None,
) -> tuple[RBM, Array]:
  """Estimates the gradient of the negative log-likelihood by Gibbs sampling.

  d/dparams (-E_data log p(v)) = E_data dF(v)/dparams - E_p dF(v)/dparams.

  The second mean, the negative phase, is over chains after `num_steps` steps.
  Contrastive divergence (CD-k) starts them at the data, which is biased: it
  misses modes of the model that are far from the data. Persistent contrastive
  divergence (PCD) continues the chains of the previous update.

  Args:
    model: the machine.
    data: [k, n], binary.
    key: draws the steps.
    num_steps: number of Gibbs steps.
    chains: [l, n], what this function returned last, for PCD; None for CD.

  Returns:
    The gradient, for an optimizer that descends, and the chains [l, n].

  References:
    Hinton, 2002, for CD. Tieleman, Training Restricted Boltzmann Machines using
      Approximations to the Likelihood Gradient, ICML 2008, for PCD.
  """
  start = data if chains is None else chains
  chains = gibbs_chain(model, key, start, num_steps)

  def cost(model):
    positive, negative = free_energy(model, data), free_energy(model, chains)
    return jnp.mean(positive) - jnp.mean(negative)

  return jax.grad(cost)(model), chains


def all_states(num_units: int) -> Array:
  """Enumerates {0, 1}^n as [2^n, n]; row i has the binary digits of i.

  The first unit is the most significant digit.

  Raises:
    ValueError: if there are more than `MAX_ENUMERATED_UNITS` units.
  """
  if num_units > MAX_ENUMERATED_UNITS:
    raise ValueError(
      f"{num_units} units have too many states to enumerate; at most "
      f"{MAX_ENUMERATED_UNITS} are allowed"
    )
  places = jnp.arange(num_units)[::-1]
  digits = jnp.arange(2**num_units)[:, None] >> places[None]
  return (digits & 1).astype(float)


def log_partition(model: RBM) -> Array:
  """Computes log Z [] by enumeration of the smaller layer.

  log Z = log sum_v exp(-F(v)), or the same with the layers exchanged.

  Raises:
    ValueError: if both layers have more than `MAX_ENUMERATED_UNITS` units.
  """
  n, m = model.weights.shape
  smaller = model if n <= m else _transposed(model)
  states = all_states(min(n, m))
  return jax.nn.logsumexp(-free_energy(smaller, states))


def log_likelihood(model: RBM, data: Array) -> Array:
  """Computes mean_i log p(v_i) [] of data [k, n], in nats, by enumeration."""
  return -jnp.mean(free_energy(model, data)) - log_partition(model)


@_full_precision
def transition_matrix(model: RBM) -> Array:
  """Computes the probabilities [2^n, 2^n] of `gibbs_step`.

  T(v, v') = sum_h p(h | v) p(v' | h),

  in the order of `all_states`. The chain is reversible: p(v) T(v, v') is
  symmetric. All eigenvalues lie between 0 and 1.
  """
  _check(model)
  visible, hidden = map(all_states, model.weights.shape)
  joint = (
    visible @ model.weights @ hidden.T
    + (visible @ model.visible_bias)[:, None]
    + (hidden @ model.hidden_bias)[None]
  )
  return jax.nn.softmax(joint, axis=1) @ jax.nn.softmax(joint, axis=0).T


def annealed_importance_sampling(
  model: RBM,
  key: PRNGKey,
  num_chains: int,
  num_temperatures: int,
  base_bias: Array | None = None,
) -> Estimate:
  """Estimates log Z by chains from independent units to the model.

  The machines of temperatures beta_t = t / T, t = 0 ... T, have the weights
  beta_t W, the hidden bias beta_t c and the visible bias (1 - beta_t) b_0 +
  beta_t b. With F_t their free energies, v_1 ~ p_0 and v_(t+1) a Gibbs step of
  machine t from v_t,

    Z / Z_0 = E w,  log w = sum_(t=1)^T F_(t-1)(v_t) - F_t(v_t),
    log Z_0 = m log 2 + sum_i log(1 + exp(b_0i)).

  The mean of w over chains estimates Z without bias. Its logarithm is too small
  in the mean, by half the square of the standard error. If the chains miss a
  mode, so does the standard error.

  Args:
    model: the machine.
    key: draws the chains.
    num_chains: number of independent chains.
    num_temperatures: T.
    base_bias: [n], b_0; zeros if None. The logits of the data's means are a
      better start.

  References:
    Neal, Annealed importance sampling, Statistics and Computing 11, 2001.
    Salakhutdinov and Murray, On the Quantitative Analysis of Deep Belief
      Networks, ICML 2008, section 4.1.
  """
  n, m = model.weights.shape
  base = jnp.zeros(n) if base_bias is None else base_bias
  start_key, steps_key = jax.random.split(key)
  visible = jax.random.bernoulli(
    start_key, jax.nn.sigmoid(base)[None], (num_chains, n)
  ).astype(model.weights.dtype)

  def advance(index, carry):
    visible, log_weights = carry
    colder, hotter = (
      _at_temperature(model, base, step / num_temperatures)
      for step in (index, index - 1)
    )
    log_weights += free_energy(hotter, visible) - free_energy(colder, visible)
    key = jax.random.fold_in(steps_key, index)
    return gibbs_step(colder, key, visible), log_weights

  _, log_weights = jax.lax.fori_loop(
    1, num_temperatures + 1, advance, (visible, jnp.zeros(num_chains))
  )
  log_mean = jax.nn.logsumexp(log_weights) - jnp.log(num_chains)
  relative = jnp.exp(log_weights - log_mean)
  return Estimate(
    m * jnp.log(2.0) + jnp.sum(jax.nn.softplus(base)) + log_mean,
    jnp.std(relative, ddof=1) / jnp.sqrt(num_chains),
  )


def _at_temperature(model: RBM, base_bias: Array, beta: Array) -> RBM:
  """Interpolates between independent units and the model."""
  tempered = jax.tree.map(lambda leaf: beta * leaf, model)
  return tempered._replace(
    visible_bias=(1 - beta) * base_bias + tempered.visible_bias
  )
