"""Metrics of generated samples and of discriminators, one family a module.

`one_dimensional` and `modes` compare samples with known densities. `frechet`,
`kernel` and `neighbours` compare features of real and generated images, which
`classifier` or `inception` compute. `parzen` is the likelihood of data under a
window about samples. `slopes` measures gradients of a discriminator, and
`support` the dimension of generated data. `image_pairs` compares images with
the originals that they are made of.
"""
