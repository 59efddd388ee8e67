# The console for production: see docker-compose.yml. Three stages, so that neither npm nor
# compilers nor caches are in what runs.

FROM node:22-slim AS vendor
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund

FROM python:3.11-slim AS build
WORKDIR /srv/evenkeel
COPY requirements-uv.txt requirements.txt ./
RUN python -m venv /opt/uv \
    && /opt/uv/bin/pip install --no-cache-dir --require-hashes -r requirements-uv.txt \
    && python -m venv --without-pip /opt/venv \
    && /opt/uv/bin/uv pip install --no-cache --python /opt/venv/bin/python \
        --require-hashes --compile-bytecode -r requirements.txt
COPY . .
COPY --from=vendor /build/node_modules node_modules
# The keys are of the moment: collectstatic needs some, and none may stay in the image.
RUN . /opt/venv/bin/activate \
    && python -m console.catalogs \
    && SECRET_KEY=of-the-moment EVENKEEL_SECRETS_KEYS=of-the-moment \
        python manage.py collectstatic --noinput \
    && rm -rf node_modules \
    && test ! -e var/keys

FROM python:3.11-slim
RUN useradd --uid 10001 --no-create-home --home-dir /srv/evenkeel --shell /usr/sbin/nologin evenkeel
COPY --from=build /opt/venv /opt/venv
COPY --from=build /srv/evenkeel /srv/evenkeel
WORKDIR /srv/evenkeel
# What the console writes while it runs goes to its database; this is for beat's schedule.
RUN install --directory --mode 700 --owner evenkeel --group evenkeel var/run \
    && chown evenkeel:evenkeel var
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONWARNINGS="ignore:StreamingHttpResponse must consume synchronous iterators" \
    EVENKEEL_HTTPS=yes \
    EVENKEEL_LOG_FORMAT=json
USER evenkeel
EXPOSE 8000
# The port must be reachable through a reverse proxy that ends TLS, and in no other way.
CMD ["uvicorn", "console.asgi:application", "--host", "0.0.0.0", "--port", "8000", \
    "--workers", "2", "--lifespan", "off", "--forwarded-allow-ips", "*", \
    "--no-server-header", "--timeout-graceful-shutdown", "20"]
