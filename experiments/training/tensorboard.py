"""Event files of a run for TensorBoard, written by tensorboardX."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import jax
import numpy as np
from PIL import Image

from experiments.plots import images
from experiments.run_folder import results
from experiments.training.trainer import Checkpoint, Log
from gan_jax.types import Players

LARGEST = 1e18
"""In a histogram: tensorboardX's last bin ends near."""


def _fits(values: np.ndarray) -> bool:
  """Tells whether there is a bin for every value."""
  return bool(np.isfinite(values).all() and np.abs(values).max() < LARGEST)


class Board:
  """Writes what a training logs, and what it ends with.

  Scalars are of every seed; histograms, and images while it trains, are of the
  first one.
  """

  def __init__(self, workdir: Path, seeds: Sequence[int], first_step: int):
    """Begins an event file.

    Args:
      workdir: the run folder.
      seeds: of the members.
      first_step: of what is written; what older files have after it is hidden.
    """
    # Imported late: most runs do without.
    import tensorboardX

    self._workdir = workdir
    self._seeds = seeds
    self._writer = tensorboardX.SummaryWriter(
      str(workdir / results.TENSORBOARD), purge_step=first_step
    )

  def __enter__(self) -> Self:
    return self

  def __exit__(self, *_: Any) -> None:
    self._writer.close()

  def log(self, log: Log) -> None:
    """Writes metrics, and the samples of a frame."""
    for name, values in log.metrics.items():
      for seed, value in zip(self._seeds, values, strict=True):
        if np.isfinite(value):
          self._writer.add_scalar(f"{name}/seed_{seed}", value, log.step)
    samples = (log.frame or {}).get("samples")
    if samples is not None and _fits(samples[0]):
      self._writer.add_histogram("samples", samples[0].ravel(), log.step)
      if samples.ndim == 5:
        page = images.coloured(images.mosaic(samples[0]))
        self._writer.add_image("samples", page, log.step, dataformats="HWC")

  def checkpoint(self, checkpoint: Checkpoint) -> None:
    """Writes the parameters of both players."""
    for player, params in zip(
      Players._fields, checkpoint.progress.state.params, strict=True
    ):
      for path, values in jax.tree.leaves_with_path(params):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        if _fits(values[0]):
          self._writer.add_histogram(
            f"{player}/{name}", values[0].ravel(), checkpoint.step
          )

  def finish(self, step: int) -> None:
    """Writes the figures of the run folder."""
    for path in sorted((self._workdir / results.FIGURES).glob("*.png")):
      with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
      self._writer.add_image(path.stem, pixels, step, dataformats="HWC")
