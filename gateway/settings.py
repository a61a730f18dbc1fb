"""Settings of every process, from the environment (docs/operations.md lists each variable)."""

from __future__ import annotations

import sys
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from csp.constants import NONCE

from gateway import env, logs
from gateway.admin_theme import UNFOLD  # noqa: F401 - read by the admin's theme

env.load_env_file()

BASE_DIR = env.PROJECT
GATEHOUSE_ENV = env.text("GATEHOUSE_ENV", "production")
DEVELOPMENT = GATEHOUSE_ENV == "development"
DEBUG = DEVELOPMENT and env.flag("DEBUG")
HOME = Path(env.text("GATEHOUSE_HOME", str(BASE_DIR / "var"))).absolute()

HTTP_PORT = env.integer("GATEHOUSE_HTTP_PORT", 8080, least=1, most=65535)
HTTPS_PORT = env.integer("GATEHOUSE_HTTPS_PORT", 8443, least=1, most=65535)
PUBLIC_BASE_URL = env.text("PUBLIC_BASE_URL", f"http://localhost:{HTTP_PORT}").rstrip("/")
PUBLIC_HOST = urlsplit(PUBLIC_BASE_URL).hostname or "localhost"
S3_DOMAIN = env.text("S3_DOMAIN", "s3.localhost").lower()
TRUSTED_PROXIES = env.words("TRUSTED_PROXIES")

# The edge: addresses it listens on, and where it and the decision process find the others.
EDGE_BIND = env.words("GATEHOUSE_BIND", "127.0.0.1,::1")
EDGE_FRONT = env.flag("EDGE_FRONT")  # set by the supervisor, which runs gateway.edge.front before Caddy
EDGE_PUBLIC_HOSTS = env.words("EDGE_PUBLIC_HOSTS")
EDGE_TLS_CERTIFICATE, EDGE_TLS_KEY = env.text("EDGE_TLS_CERTIFICATE"), env.text("EDGE_TLS_KEY")
EDGE_BACKEND_CA_FILES = env.words("EDGE_BACKEND_CA_FILES")
EDGE_ACCESS_LOG = env.flag("EDGE_ACCESS_LOG")
# Names of user metadata with "_" or ".", which Caddy drops unless it expects them.
S3_METADATA_NAMES = env.words("S3_METADATA_NAMES")
DECISION_DIAL = env.text("DECISION_DIAL", f"unix/{HOME}/run/decision.sock")
WEB_DIAL = env.text("WEB_DIAL", f"unix/{HOME}/run/web.sock")
LIVE_DIAL = env.text("LIVE_DIAL", f"unix/{HOME}/run/live.sock")

# Secrets. gateway.checks refuses weak ones outside development.
SECRET_KEY = env.secret("SECRET_KEY")
ENCRYPTION_KEYS = env.secret("GATEHOUSE_ENCRYPTION_KEYS")
TENANT_SECRET_PASSPHRASE = env.secret("TENANT_SECRET_PASSPHRASE")
INTROSPECT_SECRET = env.secret("INTROSPECT_SECRET")

# The decision process and the edge in front have decided about the host; what reaches Django was let through.
ALLOWED_HOSTS = ["*"]
USE_X_FORWARDED_HOST = False
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
USE_X_FORWARDED_PORT = False

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "gateway.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "corsheaders",
    "csp",
    "channels",
    "django_celery_beat",
    "gateway.apps.GatewayConfig",
    "tenants.apps.TenantsConfig",
    "storage.apps.StorageConfig",
    "realtime.apps.RealtimeConfig",
    "workspaces.apps.WorkspacesConfig",
    "devices.apps.DevicesConfig",
]

if sys.argv[1:2] == ["runserver"]:  # under daphne, which serves the streams too; no other process needs it
    INSTALLED_APPS.insert(0, "daphne")

