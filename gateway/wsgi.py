"""The WSGI application of the `web` process."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from gateway.checks import refuse_weak_settings
from gateway.metrics import files

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
application = get_wsgi_application()
refuse_weak_settings()
files.keep()
_ = get_resolver().url_patterns  # with all behind them, which the first request would wait for
