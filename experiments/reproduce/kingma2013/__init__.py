"""Figures of Kingma and Welling, Auto-Encoding Variational Bayes."""