MIDDLEWARE = [
    "gateway.middleware.request_context",
    "gateway.metrics.requests.measured",
    "gateway.middleware.optional_slash",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "gateway.middleware.security_headers",  # within django-csp, whose policy is for pages
    "corsheaders.middleware.CorsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "gateway.middleware.csrf_header",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "gateway.middleware.session_scope",
    "gateway.middleware.page_rates",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "gateway.urls"
WSGI_APPLICATION = "gateway.wsgi.application"
ASGI_APPLICATION = "gateway.asgi.application"
APPEND_SLASH = False  # both spellings are served (gateway.urls)

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    ["django.template.loaders.filesystem.Loader", "gateway.admin_templates.Loader"],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# The application's login, which may become the role that row policies bind, or the one that sees all tenants.
DATABASE_OWNER_URL = env.secret("DATABASE_OWNER_URL")
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "gateway.db",
        **env.database(
            env.secret("DATABASE_URL", "postgresql://gatehouse@127.0.0.1/gatehouse"), "DATABASE_URL"
        ),
        "CONN_MAX_AGE": 300,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 10, "application_name": "gatehouse"},
    }
}
# `<login>_app` and `<login>_wide` are named after it, so that several instances can share a cluster.
DATABASE_LOGIN = DATABASES["default"]["USER"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.secret("REDIS_URL", "redis://127.0.0.1:6379/0")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "gatehouse",
        "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 2},
    }
}

# Tenants: how long a deleted one can be restored, how often what is due is purged; how domains are verified.
TENANT_PURGE_DAYS = env.integer("TENANT_PURGE_DAYS", 30)
PURGE_INTERVAL_SECONDS = env.integer("PURGE_INTERVAL_SECONDS", 3600, least=10)
DNS_RESOLVERS = env.words("DNS_RESOLVERS")
DOMAIN_CHECK_PRIVATE = env.flag("DOMAIN_CHECK_PRIVATE", DEVELOPMENT)

CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_TIME_LIMIT = 3600
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULER = "gateway.schedule:Schedule"
# Jobs whose times follow the environment, also where the schedule's row was there before.
SCHEDULED_BY_ENVIRONMENT = (
    {"purge tenants", "purge instances"} if env.text("PURGE_INTERVAL_SECONDS") else set()
)
# How long a day of lifecycle rules lasts. For tests: with less than a day nothing is rounded to midnights.
S3_LIFECYCLE_DAY_SECONDS = env.integer("S3_LIFECYCLE_DAY_SECONDS", 86_400, least=4, most=86_400)
if S3_LIFECYCLE_DAY_SECONDS < 86_400:
    SCHEDULED_BY_ENVIRONMENT.add("apply lifecycle rules")
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "health": {"task": "gateway.tasks.beat_health", "schedule": 15.0, "options": {"expires": 15}},
    "renew certificate": {"task": "gateway.tasks.renew_certificate", "schedule": 24 * 3600.0},
    "rotate signing keys": {"task": "tenants.tasks.sweep_signing_keys", "schedule": 3600.0},
    "external keys": {
        "task": "tenants.tasks.refresh_nexusgate_keys",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "clear expired": {"task": "gateway.tasks.clear_expired", "schedule": 3600.0},
    "send mail": {"task": "tenants.tasks.sweep_mail", "schedule": 60.0, "options": {"expires": 60}},
    "check domains": {"task": "tenants.tasks.sweep_domains", "schedule": 60.0, "options": {"expires": 60}},
    "purge tenants": {"task": "tenants.tasks.sweep_purges", "schedule": float(PURGE_INTERVAL_SECONDS)},
    "recount usage": {"task": "tenants.tasks.recount_usage", "schedule": 24 * 3600.0},
    "settle unanswered writes": {
        "task": "storage.tasks.sweep_intents",
        "schedule": 10.0,
        "options": {"expires": 10},
    },
    "reconcile buckets": {
        "task": "storage.tasks.sweep_placements",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "remove garbage": {"task": "storage.tasks.sweep_garbage", "schedule": 60.0, "options": {"expires": 60}},
    "reconcile instances": {
        "task": "workspaces.tasks.sweep_instances",
        "schedule": 5.0,
        "options": {"expires": 5},
    },
    "compare instances": {
        "task": "workspaces.tasks.compare_providers",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "look into workspaces": {
        "task": "workspaces.tasks.sweep_activity",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "purge instances": {"task": "workspaces.tasks.sweep_purges", "schedule": float(PURGE_INTERVAL_SECONDS)},
    "work on snapshots": {
        "task": "workspaces.tasks.sweep_snapshots",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "follow standing": {
        "task": "workspaces.tasks.sweep_standing",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "read use": {"task": "workspaces.tasks.collect_samples", "schedule": 15.0, "options": {"expires": 15}},
    "thin readings": {
        "task": "workspaces.tasks.thin_samples",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "probe services": {"task": "workspaces.tasks.sweep_probes", "schedule": 15.0, "options": {"expires": 15}},
    "seal audit": {"task": "tenants.tasks.seal_audit", "schedule": 300.0, "options": {"expires": 300}},
    "expire audit": {"task": "tenants.tasks.expire_audit", "schedule": 24 * 3600.0},
    "end forgotten uploads": {"task": "storage.tasks.sweep_uploads", "schedule": 3600.0},
    "forget share links": {"task": "storage.tasks.sweep_share_links", "schedule": 3600.0},
    "apply lifecycle rules": {
        "task": "storage.tasks.sweep_lifecycle",
        "schedule": min(60.0, S3_LIFECYCLE_DAY_SECONDS / 4),
        "options": {"expires": 60},
    },
    "scan backends": {"task": "storage.tasks.sweep_scans", "schedule": 60.0, "options": {"expires": 60}},
    "test backends": {"task": "storage.tasks.sweep_backends", "schedule": 15.0, "options": {"expires": 15}},
    "sample usage": {"task": "storage.tasks.sample_usage", "schedule": 600.0, "options": {"expires": 600}},
    "remove strays": {"task": "storage.tasks.sweep_strays", "schedule": 3600.0},
    "verify the store": {
        "task": "storage.tasks.verify_store",
        "schedule": 600.0,
        "options": {"expires": 600},
    },
}

AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = ["tenants.backends.AccountBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in (
        ("UserAttributeSimilarityValidator", {}),
        ("MinimumLengthValidator", {"min_length": 12}),
        ("CommonPasswordValidator", {}),
    )
]
LOGIN_URL = "/app/login"
LOGIN_REDIRECT_URL = "/app/"
LOGOUT_REDIRECT_URL = "/app/login"

ENFORCE_HTTPS = env.flag("ENFORCE_HTTPS", PUBLIC_BASE_URL.startswith("https://") and not DEVELOPMENT)
# One clone may run several instances on the ports of one host name, and cookies do not tell ports apart. `__Host-`
# (RFC 6265bis, section 4.1.3.2): only this very host may set it, over https.
_COOKIE = "__Host-gatehouse" if ENFORCE_HTTPS else "gatehouse"
SESSION_COOKIE_NAME = f"{_COOKIE}_session_{HTTP_PORT}"
CSRF_COOKIE_NAME = f"{_COOKIE}_csrf_{HTTP_PORT}"
SESSION_ENGINE = "gateway.sessions"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
# A session nobody uses ends after so long; sessions and token families after so many days, whatever they do.
SESSION_IDLE_MINUTES = env.integer("SESSION_IDLE_MINUTES", 24 * 60, least=1)
SESSION_MAX_DAYS = env.integer("SESSION_MAX_DAYS", 30, least=1)
SESSION_COOKIE_AGE = SESSION_MAX_DAYS * 24 * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = ENFORCE_HTTPS
SECURE_SSL_REDIRECT = ENFORCE_HTTPS  # for who comes past the edge, where `gateway.decider` has done it
# Probes follow no redirect.
SECURE_REDIRECT_EXEMPT = [r"^(api/v1/)?health/?$", r"^metrics/?$"]
SECURE_HSTS_SECONDS = env.integer("HSTS_MAX_AGE", 31_536_000) if ENFORCE_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = ENFORCE_HTTPS and env.flag("HSTS_INCLUDE_SUBDOMAINS", True)
# Never `preload`: with it anybody may enter the domain, a tenant's too, in the lists of browsers, for good.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Pages run scripts and styles of our own files, or those of the admin's theme that bear the request's nonce.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "object-src": ["'none'"],
        "script-src": ["'self'", NONCE],
        "style-src": ["'self'", NONCE],
        "img-src": ["'self'", "data:", "blob:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "upgrade-insecure-requests": ENFORCE_HTTPS,
    }
}
# Other sites' scripts may call the API with a credential of their own; cookies never count for them.
_ORIGINS = env.words("CORS_ALLOW_ORIGINS")
CORS_ALLOW_ALL_ORIGINS = "*" in _ORIGINS
CORS_ALLOWED_ORIGINS = [origin.rstrip("/") for origin in _ORIGINS if origin != "*"]
CORS_ALLOW_CREDENTIALS = False
CORS_URLS_REGEX = r"^/(api/v1/|openapi\.json$)"
CORS_ALLOW_HEADERS = (
    "accept",
    "authorization",
    "content-type",
    "last-event-id",
    "x-api-key",
    "x-request-id",
    "x-tenant",
)
CORS_EXPOSE_HEADERS = ("retry-after", "x-request-id")
CORS_PREFLIGHT_MAX_AGE = 600
CSRF_TRUSTED_ORIGINS = sorted({PUBLIC_BASE_URL, *env.words("CSRF_TRUSTED_ORIGINS")})
CSRF_FAILURE_VIEW = "gateway.views.csrf_failure"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 << 20  # of forms, and of the API's bodies

# Tokens (tenants.tokens): the secret that signs under HS256, HS384 and HS512, and those that still verify; under RS256
# the platform keeps key pairs of its own (tenants.services.signing_keys).
JWT_ALGORITHM = env.choice("JWT_ALGORITHM", "HS256", ("HS256", "HS384", "HS512", "RS256"))
JWT_SECRET_KEY = env.secret("JWT_SECRET_KEY") or SECRET_KEY
JWT_PREVIOUS_SECRET_KEYS = env.secret("JWT_PREVIOUS_SECRET_KEYS").replace(",", " ").split()
JWT_ISSUER = env.text("JWT_ISSUER") or PUBLIC_BASE_URL
JWT_AUDIENCE = env.text("JWT_AUDIENCE") or f"{PUBLIC_BASE_URL}/api/v1"
JWT_SIGNING_KEY_DAYS = env.integer("JWT_SIGNING_KEY_DAYS", 90)
# An external issuer whose tokens act as the accounts with its ids (tenants.nexusgate).
NEXUSGATE_INTEGRATION_ENABLED = env.flag("NEXUSGATE_INTEGRATION_ENABLED")
NEXUSGATE_ISSUER = env.text("NEXUSGATE_ISSUER")
NEXUSGATE_AUDIENCE = env.text("NEXUSGATE_AUDIENCE")
NEXUSGATE_JWKS_URL = env.text("NEXUSGATE_JWKS_URL")
NEXUSGATE_JWT_SECRET = env.secret("NEXUSGATE_JWT_SECRET")
NEXUSGATE_SUBJECT_CLAIM = env.text("NEXUSGATE_SUBJECT_CLAIM", "sub")
NEXUSGATE_TENANT_CLAIM = env.text("NEXUSGATE_TENANT_CLAIM")
NEXUSGATE_EMAIL_CLAIM = env.text("NEXUSGATE_EMAIL_CLAIM", "email")
NEXUSGATE_PROVISION_ROLE = env.text("NEXUSGATE_PROVISION_ROLE")
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=env.integer("JWT_ACCESS_TOKEN_EXPIRE_MINUTES", 30, least=1)),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=env.integer("JWT_REFRESH_TOKEN_EXPIRE_DAYS", 14, least=1)),
    "USER_ID_FIELD": "public_id",
    "USER_ID_CLAIM": "sub",
    "UPDATE_LAST_LOGIN": False,
    "CHECK_REVOKE_TOKEN": True,  # a token names the password that it was had for (tenants.resolver)
    "REVOKE_TOKEN_CLAIM": "pwd",
}

# Requests per minute: per address when anonymous, else per principal, whose tenant may have another rate. 0 is none.
API_RATE_LIMIT = env.integer("API_RATE_LIMIT", 200)
AUTH_RATE_LIMIT = env.integer("AUTH_RATE_LIMIT", 60)
S3_RATE_LIMIT = env.integer("S3_RATE_LIMIT", 30_000)  # per access key and decision process
MCP_RATE_LIMIT = env.integer("MCP_RATE_LIMIT", 12_000)  # to workspaces, per caller and decision process

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["gateway.api.auth.PrincipalAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["gateway.api.auth.HasPermission"],
    "DEFAULT_RENDERER_CLASSES": ["gateway.api.renderers.EnvelopeRenderer"],
    "DEFAULT_PARSER_CLASSES": ["gateway.api.parsers.Json"],
    "DEFAULT_PAGINATION_CLASS": "gateway.api.pagination.PageNumbers",
    "DEFAULT_SCHEMA_CLASS": "gateway.api.schema.EnvelopeSchema",
    "EXCEPTION_HANDLER": "gateway.api.exceptions.problem",
    "DEFAULT_METADATA_CLASS": None,
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Gatehouse",
    "DESCRIPTION": "One governed front door to everything a team and its AI agents must reach.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "gateway.api.schema.envelope",
    ],
    "ENUM_NAME_OVERRIDES": {
        "SignInKindEnum": "tenants.models.SignIn.Kind",
        "SecondFactorKindEnum": "tenants.models.SecondFactor.Kind",
        "TenantStatusEnum": "tenants.models.Tenant.Status",
        "HealthStatusEnum": "gateway.health.STATUSES",
        "ComponentStatusEnum": "gateway.health.COMPONENT_STATUSES",
        "DomainMethodEnum": "tenants.models.Domain.Method",
        "InstanceStateEnum": "workspaces.api.serializers.STATES",
        "LinkMethodEnum": [("GET", "GET"), ("PUT", "PUT")],
        "SettableTenantStatusEnum": [("active", "Active"), ("suspended", "Suspended")],
    },
}

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = BASE_DIR / "staticfiles"
# Collected, as in the image, they are served from one folder; else from where each app keeps its own.
WHITENOISE_USE_FINDERS = not STATIC_ROOT.is_dir()
warnings.filterwarnings("ignore", "No directory at", UserWarning, "django.core.handlers.base")
WHITENOISE_AUTOREFRESH = False
WHITENOISE_MAX_AGE = 60  # names carry no fingerprint: an upgrade reaches browsers within this many seconds

