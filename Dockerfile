# One image for every service: `onward run SERVICE`. What it runs is locked with hashes; nothing of development is in it.
FROM python:3.11.14-slim-bookworm AS packages
COPY requirements/pip.lock requirements/run.lock /requirements/
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --disable-pip-version-check \
      --require-hashes --only-binary :all: -r /requirements/pip.lock \
 && /venv/bin/pip install --no-cache-dir --disable-pip-version-check \
      --require-hashes --only-binary :all: -r /requirements/run.lock \
 && /venv/bin/pip uninstall --yes --disable-pip-version-check pip

FROM python:3.11.14-slim-bookworm
COPY --from=packages /venv /venv
COPY --chmod=0755 deploy/onward /usr/local/bin/onward
COPY schemas /onward/schemas
COPY services /onward/services
COPY rulesets /onward/rulesets
# Volumes take over whose the folders are that they are mounted on.
RUN install -d -o 10001 -g 10001 /var/lib/onward/keys /var/lib/onward/log
# Compiled here, because the root file system is read-only where it runs.
RUN /venv/bin/python -m compileall -q /onward
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/onward \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /onward
USER 10001:10001
ENTRYPOINT ["onward"]
CMD ["--help"]
