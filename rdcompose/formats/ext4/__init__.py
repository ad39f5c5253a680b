"""ext2, ext3 and ext4 images: a reader for those of other tools, and a writer of ext4."""
