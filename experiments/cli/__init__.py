"""Command lines: flags, what the terminal shows, and signals."""
