"""The settings of games on images, and the images that they name."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING

from etils import epy

from experiments.configs import choices
from experiments.configs.fields import setting
from experiments.configs.settings import LatentSettings, Settings
from experiments.errors import SettingError
from gan_jax.data.image_source import DATASETS, FOLDER, LAYOUTS

if TYPE_CHECKING:
  from gan_jax.data.images import Dataset

with epy.lazy_imports():
  from experiments.datasets import image_datasets

NEIGHBOURS = 5
"""Nearest neighbours by which the manifold of images is estimated."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageSettings(Settings):
  """Adds images and the measurement of samples."""

  dataset: str = setting(
    "mnist",
    "dataset to train on; folder reads the images in --data_dir",
    choices=DATASETS,
    heading="Images",
  )
  data_dir: str = setting(
    "",
    "folder of the prepared dataset; or a folder or zip of IDX files or of "
    "images to read instead",
    is_path=True,
  )
  layout: str = setting(
    "auto",
    "meaning of the outermost folders of images: classes, splits such as train "
    "and test, or nothing (flat); auto tells by their names",
    choices=LAYOUTS,
  )
  training_images: int = setting(
    0,
    "number of training images, a random subset that is the same for every "
    "seed; 0 is all",
    minimum=0,
  )
  image_size: int = setting(
    28, "side length of the images in pixels", minimum=8, maximum=1024
  )
  image_channels: int = setting(
    1, "channels of the images: 1 for grey, 3 for colour", minimum=1, maximum=3
  )
  fast_decoding: bool = setting(
    False,
    "decode large JPEGs at a fraction of their size: sooner and with less "
    "memory, but pixels move by up to 14 of 255",
  )
  evaluate_every: int = setting(
    0,
    "steps between measurements of samples; 0 is a tenth of the run",
    minimum=0,
    requires="evaluate",
    heading="Measurement of images",
  )
  inception_weights: str = setting(
    "",
    "file of Inception weights (pt_inception-2015-12-05-*.pth of PyTorch, or "
    "an .npz of the same arrays) to measure samples with, instead of a "
    "classifier trained on the dataset; classes are then not measured, and a "
    "measurement takes minutes without an accelerator",
    is_path=True,
    requires="evaluate",
  )

  def check_contradictions(self) -> None:
    super().check_contradictions()
    if self.evaluation_samples <= NEIGHBOURS:
      raise SettingError(
        f"--evaluation_samples={self.evaluation_samples} is too few: images "
        f"are measured by their {NEIGHBOURS} nearest neighbours; it must be at "
        f"least {NEIGHBOURS + 1}"
      )
    if self.dataset == FOLDER and not self.data_dir:
      raise SettingError(
        "--dataset=folder needs --data_dir, a folder or zip of images"
      )
    if self.image_channels == 2:
      raise SettingError("--image_channels must be 1 or 3, not 2")

  def check_single_samples(self, condition: str, lost: str) -> None:
    """Raises SettingError where samples would lose what they depend on.

    Args:
      condition: what settings give samples a condition.
      lost: what packs of samples and the replay memory do not keep.
    """
    mixed = {"packing": self.packing > 1, "replay_size": self.replay_size}
    for name, is_on in mixed.items():
      if is_on:
        raise SettingError(
          f"--{name}={getattr(self, name)} cannot be combined with "
          f"{condition}: the samples would lose their {lost}"
        )

  def evaluation_interval(self) -> int:
    return self.evaluate_every or max(1, self.steps // 10)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvolutionSettings(ImageSettings):
  """Adds convolutional networks."""

  generator_filters: int = setting(
    64,
    "channels of the generator's last hidden layer; each layer before it has "
    f"twice as many, except in residual networks below {choices.LARGE} pixels",
    minimum=1,
    maximum=1024,
  )
  generator_normalization: str = setting(
    "batch",
    "normalisation of the generator's hidden maps",
    choices=choices.MAP_NORMALIZATIONS,
  )
  discriminator_filters: int = setting(
    64,
    "channels of the discriminator's first layer; each next layer has twice as "
    f"many, except in residual networks below {choices.LARGE} pixels",
    minimum=1,
    maximum=1024,
  )
  compute_dtype: str = setting(
    "float32",
    "number format of the convolutions; parameters stay float32",
    choices=choices.COMPUTE_DTYPES,
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class DCGANSettings(LatentSettings, ConvolutionSettings):
  """Adds the architecture of a game with latents, and classes."""

  architecture: str = setting(
    "dcgan",
    "networks: strided convolutions, or the residual blocks of SN-GAN",
    choices=choices.ARCHITECTURES,
    heading="Architecture and classes",
  )
  depth: int = setting(
    2,
    "number of halvings of the image, each a convolution or a block; residual "
    f"discriminators have one less, and from {choices.LARGE} pixels one more",
    minimum=1,
    maximum=8,
  )
  condition: str = setting(
    "none",
    "way that classes enter the discriminator; none is no class condition",
    choices=choices.CONDITIONS,
  )

  def check_contradictions(self) -> None:
    if self.latent_join != "none" and not self.joined_layers():
      able = [
        name
        for name, architecture in choices.ARCHITECTURES.items()
        if architecture.joined_layers(self)
      ]
      raise SettingError(
        f"--latent_join={self.latent_join} is not available for "
        f"--architecture={self.architecture}, whose latents enter the first "
        f"layer only; it is for {', '.join(able)}"
      )
    super().check_contradictions()
    if self.image_size % 2**self.depth:
      raise SettingError(
        f"--image_size={self.image_size} must be a multiple of "
        f"{2**self.depth} to be halved --depth={self.depth} times"
      )
    halvings = self.discriminator_halvings()
    if not halvings or self.image_size % 2**halvings:
      raise SettingError(
        f"--architecture={self.architecture} with --depth={self.depth} cannot "
        f"halve the discriminator's {self.image_size} pixels {halvings} times"
      )
    if self.condition != "none":
      self.check_single_samples(f"--condition={self.condition}", "classes")

  def joined_layers(self) -> int:
    return choices.ARCHITECTURES[self.architecture].joined_layers(self)

  def discriminator_halvings(self) -> int:
    """Returns how many times the discriminator halves an image."""
    return choices.ARCHITECTURES[self.architecture].halvings(self)


def say(line: str) -> None:
  """Prints a line to the standard error stream."""
  print(line, file=sys.stderr, flush=True)


def read_dataset(settings: ImageSettings) -> Dataset:
  """Reads the images; raises SettingError if that fails."""
  return image_datasets.read_dataset(
    settings.dataset,
    settings.data_dir,
    settings.layout,
    settings.image_size,
    settings.image_channels,
    settings.fast_decoding,
    say,
  )
