"""The list of all figures; lists and tests derive from it."""

from experiments.reproduce.arjovsky2017 import vanishing_gradient
from experiments.reproduce.arora2018 import support_size
from experiments.reproduce.common.figure import Reproduction
from experiments.reproduce.consensus2017 import consensus_ring, eigenvalues
from experiments.reproduce.daskalakis2018 import optimistic_mean
from experiments.reproduce.dcgan2016 import (
  augmentation,
  filters,
  interpolation,
  nearest_neighbours,
  turn,
  window_drop,
)
from experiments.reproduce.denton2015 import lapgan_levels
from experiments.reproduce.fedus2018 import parallel_lines
from experiments.reproduce.fgan2016 import (
  conjugates,
  cross_evaluation,
  fitted_normals,
  practical_objective,
)
from experiments.reproduce.gan2014 import game_round, parzen_window
from experiments.reproduce.gidel2018 import bilinear_game
from experiments.reproduce.goodfellow2016 import (
  batch_statistics,
  dcgan_architecture,
  dcgan_samples,
  density_ratio,
  discrete_variables,
  generator_costs,
  kl_directions,
  latent_arithmetic,
  latent_joins,
  local_nash,
  mcmc_mixing,
  ml_gradient,
  ring_divergences,
  shared_value_function,
  support_rank,
)
from experiments.reproduce.habr2018 import (
  animations,
  distributions,
  metric_curves,
  ppca,
)
from experiments.reproduce.heusel2017 import (
  metrics_behaviour,
  two_timescales,
)
from experiments.reproduce.infogan2016 import codes
from experiments.reproduce.isola2016 import colouring, edges_to_image
from experiments.reproduce.kingma2013 import vae_and_gan
from experiments.reproduce.lecture2021 import (
  few_samples_separable,
  moving_plan,
)
from experiments.reproduce.loss_zoo import heat_maps
from experiments.reproduce.mathematics_of_gans import (
  best_of_three,
  overfitting_discriminator,
  steps_ratio,
  theory_identities,
)
from experiments.reproduce.mescheder2018 import dirac_gan, r1_eigenvalues
from experiments.reproduce.miyato2018 import singular_values
from experiments.reproduce.pacgan2018 import packed_discriminators
from experiments.reproduce.rosca2021 import discretization_drift
from experiments.reproduce.salimans2016 import semi_supervised
from experiments.reproduce.shrivastava2016 import replay_modes
from experiments.reproduce.sonderby2016 import super_resolution
from experiments.reproduce.unrolled2016 import unrolled_ring
from experiments.reproduce.wgan2017 import (
  disjoint_lines,
  estimates,
  lipschitz_needed,
  saturation,
)
from experiments.reproduce.wgangp2017 import (
  gradient_norms,
  value_surfaces,
  weight_histograms,
)
from experiments.reproduce.yeh2016 import inpainting
from experiments.reproduce.zhu2017 import cycle_glasses, cycle_plane

_HABR = (
  *metric_curves.REPRODUCTIONS,
  *distributions.REPRODUCTIONS,
  *animations.REPRODUCTIONS,
)

REPRODUCTIONS: tuple[Reproduction, ...] = (
  theory_identities.REPRODUCTION,
  best_of_three.REPRODUCTION,
  steps_ratio.REPRODUCTION,
  overfitting_discriminator.REPRODUCTION,
  game_round.REPRODUCTION,
  disjoint_lines.REPRODUCTION,
  moving_plan.REPRODUCTION,
  few_samples_separable.REPRODUCTION,
  kl_directions.REPRODUCTION,
  ring_divergences.REPRODUCTION,
  generator_costs.REPRODUCTION,
  dcgan_architecture.REPRODUCTION,
  shared_value_function.REPRODUCTION,
  ml_gradient.REPRODUCTION,
  density_ratio.REPRODUCTION,
  support_rank.REPRODUCTION,
  latent_joins.REPRODUCTION,
  support_size.REPRODUCTION,
  mcmc_mixing.REPRODUCTION,
  conjugates.REPRODUCTION,
  fitted_normals.REPRODUCTION,
  # It has the runs of the figure before it.
  cross_evaluation.REPRODUCTION,
  practical_objective.REPRODUCTION,
  saturation.REPRODUCTION,
  estimates.REPRODUCTION,
  vanishing_gradient.REPRODUCTION,
  parallel_lines.REPRODUCTION,
  lipschitz_needed.REPRODUCTION,
  ppca.REPRODUCTION,
  dirac_gan.REPRODUCTION,
  r1_eigenvalues.REPRODUCTION,
  eigenvalues.REPRODUCTION,
  bilinear_game.REPRODUCTION,
  optimistic_mean.REPRODUCTION,
  discretization_drift.REPRODUCTION,
  two_timescales.REPRODUCTION,
  metrics_behaviour.REPRODUCTION,
  local_nash.REPRODUCTION,
  # The first two show the same critics, which are trained once per process.
  value_surfaces.REPRODUCTION,
  weight_histograms.REPRODUCTION,
  gradient_norms.REPRODUCTION,
  singular_values.REPRODUCTION,
  unrolled_ring.REPRODUCTION,
  replay_modes.REPRODUCTION,
  consensus_ring.REPRODUCTION,
  packed_discriminators.REPRODUCTION,
  discrete_variables.REPRODUCTION,
  cycle_plane.REPRODUCTION,
  heat_maps.REPRODUCTION,
  # Most of these use one run, which is trained once.
  batch_statistics.REPRODUCTION,
  dcgan_samples.REPRODUCTION,
  latent_arithmetic.REPRODUCTION,
  interpolation.REPRODUCTION,
  filters.REPRODUCTION,
  window_drop.REPRODUCTION,
  turn.REPRODUCTION,
  nearest_neighbours.REPRODUCTION,
  augmentation.REPRODUCTION,
  vae_and_gan.REPRODUCTION,
  parzen_window.REPRODUCTION,
  super_resolution.REPRODUCTION,
  colouring.REPRODUCTION,
  edges_to_image.REPRODUCTION,
  inpainting.REPRODUCTION,
  cycle_glasses.REPRODUCTION,
  lapgan_levels.REPRODUCTION,
  semi_supervised.REPRODUCTION,
  codes.REPRODUCTION,
  *sorted(_HABR, key=lambda reproduction: reproduction.id),
)

BY_ID = {reproduction.id: reproduction for reproduction in REPRODUCTIONS}
