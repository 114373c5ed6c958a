"""What samples of images are measured by: features, and distances of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from experiments.cli import console
from experiments.configs.image_settings import (
  NEIGHBOURS,
  ImageSettings,
  read_split,
)
from experiments.datasets import image_datasets
from gan_jax.data import images
from gan_jax.data.images import Images
from gan_jax.metrics import classifier, frechet, kernel, neighbours
from gan_jax.types import Array, Metrics

PERFECT_COVERAGE = 1 - 2.0**-NEIGHBOURS
"""Expected of as many samples of the data's own distribution as there are data,
in the limit of many: Naeem et al., "Reliable Fidelity and Diversity Metrics for
Generative Models", arXiv 2002.09797, equation 8."""

_SHOWN = ("frechet_distance", "precision", "recall", "coverage")
"""Metrics that pictures and the score take."""


class Measurement(NamedTuple):
  """How samples are measured.

  Attributes:
    data: arrays that it needs on the device, by name.
    measure: (samples, their labels or None, data) -> metrics.
    protocol: what a result has to say.
  """

  data: dict[str, Any]
  measure: Callable[[Array, Array | None, dict[str, Any]], Metrics]
  protocol: dict[str, str | int | float]


def measurement_of(
  settings: ImageSettings, train: Images, real: Array
) -> Measurement:
  """Prepares to compare samples with real images.

  Args:
    settings: of the experiment.
    train: the training split.
    real: uint8 [n, h, w, c], those of it that samples are compared with.

  Returns:
    The measurement; of NaN, if there are too few images for one.

  Raises:
    SettingError: if the features cannot be had.
  """
  if len(train.pixels) < classifier.BATCH_SIZE:
    console.say(
      f"{settings.dataset} has {len(train.pixels)} images to learn from, too "
      f"few to measure samples by: that takes {classifier.BATCH_SIZE}"
    )
    unknown = {name: jnp.array(jnp.nan) for name in _SHOWN}
    return Measurement({}, lambda samples, labels, data: unknown, {})
  net = (
    image_datasets.inception_net(settings.inception_weights)
    if settings.inception_weights
    else image_datasets.feature_net(
      settings.dataset, train, read_split(settings, "test"), console.say
    )
  )
  tells_classes = train.labels is not None and not settings.inception_weights
  real_features, _ = jax.jit(lambda apply, x: apply(x))(
    net.features.apply, images.to_unit(real)
  )

  def measure(samples, labels, data):
    features, logits = data["apply"](samples)
    kid = kernel.kernel_distance(data["features"], features)
    scores = neighbours.manifold(data["features"], features, NEIGHBOURS)
    of_classes = {}
    if tells_classes:
      of_classes["classes_covered"] = classifier.classes_covered(logits)
      if labels is not None:
        is_asked = jnp.argmax(logits, axis=1) == labels
        of_classes["label_accuracy"] = jnp.mean(is_asked)
    return {
      "frechet_distance": frechet.frechet_distance(
        data["moments"], frechet.moments(features)
      ),
      "kid": kid.value,
      "kid_standard_error": kid.standard_error,
      **scores._asdict(),
      "classifier_score": classifier.classifier_score(logits),
      **of_classes,
    }

  return Measurement(
    {
      "apply": net.features.apply,
      "features": real_features,
      "moments": frechet.moments(real_features),
    },
    measure,
    {
      **net.protocol,
      "dataset": settings.dataset,
      "real_images": f"{len(real)} of the training split",
      "generated_images": settings.evaluation_samples,
      "neighbours": NEIGHBOURS,
    },
  )
