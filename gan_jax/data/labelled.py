"""Labelled subsets of images, with as many of each class."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.data.images import Images, to_unit
from gan_jax.types import Array, Conditional, PRNGKey


def balanced_indices(
  key: PRNGKey, labels: np.ndarray, num_classes: int, per_class: int
) -> Array:
  """Draws `per_class` indices of each class without replacement.

  Args:
    key: decides which.
    labels: integers [n], 0 to num_classes - 1.
    num_classes: number of classes.
    per_class: number of indices of each class.

  Returns:
    int32 [num_classes * per_class], class by class.

  Raises:
    ValueError: if a class has fewer, or none are drawn.
  """
  chex.assert_rank(labels, 1)
  sizes = np.bincount(labels, minlength=num_classes)
  if not 1 <= per_class <= sizes.min():
    raise ValueError(
      f"{per_class} of each class cannot be drawn: class {sizes.argmin()} has "
      f"{sizes.min()}"
    )
  # In a random order, but class by class.
  order = jnp.lexsort((jax.random.uniform(key, labels.shape), labels))
  starts = np.cumsum(sizes) - sizes
  return order[(starts[:, None] + np.arange(per_class)).ravel()]


def balanced_subset(
  images: Images, num_labels: int
) -> Callable[[PRNGKey], Conditional]:
  """Makes the function that draws a labelled subset of images.

  Args:
    images: with labels.
    num_labels: size of a subset, a multiple of the number of classes.

  Returns:
    key -> images float32 [num_labels, h, w, c] in [-1, 1] and labels int32
    [num_labels], as many of each class.

  Raises:
    ValueError: if the images have no labels, or there is no such subset.
  """
  num_classes = len(images.class_names)
  pixels, labels = images.pixels, images.labels
  if labels is None:
    raise ValueError("images without classes have no labelled subset")
  per_class, rest = divmod(num_labels, num_classes)
  if rest:
    raise ValueError(
      f"{num_labels} labels are not equally many of {num_classes} classes"
    )

  def draw(key):
    chosen = balanced_indices(key, labels, num_classes, per_class)
    # The host has the pixels, which are drawn only once in a run.
    drawn = jax.pure_callback(
      lambda indices: np.take(pixels, np.asarray(indices), axis=0),
      jax.ShapeDtypeStruct((num_labels, *pixels.shape[1:]), jnp.uint8),
      chosen,
      vmap_method="expand_dims",
    )
    return Conditional(to_unit(drawn), jnp.asarray(labels)[chosen])

  jax.eval_shape(draw, jax.random.key(0))
  return draw
