"""The page that ``rdcompose report`` and ``build --report`` write."""
