# audioclust with everything it can use of a CPU; compose.yaml starts a scheduler, workers and JupyterLab from it
FROM python:3.11-slim-bookworm

SHELL ["/bin/bash", "-o", "pipefail", "-c"]

# ffmpeg decodes m4a and wma; without it those recordings have a problem, the others do not
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ffmpeg \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/audioclust
ARG TORCH="torch==2.13.0"
COPY requirements.lock ./
RUN pip install --no-cache-dir "${TORCH}" \
 && pip install --no-cache-dir --no-deps --require-hashes --requirement requirements.lock

COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

# recordings, features and results lie under /project, which scheduler, workers and JupyterLab share
RUN useradd --create-home --uid 1000 audioclust && mkdir /project && chown audioclust /project
USER audioclust
WORKDIR /project
ENV OMP_NUM_THREADS=1 \
    AUDIOCLUST_SCRATCH=/project/.scratch
CMD ["audioclust", "--help"]
