# rmeval in a container: docs/install.md says how to build and run it.

FROM python:3.11-slim AS wheel
WORKDIR /build
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY src src
# The name of the variable that is for what builds the wheel has moved between pip's releases.
RUN PIP_CONSTRAINT=/build/constraints.txt PIP_BUILD_CONSTRAINT=/build/constraints.txt \
    python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim
# torch.compile and Triton build what they run with a compiler.
RUN apt-get update && apt-get install --yes --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
# Which build of PyTorch: cpu, or a version of CUDA, such as cu126. Its libraries come along, the driver is the host's.
ARG TORCH=cpu
COPY constraints.txt /opt/rmeval/
RUN python -m pip install --no-cache-dir --no-deps --constraint /opt/rmeval/constraints.txt \
    --index-url "https://download.pytorch.org/whl/$TORCH" torch
# Everything else is from PyPI, in the versions that the tests pass with.
COPY --from=wheel /wheels /opt/rmeval/
RUN python -m pip install --no-cache-dir --constraint /opt/rmeval/constraints.txt "$(echo /opt/rmeval/*.whl)[train]"

# Like /tmp, the folders are everybody's: --user "$(id -u):$(id -g)" writes runs to a folder of the host as its owner.
RUN useradd --create-home --uid 1000 rmeval \
    && mkdir --mode 1777 /cache /cache/huggingface /cache/rmeval /work
ENV HF_HOME=/cache/huggingface RMEVAL_CACHE=/cache/rmeval MPLCONFIGDIR=/tmp/matplotlib
VOLUME ["/cache/huggingface", "/cache/rmeval"]
WORKDIR /work
USER rmeval
ENTRYPOINT ["rmeval"]
CMD ["--help"]
