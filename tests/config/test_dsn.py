"""A DSN is shown without its passwords, whatever its form."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasker_mp.config import redact


@pytest.mark.parametrize(
    ("dsn", "shown"),
    [
        ("embedded", "embedded"),
        ("postgresql://u:pw@h:5432/d", "postgresql://u:***@h:5432/d"),
        ("postgres://u:pw@h/d?sslmode=require", "postgres://u:***@h/d?sslmode=require"),
        ("postgresql://u@h:5432/d", "postgresql://u@h:5432/d"),
        ("postgresql://h:5432/d", "postgresql://h:5432/d"),
        ("postgresql:///d?host=/tmp/x", "postgresql:///d?host=/tmp/x"),
        ("postgresql://:pw@h", "postgresql://:***@h"),
        ("postgresql://u:p@ss/w?rd@h/d", "postgresql://u:***@h/d"),
        ("postgresql://h/d?user=u&password=pw", "postgresql://h/d?user=u&password=***"),
        ("postgresql://h/d?PassWord=pw&x=1", "postgresql://h/d?PassWord=***&x=1"),
        ("postgresql://h/d?sslpassword=pw", "postgresql://h/d?sslpassword=***"),
        ("host=h password=pw dbname=d", "host=h password=*** dbname=d"),
        ("password = 'p w' host=h", "password = *** host=h"),
        (r"password='it\'s pw' host=h", "password=*** host=h"),
        (r"password=p\ w host=h", "password=*** host=h"),
        ("password='unclosed pw", "password=***"),
        ("host=h sslpassword=pw", "host=h sslpassword=***"),
        ("host=h passfile=/x", "host=h passfile=/x"),
    ],
)
def test_redact(dsn, shown):
    assert redact(dsn) == shown


@given(st.text(st.characters(codec="utf-8"), min_size=1))
@example("://")
def test_whatever_a_password_holds_it_is_not_shown(password):
    assert redact(f"postgresql://user:{password}@host/db") == "postgresql://user:***@host/db"
    quoted = password.replace("\\", r"\\").replace("'", r"\'")
    assert redact(f"host=h password='{quoted}' dbname=d") == "host=h password=*** dbname=d"
