"""Measures samples of images by their features."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from experiments.configs.image_settings import (
  NEIGHBOURS,
  ImageSettings,
  say,
)
from experiments.datasets import image_datasets
from experiments.run_folder import intervals
from gan_jax.data import images
from gan_jax.data.images import Dataset
from gan_jax.metrics import (
  classifier,
  frechet,
  kernel,
  neighbours,
  roughness,
)
from gan_jax.types import Array, Metrics

COMPARED = "compared_images"
"""Key of the protocol: the number of real images, and of generated ones, in
each comparison by neighbours."""

_SHOWN = ("frechet_distance", "precision", "recall", "coverage")
"""Metrics that the figures and the score read."""


class Measurement(NamedTuple):
  """A measurement of samples: (samples, labels or None, data) -> metrics.

  `data` are the arrays, by name, that `measure` needs on the device. `protocol`
  describes the measurement in `summary.json`, and `statistics` are arrays by
  which samples can be measured without the data.
  """

  data: dict[str, Any]
  measure: Callable[[Array, Array | None, dict[str, Any]], Metrics]
  protocol: dict[str, str | int | float]
  statistics: dict[str, Array]


def measurement_of(
  settings: ImageSettings, dataset: Dataset, real: Array
) -> Measurement:
  """Prepares the comparison of samples with `real`, uint8 [n, h, w, c].

  Neighbours compare as many samples as there are real images, in disjoint
  subsets of the samples.

  With `--noevaluate` there is nothing to prepare, and there are no metrics. All
  metrics are NaN if there are too few training images for a feature network.
  Raises SettingError if the network's weights cannot be read.
  """
  train = dataset.train
  if not settings.evaluate:
    return Measurement({}, lambda samples, labels, data: {}, {}, {})
  name = settings.data_dir or settings.dataset
  if len(train.pixels) < classifier.BATCH_SIZE:
    say(
      f"{name} has {len(train.pixels)} training images, which is "
      f"too few to measure samples: at least {classifier.BATCH_SIZE} are needed"
    )
    missing = {name: jnp.array(jnp.nan) for name in _SHOWN}
    return Measurement({}, lambda samples, labels, data: missing, {}, {})
  net = (
    image_datasets.inception_net(settings.inception_weights)
    if settings.inception_weights
    else image_datasets.feature_net(settings.dataset, train, dataset.test, say)
  )
  doubt = net.protocol.get(intervals.NOT_SCORED)
  if doubt:
    say(f"samples of {name} are measured but not scored: {doubt}")
  measures_classes = train.labels is not None and not settings.inception_weights
  real_features, _ = jax.jit(lambda apply, x: apply(x))(
    net.features.apply, images.to_unit(real)
  )

  def measure(samples, labels, data):
    features, logits = data["apply"](samples)
    kid = kernel.kernel_distance(data["features"], features)
    scores = neighbours.equal_manifold(data["features"], features, NEIGHBOURS)
    class_metrics = {}
    if measures_classes:
      class_metrics["classes_covered"] = classifier.classes_covered(logits)
      if labels is not None:
        class_metrics["label_accuracy"] = classifier.label_accuracy(
          logits, labels
        )
    moments = frechet.moments(features)
    return {
      "frechet_distance": frechet.frechet_distance(data["moments"], moments),
      "kid": kid.value,
      "kid_standard_error": kid.standard_error,
      **scores._asdict(),
      "classifier_score": classifier.classifier_score(logits),
      "laplacian_ratio": roughness.mean_laplacian(samples) / data["laplacian"],
      **class_metrics,
    }

  data = {
    "apply": net.features.apply,
    "features": real_features,
    "moments": frechet.moments(real_features),
    "laplacian": roughness.mean_laplacian(images.to_unit(real)),
  }
  compared = min(len(real), settings.evaluation_samples)
  protocol = {
    **net.protocol,
    "dataset": settings.dataset,
    "real_images": f"{len(real)} of the training split",
    "generated_images": settings.evaluation_samples,
    "neighbours": NEIGHBOURS,
    COMPARED: compared,
    "comparisons": settings.evaluation_samples // compared,
  }
  statistics = {"features": real_features}
  for index, leaf in enumerate(jax.tree.leaves(net.features.apply)):
    statistics[f"network_{index}"] = leaf
  return Measurement(data, measure, protocol, statistics)
