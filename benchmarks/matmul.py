"""Measures how fast this machine multiplies float32 matrices."""

# PyTorch is an optional dependency and may be missing when types are checked.
# pyright: reportMissingImports=false

from collections.abc import Callable, Iterable

import jax
import jax.numpy as jnp
import torch

from benchmarks.timing import interleave

NUM_ROUNDS = 3


def _orthonormal(rows: int, columns: int) -> torch.Tensor:
  """Returns a matrix with singular values of 1, whose powers stay finite."""
  return torch.nn.init.orthogonal_(torch.empty(rows, columns))


def _torch_products(x: torch.Tensor, threads: int) -> Callable[[int], None]:
  g = torch.ones(x.shape[1], x.shape[1])
  y = torch.empty(*x.shape)

  def take_steps(count):
    torch.set_num_threads(threads)
    for _ in range(count):
      torch.mm(x, g, out=y)
      torch.mm(x.t(), y, out=g)

  return take_steps


def _jax_products(x: torch.Tensor) -> Callable[[int], None]:
  matrix = jnp.asarray(x.numpy())
  ones = jnp.ones((x.shape[1], x.shape[1]))

  @jax.jit
  def products(x, g, count):
    return jax.lax.fori_loop(0, count, lambda _, g: x.T @ (x @ g), g)

  return lambda count: jax.block_until_ready(products(matrix, ones, count))


def measure_matmul_rate(
  rows: int, width: int, thread_counts: Iterable[int], seconds: float
) -> float:
  """Measures the rate of the matrix products of a dense layer.

  With x [rows, width] and g [width, width] the loop replaces g by x' (x g).
  The two products are those of a forward pass and of a weight gradient, with
  2 rows width^2 operations each.

  Args:
    rows: samples in the batch.
    width: input and output features.
    thread_counts: numbers of threads to try with PyTorch.
    seconds: length of one measurement.

  Returns:
    Operations per second: the maximum over PyTorch with each number of threads,
    JAX, and a few repetitions.
  """
  x = _orthonormal(rows, width)
  step_functions = {f"torch {n}": _torch_products(x, n) for n in thread_counts}
  step_functions["jax"] = _jax_products(x)
  rates = interleave(
    step_functions, dict.fromkeys(step_functions, NUM_ROUNDS), seconds
  )
  best = max(max(repetitions) for repetitions in rates.values())
  return best * 2 * 2 * rows * width**2
