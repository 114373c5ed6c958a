"""Data and latents: image datasets, synthetic densities and priors.

`images` loads and samples image datasets. `image_files` and `image_folders`
find their files, `image_decoding` decodes them, and `faces` draws a dataset.
`pyramids` splits images into details of each size, and `image_conditions` makes
conditions of images. `densities` has synthetic
data with exact densities, and `latents` the priors of generators.
"""
