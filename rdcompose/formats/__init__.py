"""Bytes and file objects only: no paths, clock, network or kernel knowledge."""
