"""How fast this machine multiplies float32 matrices."""

# PyTorch is an extra, which need not be there where types are checked.
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


def _with_torch(x: torch.Tensor, threads: int) -> Callable[[int], None]:
  g = torch.ones(x.shape[1], x.shape[1])
  y = torch.empty(*x.shape)

  def take(count):
    torch.set_num_threads(threads)
    for _ in range(count):
      torch.mm(x, g, out=y)
      torch.mm(x.t(), y, out=g)

  return take


def _with_jax(x: torch.Tensor) -> Callable[[int], None]:
  matrix = jnp.asarray(x.numpy())
  ones = jnp.ones((x.shape[1], x.shape[1]))

  @jax.jit
  def products(x, g, count):
    return jax.lax.fori_loop(0, count, lambda _, g: x.T @ (x @ g), g)

  return lambda count: jax.block_until_ready(products(matrix, ones, count))


def rate(
  rows: int, width: int, thread_counts: Iterable[int], seconds: float
) -> float:
  """Measures the rate of the products of a dense layer.

  With x [rows, width] and g [width, width] the loop takes g to x' (x g): the
  product of a forward pass and that of a weight gradient, 2 rows width^2
  operations each.

  Args:
    rows: samples in the batch.
    width: features in and out.
    thread_counts: that PyTorch may use.
    seconds: of one measurement.

  Returns:
    Operations per second: the best of PyTorch and JAX, of its thread counts and
    of a few repetitions.
  """
  x = _orthonormal(rows, width)
  takes = {f"torch {n}": _with_torch(x, n) for n in thread_counts}
  takes["jax"] = _with_jax(x)
  rates = interleave(takes, dict.fromkeys(takes, NUM_ROUNDS), seconds)
  best = max(max(own) for own in rates.values())
  return best * 2 * 2 * rows * width**2
