"""The connection of this thread, known to type checkers as what our backend makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django import db

if TYPE_CHECKING:
    from tenants.backend.base import DatabaseWrapper

connection = cast("DatabaseWrapper", db.connection)
