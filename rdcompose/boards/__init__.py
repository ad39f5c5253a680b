"""Raspberry Pi: what its firmware reads, and what rdcompose writes for it."""
