"""The metrics of runs: what each means, its unit, and which values are good.

The pages of runs, sweeps and comparisons and `docs/measurement.md` show this
table. A metric that is not in it is shown by its name.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

AVERAGE = "average_"
"""Prefix of the metrics of averaged parameters."""
LEVEL = "_level_"
"""Comes before the level in the metrics of one level of a Laplacian pyramid."""

_GAMES, _LINE, _PLANE = "every game", "data on the line", "data in the plane"
_IMAGES, _CLASSES = "images", "images with classes"
_PAIRS = "images made of images"
_TRANSLATIONS = "translations to and fro"
_SEMI = "semi-supervised learning"
_CODES = "InfoGAN"
_PROBABILITIES = "losses for which D is a probability"
_CRITICS = "other losses"

ALWAYS, FRACTION, DISTANCE = (-math.inf, math.inf), (0, 1), (0, math.inf)


class Metric(NamedTuple):
  """What a metric means.

  Attributes:
    meaning: in a few words.
    logged_for: games that have it.
    unit: of its values; "" for a plain number.
    better: "higher" or "lower"; "" if neither is better.
    ideal: the value of a perfect generator; "" if there is none.
    limits: the least and the greatest value.
    counts_modes: whether the number of modes is a limit too.
  """

  meaning: str
  logged_for: str
  unit: str = ""
  better: str = ""
  ideal: str = ""
  limits: tuple[float, float] = ALWAYS
  counts_modes: bool = False

  @property
  def guide(self) -> str:
    """Says in a few words which values are good, and the unit."""
    parts = (
      self.unit,
      self.better and f"{self.better} is better",
      self.ideal and f"ideal {self.ideal}",
    )
    return ", ".join(part for part in parts if part)


METRICS: Mapping[str, Metric] = {
  "score": Metric(
    "how close the samples are to the best that is possible",
    "every game that is measured",
    better="higher",
    ideal="1",
    limits=FRACTION,
  ),
  "generator_cost": Metric(
    "what the generator minimises", _GAMES, "unit of the loss"
  ),
  "discriminator_cost": Metric(
    "what the discriminator minimises, with penalties",
    _GAMES,
    "unit of the loss",
  ),
  "discriminator_real": Metric(
    "mean of D on real samples",
    _PROBABILITIES,
    "probability",
    ideal="1/2",
    limits=FRACTION,
  ),
  "discriminator_fake": Metric(
    "mean of D on generated samples",
    _PROBABILITIES,
    "probability",
    ideal="1/2",
    limits=FRACTION,
  ),
  "discriminator_train": Metric(
    "mean of D on the training samples; above `discriminator_held_out` where D "
    "overfits",
    "`--training_samples`, " + _PROBABILITIES,
    "probability",
    ideal="1/2",
    limits=FRACTION,
  ),
  "discriminator_held_out": Metric(
    "mean of D on samples of the data that it was not trained on",
    "`--training_samples`, " + _PROBABILITIES,
    "probability",
    ideal="1/2",
    limits=FRACTION,
  ),
  "density_ratio_error": Metric(
    "mean of |D - p/(p + q)| on real and generated samples, of densities p and "
    "q",
    "data on the line and a linear generator of normal latents, "
    + _PROBABILITIES,
    "probability",
    "lower",
    "0",
    FRACTION,
  ),
  "critic_real": Metric("mean of the critic on real samples", _CRITICS),
  "critic_fake": Metric("mean of the critic on generated samples", _CRITICS),
  "critic_train": Metric(
    "mean of the critic on the training samples; above `critic_held_out` where "
    "it overfits",
    "`--training_samples`, " + _CRITICS,
  ),
  "critic_held_out": Metric(
    "mean of the critic on samples of the data that it was not trained on",
    "`--training_samples`, " + _CRITICS,
  ),
  "critic_distance": Metric(
    "`critic_real` - `critic_fake`: with the Wasserstein loss the critic's "
    "estimate of the distance to the data, times its largest slope; negative "
    "where it takes samples for data",
    _CRITICS,
    better="lower",
    ideal="0",
  ),
  "penalty": Metric(
    "the penalty term", "`--penalty`", "unit of the loss", ideal="0"
  ),
  "reconstruction": Metric(
    "mean absolute, or squared, difference of samples and the data of their "
    "condition",
    "games of images with `reconstruction` in the generator's cost",
    "units of pixel values in [-1, 1]",
    better="lower",
    limits=DISTANCE,
  ),
  "psnr": Metric(
    "mean peak signal-to-noise ratio against the originals",
    _PAIRS,
    "dB",
    "higher",
  ),
  "condition_error": Metric(
    "largest difference between the condition of samples and the one that was "
    "asked for",
    _PAIRS,
    "units of pixel values in [-1, 1]",
    "lower",
    "0",
    DISTANCE,
  ),
  "high_frequency_ratio": Metric(
    "energy of details too small for the coarse image, over that of the "
    "originals",
    "`--task=super_resolution`",
    ideal="1",
    limits=DISTANCE,
  ),
  "chroma_intersection": Metric(
    "overlap of the histograms of a* and b* of samples and originals",
    "`--task=colouring`",
    better="higher",
    ideal="1",
    limits=FRACTION,
  ),
  "edge_overlap": Metric(
    "Dice's coefficient of the samples' edges and those that were asked for",
    "`--task=edges`",
    better="higher",
    ideal="1",
    limits=FRACTION,
  ),
  "hole_psnr": Metric(
    "mean peak signal-to-noise ratio in the hole",
    "`--task=inpainting`",
    "dB",
    "higher",
  ),
  "hole_explained": Metric(
    "1 - mean squared error in the hole over that of the mean image",
    "`--task=inpainting`",
    better="higher",
    ideal="1",
    limits=(-math.inf, 1),
  ),
  "cycle": Metric(
    "mean absolute difference of samples and their translation to and fro, of "
    "both sets",
    _TRANSLATIONS,
    better="lower",
    ideal="0",
    limits=DISTANCE,
  ),
  "identity": Metric(
    "mean absolute difference of samples of a set and their translation into "
    "it, of both sets",
    "`--identity_weight`",
    better="lower",
    ideal="0",
    limits=DISTANCE,
  ),
  "map_error": Metric(
    "root mean square distance from the true map up to symmetry, over the "
    "ring's radius",
    "translations of rings",
    better="lower",
    ideal="0",
    limits=DISTANCE,
  ),
  "modes_kept_apart": Metric(
    "number of modes near which a centre of a mode is mapped",
    "translations of rings",
    "modes",
    "higher",
    "all",
    DISTANCE,
  ),
  "attribute_given": Metric(
    "fraction of translated images that the classifier finds the attribute in",
    "translations of images",
    better="higher",
    ideal="1",
    limits=FRACTION,
  ),
  "class_kept": Metric(
    "fraction of translated images in the class that corresponds to theirs",
    "translations of images",
    better="higher",
    ideal="1",
    limits=FRACTION,
  ),
  "label_cost": Metric(
    "cross-entropy of the classifier on labelled images",
    _SEMI,
    "nats",
    "lower",
    limits=DISTANCE,
  ),
  "feature_distance": Metric(
    "squared distance of the classifier's mean features on real and on "
    "generated images",
    _SEMI,
    better="lower",
    ideal="0",
    limits=DISTANCE,
  ),
  "test_errors": Metric(
    "test images that the classifier takes for another class",
    _SEMI,
    "of 10,000",
    "lower",
    "0",
    (0, 10_000),
  ),
  "code_information": Metric(
    "lower bound of what samples tell of their category; at most the log of "
    "the number of categories",
    _CODES,
    "nats",
    "higher",
  ),
  "code_error": Metric(
    "mean squared error of continuous codes that are found in samples; 1/3 "
    "without information",
    _CODES,
    better="lower",
    ideal="0",
    limits=DISTANCE,
  ),
  "generator_gradient_norm": Metric(
    "norm of the gradient of the generator's cost on a minibatch",
    _GAMES,
    limits=DISTANCE,
  ),
  "discriminator_gradient_norm": Metric(
    "norm of the gradient of the discriminator's cost on a minibatch",
    _GAMES,
    limits=DISTANCE,
  ),
  "generator_norm": Metric(
    "norm of the generator's parameters", _GAMES, limits=DISTANCE
  ),
  "discriminator_norm": Metric(
    "norm of the discriminator's parameters", _GAMES, limits=DISTANCE
  ),
  "generated_spread": Metric(
    "variance of 64 generated samples over that of 64 real ones",
    _GAMES,
    ideal="1",
    limits=DISTANCE,
  ),
  "generated_mean": Metric(
    "mean of the samples", _LINE, "units of x", ideal="that of the data"
  ),
  "generated_stddev": Metric(
    "standard deviation of the samples",
    _LINE,
    "units of x",
    ideal="that of the data",
    limits=DISTANCE,
  ),
  "wasserstein_1": Metric(
    "Wasserstein-1 distance to the data",
    _LINE,
    "units of x",
    "lower",
    "0",
    DISTANCE,
  ),
  "jensen_shannon": Metric(
    "Jensen-Shannon divergence to the data; log 2 without overlap",
    _LINE,
    "nats",
    "lower",
    "0",
    (0, math.log(2)),
  ),
  "modes_covered": Metric(
    "number of modes with one sample of high quality, as the literature counts "
    "them",
    _PLANE,
    "modes",
    "higher",
    "all",
    DISTANCE,
    counts_modes=True,
  ),
  "modes_balanced": Metric(
    "number of modes with a quarter of their share in samples of high quality",
    _PLANE,
    "modes",
    "higher",
    "all",
    DISTANCE,
    counts_modes=True,
  ),
  "high_quality_fraction": Metric(
    "fraction of samples within 3 standard deviations of a mode",
    _PLANE,
    better="higher",
    ideal="1",
    limits=FRACTION,
  ),
  "mode_overlap": Metric(
    "sum over modes of the smaller of the data's share and the share of all "
    "samples that are of high quality there",
    _PLANE,
    better="higher",
    ideal="1",
    limits=FRACTION,
  ),
  "reverse_kl": Metric(
    "divergence between the modes' shares of the samples and of the data",
    _PLANE,
    "nats",
    "lower",
    "0",
    DISTANCE,
  ),
  "frechet_distance": Metric(
    "Frechet distance of features of real and generated images",
    _IMAGES,
    better="lower",
    ideal="0",
    limits=DISTANCE,
  ),
  "kid": Metric(
    "kernel distance of these features",
    _IMAGES,
    better="lower",
    ideal="0",
  ),
  "kid_standard_error": Metric(
    "standard error of `kid`", _IMAGES, limits=DISTANCE
  ),
  "precision": Metric(
    "fraction of generated images that are near real ones",
    _IMAGES,
    better="higher",
    ideal="1",
    limits=FRACTION,
  ),
  "recall": Metric(
    "fraction of real images that are near generated ones",
    _IMAGES,
    better="higher",
    ideal="1",
    limits=FRACTION,
  ),
  "density": Metric(
    "how many real images are near a generated one, relative to real images",
    _IMAGES,
    better="higher",
    ideal="1",
    limits=DISTANCE,
  ),
  "coverage": Metric(
    "fraction of real images whose neighbours include a generated one",
    _IMAGES,
    better="higher",
    ideal="31/32",
    limits=FRACTION,
  ),
  "classifier_score": Metric(
    "inception score, by the classifier of the features",
    _IMAGES,
    better="higher",
    ideal="that of the data",
    limits=(1, math.inf),
  ),
  "laplacian_ratio": Metric(
    "how much neighbouring pixels of generated images differ, relative to real "
    "ones: more is speckle, less is blur",
    _IMAGES,
    ideal="1",
    limits=DISTANCE,
  ),
  "classes_covered": Metric(
    "number of classes that the classifier finds among the samples",
    _CLASSES,
    "classes",
    "higher",
    "all",
    DISTANCE,
  ),
  "label_accuracy": Metric(
    "fraction of samples that the classifier takes for the class that was "
    "asked for",
    "`--condition`",
    better="higher",
    ideal="1",
    limits=FRACTION,
  ),
}


def describe(name: str) -> Metric:
  """Returns what is known of a metric, of the average's, or of a level's."""
  plain, _, level = name.removeprefix(AVERAGE).partition(LEVEL)
  metric = METRICS.get(plain, Metric("", ""))
  if plain == name or not metric.meaning:
    return metric
  if level:
    return metric._replace(
      meaning=f"{plain} of level {level}, images halved {level} times"
    )
  return metric._replace(meaning=f"{plain} of the averaged parameters")
