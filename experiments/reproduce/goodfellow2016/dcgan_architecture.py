"""The architecture of a DCGAN: the shape of its maps and its parameters.

The generator projects its latents to small maps with many channels. Each
transposed convolution then doubles the side and halves the channels, until the
last one makes the image. The discriminator goes the opposite way with strided
convolutions. The boxes are the shapes in `gan_jax.networks.dcgan`, traced
without computing anything. The edges of a box are as long as the square roots
of the numbers below it.

The generator of the paper starts with 1,024 channels. Its authors' code has
kernels of 5 x 5; here they are 4 x 4. The two other networks are those of
an article on anime faces, in PyTorch: filters 512-256-128-64, 4 x 4 kernels
without biases, 100 latents and 64 x 64 colour images. A kernel of a layers from
i to o channels has 16 i o parameters, and batch normalisation of o channels has
2 o, its scale and bias.

The article's first and last layers are 4 x 4 convolutions without padding, from
a single pixel and to one. The library has matrices there, with as many
parameters:

  from 100 latents to 4 x 4 x 512:  16 100 512 = 100 (4 4 512)
  from 4 x 4 x 512 to one logit:    16 512 1   = (4 4 512) 1.

In both, all layers but the generator's last and the discriminator's first and
last have batch normalisation. So the numbers of parameters agree: 3,576,704 and
2,765,568. Running averages are not parameters.

Source: Goodfellow, NIPS 2016 Tutorial: Generative Adversarial Networks, arXiv
1701.00160, section 3.3, figure 17, after Radford, Metz and Chintala,
Unsupervised Representation Learning with Deep Convolutional Generative
Adversarial Networks, arXiv 1511.06434, figure 1; hope_wisdom, GAN/DCGAN:
principles, derivations and practice (CSDN, in Chinese), for the filters.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.checks import Check, close
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax.networks import dcgan

LATENTS = 100
SIDE, CHANNELS = 64, 3
KERNEL = 4 * 4
ARTICLE, PAPER = (512, 256, 128, 64), (1024, 512, 256, 128)
"""Channels of the generators' hidden maps, from 4 x 4 to 32 x 32."""
AXES = ("height", "width", "channels")

Shape = tuple[int, ...]
"""Height, width and channels."""


class Layer(NamedTuple):
  """A layer of a network.

  Attributes:
    maps: shape of its output.
    kernel: number of the parameters of its kernel.
    normalization: number of the parameters of its batch normalisation.
  """

  maps: Shape
  kernel: int
  normalization: int


class Network(NamedTuple):
  """A network with its expected shapes, written out.

  Attributes:
    module: the network.
    inputs: shape of a sample that it maps.
    boxes: expected shapes, from the input to the output.
    normalized: whether each layer has batch normalisation.
  """

  module: nn.Module
  inputs: tuple[int, ...]
  boxes: Sequence[Shape]
  normalized: Sequence[bool]


def _generator(filters: Sequence[int]) -> Network:
  """Describes the generator whose hidden maps have these channels."""
  maps = [(4 * 2**i, 4 * 2**i, count) for i, count in enumerate(filters)]
  return Network(
    dcgan.Generator(SIDE, CHANNELS, len(filters), filters[-1]),
    (LATENTS,),
    [(1, 1, LATENTS), *maps, (SIDE, SIDE, CHANNELS)],
    [True] * len(filters) + [False],
  )


