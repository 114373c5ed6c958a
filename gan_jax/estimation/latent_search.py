"""Completes images by a search among the latents of a trained generator.

References:
  Yeh, Chen, Lim, Schwing, Hasegawa-Johnson and Do, "Semantic Image Inpainting
  with Deep Generative Models", arXiv 1607.07539.
"""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from gan_jax.data import image_conditions
from gan_jax.types import Array


class Completed(NamedTuple):
  """Images found for others with holes.

  Attributes:
    images: [n, h, w, c], with the known pixels.
    latents: [n, k].
    costs: [n], the least of each image.
  """

  images: Array
  latents: Array
  costs: Array


def importance(mask: Array, window: int = 7) -> Array:
  """Weighs known pixels by how much of the hole is around them.

  At a known pixel (mask 1) it is the fraction of hole in the square of `window`
  pixels around it; the border counts as known. It is 0 in the hole.

  Args:
    mask: [h, w, 1], 1 where pixels are known and 0 in the hole.
    window: side of the square, an odd number.
  """
  chex.assert_rank(mask, 3)
  holes = jax.lax.reduce_window(
    1 - mask, 0.0, jax.lax.add, (window, window, 1), (1, 1, 1), "SAME"
  )
  return mask * holes / window**2


def complete(
  generate: Callable[[Array], Array],
  discriminate: Callable[[Array], Array],
  images: Array,
  mask: Array,
  latents: Array,
  num_steps: int,
  learning_rate: float = 0.03,
  prior_weight: float = 0.003,
) -> Completed:
  """Fills holes with what a generator makes of the best latents.

  Adam minimises, for each image y and latents z,

    sum_i w_i |G(z)_i - y_i| + prior_weight log(1 - D(G(z))),

  with the weights w of `importance`. The best latents of all steps count.

  Args:
    generate: latents [n, k] -> images [n, h, w, c].
    discriminate: images [n, h, w, c] -> logits [n] of D.
    images: [n, h, w, c]; pixels in the hole are ignored.
    mask: [h, w, 1], 1 where pixels are known and 0 in the hole.
    latents: [n, k], the start.
    num_steps: number of steps.
    learning_rate: of Adam.
    prior_weight: weight of the discriminator, lambda in the paper.

  Raises:
    ValueError: if the mask has another size than the images.
  """
  known = image_conditions.with_hole(images, mask)
  weights = importance(mask)[None]

  def costs(latents):
    made = generate(latents)
    chex.assert_equal_shape([made, images])
    context = jnp.sum(weights * jnp.abs(made - images), axis=(1, 2, 3))
    # log(1 - D) = log sigmoid(-logit).
    prior = jax.nn.log_sigmoid(-discriminate(made))
    chex.assert_equal_shape([context, prior])
    return context + prior_weight * prior

  optimizer = optax.adam(learning_rate)

  def summed(latents):
    each = costs(latents)
    return jnp.sum(each), each

  def step(carry, _):
    latents, optimizer_state, best, least = carry
    (_, each), gradients = jax.value_and_grad(summed, has_aux=True)(latents)
    best = jnp.where((each < least)[:, None], latents, best)
    updates, optimizer_state = optimizer.update(gradients, optimizer_state)
    latents = optax.apply_updates(latents, updates)
    return (latents, optimizer_state, best, jnp.minimum(each, least)), None

  start = (
    latents,
    optimizer.init(latents),
    latents,
    jnp.full(len(latents), jnp.inf),
  )
  (_, _, best, least), _ = jax.lax.scan(step, start, length=num_steps)
  made = image_conditions.with_known(generate(best), known)
  return Completed(made, best, least)
