# One image for all services, the gateway, and the whole shelf in one container:
#   docker build -t bookshelf:0.1.0 .        docker run -p 127.0.0.1:8000:8000 -v shelf:/data bookshelf:0.1.0
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /src
# For strip: what is compiled comes with names for debuggers, two thirds of its size.
RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends binutils >/dev/null && rm -rf /var/lib/apt/lists/*
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PIP_CONSTRAINT=/src/constraints.txt
COPY constraints.txt pyproject.toml setup.py README.rst LICENSE ./
# What the shelf stands on changes less often than the shelf: layers of its own.
COPY bookshelf/__init__.py bookshelf/
COPY gateway/__init__.py gateway/
RUN python -m venv /opt/tools && /opt/tools/bin/pip install --quiet cyclonedx-bom \
 && python -m venv /opt/bookshelf && /opt/bookshelf/bin/pip install --quiet --no-compile '.[gateway,kafka,mariadb,postgres,s3]'
COPY bookshelf bookshelf
COPY gateway gateway
# Compiled by content and not by time, so that the same files give the same image.
RUN /opt/bookshelf/bin/pip install --quiet --no-compile --no-deps --force-reinstall . \
 && /opt/bookshelf/bin/pip uninstall --quiet --yes setuptools pip \
 && find /opt/bookshelf \( -name __pycache__ -o -name '*.py[xi]' -o -name '*.[ch]' \) -prune -exec rm -rf {} + \
 && find /opt/bookshelf -name '*.so' -exec strip --strip-unneeded {} + \
 && python -m compileall -q --invalidation-mode unchecked-hash /opt/bookshelf/lib \
 && /opt/tools/bin/cyclonedx-py environment --output-reproducible --output-file /opt/sbom.cdx.json /opt/bookshelf

# Live reload, for docker-compose.dev.yml: the sources are mounted on /src.
FROM build AS dev
RUN python -m venv /opt/reload && /opt/reload/bin/pip install --quiet watchfiles
ENV PATH=/opt/bookshelf/bin:$PATH PYTHONPATH=/src PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    BOOKSHELF_DATA=/data BOOKSHELF_HOST=0.0.0.0 BOOKSHELF_ADDRESS=auto
RUN install -d -m 0700 -o 10001 -g 10001 /data /secret
VOLUME /data
USER 10001:10001
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s CMD ["bookshelf", "health"]
ENTRYPOINT ["/opt/reload/bin/watchfiles", "--filter", "python", "--sigint-timeout", "20"]

FROM python:${PYTHON}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Bookshelf" \
      org.opencontainers.image.description="A reading community run by small event-sourced asyncio services" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="BSD-3-Clause"
# What installs programs has no place where programs run. The base has its standard library uncompiled, and no process
# could keep what it compiles at its start.
RUN rm -rf "$(python -c 'import pip; print(*pip.__path__)')" /usr/local/bin/pip* /usr/bin/pip* \
 && python -m compileall -q --invalidation-mode unchecked-hash \
    -x '/(test|tests|idlelib|lib2to3|tkinter|turtledemo|ensurepip|pydoc_data|site-packages|dist-packages)/' \
    "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
 && install -d -m 0700 -o 10001 -g 10001 /data /secret
COPY --from=build /opt/bookshelf /opt/bookshelf
COPY --from=build /opt/sbom.cdx.json /usr/share/bookshelf/
ENV PATH=/opt/bookshelf/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    BOOKSHELF_DATA=/data BOOKSHELF_HOST=0.0.0.0 BOOKSHELF_ADDRESS=auto
# All that is ever written: the rest of the file system may be read-only.
VOLUME /data
USER 10001:10001
EXPOSE 8000 8080 8081 8082 8083 8084 8085 8086 8087 8088 8089 8091 8092 8093 8094 8095 8096 8097 8098 8120 8121 8122 8123 8124 8125 8130 8131 8132 8133
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s CMD ["bookshelf", "health"]
ENTRYPOINT ["bookshelf"]
CMD ["up"]
