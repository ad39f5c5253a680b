"""Compose a kernel, an initramfs and a modules disk that fit together."""

__version__ = "0.1.0"
