"""Compose a kernel, an initramfs and a modules disk that fit together."""
