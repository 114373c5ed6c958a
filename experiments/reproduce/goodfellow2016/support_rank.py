"""Samples of generators with few latents lie on thin surfaces.

G(z) moves in as many directions as the rank of dG/dz, at most min(dim z, dim
x). One latent gives a curve in space and two give a sheet. These have no
volume, so p_model has no density on them. p_model can have full support only if
dim z >= dim x. Otherwise G only needs to be differentiable.

The networks here have random weights and samples in three dimensions. (Where a
volume folds over, on a surface of latents, the rank is one lower.) The samples
alone give the same dimension, by the ratio of a sample's distances to its two
nearest neighbours.

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
from experiments.reproduce.common.checks import close, covers
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax.metrics import support
from gan_jax.networks.mlp import MLP
from gan_jax.types import Array

DIM = 3
LATENT_DIMS = (1, 2, 3, 5)
DRAWN = {1: "a curve", 2: "a sheet", 3: "a volume"}
NUM_NETWORKS = 8


def _measure(latent_dim: int, seed: int) -> dict[str, np.ndarray]:
  """Draws networks and measures the dimension of their samples."""
  rng = np.random.default_rng(seed)
  network = MLP((32, 32), DIM, activation=nn.tanh)

  # NumPy needs no compilation for each shape.
  def draw_normal(shape, stddev):
    return jnp.asarray(rng.normal(0.0, stddev, shape), jnp.float32)

  latents = draw_normal((4_000, latent_dim), 1.0)
  shapes = jax.eval_shape(network.init, jax.random.key(0), latents)
  params = jax.tree.map(
    # Without biases a network with an odd activation is an odd function.
    lambda leaf: draw_normal(
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
      "ranks": support.jacobian_rank(generate, latents[:500]),
      "dimension": support.nearest_neighbour_dimension(samples[:1_000]),
    }

  return jax.tree.map(np.asarray, measure(params))


def compute(inputs: Inputs) -> Computed:
  """Measures networks for each number of latents."""
  networks, checks = {}, []
  for latent_dim in LATENT_DIMS:
    networks[latent_dim] = _measure(latent_dim, inputs.seed + latent_dim)
    rank = min(latent_dim, DIM)
    checks += [
      close(
        f"mean rank, dim z = {latent_dim}",
        networks[latent_dim]["ranks"].mean(),
        rank,
        0.01,
        "algebra: min(dim z, dim x), at almost every z of almost every G",
      ),
      covers(
        f"dimension of the samples, dim z = {latent_dim}",
        networks[latent_dim]["dimension"],
        rank,
        0.15 * rank,
        "algebra: min(dim z, dim x)",
      ),
    ]
  return Computed(checks, {"networks": networks})


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
    axes.scatter(*values["samples"][0].T, s=3, color=curves.GENERATED, lw=0)
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


REPRODUCTION = Reproduction(
  id="support_rank",
  source="Goodfellow 2016, arXiv 1701.00160, section 3.1",
  summary="fewer latents than dimensions: the samples lie on a thin surface",
  compute=compute,
  draw=draw,
)
