"""Boots artifacts in QEMU and judges what happened; knows nothing of how they are made."""
