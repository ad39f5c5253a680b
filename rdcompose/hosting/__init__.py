"""Where releases are published: GitHub and GitLab, and how files get there."""
