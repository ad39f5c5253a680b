"""Reads artifacts of any maker back from disk, and says what they are and whether they fit."""
