"""Where the time of one task alone goes, and what the machine takes for it at least."""
