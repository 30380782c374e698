"""The demo's data comes in as everybody's does: as files through a connection."""

import ast
from pathlib import Path

import config.demo
from kpis.models.resources import MODELS

FACT_MODELS = {model.__name__ for model in MODELS.values()}


def imported(path: Path) -> set[tuple[str, str]]:
    found = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom))
    return {(node.module or "", alias.name) for node in found for alias in node.names}


def test_no_fact_is_written_past_the_connector() -> None:
    modules = sorted(Path(config.demo.__file__).parent.rglob("*.py"))
    assert len(modules) > 10
    for path in modules:
        names = imported(path)
        assert not [module for module, _ in names if module.startswith("kpis.services.facts")], path
        read = {name for module, name in names if module.startswith("kpis.models")} & FACT_MODELS
        written = [f"{name}.objects.{verb}" for name in read for verb in ("create", "bulk_create", "update_or_create")]
        assert not [call for call in written if call in path.read_text()], path
