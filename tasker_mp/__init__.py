"""Durable workflows on one host."""
