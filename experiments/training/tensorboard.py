"""Writes a run's event files for TensorBoard, with tensorboardX."""

from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
from PIL import Image

from experiments.plots import images
from experiments.run_folder import results
from experiments.training.callbacks import Logger
from gan_jax import training
from gan_jax.types import Players

LARGEST = 1e18
"""Largest value of a histogram: tensorboardX's last bin ends near it."""


def _fits_bins(values: np.ndarray) -> bool:
  """Tells whether all values are finite and fit into a histogram."""
  return bool(np.isfinite(values).all() and np.abs(values).max() < LARGEST)


class TensorBoard(Logger):
  """Writes the metrics of every seed, and histograms and samples of the first.

  Parameters are written with each checkpoint.
  """

  def __init__(self, workdir: Path, seeds: Sequence[int], first_step: int):
    """Starts an event file, which hides what older ones have after a step."""
    # Imported here because most runs do without it.
    import tensorboardX

    self._workdir = workdir
    self._seeds = seeds
    self._writer = tensorboardX.SummaryWriter(
      str(workdir / results.TENSORBOARD), purge_step=first_step + 1
    )

  def on_log(self, log: training.Log) -> None:
    for name, values in log.metrics.items():
      for seed, value in zip(self._seeds, values, strict=True):
        if np.isfinite(value):
          self._writer.add_scalar(f"{name}/seed_{seed}", value, log.step)
    samples = (log.frame or {}).get("samples")
    if samples is not None and _fits_bins(samples[0]):
      self._writer.add_histogram("samples", samples[0].ravel(), log.step)
      if samples.ndim == 5:
        page = images.coloured(images.mosaic(samples[0]))
        self._writer.add_image("samples", page, log.step, dataformats="HWC")

  def on_checkpoint(self, checkpoint: training.Checkpoint) -> None:
    for player, params in zip(
      Players._fields, checkpoint.progress.state.params, strict=True
    ):
      for path, values in jax.tree.leaves_with_path(params):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        if _fits_bins(values[0]):
          self._writer.add_histogram(
            f"{player}/{name}", values[0].ravel(), checkpoint.step
          )

  def write_figures(self, step: int) -> None:
    for path in sorted((self._workdir / results.FIGURES).glob("*.png")):
      with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
      self._writer.add_image(path.stem, pixels, step, dataformats="HWC")

  def close(self) -> None:
    self._writer.close()
