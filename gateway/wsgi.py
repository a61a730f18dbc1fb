"""The WSGI application of the `web` process."""

import os

from django.core.wsgi import get_wsgi_application

from gateway.checks import refuse_weak_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
application = get_wsgi_application()
refuse_weak_settings()
