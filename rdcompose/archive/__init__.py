"""A Debian archive: where to look, what to trust, what was fetched before. Knows no kernels."""
