# docker build --tag fibroserum .     (docs/containers.md: other builders, a run, a cluster)
# Any base image with Python 3.11-3.13 and its venv module will do.
ARG BASE=docker.io/library/python:3.12-slim

FROM ${BASE} AS build
WORKDIR /opt/fibroserum
COPY requirements.lock .
# The secret is optional: pip's settings at this site, which do not enter the image.
# No compiler is needed. The bytecode is not checked against the times of files, which builders of images
# may change.
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    python3 -m venv venv \
    && venv/bin/python -m pip install --quiet --no-cache-dir --no-compile --disable-pip-version-check \
        --require-hashes -r requirements.lock \
    && venv/bin/python -m pip uninstall --quiet --yes pip setuptools \
    && find venv/lib -type d -name tests -prune -exec rm -r {} + \
    && { venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash venv/lib || true; }
COPY Snakefile LICENSE CITATION.cff pyproject.toml ./
COPY config config
COPY resources resources
COPY workflow workflow
# The command `snakemake` runs this workflow on the files of the working directory. The image may be
# read-only and the user may have neither a home nor a name: caches are in the working directory too.
RUN ln -s workflow/profiles profiles \
    && echo /opt/fibroserum/workflow/src > "$(echo venv/lib/python3*/site-packages)/fibroserum.pth" \
    && mkdir bin \
    && printf '%s\n' '#!/bin/sh' 'export XDG_CACHE_HOME="$PWD/.snakemake/cache"' \
        '[ -w "${HOME:-}" ] || export HOME="$XDG_CACHE_HOME"' 'export USER="${USER:-$(id -u)}"' \
        'exec /opt/fibroserum/venv/bin/snakemake --snakefile /opt/fibroserum/Snakefile "$@"' \
        > bin/snakemake \
    && chmod +x bin/snakemake \
    && venv/bin/python -m compileall -q --invalidation-mode unchecked-hash workflow/src
# Machine code in this folder is read, never written.
RUN XDG_CACHE_HOME=/tmp/cache venv/bin/python workflow/kernels.py \
    && mv /tmp/cache/fibroserum/kernels-* workflow/src/fibroserum/inference/ \
    && rm -r /tmp/cache \
    && chmod -R a+rX /opt/fibroserum

FROM ${BASE}
# where this copy of the source comes from: --build-arg SOURCE="$(git remote get-url origin)"
ARG SOURCE=
LABEL org.opencontainers.image.title="fibroserum" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.description="Paired differential expression of dermal fibroblasts treated with people's serum, and what it says about biglycan and CCL28" \
      org.opencontainers.image.licenses="GPL-3.0-or-later" \
      org.opencontainers.image.source="${SOURCE}"
COPY --from=build /opt/fibroserum /opt/fibroserum
ENV PATH=/opt/fibroserum/bin:/opt/fibroserum/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1
# without -u; results belong to this user then
USER 1000:1000
WORKDIR /work
CMD ["snakemake", "--cores", "all"]
