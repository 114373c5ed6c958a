"""A data set small enough for a test: IDX files of ten kinds of noise."""

import gzip
import struct
from pathlib import Path

import numpy as np

NUM_TRAIN, NUM_TEST, SIDE = 160, 20, 28

SETTINGS = {
  "steps": 2,
  "log_every": 1,
  "evaluation_samples": 64,
  "evaluate_every": 1,
  "batch_size": 8,
  "image_size": 16,
  "image_channels": 1,
  "depth": 2,
  "generator_filters": 4,
  "discriminator_filters": 4,
}
"""Of a game on these images, or on others in their place; the same for all
tests, so that its programs are compiled once."""


def write(folder: Path) -> None:
  """Writes MNIST's four files, of smaller and fewer images."""
  rng = np.random.default_rng(0)
  for split, count in (("train", NUM_TRAIN), ("t10k", NUM_TEST)):
    labels = np.arange(count, dtype=np.uint8) % 10
    pixels = rng.integers(0, 256, (count, SIDE, SIDE), dtype=np.uint8)
    # A class is as bright as its number.
    pixels = (pixels // 4 + 19 * labels[:, None, None]).astype(np.uint8)
    for kind, values in (("images-idx3", pixels), ("labels-idx1", labels)):
      header = struct.pack(">HBB", 0, 8, values.ndim)
      header += struct.pack(f">{values.ndim}I", *values.shape)
      with gzip.open(folder / f"{split}-{kind}-ubyte.gz", "wb") as file:
        file.write(header + values.tobytes())
