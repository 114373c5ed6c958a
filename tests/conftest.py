"""Settings under which every test runs."""

import jax

# A forgotten axis must not broadcast. (Strict promotion of dtypes would be
# right too, but optax's Adam raises a float to an int.)
jax.config.update("jax_numpy_rank_promotion", "raise")
# Populations spread over devices.
jax.config.update("jax_num_cpu_devices", 2)
