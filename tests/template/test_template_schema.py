"""The JSON Schema of a template file accepts and refuses what the parser does."""

import jsonschema_rs
import pytest
import yaml
from template_texts import VALID, problems_of

from tasker_mp.template.schema import template_schema

VALIDATOR = jsonschema_rs.validator_for(template_schema())


@pytest.mark.parametrize(
    ("old", "new", "valid"),
    [
        ("orders", "orders", True),
        ("dependencies", "depends_on", True),
        ("[first]", "[first]\n    retry: {max_attempts: 100, backoff: none}", True),
        ("[first]", "[first]\n    timeout_seconds: 0.5", True),
        (
            "shop\n",
            "shop\nenvironments: {test: {steps: [{name: ALL, timeout_seconds: 1}]}}\n",
            True,
        ),
        ("shop\n", "shop\nmetadata: {any: [thing]}\nloaded_from: /x\n", True),
        ("1.0.0", "1.0", False),
        ("1.0.0", "v1.0.0", False),
        ("shop\n", "web-shop\n", False),
        ("version: 1.0.0\n", "", False),
        ("dependencies", "dependancies", False),
        ("[first]", "[first]\n    retry: {max_attempts: 101}", False),
        ("[first]", "[first]\n    timeout_seconds: 0", False),
        ("[first]", "[first]\n    type: descision", False),
    ],
)
def test_schema_and_parser_agree(old, new, valid):
    text = VALID.replace(old, new)
    assert VALIDATOR.is_valid(yaml.safe_load(text)) == valid
    assert (problems_of(text) == []) == valid
