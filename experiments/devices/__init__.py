"""Devices, meshes, and runs of several processes."""