# Managed services (docs/services.md): the ports that the edge may listen on for them.
SERVICE_PORTS = env.ports("SERVICE_PORTS", "14000-14999")
# Terminals: how many one user has open in a live process, and after how long one ends that nobody types in, or at all.
TERMINALS_PER_USER = env.integer("TERMINALS_PER_USER", 10, least=1)
TERMINAL_IDLE_MINUTES = env.integer("TERMINAL_IDLE_MINUTES", 60, least=1)
TERMINAL_HOURS = env.integer("TERMINAL_HOURS", 12, least=1)

# Streams (docs/realtime.md): connections a process takes, in all and of one tenant; connects per minute and user;
# what a reader may leave waiting, and how long one send to it may block, before it is cut off.
REALTIME_CONNECTIONS = env.integer("REALTIME_CONNECTIONS", 8000, least=1)
REALTIME_TENANT_CONNECTIONS = env.integer("REALTIME_TENANT_CONNECTIONS", 2000, least=1)
REALTIME_RATE_LIMIT = env.integer("REALTIME_RATE_LIMIT", 1000)
REALTIME_QUEUE_EVENTS = env.integer("REALTIME_QUEUE_EVENTS", 1000, least=1)
REALTIME_QUEUE_BYTES = env.size("REALTIME_QUEUE_BYTES", 1 << 20)
REALTIME_SEND_SECONDS = env.integer("REALTIME_SEND_SECONDS", 20, least=1)
REALTIME_HEARTBEAT_SECONDS = env.integer("REALTIME_HEARTBEAT_SECONDS", 15, least=1)

