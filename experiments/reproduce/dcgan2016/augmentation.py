"""Classifiers of few images, trained with and without a GAN's images.

A class-conditional GAN is trained on the same few labelled images as the
classifier. The GAN's images are added to these, and the classifier is trained
for as many steps as without them. Both times images are shifted by up to a
pixel. The classifier could learn from the added images what the few do not
show, or learn the GAN's mistakes; the publications report both. The sign of the
difference is therefore not checked. It is stated with its interval and only has
to be small.

The other checks make the comparison fair: the few images suffice to learn much
and leave something to learn, and from the GAN's images alone a classifier
learns to classify real ones.

Source: Antoniou, Storkey and Edwards, Data Augmentation Generative Adversarial
Networks, arXiv 1711.04340 (it helps); Shmelkov, Schmid and Alahari, How Good Is
My GAN?, arXiv 1807.09499, and Ravuri and Vinyals, Classification Accuracy Score
for Conditional Generative Models, arXiv 1905.10887 (it hardly does).
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.plots import images as image_plots
from experiments.reproduce.common import image_runs, pictures
from experiments.reproduce.common.figure import (
  Check,
  Computed,
  Reproduction,
  Training,
)
from experiments.run_folder.results import Results
from gan_jax.metrics import classifier
from gan_jax.statistics import mean_and_interval
from gan_jax.types import Array

FEW = "a GAN of few images"
NUM_FEW = 500
NUM_IMAGES = 10_000
"""Images in an epoch of the classifier; the few images are repeated."""
NUM_CLASSIFIERS = 2
"""Number of classifiers for each seed of the GAN."""
SETS = ("few real images", "both", "the GAN's images alone")
_NUM_SHOWN = 10


def compute(runs: Mapping[str, Results]) -> Computed:
  """Trains classifiers on real images, on the GAN's and on both."""
  results = runs[FEW]
  accuracies: dict[str, list[float]] = {name: [] for name in SETS}
  shown = None
  for seed in results.seeds:
    network = image_runs.load_networks(results, int(seed))
    real_labels = network.trained_on.labels
    test_labels = network.test.labels
    assert real_labels is not None and test_labels is not None
    num_classes = len(network.train.class_names)
    labels = jnp.arange(NUM_IMAGES) % num_classes
    made = image_runs.to_pixels(
      network.generate(network.sample_latents(int(seed), NUM_IMAGES), labels)
    )
    repeats = -(-NUM_IMAGES // len(real_labels))
    real = np.tile(network.trained_on.pixels, (repeats, 1, 1, 1))[:NUM_IMAGES]
    repeated_labels = np.tile(real_labels, repeats)[:NUM_IMAGES]
    half = NUM_IMAGES // 2
    data = {
      SETS[0]: (real, repeated_labels),
      SETS[1]: (
        np.concatenate([real[:half], made[:half]]),
        np.concatenate([repeated_labels[:half], labels[:half]]),
      ),
      SETS[2]: (made, np.asarray(labels)),
    }
    for name, (pixels, pixel_labels) in data.items():
      for index in range(NUM_CLASSIFIERS):
        accuracies[name].append(
          _train_and_score(
            jax.random.key(index),
            (pixels, pixel_labels),
            (network.test.pixels, test_labels),
            num_classes,
          )
        )
    if shown is None:
      count = _NUM_SHOWN * num_classes
      shown = (
        _in_columns(network.trained_on.pixels, real_labels, num_classes),
        made[:count],
        num_classes,
      )
  gains = np.subtract(accuracies[SETS[1]], accuracies[SETS[0]])
  # Classifiers of one GAN share its images, so each GAN counts once.
  gains = gains.reshape(-1, NUM_CLASSIFIERS).mean(axis=1)
  means = {name: float(np.mean(values)) for name, values in accuracies.items()}
  return Computed(
    {
      f"accuracy, {SETS[0]} (%)": means[SETS[0]],
      f"accuracy, {SETS[2]} (%)": means[SETS[2]],
      "gain by the GAN's images (%)": float(gains.mean()),
    },
    {"accuracies": accuracies, "gains": gains, "shown": shown},
  )


def _train_and_score(
  key: Array,
  learnt: tuple[np.ndarray, np.ndarray],
  test: tuple[np.ndarray, np.ndarray],
  num_classes: int,
) -> float:
  """Trains a classifier and returns its accuracy in percent."""
  params = classifier.train(
    key, *(jnp.asarray(part) for part in learnt), num_classes=num_classes
  )
  accuracy = classifier.accuracy(params, *(jnp.asarray(part) for part in test))
  return 100 * float(accuracy)


def _in_columns(
  pixels: np.ndarray, labels: np.ndarray, num_classes: int
) -> np.ndarray:
  """Arranges images so that column k of a mosaic shows class k."""
  by_class = [np.flatnonzero(labels == label) for label in range(num_classes)]
  num_rows = min(_NUM_SHOWN, *map(len, by_class))
  rows = np.stack([indices[:num_rows] for indices in by_class], axis=1)
  return pixels[rows.ravel()]


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws real and generated images, and the accuracies."""
  figure, panels = curves.grid(3, 3, (12, 4.6))
  accuracies, gains = drawn["accuracies"], drawn["gains"]
  # With one GAN there is no interval: None becomes NaN.
  mean, half = np.array(mean_and_interval(gains)[:2], float)
  pictures.headline(
    figure,
    f"a GAN's images beside {NUM_FEW} real ones: accuracy "
    f"{mean:+.2f} % (95 % interval +- {half:.2f}, {len(gains)} GANs)",
  )
  real, made, num_classes = drawn["shown"]
  for axes, images, title in zip(
    panels, (real, made), ("real", "the GAN's"), strict=False
  ):
    image_plots.show(axes, image_plots.mosaic(images, num_classes))
    axes.set_title(title, fontsize=10)
  axes = panels[2]
  for index, values in enumerate(accuracies.values()):
    colour = (curves.DATA, curves.GENERATED, curves.GENERATED)[index]
    axes.plot(np.full(len(values), index), values, "o", alpha=0.6, color=colour)
    axes.plot(index, np.mean(values), "_", markersize=30, color=colour)
  axes.set_xticks(
    range(len(SETS)), [name.replace(" images", "\nimages") for name in SETS]
  )
  axes.set(ylabel="accuracy on unseen images (%)", xlim=(-0.5, 2.5))
  return figure


CHECKS = (
  Check(
    f"accuracy, {SETS[0]} (%)",
    90.0,
    8.0,
    "set before the run: much is learnt, and something is left to learn",
    wrong={"chance": 10.0, "nothing is left": 99.0},
  ),
  Check(
    f"accuracy, {SETS[2]} (%)",
    70.0,
    0.0,
    "set before the run: the GAN's images show what their labels say",
    relation="at least",
    wrong={"chance": 10.0, "labels of every second image": 55.0},
  ),
  Check(
    "gain by the GAN's images (%)",
    0.0,
    5.0,
    "set before the run: publications differ about the sign, and no effect is "
    "large",
    wrong={"the images are harmful": -15.0, "implausibly large": 8.0},
  ),
)

REPRODUCTION = Reproduction(
  id="gan_augmentation",
  source="Data augmentation GAN 2017, arXiv 1711.04340",
  summary="a classifier of few images, with and without a GAN's beside them",
  compute=compute,
  checks=CHECKS,
  draw=draw,
  trainings={
    FEW: Training(
      "conditional_mnist",
      {"training_images": NUM_FEW, "steps": 2000},
      num_seeds=3,
    )
  },
  long=True,
)
