"""Settings, read from the environment with safe defaults: nothing is open unless it is asked for."""

from pathlib import Path

import environ
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from config import embedded
from config.unfold import UNFOLD as UNFOLD

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

DEBUG = env.bool("DEBUG", default=False)
TESTING = env.bool("MAWARU_TESTING", default=False)


def _required(name: str, *, development: str, what: str) -> str:
    value = env.str(name, default="")
    if value:
        return value
    if DEBUG or TESTING:
        return development
    raise ImproperlyConfigured(f"{name} is not set. In production it is required: {what}.")


SECRET_KEY = _required(
    "SECRET_KEY", development="not-secret-for-demo-and-tests-only", what="a long random text that signs sessions"
)
# Fernet keys, newest first: the first seals the data keys of the companies, all of them open.
CREDENTIAL_KEYS = _required(
    "CREDENTIAL_KEYS",
    development="bm90LXNlY3JldC1mb3ItZGVtby1hbmQtdGVzdHMtb24=",
    what="one or more Fernet keys, separated by commas, the newest first",
).split(",")
EMBEDDED = not env.str("DATABASE_URL", default="") and (DEBUG or TESTING)
DATABASE_URL = _required(
    "DATABASE_URL", development=embedded.database_url(), what="the address of PostgreSQL 15-18, postgres://…"
)
REDIS_URL = _required("REDIS_URL", development=embedded.redis_url(), what="the address of Redis, redis://…")
REDIS_DB = env.int("REDIS_DB", default=1 if TESTING else 0)

BASE_DOMAIN = env.str("BASE_DOMAIN", default="localhost")
PUBLIC_PORT = env.int("PUBLIC_PORT", default=8000 if DEBUG or TESTING else 443)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[f".{BASE_DOMAIN}"])

# --- tenancy: three kinds of schemas, see docs/architecture.md ---------------------------------------------------
_ACCOUNT_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.admin",
    "django.contrib.messages",
    "auditlog",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "tenants.accounts",
]
_PAGE_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django_htmx",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",
]
_PUBLIC_APPS = ["django_tenants", "tenants", "tenants.outbox"]
_CONSOLE_APPS = ["tenants.console", "kpis.library"]
_COMPANY_APPS = ["tenants.settings", "kpis", "integrations", "reviews"]

HAS_MULTI_TYPE_TENANTS = True
MULTI_TYPE_DATABASE_FIELD = "type"
TENANT_TYPES = {
    "public": {"APPS": _PUBLIC_APPS, "URLCONF": "config.urls.public"},
    "console": {"APPS": [*_ACCOUNT_APPS, *_CONSOLE_APPS], "URLCONF": "config.urls.console"},
    "company": {"APPS": [*_ACCOUNT_APPS, *_COMPANY_APPS], "URLCONF": "config.urls.company"},
}
TENANT_MODEL = "tenants.Company"
TENANT_DOMAIN_MODEL = "tenants.Domain"
PUBLIC_SCHEMA_URLCONF = "config.urls.public"
ROOT_URLCONF = "config.urls.company"
DATABASE_ROUTERS = ("django_tenants.routers.TenantSyncRouter",)
TENANT_LIMIT_SET_CALLS = True  # one SET search_path per switch; tenants.backend says why that is safe
GET_EXECUTOR_FUNCTION = "tenants.migration.existing_schemas_executor"

INSTALLED_APPS = [
    *_PAGE_APPS,  # before django_tenants, whose admin templates would replace Unfold's
    *_PUBLIC_APPS,
    *_ACCOUNT_APPS,
    *_CONSOLE_APPS,
    *_COMPANY_APPS,
    "config",
]

DATABASES = {"default": env.db_url_config(DATABASE_URL)}
DATABASES["default"]["ENGINE"] = "tenants.backend"
DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=60)
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"].setdefault("OPTIONS", {})
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "tenants.middleware.CompanyMiddleware",
    "csp.middleware.CSPMiddleware",
    "config.middleware.ForeignPagesPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "tenants.middleware.GrantMiddleware",
    "auditlog.middleware.AuditlogMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "csp.context_processors.nonce",
                "config.context_processors.shell",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
WSGI_APPLICATION = "config.wsgi.application"

# --- people ------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "tenants.accounts.backends.RoleBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "accounts/locked.html"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = not (DEBUG or TESTING)
CSRF_COOKIE_SECURE = not (DEBUG or TESTING)
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not (DEBUG or TESTING))
SECURE_HSTS_SECONDS = 0 if DEBUG or TESTING else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
SECURE_REFERRER_POLICY = "same-origin"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- who changed what: LogEntry rows in the schema of the console or the company ---------------------------------
AUDITLOG_INCLUDE_TRACKING_MODELS = [
    {
        "model": "accounts.User",
        "include_fields": ["username", "name", "email", "language", "is_active", "is_staff", "password"],
        "mask_fields": ["password"],
        "m2m_fields": {"groups"},
    },
    "company_settings.CompanySettings",
    "kpis.Dimension",
    "kpis.KpiNode",
    "kpis.KpiTree",
    "kpis.Metric",
    "kpis.MetricVersion",
    "kpis.ManualEntry",
]

