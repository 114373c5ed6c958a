"""The Gibbs chain of a small Boltzmann machine with two modes and a barrier.

All n visible and all n hidden units are coupled equally, and the biases make
the energy even in both layers' numbers of active units V and H:

  E = -J (V - n/2) (H - n/2) + constant,
  F(v) = -n log(2 cosh(J/2 (V - n/2))) + constant.

The most probable states have all units off or all on. On the way between them V
passes n/2, where the free energy is higher by the barrier n log cosh(J n/4).

The autocorrelation time is that of the slowest observable, the second
eigenvector of the transition matrix of all 2^n states. It is measured from long
chains that start at the stationary distribution.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special, stats

from experiments.reproduce.common.checks import Check, at_most, covers
from gan_jax.estimation import boltzmann, mcmc
from gan_jax.estimation.boltzmann import RBM
from gan_jax.types import Array, PRNGKey

NUM_UNITS = 8
BARRIERS = (1.0, 3.0, 5.0, 7.0, 9.0)
"""Barriers between the modes, in nats."""
NUM_CHAINS, NUM_STEPS = 64, 16_384


class ExactChain(NamedTuple):
  """A machine and its chain, from all 2^n states in float64.

  Attributes:
    machine: the machine.
    probabilities: [2^n], of the visible states.
    eigenvalue: the second largest of the transition matrix.
    observable: [2^n], its right eigenvector.
  """

  machine: RBM
  probabilities: np.ndarray
  eigenvalue: float
  observable: np.ndarray

  @property
  def time(self) -> float:
    """The integrated autocorrelation time of the observable, in steps."""
    return (1 + self.eigenvalue) / (1 - self.eigenvalue)


class MeasuredChains(NamedTuple):
  """Chains of machines with growing barriers, enumerated and run.

  Attributes:
    checks: of the measured times.
    exact: the enumerated chain of each machine.
    visited: [machines, seeds, chains, steps], the numbers of the states.
    times: [machines, seeds], the measured autocorrelation times.
  """

  checks: list[Check]
  exact: list[ExactChain]
  visited: np.ndarray
  times: np.ndarray


def measure(seeds: Sequence[int]) -> MeasuredChains:
  """Measures autocorrelation times and checks them by enumeration."""
  exact = [exact_chain(barrier) for barrier in BARRIERS]
  visited = run_chains(exact, seeds)
  times = np.array(
    [
      measured_times(chain, states)
      for chain, states in zip(exact, visited, strict=True)
    ]
  )
  gaps = 1 - np.array([chain.eigenvalue for chain in exact])
  expected = 1 - np.array([eigenvalue_of_counts(each) for each in BARRIERS])
  checks = [
    at_most(
      "spectral gap of all states, largest relative error",
      np.abs(gaps / expected - 1).max(),
      1e-8,
      "the chain of the number of active units: binomials in SciPy",
    ),
    *(
      covers(
        f"autocorrelation time over the exact one, barrier of {barrier:g} nats",
        per_seed / chain.time,
        1.0,
        0.1,
        "enumeration: (1 + l) / (1 - l), l the second eigenvalue",
      )
      for barrier, chain, per_seed in zip(BARRIERS, exact, times, strict=True)
    ),
  ]
  return MeasuredChains(checks, exact, visited, times)


def coupling_of(barrier: float) -> float:
  """Returns the coupling J with a barrier between the modes, in nats."""
  return 4 / NUM_UNITS * math.acosh(math.exp(barrier / NUM_UNITS))


def exact_chain(barrier: float) -> ExactChain:
  """Enumerates the states of the machine with a barrier, in nats."""
  coupling = coupling_of(barrier)
  with jax.enable_x64(True):
    bias = jnp.full(NUM_UNITS, -coupling * NUM_UNITS / 2)
    machine = RBM(jnp.full((NUM_UNITS, NUM_UNITS), coupling), bias, bias)
    states = boltzmann.all_states(NUM_UNITS)
    probabilities = jax.nn.softmax(-boltzmann.free_energy(machine, states))
    eigenvalue, observable = mcmc.slowest_mode(
      boltzmann.transition_matrix(machine), probabilities
    )
  return ExactChain(
    machine,
    np.asarray(probabilities),
    float(eigenvalue),
    np.asarray(observable),
  )


def eigenvalue_of_counts(barrier: float) -> float:
  """Computes the second eigenvalue from numbers of active units alone.

  Given V, the H of n independent units is binomial, and so is the next V. The
  slowest observable depends on V only.
  """
  coupling = coupling_of(barrier)
  counts = np.arange(NUM_UNITS + 1)
  active = special.expit(coupling * (counts - NUM_UNITS / 2))
  half_step = stats.binom.pmf(counts, NUM_UNITS, active[:, None])
  return np.sort(np.linalg.eigvals(half_step @ half_step).real)[-2]


def sample_states(probabilities: Array, key: PRNGKey, n: int) -> Array:
  """Draws visible states [n, NUM_UNITS] from their probabilities."""
  states = boltzmann.all_states(NUM_UNITS)
  return jax.random.choice(key, states, (n,), p=probabilities)


def run_chains(
  chains: Sequence[ExactChain], seeds: Sequence[int]
) -> np.ndarray:
  """Runs chains of each machine and seed.

  Returns:
    [machines, seeds, chains, steps], the numbers of the visible states.
  """
  place_values = 2.0 ** jnp.arange(NUM_UNITS)[::-1]

  def run(machine, probabilities, seed):
    start_key, steps_key = jax.random.split(jax.random.key(seed))
    start = sample_states(probabilities, start_key, NUM_CHAINS)

    def step(visible, index):
      key = jax.random.fold_in(steps_key, index)
      visible = boltzmann.gibbs_step(machine, key, visible)
      return visible, (visible @ place_values).astype(jnp.uint8)

    return jax.lax.scan(step, start, jnp.arange(NUM_STEPS))[1].T

  stacked = jax.tree.map(
    lambda *leaves: jnp.asarray(np.stack(leaves), jnp.float32),
    *[(each.machine, each.probabilities) for each in chains],
  )
  over_seeds = jax.vmap(run, in_axes=(None, None, 0))
  over_machines = jax.vmap(over_seeds, in_axes=(0, 0, None))
  return np.asarray(
    jax.jit(over_machines)(*stacked, jnp.asarray(seeds, jnp.uint32))
  )


def measured_times(chain: ExactChain, visited: np.ndarray) -> np.ndarray:
  """Measures the time of each seed from states [seeds, chains, steps]."""
  traces = jnp.asarray(chain.observable[visited], jnp.float32)
  measure = jax.jit(lambda traces: jax.lax.map(mcmc.integrated_time, traces))
  return np.asarray(measure(traces), float)


def count_active(visited: np.ndarray) -> np.ndarray:
  """Counts the active units of states, by their numbers."""
  return np.asarray(boltzmann.all_states(NUM_UNITS)).sum(axis=1)[visited]
