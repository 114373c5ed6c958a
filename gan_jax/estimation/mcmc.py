"""How fast Markov chains mix: spectral gaps and autocorrelation times.

A reversible chain with transition matrix T and stationary distribution p has
real eigenvalues 1 = l_1 > l_2 >= ... An observable that is the right
eigenvector of l_2 has the autocorrelation l_2^t after t steps, and the mean of
N successive values has the variance of N / tau independent ones, with

  tau = 1 + 2 sum_(t>0) l_2^t = (1 + l_2) / (1 - l_2).

References:
  Sokal, Monte Carlo Methods in Statistical Mechanics: Foundations and New
    Algorithms, 1997, sections 2 and 3.
"""

import chex
import jax.numpy as jnp

from gan_jax.types import Array


def slowest_mode(transitions: Array, stationary: Array) -> tuple[Array, Array]:
  """Computes the second eigenvalue of a reversible chain and its observable.

  D^(1/2) T D^(-1/2) with D = diag(p) is symmetric and has the eigenvalues of T.

  Args:
    transitions: [k, k], T; row i has the probabilities of the next state.
    stationary: [k], p > 0.

  Returns:
    [], l_2, and [k], its right eigenvector, with mean 0 and variance 1 under p.
  """
  chex.assert_shape(transitions, (len(stationary),) * 2)
  root = jnp.sqrt(stationary)
  symmetric = root[:, None] * transitions / root[None]
  eigenvalues, eigenvectors = jnp.linalg.eigh(symmetric)
  return eigenvalues[-2], eigenvectors[:, -2] / root


def autocorrelation(traces: Array) -> Array:
  """Estimates the autocorrelation [t] of a stationary observable.

  rho_s = C_s / C_0,  C_s = mean over chains i and times u of x_i,u x_i,u+s,

  where x are the traces less the mean over all chains. Computed by FFT.

  Args:
    traces: [n, t], an observable of n independent chains over t steps.
  """
  chex.assert_rank(traces, 2)
  length = traces.shape[1]
  centred = traces - jnp.mean(traces)
  # Zeros keep the end of a trace from meeting its start.
  spectrum = jnp.abs(jnp.fft.rfft(centred, 2 * length)) ** 2
  sums = jnp.fft.irfft(jnp.mean(spectrum, axis=0), 2 * length)[:length]
  covariance = sums / jnp.arange(length, 0, -1)
  return covariance / covariance[0]


def integrated_time(traces: Array, window: float = 5.0) -> Array:
  """Estimates the integrated autocorrelation time [] of an observable.

  tau = 1 + 2 sum_(s=1)^W rho_s,

  with the smallest W >= window max(tau, 1) / 2. An exponential decay loses the
  share exp(-window) of tau; a wider window adds noise. Independent values have
  tau = 1.

  Args:
    traces: [n, t], an observable of n independent chains over t steps.
    window: length of the sum, in units of tau / 2.

  Returns:
    tau; NaN if the traces are too short for the window.

  References:
    Sokal, 1997, section 3, where tau / 2 is called the time.
  """
  taus = 2 * jnp.cumsum(autocorrelation(traces)) - 1
  is_enough = jnp.arange(len(taus)) >= window * jnp.maximum(taus, 1) / 2
  chosen = taus[jnp.argmax(is_enough)]
  return jnp.where(jnp.any(is_enough), chosen, jnp.nan)
