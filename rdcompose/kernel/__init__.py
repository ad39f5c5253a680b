"""What a kernel package means."""
