"""What a salesperson does in the demo's CRM, from outside: no part of the product is needed for it."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from config.demo.crm import CALL_SECONDS
from config.demo.stage import DemoError

RAISE = 1.1  # where every deal is won, the one that was changed longest ago grows


@dataclass(frozen=True)
class Change:
    """What happened in the CRM; `call` is the status with which its webhook was answered, None without an answer."""

    deal: dict[str, Any]
    call: int | None


def change_a_deal(directory: Path, *, today: date) -> Change:
    """Have a salesperson win the next open deal in the CRM; the CRM calls. Raises DemoError where it does not run."""
    try:
        port = int((folder_of(directory) / "port").read_text())
        deals = ask(port, "GET", "/deals")["items"]
        deal = next((each for each in deals if each["stage"] == "商談中"), None)
        if deal is not None:
            values = {"stage": "受注", "closed": str(today)}
        else:
            deal = min(deals, key=lambda each: each["updated_at"])
            values = {"amount": round(int(deal["amount"] * RAISE), -4), "closed": str(today)}
        told = ask(port, "PATCH", f"/deals/{deal['id']}", values)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise DemoError("The demo's CRM does not answer. Start the demo first: make demo") from error
    return Change(told["deal"], told["call"])


def folder_of(directory: Path) -> Path:
    """Where the CRM of the demo in this directory keeps what it knows."""
    return directory / "crm"


def ask(port: int, method: str, path: str, values: Any = None) -> Any:
    """What the CRM answers. Raises OSError, HTTPException, ValueError."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=2 * CALL_SECONDS)
    try:
        line.request(method, path, json.dumps(values).encode() if values is not None else None)
        return json.loads(line.getresponse().read())
    finally:
        line.close()
