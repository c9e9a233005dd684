"""What a database URL may be, and how it is shown without its secrets."""

import re
from typing import Final

EMBEDDED: Final = "embedded"
DSN_FORM: Final = '"embedded", postgresql://user@host/name, or "host=… dbname=…"'

_HIDDEN = "***"
_URL = re.compile(r"\s*[A-Za-z][\w+.-]*://")
# Greedy to the last @: a password may hold an unescaped one, and showing less is the safe side.
_USERINFO = re.compile(r"^(?P<head>[A-Za-z][\w+.-]*://[^:@/?#]*):(?P<secret>.*)@", re.DOTALL)
_QUERY_SECRET = re.compile(r"(?i)(?P<head>[?&](?:ssl)?password=)[^&#]*")
_KEYWORD_SECRET = re.compile(
    r"(?i)(?P<head>\b(?:ssl)?password\s*=\s*)((?:'(?:[^'\\]|\\.)*'?)+|(?:[^\s\\]|\\.)*)"
)


def is_database_url(text: str) -> bool:
    return text == EMBEDDED or text.startswith(("postgresql://", "postgres://")) or "=" in text


def redact(dsn: str) -> str:
    """The DSN, URL or `key=value` words, with every password in it replaced by `***`."""
    if _URL.match(dsn):
        return _QUERY_SECRET.sub(rf"\g<head>{_HIDDEN}", _USERINFO.sub(_without_secret, dsn))
    return _KEYWORD_SECRET.sub(rf"\g<head>{_HIDDEN}", dsn)


def _without_secret(match: re.Match[str]) -> str:
    return f"{match['head']}:{_HIDDEN}@"
