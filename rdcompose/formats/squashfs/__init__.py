"""Writer for squashfs 4.0 images, one module per on-disk table."""
