"""The SQL files of this package by name: one file a query, read once."""

from functools import cache
from importlib.resources import files


@cache
def query(name: str) -> bytes:
    """The text of `sql/queries/<name>.sql`; as bytes, which psycopg takes for trusted SQL."""
    return files("tasker_mp.db").joinpath("sql", "queries", f"{name}.sql").read_bytes()
