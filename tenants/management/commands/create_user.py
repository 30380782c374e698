"""`manage.py create_user SLUG USERNAME --role owner`: somebody who may log in to the console or a company."""

import getpass
import os
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError

from tenants.accounts.choices import Role
from tenants.accounts.services import UnknownRoleError, create_user
from tenants.context import tenant_context
from tenants.models import Company

PASSWORD_VARIABLE = "MAWARU_USER_PASSWORD"  # noqa: S105 - the name of a variable


class Command(BaseCommand):
    help = f"Creates a user; the password comes from {PASSWORD_VARIABLE} or is asked for."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the company, or console")
        parser.add_argument("username")
        parser.add_argument("--name", default="", help="the name to show")
        parser.add_argument("--email", default="")
        parser.add_argument("--role", required=True, choices=[role.value for role in Role])

    def handle(self, *args: Any, **options: Any) -> None:
        company = Company.objects.ready().filter(slug=options["slug"]).first()
        if company is None:
            raise CommandError(f"There is no ready company {options['slug']}. Create it first.")
        password = os.environ.get(PASSWORD_VARIABLE) or getpass.getpass("Password: ")
        try:
            validate_password(password)
            with tenant_context(company):
                create_user(
                    username=options["username"],
                    name=options["name"] or options["username"],
                    email=options["email"],
                    role=options["role"],
                    password=password,
                )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except UnknownRoleError as error:
            raise CommandError(str(error)) from error
        except IntegrityError as error:
            raise CommandError(f"There is a user {options['username']} in {company.slug} already.") from error
        self.stdout.write(self.style.SUCCESS(f"{options['username']} may log in to {company.slug}"))