# E-mail: files in the home until a server is named. It is sent by jobs (tenants.services.mail), never in a request.
MAIL = env.mail(str(HOME / "mail"))
EMAIL_BACKEND = MAIL.backend
EMAIL_FILE_PATH = MAIL.folder
EMAIL_HOST, EMAIL_PORT = MAIL.host, MAIL.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = MAIL.user, MAIL.password
EMAIL_USE_TLS, EMAIL_USE_SSL = MAIL.starttls, MAIL.tls
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM") or f"Gatehouse <gatehouse@{PUBLIC_HOST}>"
PASSWORD_RESET_TIMEOUT = 3600

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
FORMAT_MODULE_PATH = "gateway.formats"

# Objects up to this size live in the index, larger ones in files.
STORAGE_ROOT = HOME / "blobs"
# Further folders, on other disks: name=path, comma-separated.
STORAGE_FOLDERS = {name: Path(path) for name, path in env.pairs("STORAGE_FOLDERS").items()}
STORAGE_INLINE_LIMIT = env.size("STORAGE_INLINE_LIMIT", 8 << 10)
# Reading all bodies again: bytes a second (0: never by itself), and how many days from one pass to the next.
STORAGE_VERIFY_RATE = env.size("STORAGE_VERIFY_RATE", 16 << 20)
STORAGE_VERIFY_DAYS = env.integer("STORAGE_VERIFY_DAYS", 30)
# Bytes of index rows that the decision process keeps in memory; 0: none.
STORAGE_KEPT_ROWS = env.size("STORAGE_KEPT_ROWS", 32 << 20)
# Whether keys of SSE-C may come from other machines without TLS, as from a proxy that ends it and does not say so.
S3_CUSTOMER_KEYS_OVER_HTTP = env.flag("S3_CUSTOMER_KEYS_OVER_HTTP", DEVELOPMENT)
MAX_UPLOAD_SIZE = env.size("MAX_UPLOAD_SIZE", 5 << 30)

