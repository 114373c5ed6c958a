"""Samples of generators with few latents lie on thin surfaces.

G(z) moves in as many directions as the rank of dG/dz, at most min(dim z, dim
x). One latent gives a curve in space and two give a sheet. These have no
volume, so p_model has no density on them. p_model can have full support only if
dim z >= dim x. Otherwise G only needs to be differentiable.

Networks with random weights draw samples in three dimensions. The rank is that
of the Jacobian at 500 latents of each of four networks. (Where a volume folds
over, which happens on a surface of latents, the rank is one lower.) The samples
alone give the same dimension: the ratio of a sample's distances to its two
nearest neighbours has a distribution that depends on the dimension of the
surface.

Source: Goodfellow, NIPS 2016 Tutorial: Generative Adversarial Networks, arXiv
1701.00160, section 3.1. The tutorial has no figure of it. The estimate from
samples is that of Facco et al., arXiv 1803.06992.
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D

from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.run_folder.results import Results
from gan_jax.metrics import support
from gan_jax.networks.mlp import MLP
from gan_jax.types import Array

DIM = 3
LATENT_DIMS = (1, 2, 3, 5)
DRAWN = {1: "a curve", 2: "a sheet", 3: "a volume"}
NUM_NETWORKS = 4
NUM_RANKED = 500
NUM_SAMPLES = 4_000
NUM_COMPARED = 1_000
"""Number of samples whose neighbours are searched."""


def _normal(
  rng: np.random.Generator, shape: tuple[int, ...], stddev: float
) -> Array:
  """Draws with NumPy, which needs no compilation for each shape."""
  return jnp.asarray(rng.normal(0.0, stddev, shape), jnp.float32)


def _measure(latent_dim: int) -> dict[str, np.ndarray]:
  """Draws networks and measures the dimension of their samples."""
  rng = np.random.default_rng(latent_dim)
  network = MLP((32, 32), DIM, activation=nn.tanh)
  latents = _normal(rng, (NUM_SAMPLES, latent_dim), 1.0)
  shapes = jax.eval_shape(network.init, jax.random.key(0), latents)
  params = jax.tree.map(
    # Without biases a network with an odd activation is an odd function.
    lambda leaf: _normal(
      rng,
      (NUM_NETWORKS, *leaf.shape),
      math.sqrt(2 / leaf.shape[0]) if leaf.ndim == 2 else 1.0,
    ),
    shapes,
  )

  @jax.jit
  @jax.vmap
  def measure(params):
    def generate(z) -> Array:
      return jnp.asarray(network.apply(params, z))

    samples = generate(latents)
    return {
      "samples": samples,
      "ranks": support.jacobian_rank(generate, latents[:NUM_RANKED]),
      "dimension": support.nearest_neighbour_dimension(samples[:NUM_COMPARED]),
    }

  return jax.tree.map(np.asarray, measure(params))


def compute(runs: Mapping[str, Results]) -> Computed:
  """Measures networks for each number of latents."""
  networks = {latent_dim: _measure(latent_dim) for latent_dim in LATENT_DIMS}
  measured = {}
  for latent_dim, values in networks.items():
    measured |= {
      f"mean rank, dim z = {latent_dim}": values["ranks"].mean(),
      f"greatest rank, dim z = {latent_dim}": values["ranks"].max(),
      f"dimension of the samples, dim z = {latent_dim}": values[
        "dimension"
      ].mean(),
    }
  return Computed(measured, {"networks": networks})


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the samples of one network for each number of latents."""
  figure, panels = curves.grid(
    len(DRAWN), len(DRAWN), (12, 4.3), subplot_kw={"projection": "3d"}
  )
  pictures.headline(
    figure,
    f"samples in {DIM} dimensions fill as many of them as there are latents",
  )
  for axes, (latent_dim, shape) in zip(panels, DRAWN.items(), strict=True):
    assert isinstance(axes, Axes3D)
    values = drawn["networks"][latent_dim]
    samples = values["samples"][0]
    axes.scatter(*samples.T, s=3, color=curves.GENERATED, linewidths=0)
    axes.set_title(
      f"dim z = {latent_dim}: {shape}\n"
      f"rank of dG/dz: {values['ranks'].max()}, dimension of the samples: "
      f"{values['dimension'].mean():.2f}",
      fontsize=10,
    )
    # The units are arbitrary and the numbers would not fit.
    axes.tick_params(labelbottom=False, labelleft=False, labelright=False)
    axes.locator_params(nbins=4)
    axes.set_xlabel("x1", labelpad=-12)
    axes.set_ylabel("x2", labelpad=-12)
    axes.set_zlabel("x3", labelpad=-14)
  return figure


def _checks(latent_dim: int) -> tuple[Check, ...]:
  """Returns the checks of one number of latents."""
  rank = min(latent_dim, DIM)
  origin = "algebra: min(dim z, dim x), at almost every z of almost every G"
  wrong = {
    "that of other latents": DIM if rank < DIM else rank - 1,
    "none": 0.0,
  }
  return (
    Check(f"mean rank, dim z = {latent_dim}", rank, 0.01, origin, wrong=wrong),
    Check(
      f"greatest rank, dim z = {latent_dim}", rank, 0.0, origin, wrong=wrong
    ),
    Check(
      f"dimension of the samples, dim z = {latent_dim}",
      rank,
      0.15 * rank,
      "algebra: min(dim z, dim x)",
      wrong=wrong,
    ),
  )


REPRODUCTION = Reproduction(
  id="support_rank",
  source="Goodfellow 2016, arXiv 1701.00160, section 3.1",
  summary="fewer latents than dimensions: the samples lie on a thin surface",
  compute=compute,
  checks=tuple(
    check for latent_dim in LATENT_DIMS for check in _checks(latent_dim)
  ),
  draw=draw,
)