def _discriminator(filters: Sequence[int]) -> Network:
  """Describes the discriminator whose hidden maps have these channels."""
  maps = [(32 // 2**i, 32 // 2**i, count) for i, count in enumerate(filters)]
  return Network(
    dcgan.Discriminator(len(filters), filters[0]),
    (SIDE, SIDE, CHANNELS),
    [(SIDE, SIDE, CHANNELS), *maps, (1, 1, 1)],
    [False] + [True] * (len(filters) - 1) + [False],
  )


NETWORKS = {
  "generator": _generator(ARTICLE),
  "generator of the paper": _generator(PAPER),
  "discriminator": _discriminator(ARTICLE[::-1]),
}


def trace(network: Network) -> list[Layer]:
  """Lists the layers of a network in the order in which they are applied."""
  calls = []

  def record(method, args, kwargs, context):
    output = method(*args, **kwargs)
    if context.method_name == "__call__":
      calls.append((context.module.name, output.shape[1:]))
    return output

  def initialize():
    with nn.intercept_methods(record):
      return network.module.init(
        jax.random.key(0), jnp.zeros((1, *network.inputs))
      )

  parameters = jax.eval_shape(initialize)["params"]
  layers: list[Layer] = []
  for name, shape in calls:
    if name not in parameters:
      # Dropout, or the network itself.
      continue
    size = sum(leaf.size for leaf in jax.tree.leaves(parameters[name]))
    if name.startswith("BatchNorm"):
      # The matrix of the generator makes a vector, which has a shape only now.
      layers[-1] = Layer(shape, layers[-1].kernel, size)
    else:
      layers.append(Layer((1, 1, *shape)[-3:], size, 0))
  return layers


def _expected(network: Network) -> list[Layer]:
  """Lists the layers between the expected shapes.

  A matrix acts like a kernel of 4 x 4 on a single pixel.
  """
  return [
    Layer(
      after,
      KERNEL * before[-1] * after[-1],
      2 * after[-1] if normalized else 0,
    )
    for before, after, normalized in zip(
      network.boxes, network.boxes[1:], network.normalized, strict=False
    )
  ]


def count(layers: Sequence[Layer]) -> int:
  """Adds up the parameters of layers."""
  return sum(layer.kernel + layer.normalization for layer in layers)


def check_network(name: str, network: Network) -> list[Check]:
  """Compares the layers of a network with the expected ones."""
  layers, expected = trace(network), _expected(network)
  checks = [
    close(
      f"layers, {name}", len(layers), len(expected), 0, "one between two boxes"
    ),
    close(
      f"parameters, {name}",
      count(layers),
      count(expected),
      0,
      "closed form: 16 i o of each kernel, 2 o of each batch normalisation",
    ),
  ]
  for number, (here, there) in enumerate(
    zip(layers, expected, strict=False), start=1
  ):
    layer = f"layer {number}, {name}"
    checks += [
      *(
        close(
          f"{axis} after {layer}",
          side,
          other,
          0,
          "sides are doubled or halved; the published channels",
        )
        for axis, side, other in zip(AXES, here.maps, there.maps, strict=True)
      ),
      close(
        f"kernel of {layer}",
        here.kernel,
        there.kernel,
        0,
        "closed form: 16 i o from i to o channels",
      ),
      close(
        f"batch normalisation of {layer}",
        here.normalization,
        there.normalization,
        0,
        "closed form: 2 o; none in G's last layer, and in D's first and last",
      ),
    ]
  return checks


def compute(inputs: Inputs) -> Computed:
  """Traces the networks and counts their parameters."""
  del inputs
  checks = [
    check
    for name, network in NETWORKS.items()
    for check in check_network(name, network)
  ]
  return Computed(
    checks, {name: trace(network) for name, network in NETWORKS.items()}
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws each network as a row of boxes."""
  figure, panels = curves.grid(len(drawn), 1, (11, 8.4))
  pictures.headline(
    figure,
    "DCGAN: all layers of the generator but the first, which is a matrix, "
    "double the side;\nthose of the discriminator but the last halve it "
    "(edges are square roots of the numbers)",
  )
  for axes, (name, layers) in zip(panels, drawn.items(), strict=True):
    first = NETWORKS[name].boxes[0]
    _draw_row(axes, [first, *(layer.maps for layer in layers)])
    axes.set_title(
      f"{name}: {count(layers):,} parameters", fontsize=10, loc="left"
    )
  return figure


def _draw_row(axes: Axes, boxes: Sequence[Shape]) -> None:
  """Draws boxes from left to right, with the layers between them."""
  color = curves.GENERATED if boxes[0][0] == 1 else curves.DISCRIMINATOR
  left = 0.0
  for index, (height, width, channels) in enumerate(boxes):
    tall, deep, wide = np.sqrt([height, width, channels]) * (0.3, 0.1, 0.08)
    # A box has a front of height times channels; the width is drawn backwards.
    low = -tall / 2
    front = [(0, low), (wide, low), (wide, low + tall), (0, low + tall)]
    lid = [
      (0, -low),
      (wide, -low),
      (wide + deep, deep - low),
      (deep, deep - low),
    ]
    side = [
      (wide, low),
      (wide + deep, low + deep),
      (wide + deep, deep - low),
      (wide, -low),
    ]
    for corners, alpha in ((front, 0.35), (lid, 0.2), (side, 0.55)):
      x, y = np.array(corners).T
      axes.fill(
        left + x, y, facecolor=color, alpha=alpha, edgecolor="none", lw=0
      )
      axes.fill(left + x, y, fill=False, edgecolor=curves.DATA, lw=0.7)
    axes.text(
      left + wide / 2,
      -1.5,
      f"{height} x {width} x {channels}",
      ha="center",
      fontsize=8,
    )
    left += wide + deep
    if index + 1 < len(boxes):
      matrix = 1 in (height, boxes[index + 1][0])
      axes.annotate(
        "",
        (left + 0.95, 0),
        (left + 0.15, 0),
        arrowprops={"arrowstyle": "->", "color": curves.FRAME},
      )
      axes.text(
        left + 0.55,
        0.12,
        "matrix" if matrix else "4 x 4,\nstride 2",
        ha="center",
        fontsize=7,
      )
      left += 1.1
  axes.set(aspect="equal", ylim=(-1.75, 2.1))
  axes.axis("off")


REPRODUCTION = Reproduction(
  id="goodfellow2016_fig17",
  source="Goodfellow 2016, arXiv 1701.00160, figure 17",
  summary="the architecture of a DCGAN: shapes of its maps, and parameters",
  compute=compute,
  draw=draw,
)
