"""JSON Schemas that templates carry: compiled without ever reading a file or the network."""

from typing import Any, NoReturn

from tasker_mp.errors import TemplateError


def compile_schema(schema: dict[str, Any] | bool) -> Any:
    """A `jsonschema_rs` validator; `TemplateError` with the place and reason if it is not one."""
    # Imported late: workers and short commands never check a schema.
    import jsonschema_rs  # noqa: PLC0415

    try:
        return jsonschema_rs.validator_for(schema, retriever=_refuse)
    except jsonschema_rs.ValidationError as error:
        where = "/".join(str(part) for part in error.instance_path)
        raise TemplateError(f"{where}: {error.message}" if where else error.message) from None
    except (jsonschema_rs.ReferencingError, ValueError, OverflowError, RecursionError) as error:
        raise TemplateError(str(error).splitlines()[0]) from None


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"{uri} would have to be fetched, which is never done; write it inline")
