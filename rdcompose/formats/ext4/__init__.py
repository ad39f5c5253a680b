"""ext2, ext3 and ext4 images, read only: the disks that other tools make."""
