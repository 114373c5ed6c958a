"""The reproductions: every list and test table derives from this one."""

from experiments.reproduce import (
  consensus2017,
  daskalakis2018,
  gidel2018,
  heusel2017,
  loss_zoo,
  miyato2018,
  pacgan2018,
  rosca2021,
  unrolled2016,
)
from experiments.reproduce.common.figure import Reproduction
from experiments.reproduce.dcgan2016 import (
  augmentation,
  filters,
  interpolation,
  nearest_neighbours,
  window_drop,
)
from experiments.reproduce.fgan2016 import conjugates, table
from experiments.reproduce.gan2014 import density_and_discriminator
from experiments.reproduce.goodfellow2016 import (
  batch_statistics,
  dcgan_samples,
  density_ratio,
  divergence_and_modes,
  generator_costs,
  kl_directions,
  latent_arithmetic,
  local_nash,
  ml_gradient,
  shared_value_function,
  support_rank,
)
from experiments.reproduce.habr2018 import (
  animations,
  distributions,
  moments,
  ppca,
  probabilities,
)
from experiments.reproduce.lecture2021 import (
  few_samples_separable,
  moving_plan,
)
from experiments.reproduce.mathematics_of_gans import (
  best_of_three,
  steps_ratio,
  theory_identities,
)
from experiments.reproduce.mescheder2018 import dirac_gan, r1_eigenvalues
from experiments.reproduce.wgan2017 import (
  disjoint_lines,
  lipschitz_needed,
  saturation_and_critic,
)
from experiments.reproduce.wgangp2017 import (
  gradient_norms,
  surfaces,
  weights,
)

_HABR = (
  *probabilities.REPRODUCTIONS,
  *moments.REPRODUCTIONS,
  *distributions.REPRODUCTIONS,
  *animations.REPRODUCTIONS,
)

REPRODUCTIONS: tuple[Reproduction, ...] = (
  theory_identities.REPRODUCTION,
  best_of_three.REPRODUCTION,
  steps_ratio.REPRODUCTION,
  density_and_discriminator.REPRODUCTION,
  disjoint_lines.REPRODUCTION,
  moving_plan.REPRODUCTION,
  few_samples_separable.REPRODUCTION,
  kl_directions.REPRODUCTION,
  divergence_and_modes.REPRODUCTION,
  generator_costs.REPRODUCTION,
  shared_value_function.REPRODUCTION,
  ml_gradient.REPRODUCTION,
  density_ratio.REPRODUCTION,
  support_rank.REPRODUCTION,
  conjugates.REPRODUCTION,
  table.REPRODUCTION,
  saturation_and_critic.REPRODUCTION,
  lipschitz_needed.REPRODUCTION,
  ppca.REPRODUCTION,
  dirac_gan.REPRODUCTION,
  r1_eigenvalues.REPRODUCTION,
  gidel2018.REPRODUCTION,
  daskalakis2018.REPRODUCTION,
  rosca2021.REPRODUCTION,
  heusel2017.REPRODUCTION,
  local_nash.REPRODUCTION,
  # The first two show the same critics, which are trained once.
  surfaces.REPRODUCTION,
  weights.REPRODUCTION,
  gradient_norms.REPRODUCTION,
  miyato2018.REPRODUCTION,
  unrolled2016.REPRODUCTION,
  consensus2017.REPRODUCTION,
  pacgan2018.REPRODUCTION,
  loss_zoo.REPRODUCTION,
  # These look into one run, which is trained once.
  batch_statistics.REPRODUCTION,
  dcgan_samples.REPRODUCTION,
  latent_arithmetic.REPRODUCTION,
  interpolation.REPRODUCTION,
  filters.REPRODUCTION,
  window_drop.REPRODUCTION,
  nearest_neighbours.REPRODUCTION,
  augmentation.REPRODUCTION,
  *sorted(_HABR, key=lambda reproduction: reproduction.id),
)

BY_ID = {reproduction.id: reproduction for reproduction in REPRODUCTIONS}
