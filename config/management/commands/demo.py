"""`manage.py demo`: sets the demo up, or joins what an earlier run left, then serves it until Ctrl-C."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from config import embedded
from config.demo.calling import start_crm
from config.demo.keeping import AlreadyRunningError, made_on, only_one
from config.demo.maven import MavenMissingError, find_directory
from config.demo.play import play
from config.demo.stage import DemoError, Stage
from config.demo.supervisor import ChildEndedError, StopRequested, Supervisor
from tenants.services.installation import prepare_installation
from tenants.services.upgrades import outdated_companies, upgrade_company

DEFAULT_PORT = 8000
SERVING_SECONDS = 120


class Command(BaseCommand):
    help = "Sets up the demo companies with a real sync, then serves them until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or DEFAULT_PORT))
        parser.add_argument("--maven", metavar="PATH", help="directory of the CRM export for company B")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo prints its passwords, so it runs with DEBUG=1 only: make demo")
        try:
            export = find_directory(asked=options["maven"], environment=os.environ)
            with only_one(embedded.directory()):
                self._run(options["port"], export)
        except (AlreadyRunningError, MavenMissingError, DemoError, ChildEndedError) as error:
            raise CommandError(str(error)) from error
        except StopRequested:
            self._say("The demo has stopped. Its data is kept for the next start; make demo-reset starts over.")

    def _run(self, port: int, export: Path | None) -> None:
        check_port(port)
        home = embedded.directory()
        with Supervisor(home / "logs", environment=environment(port)) as supervisor:
            today = made_on(home, today=timezone.localdate())
            stage = Stage(directory=home, today=today, supervisor=supervisor, say=self._say)
            stage.report("Preparing the database …")
            console = prepare_installation(now=timezone.now())
            for company in outdated_companies():
                stage.report(f"Bringing {company.slug} to this version …")
                upgrade_company(company_id=company.id, now=timezone.now())
            celery = [sys.executable, "-m", "celery", "-A", "config.celery"]
            supervisor.start(
                "worker",
                [*celery, "worker", "--concurrency=2", "--loglevel=WARNING", "--without-gossip", "--without-mingle"],
                when_orphaned=signal.SIGQUIT,  # a worker asked politely would finish its task first
            )
            supervisor.start("beat", [*celery, "beat", "--pidfile=", f"--schedule={home / 'beat-schedule'}"])
            crm_port = start_crm(stage)
            story = play(stage, console=console, export=export, crm_port=crm_port, web_port=port)
            supervisor.start("web", web_server(port))
            stage.wait_for(lambda: is_served(port), what="Starting the web server", seconds=SERVING_SECONDS)
            stage.report("Ready.")
            self._say(story.describe(port=port))
            supervisor.watch()

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def environment(port: int) -> dict[str, str]:
    """What the demo's processes are told: where its pages are, and that a source of it is on this machine."""
    return {**os.environ, "PUBLIC_PORT": str(port), "SOURCES_ON_LOOPBACK": "1"}


def web_server(port: int) -> list[str]:
    """Threads and workers as in production, for this machine only."""
    server = [sys.executable, "-m", "gunicorn", "config.wsgi:application", f"--bind=127.0.0.1:{port}"]
    return [*server, "--worker-class=gthread", "--workers=2", "--threads=4", "--preload", "--access-logfile=-"]


def check_port(port: int) -> None:
    """Raises DemoError when another program answers on the port."""
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError as error:
            raise DemoError(
                f"Port {port} cannot be used ({error.strerror}). Stop the program that has it, "
                f"or choose another: make demo PORT={port + 1 if port < 65535 else DEFAULT_PORT}"
            ) from error


def is_served(port: int) -> bool:
    """Whether the console's login page answers."""
    page = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        page.request("GET", "/login/", headers={"Host": f"console.{settings.BASE_DOMAIN}:{port}"})
        return page.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        page.close()
