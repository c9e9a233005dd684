"""Payments, and who is told of them."""
