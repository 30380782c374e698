"""The WSGI application."""

import os

from django.core.wsgi import get_wsgi_application

from config.collector import let_collector_rest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
let_collector_rest()
