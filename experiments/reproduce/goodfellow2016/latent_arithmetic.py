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
1701.00160, section 3.3, figure 19; Radford, Metz and Chintala, Unsupervised
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
from experiments.reproduce.common import image_runs, pictures
from experiments.reproduce.common.checks import at_least, at_most
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from experiments.reproduce.common.image_runs import TrainedNetworks
from gan_jax.data import faces
from gan_jax.metrics import neighbours
from gan_jax.types import Array

NUM_SAMPLES = 4000
NUM_SUMS, NUM_SHOWN = 200, 6
NUM_AVERAGED = 3
"""Latents in a mean, as in the publication, because one is not enough."""
TERMS = ("dark with glasses", "dark", "fair")
"""The first minus the second plus the third."""
RESULT = "fair with glasses"
_SIGNS = np.array([1, -1, 1], np.float32)


def _choose(logits: Array, seed: int) -> np.ndarray:
  """Chooses samples of each term's class, [terms, NUM_SUMS, NUM_AVERAGED].

  They have a probability above 0.9, or are the most likely ones.
  """
  probabilities = np.asarray(jax.nn.softmax(logits))
  rng = np.random.default_rng(seed)
  chosen = []
  for term in TERMS:
    of_class = probabilities[:, faces.CLASS_NAMES.index(term)]
    num_certain = np.sum(of_class > 0.9)
    pool = np.argsort(-of_class)[: max(NUM_AVERAGED, num_certain)]
    chosen.append(
      [rng.permutation(pool)[:NUM_AVERAGED] for _ in range(NUM_SUMS)]
    )
  return np.array(chosen)


def _add(network: TrainedNetworks, seed: int) -> tuple[list[float], Any]:
  """Adds latents and pixels and classifies the results."""
  latents = network.sample_latents(seed, NUM_SAMPLES)
  samples = network.generate(latents)
  _, logits = network.features.apply(samples)
  indices = _choose(logits, seed)
  means = latents[indices].mean(axis=2)
  latent_sums = network.generate(jnp.tensordot(_SIGNS, means, 1))
  mean_faces = jnp.stack([network.generate(each) for each in means])
  pixel_sums = jnp.tensordot(_SIGNS, samples[indices].mean(axis=2), 1)
  pixel_sums = jnp.clip(pixel_sums, -1, 1)
  data, _ = network.features.apply(
    image_runs.to_units(network.train.pixels[:10_000])
  )

  def judge(images):
    """Returns the share of the expected class and the distance from data."""
    features, logits = network.features.apply(images)
    found = jnp.argmax(logits, axis=1) == faces.CLASS_NAMES.index(RESULT)
    distances, _ = neighbours.nearest(features, data, 1)
    return 100 * float(jnp.mean(found)), float(jnp.mean(distances))

  with_glasses, from_data = judge(latent_sums)
  # A column of the picture is [rows, images of a row, height, width, channels].
  columns = {
    f"{sign}  {term}": jnp.concatenate([samples[chosen], mean[:, None]], 1)
    for sign, term, chosen, mean in zip(
      " -+", TERMS, indices, mean_faces, strict=True
    )
  }
  columns |= {"=  latents": latent_sums[:, None], "pixels": pixel_sums[:, None]}
  return (
    [
      with_glasses,
      judge(mean_faces[TERMS.index("fair")])[0],
      from_data / judge(samples[:NUM_SUMS])[1],
      judge(pixel_sums)[1] / from_data,
    ],
    {
      title: image_runs.to_pixels(column[:NUM_SHOWN])
      for title, column in columns.items()
    },
  )


def compute(inputs: Inputs) -> Computed:
  """Adds the latents of the trained generators."""
  (sums, before, distance, excess), drawn = image_runs.measure_each(
    inputs.runs[image_runs.FACES], lambda network: _add(network, inputs.seed)
  )
  checks = [
    at_least(
      "sums that are fair with glasses (%)",
      sums,
      60.0,
      "set before the run: most sums have the expected class",
      margin=10.0,
    ),
    at_most(
      "means of fair faces that have glasses (%)",
      before,
      20.0,
      "the last term alone has none; the other two add them",
      margin=5.0,
    ),
    at_most(
      "distance from the data, sums over samples",
      distance,
      1.5,
      "set before the run: a sum's face is a face",
      margin=0.25,
    ),
    at_least(
      "distance from the data, sums of pixels over sums",
      excess,
      1.1,
      "the publication's contrast: faces on top of each other are no faces",
      margin=0.05,
    ),
  ]
  return Computed(checks, drawn)


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws a sum in each row: its terms with their means, and the results."""
  widths = [column.shape[1] for column in drawn.values()]
  figure, panels = curves.grid(
    len(drawn), len(drawn), (11, 4.6), gridspec_kw={"width_ratios": widths}
  )
  pictures.headline(
    figure,
    f"sums of means of {NUM_AVERAGED} latents (the mean's face is the last of "
    f"each {widths[0]}), and of the same faces' pixels",
  )
  for axes, width, (title, column) in zip(
    panels, widths, drawn.items(), strict=True
  ):
    pixels = column.reshape(-1, *column.shape[2:])
    pictures.show_images(axes, pixels, width, title)
  return figure


REPRODUCTION = Reproduction(
  id="goodfellow2016_fig19",
  source="Goodfellow 2016, arXiv 1701.00160, figure 19",
  summary="latents of faces can be added: glasses move from face to face",
  minutes=60,
  compute=compute,
  draw=draw,
  trainings=image_runs.OF_FACES,
)
