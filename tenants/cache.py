"""Cache keys that begin with the schema, so that no company can read what another has cached."""

from django.db import connection


def company_key(key: str, key_prefix: str, version: int) -> str:
    return f"{connection.schema_name}:{key_prefix}:{version}:{key}"
