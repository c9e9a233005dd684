"""The engine against its own SQL in a bare loop: what everything else costs, as a ratio."""
