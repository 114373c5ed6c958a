"""A discriminator that sees few samples learns them by heart.

"If D is updated too often it overfits." Both players train on N fixed samples
of a ring of eight wide Gaussians (`--training_samples`), with five steps of D
to one of G. D is then compared on the training samples and on held-out samples
of the same density. With 16 samples D is surer of the training samples than of
held-out ones. The claims are that this gap falls with N, that it is near 0 with
4,096 samples, and that D on held-out samples is then what it is in a training
on fresh samples, where all samples are held out and the gap is 0 by definition.

The bounds of the checks were set before the first run. There the interval of
the gap with 16 samples, .66 with .09 on each side, was wider than the margin of
the check, which now is of the interval's lower end.

References:
  Wang Haoran, The mathematics of GANs (cnblogs, 2020, in Chinese), the
    algorithm.
"""

import itertools
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures, rings
from experiments.reproduce.common.checks import at_least, covers, lower_end
from experiments.reproduce.common.figure import (
  Computed,
  Inputs,
  Reproduction,
  Training,
)
from experiments.run_folder.results import Results
from gan_jax import statistics

SIZES = (16, 64, 256, 4096)
FRESH = "fresh samples"
NUM_SEEDS = 8
STEPS = 800


def judged(results: Results, name: str) -> np.ndarray:
  """Averages D at the end of the training, [num_seeds]."""
  return rings.mean_at_end(results, results.metrics[f"discriminator_{name}"])


def gap(results: Results) -> np.ndarray:
  """Computes D on training samples less D on held-out ones, [num_seeds]."""
  return judged(results, "train") - judged(results, "held_out")


def compute(inputs: Inputs) -> Computed:
  """Compares D on training samples and on held-out samples."""
  gaps = {size: gap(inputs.runs[f"{size} samples"]) for size in SIZES}
  few, *_, many = SIZES
  claim = "D overfits few samples"
  checks = [
    at_least(
      f"gap with {few} samples, lower end", lower_end(gaps[few]), 0.1, claim
    ),
    *(
      at_least(
        f"gap with {fewer} samples less that with {more}, lower end",
        lower_end(gaps[fewer] - gaps[more]),
        0.0,
        f"{claim}: the gap falls with their number",
      )
      for fewer, more in itertools.pairwise(SIZES)
    ),
    covers(
      f"gap with {many} samples",
      gaps[many],
      0.0,
      0.02,
      "that of fresh samples, of which none is seen twice",
    ),
    covers(
      f"D on held-out samples with {many} samples less that on fresh samples",
      judged(inputs.runs[f"{many} samples"], "held_out")
      - judged(inputs.runs[FRESH], "real"),
      0.0,
      0.05,
      "many samples are as good as fresh ones",
    ),
  ]
  return Computed(checks, inputs.runs)


def draw(drawn: Mapping[str, Results]) -> Figure:
  """Draws D over the steps for each size, and the gaps of all sizes."""
  columns = len(SIZES) + 1
  figure, panels = curves.grid(columns, columns, (15, 3.9))
  first = drawn[FRESH]
  pictures.headline(
    figure,
    "D on the samples that it is trained on, and on others of the same "
    f"density\nring, {first.settings['discriminator_steps']} steps of D to one "
    f"of G, mean of {len(first.seeds)} seeds and 95 % interval",
  )
  for axes, size in zip(panels, SIZES, strict=False):
    results = drawn[f"{size} samples"]
    for name, color, label in (
      ("train", curves.DATA, "training samples"),
      ("held_out", curves.AVERAGE, "held-out samples"),
      ("fake", curves.GENERATED, "generated samples"),
    ):
      curves.curve(axes, results, f"discriminator_{name}", color, label)
    axes.set(ylim=(-0.02, 1.02), xlim=(0, results.steps[-1]), xlabel="step")
    axes.set_title(f"{size:,} training samples", fontsize=10)
  for axes in panels[1:-1]:
    axes.tick_params(labelleft=False)
  panels[0].set_ylabel("mean of D")
  axes = panels[-1]
  gaps = [gap(drawn[f"{size} samples"]) for size in SIZES]
  axes.errorbar(
    SIZES,
    [np.mean(values) for values in gaps],
    [statistics.mean_and_interval(values).ci95 or 0.0 for values in gaps],
    color=curves.DISCRIMINATOR,
    marker="o",
    capsize=3,
  )
  axes.axhline(0, color=curves.DATA, label="fresh samples", **curves.REFERENCE)
  axes.set_xscale("log")
  axes.set_xticks(SIZES, [f"{size:,}" for size in SIZES])
  axes.minorticks_off()
  axes.set_title("training less held-out, at the end", fontsize=10)
  axes.set(xlabel="training samples", ylabel="difference of the means of D")
  return curves.legend(figure)


REPRODUCTION = Reproduction(
  id="overfitting_discriminator",
  source="The mathematics of GANs 2020, the algorithm",
  summary="the fewer training samples, the surer D is of them and of no others",
  minutes=1,
  compute=compute,
  draw=draw,
  trainings={
    name: Training(
      "ring",
      {
        "mode_stddev": 0.3,
        "training_samples": size,
        "update": "alternating",
        "discriminator_steps": 5,
        "generator_width": 64,
        "discriminator_width": 64,
        "generator_learning_rate": 1e-3,
        "discriminator_learning_rate": 4e-3,
        "learning_rate_decay": "none",
        "generator_average": 0.0,
        "steps": STEPS,
        "log_every": STEPS // 40,
      },
      NUM_SEEDS,
    )
    for name, size in (
      *((f"{size} samples", size) for size in SIZES),
      (FRESH, 0),
    )
  },
)
