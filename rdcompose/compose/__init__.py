"""Decides what is to boot; writes nothing."""
