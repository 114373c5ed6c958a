"""The flags of games on images, and the images that they name."""

import dataclasses
from collections.abc import Iterable

from experiments.cli import console
from experiments.configs import choices
from experiments.configs.fields import SettingError, setting
from experiments.configs.settings import Settings
from experiments.datasets import image_datasets
from gan_jax.data import images
from gan_jax.data.image_files import FOLDER
from gan_jax.data.images import Images

NEIGHBOURS = 5
"""Of an image, by which the manifold of images is estimated."""
RESNET = "resnet"
LARGE = 64
"""Side from which residual networks are those of SN-GAN for 64 pixels, which
widen with each halving, and not those for 32, which keep one width."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageSettings(Settings):
  """Adds images, the networks of DCGAN and how often samples are measured."""

  dataset: str = setting(
    "mnist",
    "what to learn; folder takes --data_dir",
    choices=images.DATASETS,
  )
  data_dir: str = setting(
    "",
    "where the dataset is prepared, or a folder of IDX files, a folder of "
    "images or a zip of images to read instead",
  )
  training_images: int = setting(
    0,
    "how many images of the training split are learnt from, drawn once and the "
    "same for every seed; 0 is all",
    minimum=0,
  )
  image_size: int = setting(
    28, "side of the images in pixels", minimum=8, maximum=1024
  )
  image_channels: int = setting(
    1, "1 for grey, 3 for colour", minimum=1, maximum=3
  )
  architecture: str = setting(
    "dcgan",
    "strided convolutions, or the residual blocks of SN-GAN",
    choices=("dcgan", RESNET),
  )
  depth: int = setting(
    2,
    "halvings of the side, a convolution or a block each; of a residual "
    f"discriminator one less, and one more from {LARGE} pixels",
    minimum=1,
    maximum=8,
  )
  latent_dim: int = setting(
    100, "latents of the generator", minimum=1, maximum=4096
  )
  generator_filters: int = setting(
    64,
    "channels of the generator's last hidden layer; twice as many in each one "
    f"before, but in residual ones under {LARGE} pixels",
    minimum=1,
    maximum=1024,
  )
  generator_normalization: str = setting(
    "batch",
    "of the generator's hidden maps",
    choices=choices.MAP_NORMALIZATIONS,
  )
  discriminator_filters: int = setting(
    64,
    "channels of the discriminator's first layer; twice as many in each next, "
    f"but in residual ones under {LARGE} pixels",
    minimum=1,
    maximum=1024,
  )
  condition: str = setting(
    "none",
    "how classes enter the discriminator of a class-conditional game",
    choices=choices.CONDITIONS,
  )
  compute_dtype: str = setting(
    "float32",
    "what convolutions compute in; parameters stay float32",
    choices=choices.COMPUTE_DTYPES,
  )
  evaluate_every: int = setting(
    0,
    "steps between measurements of samples; 0 is a tenth of the run",
    minimum=0,
  )
  inception_weights: str = setting(
    "",
    "file of Inception's weights, pt_inception-2015-12-05-*.pth of PyTorch or "
    "an .npz of the same arrays, whose features measure samples instead of the "
    "dataset's own classifier; classes are then not judged, and a measurement "
    "takes minutes without an accelerator",
  )

  def check(self, given: Iterable[str] = ()) -> None:
    super().check(given)
    if self.evaluation_samples <= NEIGHBOURS:
      raise SettingError(
        f"--evaluation_samples={self.evaluation_samples} is too few: images "
        f"are measured by their {NEIGHBOURS} nearest neighbours; it must be at "
        f"least {NEIGHBOURS + 1}"
      )
    if self.dataset == FOLDER and not self.data_dir:
      raise SettingError(
        f"--dataset={FOLDER} needs --data_dir, a folder or zip of images"
      )
    if self.image_channels == 2:
      raise SettingError("--image_channels must be 1 or 3, not 2")
    if self.image_size % 2**self.depth:
      raise SettingError(
        f"--depth={self.depth} cannot halve --image_size={self.image_size} "
        "so often"
      )
    halvings = self.discriminator_halvings()
    if not halvings or self.image_size % 2**halvings:
      raise SettingError(
        f"--architecture={self.architecture} with --depth={self.depth} halves "
        f"the discriminator's {self.image_size} pixels {halvings} times, which "
        "cannot be"
      )
    classless = {"packing": self.packing > 1, "replay_size": self.replay_size}
    for name, is_on in classless.items():
      if self.condition != "none" and is_on:
        raise SettingError(
          f"--{name}={getattr(self, name)} makes no sense with "
          f"--condition={self.condition}: the samples would lose their classes"
        )

  def discriminator_halvings(self) -> int:
    """Returns how often the discriminator halves an image."""
    if self.architecture != RESNET:
      return self.depth
    return self.depth + (1 if self.image_size >= LARGE else -1)

  def evaluation_interval(self) -> int:
    return self.evaluate_every or max(1, self.steps // 10)


def read_split(settings: ImageSettings, split: str) -> Images:
  """Reads a split of the settings' images; raises SettingError if it cannot."""
  return image_datasets.read_images(
    settings.dataset,
    settings.data_dir,
    split,
    settings.image_size,
    settings.image_channels,
    console.say,
  )
