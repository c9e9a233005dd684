"""Errors by which a database refuses data for good."""

import psycopg

REFUSALS = (
    psycopg.DataError,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.StatementTooComplex,
)
"""It can never take these data, however often they are sent."""
