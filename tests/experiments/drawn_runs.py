"""Runs that were never trained, to be drawn."""

import io

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image
from scipy import special, stats

from experiments.run_folder.results import Results

NORMAL = ((15.0, 7.0),)


MIXTURE = ((-3.0, 1.0), (3.0, 1.0))


ALL = ((0, 0), (1, 0))


"""Both members of two fail at once."""


def make_results(name, settings, seeds, steps, metrics, moving, still, failed):
  """Assembles a run that draws every other logged step, and the last."""
  drawn = np.append(np.arange(0, len(steps) - 1, 2), len(steps) - 1)
  metrics = {name: np.array(value) for name, value in metrics.items()}
  moving = {name: np.array(value, "f4") for name, value in moving.items()}
  for member, log in failed:
    for values in (*metrics.values(), *moving.values()):
      values[member, log:] = np.nan
  moving = {name: value[:, drawn] for name, value in moving.items()}
  still = {name: np.array(value, "f4") for name, value in still.items()}
  return Results(
    experiment=name,
    settings=settings,
    seeds=np.asarray(seeds),
    steps=steps,
    metrics=metrics,
    snapshots={"step": steps[drawn], **still, **moving},
  )


def make_1d(num_seeds=1, num_logs=41, data=NORMAL, critic=False, failed=()):
  """A linear generator on its way from N(0, 1) to the moments of the data.

  Member and log (m, l) of `failed`: member m fails at logged step l.
  """
  rng = np.random.default_rng(0)
  x = np.linspace(-15, 40, 221) if data is NORMAL else np.linspace(-8, 8, 221)
  p = np.mean([stats.norm.pdf(x, *mode) for mode in data], axis=0)
  means, stddevs = np.transpose(data)
  goal_stddev = np.sqrt(np.mean(stddevs**2) + np.var(means))
  time = np.linspace(0, 1, num_logs)
  shape = (num_seeds, num_logs)
  rate = rng.uniform(3.5, 7, [num_seeds, 1])
  weight = 1 - np.exp(-rate * time) * np.cos(9 * time)
  noise = 0.1 * rng.normal(size=(2, *shape)) * (time > 0)
  mean = weight * np.mean(means) + noise[0]
  stddev = np.abs(1 + weight * (goal_stddev - 1) + noise[1])
  q = stats.norm.pdf(x, mean[..., None], stddev[..., None])
  logits = np.clip(np.log(p + 1e-12) - np.log(q + 1e-12), -6, 6)
  logits = 0.9 * logits + 0.15 * np.sin(x + 40 * mean[..., None])
  d = logits if critic else special.expit(logits)
  player = "critic" if critic else "discriminator"
  middle = (p + q) / 2
  entropies = special.rel_entr(p, middle) + special.rel_entr(q, middle)
  distances = np.abs(np.cumsum(p - q, axis=-1)) * (x[1] - x[0])
  fooled = np.trapezoid(q * np.logaddexp(0, -logits), x)
  caught = np.trapezoid(q * np.logaddexp(0, logits), x)
  believed = np.trapezoid(p * np.logaddexp(0, -logits), x)
  return make_results(
    "normal" if data is NORMAL else "mixture_near",
    {"loss": "non_saturating", "update": "simultaneous", "batch_size": 64},
    3 + np.arange(num_seeds),
    250 * np.arange(num_logs),
    {
      "generator_cost": fooled,
      "discriminator_cost": believed + caught,
      f"{player}_real": np.trapezoid(p * d, x),
      f"{player}_fake": np.trapezoid(q * d, x),
      "critic_distance": np.trapezoid((p - q) * d, x),
      "generator_gradient_norm": np.exp(-time) * np.ones(shape),
      "discriminator_gradient_norm": np.exp(-2 * time) * np.ones(shape),
      "score": weight.clip(0, 1),
      "generated_mean": mean,
      "generated_stddev": stddev,
      "wasserstein_1": np.trapezoid(distances, x),
      "jensen_shannon": np.trapezoid(entropies, x) / 2,
    },
    {
      "samples": rng.normal(
        mean[..., None, None], stddev[..., None, None], (*shape, 1000, 1)
      ),
      "generated_density": q,
      "discriminator": d,
      "optimal_discriminator": p / (p + q),
    },
    {"x": x, "data_density": p},
    failed,
  )


