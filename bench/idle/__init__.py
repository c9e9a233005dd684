"""What a system costs that has nothing to do."""
