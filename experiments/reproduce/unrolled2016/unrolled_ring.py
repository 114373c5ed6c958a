"""Unrolled GANs on a ring of Gaussians: foresight stops mode hopping.

The data is a ring of 8 Gaussians of radius 2 and standard deviation 0.02. The
generator descends

  J_G(g, d_K(g)),  d_0 = d,  d_(k+1) = d_k - Adam(d J_D / d d (g, d_k)),

its cost after K more steps of the discriminator, and differentiates through
these steps. The discriminator itself takes one of them. With K = 0, plain
simultaneous training, the generator puts all samples on one mode, the
discriminator reacts, and the samples hop to another mode, often the opposite
one, without end. K = 1 behaves the same. With K = 5 or 10 the samples spread
over the ring from the start and then contract to all 8 modes.

Networks and costs follow the paper's appendix A: latents N(0, I_256); a
generator with 2 hidden layers of 128 rectified units and a discriminator with
1; the minimax cost; Adam with beta1 0.5 and one rate for both players. The
paper takes 25,000 steps at a rate of 1e-4 with batches of 512, as does --full.
The default is 12,000 steps at 5e-4 with batches of 64, so that K steps reach 5
times as far as in the paper. Other differences, in both: the players move at
once, not in turn; the discriminator sees x instead of x / 4; and kernels are
N(0, 0.06^2) instead of orthogonal ones of scale 0.8, whose entries have
standard deviations of 0.05 to 0.07.

Mode hopping depends on such details. The authors' notebook
(github.com/poolio/unrolled_gan) uses other settings: tanh, two layers for the
discriminator, a generator rate ten times the discriminator's, orthogonal
kernels of scale 1.4, and the angles linspace(0, 2 pi, 8), which put two of the
8 modes on one point; here all 8 are distinct. With those networks and rates the
ring is found without unrolling too, as issue 2 of the notebook's repository
reports.

Source: Metz, Poole, Pfau and Sohl-Dickstein, Unrolled Generative Adversarial
Networks, arXiv 1611.02163, section 3.1, figure 2 and appendix A.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.reproduce.common import rings
from experiments.reproduce.common.figure import (
  Check,
  Computed,
  Reproduction,
  Training,
)
from experiments.run_folder.results import Results

UNROLLED_STEPS = {f"K = {steps}": steps for steps in (0, 1, 5, 10)}
FEW, ENOUGH = ("K = 0", "K = 1"), ("K = 5", "K = 10")
NUM_SEEDS = 4
NUM_MODES = 8


def compute(runs: Mapping[str, Results]) -> Computed:
  """Averages the modes at the end of training over seeds, for each K."""
  measured = {}
  for name in UNROLLED_STEPS:
    results = runs[name]
    measured |= {
      f"spread over modes, {name}": rings.mean_at_end(
        results, rings.spread(results)
      ),
      f"modes covered, {name}": rings.mean_at_end(
        results, results.metrics["modes_covered"]
      ),
    }
  for name in FEW:
    measured[f"modes visited, {name}"] = np.mean(rings.num_visited(runs[name]))
  settings = runs[FEW[0]].settings
  return Computed(
    measured,
    {
      "rows": {name: rings.make_row(runs[name]) for name in UNROLLED_STEPS},
      "modes": runs[FEW[0]].snapshots["modes"],
      "training": (
        f"{settings['steps']:,} steps at a rate of "
        f"{settings['generator_learning_rate']:g}, batches of "
        f"{settings['batch_size']}, {len(runs[FEW[0]].seeds)} seeds"
      ),
    },
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws samples over the steps, a row for each K."""
  return rings.draw_rows(
    "a generator that foresees K steps of the discriminator: with too few it "
    "hops from mode to mode, with enough it covers the ring\n"
    f"{drawn['training']} (published: 25,000 steps at 0.0001, batches of 512)",
    drawn["rows"],
    drawn["modes"],
    height=8.6,
  )


_SEEDS = f"mean of {NUM_SEEDS} seeds over the last tenth of the steps"
CHECKS = (
  *(
    Check(
      f"spread over modes, {name}",
      NUM_MODES,
      1.0,
      f"all modes of the data alike; {_SEEDS}",
      wrong={"without unrolling": 2.0, "two modes left out": 6.0},
    )
    for name in ENOUGH
  ),
  *(
    Check(
      f"modes covered, {name}",
      NUM_MODES,
      1.5,
      f"all modes of the data, figure 2; {_SEEDS}",
      wrong={"two modes left out": 6.0, "half of the modes": 4.0},
    )
    for name in ENOUGH
  ),
  *(
    Check(
      f"{measured}, {name}",
      bound,
      0.0,
      f"one mode, or two between hops, figure 2; {_SEEDS}",
      relation="at most",
      wrong={"half of the modes": 4.0, "all modes": NUM_MODES},
    )
    for measured, bound in (("spread over modes", 3.0), ("modes covered", 2.0))
    for name in FEW
  ),
  *(
    Check(
      f"modes visited, {name}",
      NUM_MODES,
      2.0,
      "hops that reach most modes in turn, section 3.1; mean of "
      f"{NUM_SEEDS} seeds over all steps",
      wrong={"collapsed onto one": 1.0, "to and fro between two": 2.0},
    )
    for name in FEW
  ),
)


def _trainings(
  steps: int, learning_rate: float, batch_size: int
) -> dict[str, Training]:
  """Returns the trainings of each K."""
  return {
    name: Training(
      "ring",
      {
        "radius": 2.0,
        "mode_stddev": 0.02,
        "loss": "minimax",
        "update": "unrolled",
        "unrolled_steps": unrolled_steps,
        "latent_dim": 256,
        "discriminator_depth": 1,
        "initializer": "normal",
        "initial_scale": 0.06,
        "generator_learning_rate": learning_rate,
        "discriminator_learning_rate": learning_rate,
        "learning_rate_decay": "none",
        "generator_beta1": 0.5,
        "discriminator_beta1": 0.5,
        "generator_average": 0.0,
        "batch_size": batch_size,
        "steps": steps,
        "log_every": steps // 100,
      },
      NUM_SEEDS,
    )
    for name, unrolled_steps in UNROLLED_STEPS.items()
  }


REPRODUCTION = Reproduction(
  id="unrolled_ring",
  source="Metz et al. 2016, arXiv 1611.02163, figure 2",
  summary="a generator that foresees the discriminator's steps stops hopping",
  compute=compute,
  checks=CHECKS,
  draw=draw,
  trainings=_trainings(12_000, 5e-4, 64),
  full_trainings=_trainings(25_000, 1e-4, 512),
)
