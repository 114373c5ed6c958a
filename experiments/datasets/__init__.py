"""Image datasets, and the weights of the Inception network."""
