"""What can be said of files that are to fit together, one check after the other."""
