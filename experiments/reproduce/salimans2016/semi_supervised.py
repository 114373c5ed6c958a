"""A GAN's game teaches a classifier of digits, of which few are labelled.

The discriminator is a classifier of K + 1 classes, the last of which are
generated images, and the generator matches the means of its features. With 20,
100 and 200 labelled digits, and all of MNIST's training images without labels,
it is compared with the same network that has the labelled digits alone. Each
seed has other labels; both networks of a seed have the same.

The publication trains networks of twice the widths at twice the rates for 300
epochs of 600 steps. A thirtieth of these steps cannot reach its errors, which
are drawn beside those of the figure; --full takes as many steps.

Source: Salimans, Goodfellow, Zaremba, Cheung, Radford and Chen, Improved
Techniques for Training GANs, arXiv 1606.03498.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.checks import at_least, at_most, lower_end
from experiments.reproduce.common.figure import (
  Computed,
  Inputs,
  Reproduction,
  Training,
)

SEMI, SUPERVISED = "semi-supervised", "labels alone"
COLORS = {SEMI: curves.DISCRIMINATOR, SUPERVISED: curves.GENERATED}
NUM_SPLITS = 3
LABELS = (20, 100, 200)
PUBLISHED = {20: (1677.0, 452.0), 100: (93.0, 6.5), 200: (90.0, 4.2)}
"""Mean and standard deviation of the publication's errors, of 10,000."""
GOAL, GOAL_LABELS = 150.0, 100
STEPS = {SEMI: 6000, SUPERVISED: 1500}
"""The classifier of labels alone has no more to learn after fewer steps."""
FULL_STEPS = {SEMI: 180_000, SUPERVISED: 10_000}
NUM_DRAWN = 36


def _name(num_labels: int, kind: str) -> str:
  return f"{num_labels} labels, {kind}"


def _trainings(steps: Mapping[str, int]) -> dict[str, Training]:
  """Returns the runs with all numbers of labels, the goal's first."""
  return {
    _name(num_labels, kind): Training(
      "semi_supervised_mnist",
      {
        "num_labels": num_labels,
        "unsupervised": kind == SEMI,
        "steps": steps[kind],
      },
      NUM_SPLITS,
    )
    for num_labels in sorted(LABELS, key=lambda n: n != GOAL_LABELS)
    for kind in (SEMI, SUPERVISED)
  }


def compute(inputs: Inputs) -> Computed:
  """Compares the errors of the averaged classifiers on the test images."""
  errors = {
    kind: {
      num_labels: inputs.runs[_name(num_labels, kind)].sampled("test_errors")
      for num_labels in LABELS
    }
    for kind in COLORS
  }
  last = {
    kind: {n: values[:, -1] for n, values in of_kind.items()}
    for kind, of_kind in errors.items()
  }
  checks = [
    at_most(
      f"{GOAL_LABELS} labels: errors of 10,000, {SEMI}",
      last[SEMI][GOAL_LABELS],
      GOAL,
      f"{GOAL:g} set as a goal before the first run",
      margin=50.0,
      published=PUBLISHED[GOAL_LABELS][0],
    )
  ]
  for n in LABELS:
    fewer = last[SUPERVISED][n] - last[SEMI][n]
    checks.append(
      at_least(
        f"{n} labels: errors of 10,000, {SUPERVISED} minus {SEMI}, mean "
        f"{np.mean(fewer):.0f}; lower end of the interval over splits",
        lower_end(fewer),
        0.0,
        "unlabelled images help, the publication's claim",
      )
    )
  shown = inputs.runs[_name(GOAL_LABELS, SEMI)]
  return Computed(
    checks,
    {
      "last": last,
      "errors": {kind: errors[kind][GOAL_LABELS] for kind in COLORS},
      "steps": {
        kind: inputs.runs[_name(GOAL_LABELS, kind)].steps for kind in COLORS
      },
      "samples": shown.snapshots["samples"][0, -1][:NUM_DRAWN],
    },
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws errors over labels and over steps, and generated digits."""
  figure, (by_labels, by_steps, digits) = curves.grid(3, 3, (12, 4.4))
  pictures.headline(
    figure,
    f"errors on MNIST's 10,000 test images; {NUM_SPLITS} labelled subsets each",
  )
  for kind, color in COLORS.items():
    for shift, split in enumerate(
      np.transpose([drawn["last"][kind][n] for n in LABELS])
    ):
      by_labels.plot(
        LABELS, split, "o-", color=color, lw=0.8, label="_" * shift + kind
      )
    steps, errors = drawn["steps"][kind], drawn["errors"][kind]
    measured = np.isfinite(errors).all(axis=0)
    for split in errors:
      by_steps.plot(steps[measured], split[measured], color=color)
  means, stddevs = np.transpose([PUBLISHED[n] for n in LABELS])
  by_labels.errorbar(
    LABELS,
    means,
    stddevs,
    fmt="D",
    color=curves.DATA,
    capsize=3,
    label="published, 300 epochs",
  )
  for axes in (by_labels, by_steps):
    axes.axhline(
      GOAL, color=curves.FRAME, label="goal at 100 labels", **curves.REFERENCE
    )
    axes.set_yscale("log")
    axes.set_ylim(50, 10_000)
    axes.set_ylabel("errors of 10,000")
  by_labels.set_xscale("log")
  by_labels.set_xticks(LABELS, [str(n) for n in LABELS])
  by_labels.minorticks_off()
  by_labels.set_xlabel("labelled images")
  by_steps.set_title(f"{GOAL_LABELS} labels", fontsize=10)
  curves.step_axis(by_steps)
  by_steps.locator_params(axis="x", nbins=4)
  pictures.show_images(
    digits, drawn["samples"], title=f"generated, {GOAL_LABELS} labels"
  )
  return curves.legend(figure)


REPRODUCTION = Reproduction(
  id="semi_supervised",
  source="Salimans et al. 2016, arXiv 1606.03498",
  summary="a GAN's game teaches a classifier of digits with few labels",
  minutes=45,
  compute=compute,
  draw=draw,
  trainings=_trainings(STEPS),
  full_trainings=_trainings(FULL_STEPS),
)
