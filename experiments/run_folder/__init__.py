"""Run folders: file names, results, and claims by one process."""
