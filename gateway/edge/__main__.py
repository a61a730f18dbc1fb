"""`python -m gateway.edge`: write this instance's Caddy configuration, without setting up Django's apps."""

import logging.config
import os

from django.conf import settings

from gateway.edge.instance import write

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
logging.config.dictConfig(settings.LOGGING)
write(settings)
