"""The same workflow by other engines; each program runs in an environment of its own."""
