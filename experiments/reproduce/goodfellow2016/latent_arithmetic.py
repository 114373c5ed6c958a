"""Arithmetic of latents: moving glasses from one face to another.

The tutorial adds means of three latents each: a man with glasses, minus a man
without, plus a woman without, gives a woman with glasses. Here they are cartoon
faces, and a classifier of the faces tells what the generator has made:

  dark with glasses - dark + fair = fair with glasses.

(A first choice, removing glasses and adding a smile, was dropped: that
generator had not learnt smiles, and none of 200 sums had one.) The same sum of
pixels is shown for comparison. Faces drawn on top of each other are no faces,
so these sums are farther from the data.

Source: Goodfellow, NIPS 2016 Tutorial: Generative Adversarial Networks, arXiv
1701.00160, section 4.1, figure 19; Radford, Metz and Chintala, Unsupervised
Representation Learning with Deep Convolutional Generative Adversarial Networks,
arXiv 1511.06434, section 6.3.2 and figure 7.
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
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.run_folder.results import Results
from gan_jax.data import faces
from gan_jax.metrics import neighbours

NUM_SAMPLES = 4000
NUM_SUMS, NUM_SHOWN = 200, 6
NUM_AVERAGED = 3
"""Latents in a mean, as in the publication, because one is not enough."""
TERMS = ("dark with glasses", "dark", "fair")
"""The first minus the second plus the third."""
RESULT = "fair with glasses"
_SIGNS = np.array([1, -1, 1], np.float32)
_NUM_DATA = 10_000
_CERTAIN = 0.9
"""Probability from which a sample counts as one of its class."""


def compute(runs: Mapping[str, Results]) -> Computed:
  """Adds latents and pixels and classifies the results."""
  network = image_runs.load_networks(runs[image_runs.FACES])
  latents = network.sample_latents(0, NUM_SAMPLES)
  samples = network.generate(latents)
  _, logits = network.features.apply(samples)
  probabilities = np.asarray(jax.nn.softmax(logits))
  rng = np.random.default_rng(0)
  chosen = []
  for term in TERMS:
    ordered = np.argsort(-probabilities[:, faces.CLASS_NAMES.index(term)])
    certain = probabilities[ordered, faces.CLASS_NAMES.index(term)] > _CERTAIN
    # If the generator makes too few, the most likely ones are used.
    pool = ordered[: max(NUM_AVERAGED, int(certain.sum()))]
    chosen.append(
      [rng.permutation(pool)[:NUM_AVERAGED] for _ in range(NUM_SUMS)]
    )
  # [terms, sums, averaged, ...]
  indices = np.array(chosen)
  means = latents[indices].mean(axis=2)
  latent_sums = network.generate(jnp.tensordot(_SIGNS, means, 1))
  mean_faces = network.generate(means.reshape(-1, network.latent_dim))
  mean_faces = mean_faces.reshape(*means.shape[:2], *samples.shape[1:])
  pixel_sums = jnp.tensordot(_SIGNS, samples[indices].mean(axis=2), 1)
  pixel_sums = jnp.clip(pixel_sums, -1, 1)
  data, _ = network.features.apply(
    image_runs.to_units(network.train.pixels[:_NUM_DATA])
  )

  def judged(images):
    """Returns the share of the expected class and the distance from data."""
    features, logits = network.features.apply(images)
    found = jnp.argmax(logits, axis=1) == faces.CLASS_NAMES.index(RESULT)
    distances, _ = neighbours.nearest(features, data, 1)
    return 100 * float(jnp.mean(found)), float(jnp.mean(distances))

  with_glasses, from_data = judged(latent_sums)
  before, _ = judged(mean_faces[TERMS.index("fair")])
  _, blend_from_data = judged(pixel_sums)
  _, sample_from_data = judged(samples[:NUM_SUMS])
  shown = []
  for row in range(NUM_SHOWN):
    parts = []
    for term in range(len(TERMS)):
      parts += [samples[indices[term, row]], mean_faces[term, row][None]]
    parts += [latent_sums[row][None], pixel_sums[row][None]]
    shown.append(np.concatenate(parts))
  return Computed(
    {
      "sums that are fair with glasses (%)": with_glasses,
      "means of fair faces that have glasses (%)": before,
      "distance from the data, sums over samples": from_data / sample_from_data,
      "distance from the data, sums of pixels over sums": (
        blend_from_data / from_data
      ),
    },
    {"rows": image_runs.to_pixels(jnp.asarray(np.array(shown)))},
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws a sum in each row: its terms with their means, and the results."""
  rows = drawn["rows"]
  width = NUM_AVERAGED + 1
  parts = [slice(width * term, width * (term + 1)) for term in range(3)]
  parts += [slice(-2, -1), slice(-1, None)]
  titles = (
    f"  {TERMS[0]}",
    f"-  {TERMS[1]}",
    f"+  {TERMS[2]}",
    "=  latents",
    "pixels",
  )
  figure, panels = curves.grid(
    len(parts),
    len(parts),
    (11, 4.6),
    gridspec_kw={"width_ratios": [width] * 3 + [1, 1]},
  )
  pictures.headline(
    figure,
    f"sums of means of {NUM_AVERAGED} latents (the mean's face is the last of "
    f"each {width}), and of the same faces' pixels",
  )
  for axes, part, title in zip(panels, parts, titles, strict=True):
    faces_shown = rows[:, part]
    image_plots.show(
      axes,
      image_plots.mosaic(
        faces_shown.reshape(-1, *faces_shown.shape[2:]), faces_shown.shape[1]
      ),
    )
    axes.set_title(title, fontsize=9)
  return figure


CHECKS = (
  Check(
    "sums that are fair with glasses (%)",
    60.0,
    0.0,
    "set before the run: most sums have the expected class",
    relation="at least",
    wrong={"chance of four classes": 25.0, "without, as the last term": 0.0},
  ),
  Check(
    "means of fair faces that have glasses (%)",
    20.0,
    0.0,
    "the last term alone has none; the other two add them",
    relation="at most",
    wrong={"has them anyway": 60.0},
  ),
  Check(
    "distance from the data, sums over samples",
    1.5,
    0.0,
    "set before the run: a sum's face is a face",
    relation="at most",
    wrong={"far from the data": 3.0},
  ),
  Check(
    "distance from the data, sums of pixels over sums",
    1.1,
    0.0,
    "the publication's contrast: faces on top of each other are no faces",
    relation="at least",
    wrong={"as good": 1.0},
  ),
)

REPRODUCTION = Reproduction(
  id="goodfellow2016_fig19",
  source="Goodfellow tutorial 2016, arXiv 1701.00160, figure 19",
  summary="latents of faces can be added: glasses move from face to face",
  compute=compute,
  checks=CHECKS,
  draw=draw,
  trainings=image_runs.OF_FACES,
  long=True,
)
