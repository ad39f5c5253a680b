"""Builds as something to publish: checked, named, described, and put in one place."""
