"""Data and latents: image datasets, synthetic densities and priors.

`images` loads and samples image datasets, which `image_files` finds,
`image_decoding` decodes and `faces` draws. `densities` has synthetic data with
exact densities, and `latents` the priors of generators.
"""
