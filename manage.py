#!/usr/bin/env python
"""Django's command line; joins the embedded servers where there are no others."""

import os
import sys
from contextlib import nullcontext


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.conf import settings
    from django.core.management import execute_from_command_line

    from config import embedded

    with embedded.running() if settings.EMBEDDED else nullcontext():
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