# Workspaces: the image of those whose template names none; how long one may take to answer once it is started;
# thousandths of a core that an idle one stays below; the most bytes of a snapshot, compressed; days that a deleted one
# can be restored.
WORKSPACE_IMAGE = env.text("WORKSPACE_IMAGE") or "gatehouse-workspace:local"
WORKSPACE_START_SECONDS = env.integer("WORKSPACE_START_SECONDS", 60, least=5)
WORKSPACE_IDLE_CPU_MILLIS = env.integer("WORKSPACE_IDLE_CPU_MILLIS", 100, least=1)
WORKSPACE_SNAPSHOT_SIZE = env.size("WORKSPACE_SNAPSHOT_SIZE", 20 << 30)
WORKSPACE_RETENTION_DAYS = env.integer("WORKSPACE_RETENTION_DAYS", 7)
# The provider `docker` (docs/providers.md): the network's addresses, whether deploy/firewall is in place, and whether
# images of services are fetched.
WORKSPACE_SUBNET = env.subnet("WORKSPACE_SUBNET")
WORKSPACE_FIREWALL = env.flag("WORKSPACE_FIREWALL")
DOCKER_PULL = env.choice("DOCKER_PULL", "never", ("never", "missing"))

# Days that sealed audit entries are kept where a tenant says nothing; 0: for ever.
AUDIT_RETENTION_DAYS = env.integer("AUDIT_RETENTION_DAYS", 0)

# What /metrics asks of who is not on this machine (gateway.metrics).
METRICS_TOKEN = env.secret("METRICS_TOKEN")
BOOTSTRAP_ADMIN_PASSWORD = env.secret("BOOTSTRAP_ADMIN_PASSWORD")

LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", logs.LEVELS, upper=True)
LOG_FORMAT = env.choice("LOG_FORMAT", logs.default_format(), logs.FORMATS)
LOGGING = logs.configuration(
    LOG_FORMAT,
    LOG_LEVEL,
    secrets=[
        *(SECRET_KEY, JWT_SECRET_KEY, INTROSPECT_SECRET, TENANT_SECRET_PASSPHRASE, METRICS_TOKEN),
        *(NEXUSGATE_JWT_SECRET, EMAIL_HOST_PASSWORD, BOOTSTRAP_ADMIN_PASSWORD, *JWT_PREVIOUS_SECRET_KEYS),
        *(pair.partition(":")[2] for pair in ENCRYPTION_KEYS.replace(",", " ").split()),
        *(unquote(urlsplit(url).password or "") for url in (DATABASE_OWNER_URL, REDIS_URL)),
        DATABASES["default"]["PASSWORD"],
    ],
)

BOOTSTRAP_ADMIN_USERNAME = env.text("BOOTSTRAP_ADMIN_USERNAME", "admin" if DEVELOPMENT else "")
