"""LAPGAN: a game for each level of a Laplacian pyramid."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.data import pyramids
from gan_jax.games.game import Game, pullbacks
from gan_jax.types import (
  Array,
  Conditional,
  Metrics,
  Params,
  Players,
  PRNGKey,
  Variables,
)


def laplacian_pyramid(levels: Sequence[Game]) -> Game:
  """Makes the game of images from the games of their pyramid's levels.

  Level K has the coarsest images I_K, and each level k < K the band h_k, whose
  condition is the coarser image, doubled, u(I_(k+1)) (see `data.pyramids`).
  Samples are drawn from coarse to fine,

    I_K = G_K(z_K),  I_k = u(I_(k+1)) + G_k(z_k, u(I_(k+1))),

  each clipped to [-1, 1], the range of images. In training the coarser images
  are real ones. A player's cost is the sum of its costs at all levels; as these
  share no parameters, every level trains as it would alone.

  Args:
    levels: the games of the levels K, ..., 0; the first is without conditions,
      and the conditions of the others are images.

  Returns:
    The game of images [n, 2^K h, 2^K w, c] in [-1, 1]. Its parameters are
    dictionaries of those at `level_K`, ..., `level_0`, and so is each Flax
    collection of its variables. Its metrics are the means over levels, and with
    the suffix `_level_k` those of a level. `discriminate` is None.

  References:
    Denton, Chintala, Szlam and Fergus, Deep Generative Image Models using a
      Laplacian Pyramid of Adversarial Networks, arXiv 1506.05751, section 3.
      The discriminators of the paper's code, facebookarchive/eyescream, see the
      sum of the band and its condition, and its levels train separately.
  """
  names = level_names(len(levels))

  def init(key):
    keys = jax.random.split(key, len(levels))
    parts = [game.init(k) for game, k in zip(levels, keys, strict=True)]
    params, variables = zip(*parts, strict=True)
    return _join(names, params), _join_collections(names, variables)

  def call_each(functions, params, variables, batch, key):
    """Calls a function of each level, which takes what `costs` takes."""
    return [
      function(*of_level(name, params, variables), level_batch, level_key)
      for function, name, level_batch, level_key in zip(
        functions,
        names,
        _level_batches(batch, len(levels) - 1),
        jax.random.split(key, len(levels)),
        strict=True,
      )
    ]

  def join_auxiliary(auxiliary):
    variables, metrics = zip(*auxiliary, strict=True)
    return _join_collections(names, variables), _join_metrics(names, metrics)

  def costs(params, variables, batch, key):
    results = call_each(
      [game.costs for game in levels], params, variables, batch, key
    )
    values, auxiliary = zip(*results, strict=True)
    return jax.tree.map(lambda *x: sum(x), *values), join_auxiliary(auxiliary)

  def gradients(params, variables, batch, key):
    functions = [game.gradients or pullbacks(game.costs) for game in levels]
    results = call_each(functions, params, variables, batch, key)
    slopes, values, auxiliary = zip(*results, strict=True)
    return (
      _join(names, slopes),
      jax.tree.map(lambda *x: sum(x), *values),
      join_auxiliary(auxiliary),
    )

  def sample(params, variables, key, n):
    return sample_levels(levels, params, variables, key, n)[-1]

  return Game(init, costs, sample, gradients)


def level_names(num_levels: int) -> list[str]:
  """Returns the keys of the levels' parameters, from coarse to fine."""
  return [f"level_{level}" for level in reversed(range(num_levels))]


def sample_levels(
  levels: Sequence[Game],
  params: Players[Params],
  variables: Players[Variables],
  key: PRNGKey,
  n: int,
) -> list[Array]:
  """Draws n samples as `laplacian_pyramid` does, and returns I_K, ..., I_0.

  Parameters and variables are those of the game of these levels.
  """
  drawn: list[Array] = []
  for game, name, level_key in zip(
    levels,
    level_names(len(levels)),
    jax.random.split(key, len(levels)),
    strict=True,
  ):
    inputs = (*of_level(name, params, variables), level_key, n)
    if drawn:
      coarser = pyramids.up(drawn[-1])
      images = coarser + game.sample(*inputs, coarser)
    else:
      images = game.sample(*inputs)
    drawn.append(jnp.clip(images, -1, 1))
  return drawn


def _level_batches(images: Array, num_bands: int) -> list[Any]:
  """Returns the batch of each level's game, from coarse to fine."""
  pyramid = pyramids.split(images, num_bands)
  batches: list[Any] = [pyramid.coarse]
  images = pyramid.coarse
  for band in pyramid.bands:
    coarser = pyramids.up(images)
    batches.append(Conditional(band, coarser))
    images = coarser + band
  return batches


def of_level(
  name: str, params: Players[Params], variables: Players[Variables]
) -> tuple[Players[Params], Players[Variables]]:
  """Returns the parameters and variables of a level."""
  return (
    Players(*(each[name] for each in params)),
    Players(
      *(
        {
          collection: parts[name]
          for collection, parts in each.items()
          if name in parts
        }
        for each in variables
      )
    ),
  )


def _join(
  names: Sequence[str], parts: Sequence[Players[Params]]
) -> Players[Params]:
  """Makes dictionaries of each player's parts at all levels."""
  return Players(
    *(dict(zip(names, each, strict=True)) for each in zip(*parts, strict=True))
  )


def _join_collections(
  names: Sequence[str], variables: Sequence[Players[Variables]]
) -> Players[Variables]:
  """Makes Flax collections of dictionaries of levels."""
  joined = []
  for each in _join(names, variables):
    collections: dict[str, Any] = {}
    for name, parts in each.items():
      for collection, part in parts.items():
        collections.setdefault(collection, {})[name] = part
    joined.append(collections)
  return Players(*joined)


def _join_metrics(names: Sequence[str], metrics: Sequence[Metrics]) -> Metrics:
  """Returns the mean of each metric over levels, and those of each level."""
  joined = {
    f"{metric}_{name}": value
    for name, of_level in zip(names, metrics, strict=True)
    for metric, value in of_level.items()
  }
  for metric in metrics[0]:
    values = [of_level[metric] for of_level in metrics]
    joined[metric] = jnp.mean(jnp.stack(values))
  return joined
