"""A laboratory for adversarial games in JAX and Flax.

The library is pure: it reads no flags, writes no files and holds no globals.
The commands that do live in `experiments`.
"""
