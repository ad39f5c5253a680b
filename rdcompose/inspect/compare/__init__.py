"""Comparing what was composed: images, builds and trees of any maker."""