def make_2d(num_seeds=1, num_logs=41, critic=False, failed=()):
  """Samples on their way from a blob to eight modes on a ring."""
  rng = np.random.default_rng(1)
  angles = np.arange(8) * np.pi / 4
  modes = 2 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
  # More columns than rows, so that an exchange of the two is seen.
  x, y = np.linspace(-3.2, 3.2, 49), np.linspace(-3, 3, 41)
  points = np.stack(np.meshgrid(x, y), axis=-1)
  mode_stddev = 0.02
  time = np.linspace(0, 1, num_logs)
  ramp = 1 - np.exp(-5 * time)
  shape = (num_seeds, num_logs)

  def density(centres, scale, weights):
    square = np.sum((points[..., None, :] - centres) ** 2, axis=-1)
    return np.exp(-square / (2 * scale**2)) @ weights / scale**2

  samples = np.empty([*shape, 512, 2])
  logits = np.empty([*shape, len(y), len(x)])
  real = density(modes, 0.35, np.full(8, 1 / 8))
  for member in range(num_seeds):
    weights = rng.dirichlet(np.full(8, 0.8))
    centres = modes[rng.choice(8, 512, p=weights)]
    noise = rng.normal(size=[512, 2])
    for log, weight in enumerate(ramp):
      scale = mode_stddev + 0.4 * (1 - weight)
      samples[member, log] = weight * centres + scale * noise
      fake = density(weight * modes, 0.35 + 0.3 * (1 - weight), weights)
      logits[member, log] = np.log(real + 1e-3) - np.log(fake + 1e-3)
  player = "critic" if critic else "discriminator"
  return make_results(
    "ring",
    {"loss": "hinge", "update": "alternating"},
    np.arange(num_seeds),
    500 * np.arange(num_logs),
    {
      "generator_cost": 0.7 + rng.gamma(2, 0.2, shape),
      "discriminator_cost": 1.3 - rng.gamma(2, 0.1, shape),
      f"{player}_real": 0.5 + rng.gamma(2, 0.03, shape),
      f"{player}_fake": 0.5 - rng.gamma(2, 0.03, shape),
      "modes_covered": np.round(8 * ramp - rng.uniform(0, 1, shape) * ramp),
      "modes_balanced": np.round(7 * ramp) * np.ones(shape),
      "high_quality_fraction": ramp * rng.uniform(0.7, 0.95, shape),
      "mode_overlap": 0.8 * ramp**2 * np.ones(shape),
      "reverse_kl": np.log(8) * (1 - ramp) + rng.gamma(2, 0.1, shape),
      "average_modes_covered": np.round(8 * ramp) * np.ones(shape),
      "average_modes_balanced": np.round(7.6 * ramp) * np.ones(shape),
      "average_high_quality_fraction": 0.97 * ramp**2 * np.ones(shape),
      "average_mode_overlap": 0.9 * ramp**2 * np.ones(shape),
      "average_reverse_kl": np.log(8) * (1 - ramp) + rng.gamma(2, 0.02, shape),
    },
    {
      "samples": samples,
      "discriminator": logits if critic else special.expit(logits),
    },
    {
      "x": x,
      "y": y,
      "data_samples": rng.normal(modes[rng.choice(8, 512)], mode_stddev),
      "modes": modes,
      "mode_stddev": mode_stddev,
    },
    failed,
  )


def render(figure):
  """Returns the pixels of a figure as it would be written."""
  buffer = io.BytesIO()
  figure.savefig(buffer, format="png")
  return np.asarray(Image.open(buffer).convert("RGB"))


def count_colors(path):
  """Counts the colours of the picture in a file: few are a blank page."""
  with Image.open(path) as picture:
    return len(
      np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)
    )


def line(axes, label):
  """Returns the one line of the axes with a label."""
  (found,) = [x for x in axes.lines if x.get_label() == label]
  return found


def ydata(axes, label):
  """Returns the y of the one line of the axes with a label."""
  return np.asarray(line(axes, label).get_ydata())


def band(collection, steps):
  """Returns the lowest and the highest vertex of a band at each step."""
  vertices = np.concatenate([path.vertices for path in collection.get_paths()])
  at = [vertices[vertices[:, 0] == step, 1] for step in steps]
  return np.array([[y.min(), y.max()] for y in at]).T


def pixels_of(image, color):
  """Tells which pixels [rows, columns] are near a colour."""
  rgb = 255 * np.array(to_rgb(color))
  return np.abs(image.astype(float) - rgb).max(axis=-1) < 60
