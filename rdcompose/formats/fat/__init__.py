"""FAT: a deterministic writer for FAT32, a reader for FAT12, FAT16 and FAT32 of anyone."""