# --- language and time -------------------------------------------------------------------------------------------
LANGUAGE_CODE = "ja"
LANGUAGES = [("ja", _("Japanese")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_NAME = "language"
TIME_ZONE = "Asia/Tokyo"
USE_I18N = True
USE_TZ = True

# --- mail: reminders of values that wait to be typed; without a server they stand on the pages only ----------------
globals().update(env.email_url("EMAIL_URL", default="consolemail://" if DEBUG else "dummymail://"))
DEFAULT_FROM_EMAIL = env.str("MAIL_FROM", default=f"Mawaru <mawaru@{BASE_DOMAIN}>")

# A TrueType font with Japanese that is put into every PDF; without it each reader sets the text with one of its own.
PDF_FONT = env.str("PDF_FONT", default="")

# --- files -------------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = env.path("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
STATICFILES_DIRS = [BASE_DIR / "config" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG or TESTING
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG or TESTING
WHITENOISE_AUTOREFRESH = TESTING  # look a file up when it is asked for, instead of listing them all first
MEDIA_ROOT = env.path("MEDIA_ROOT", default=str(embedded.directory() / "media" if EMBEDDED else BASE_DIR / "media"))
UPLOAD_MAX_BYTES = env.int("UPLOAD_MAX_BYTES", default=50 * 1024 * 1024)
DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 1024 * 1024

# --- sources of data ---------------------------------------------------------------------------------------------
# Connectors reach the open internet alone. Servers on this machine are for development and tests; production has no
# way to allow them.
SOURCES_ON_LOOPBACK = env.bool("SOURCES_ON_LOOPBACK", default=TESTING) and (DEBUG or TESTING)

# --- cache and tasks ---------------------------------------------------------------------------------------------
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"db": REDIS_DB},
        "KEY_FUNCTION": "tenants.cache.company_key",
    }
}
CELERY_BROKER_URL = env.str(
    "CELERY_BROKER_URL",
    default=f"{REDIS_URL.replace('unix://', 'redis+socket://')}?virtual_host={REDIS_DB}"
    if REDIS_URL.startswith("unix://")
    else REDIS_URL,
)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_RETRY_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 600,  # longer than any task may take
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 2,
    # Where Redis is away the sender goes on at once: the outbox sweeps what was not sent.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.5,
}
CELERY_BEAT_SCHEDULE = {
    "outbox": {"task": "tenants.outbox.tasks.dispatch", "schedule": 1.0, "options": {"expires": 5}},
    "due-work": {"task": "tenants.tasks.dispatch_due_work", "schedule": 1.0, "options": {"expires": 5}},
    "outbox-purge": {"task": "tenants.outbox.tasks.purge", "schedule": 3600.0, "options": {"expires": 600}},
}
CELERY_TIMEZONE = TIME_ZONE
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True

# --- API ---------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "kpis.api.schema.ApiSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "integrations.api.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PAGINATION_CLASS": "kpis.api.pagination.CursorPages",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PARSER_CLASSES": ["kpis.api.parsers.BoundedJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_THROTTLE_CLASSES": ["kpis.api.throttling.PrincipalThrottle"],
    "EXCEPTION_HANDLER": "kpis.api.problems.problem_response",
    "COERCE_DECIMAL_TO_STRING": False,
}
API_CALLS_PER_MINUTE = env.int("API_CALLS_PER_MINUTE", default=3000)
SPECTACULAR_SETTINGS = {
    "TITLE": "Mawaru API",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_NAME_OVERRIDES": {
        "AbsenceEnum": "kpis.api.budgets.ABSENCES",
        "ExclusionVerdictEnum": "kpis.choices.ExclusionVerdict",
        "FaultEnum": "kpis.api.forecast_tables.FAULTS",
        "GrainEnum": "kpis.choices.Grain",
        "FrequencyEnum": "kpis.api.serializers.FREQUENCIES",
        "DimensionEnum": "kpis.choices.DimensionCode",
        "LinkVerdictEnum": "kpis.api.handovers.LINK_VERDICTS",
        "LandingMethodEnum": "kpis.api.landings.METHODS",
        "DecisionKindEnum": "reviews.choices.DecisionKind",
        "GapVerdictEnum": "kpis.api.target_levels.VERDICTS",
        "RequestVerdictEnum": "kpis.choices.RequestVerdict",
        "LineEnum": "kpis.api.serializers.LINES",
        "OfficialLineEnum": "kpis.choices.TargetLine",
        "PeriodStateEnum": "kpis.choices.PeriodState",
        "RestatementVerdictEnum": "kpis.choices.RestatementVerdict",
        "SheetKindEnum": "kpis.api.sheet_start.KINDS",
        "RunStateEnum": "integrations.choices.RunState",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    # Groups are opened by the reader: drawing all operations at once takes a browser longer than anybody waits.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "docExpansion": "none", "filter": True},
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

SILENCED_SYSTEM_CHECKS: list[str] = []
