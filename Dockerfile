# steer: steerd, steerctl and steer-planted.
#   docker build --target runtime -t steer .            CPU; what `docker build .` makes too
#   docker build --target runtime-cuda -t steer:cuda .  with libtorch's CUDA libraries and libsteer_cuda.so
#   docker build --target test .                        builds and runs the default tier of tests; keeps no image of use
# BASE may be pinned by digest: --build-arg BASE=docker.io/library/debian@sha256:...
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS dependencies
WORKDIR /src
COPY deploy/packages.txt deploy/libtorch-cpu.txt deploy/install_dependencies.sh deploy/
# The secret is optional: a CA bundle for machines whose package registries stand behind one of their own.
RUN --mount=type=secret,id=ca,target=/run/ca.pem,required=false \
    if [ -s /run/ca.pem ]; then export PIP_CERT=/run/ca.pem; fi; \
    deploy/install_dependencies.sh && rm -rf /var/lib/apt/lists/*

FROM dependencies AS build
COPY . .
# What steer_build_info says; the repository itself stays outside: --build-arg STEER_COMMIT=$(git rev-parse --short=12 HEAD)
ARG STEER_COMMIT=
RUN --mount=type=cache,id=steer-ccache,target=/root/.cache/ccache \
    STEER_TORCH_ROOT=$(deploy/install_dependencies.sh) && export STEER_TORCH_ROOT && \
    cmake --preset release -DSTEER_BUILD_TESTS=OFF -DSTEER_CUDA=OFF -DSTEER_COMMIT="$STEER_COMMIT" && cmake --build build/release && \
    cmake --install build/release --prefix /opt/steer --strip && \
    deploy/collect_libraries.sh "$STEER_TORCH_ROOT" /opt/steer && cp -r deploy/plans /opt/steer/plans && \
    deploy/sbom.py --libtorch "$STEER_TORCH_ROOT" --libraries /opt/steer/lib > /opt/steer/wheels.cdx.json

FROM ${BASE} AS base
COPY deploy/packages-runtime.txt /tmp/packages.txt
RUN apt-get update -qq && grep -v '^#' /tmp/packages.txt | DEBIAN_FRONTEND=noninteractive xargs apt-get install -y -qq --no-install-recommends && \
    rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /usr/share/doc/* /usr/share/man/* /usr/share/locale/* /tmp/packages.txt && \
    useradd --uid 65532 --create-home steer && mkdir -p /data/model /data/directions /data/runs && chown -R steer:steer /data
# HOME and the compute cache of a GPU lie on the tmpfs that compose and Kubernetes mount, so that any uid and a read-only root do.
ENV PATH=/opt/steer/bin:/usr/local/bin:/usr/bin:/bin HOME=/tmp CUDA_CACHE_PATH=/tmp/cuda OMP_WAIT_POLICY=passive
USER 65532
EXPOSE 50051 9464
# Covers the loading of a model: until start_period is over a failure does not count.
HEALTHCHECK --interval=5s --timeout=3s --start-period=600s CMD ["steerd", "--healthcheck", "--listen", "127.0.0.1:50051"]
STOPSIGNAL SIGTERM
CMD ["steerd", "--model", "/data/model", "--store", "/data/directions"]

FROM base AS runtime
COPY --from=build /opt/steer /opt/steer

# Not from the build stage, whose configuration has no tests.
FROM dependencies AS test
COPY . .
RUN --mount=type=secret,id=ca,target=/run/ca.pem,required=false \
    --mount=type=cache,id=steer-ccache,target=/root/.cache/ccache \
    if [ -s /run/ca.pem ]; then export PIP_CERT=/run/ca.pem; fi; \
    tests/run.sh

# nvcc comes from the same registry as libtorch; only its compiler, assembler and headers are installed, and none of it is in the image.
FROM build AS build-cuda
COPY deploy/nvcc.txt deploy/
RUN --mount=type=secret,id=ca,target=/run/ca.pem,required=false \
    --mount=type=cache,id=steer-ccache,target=/root/.cache/ccache \
    if [ -s /run/ca.pem ]; then export PIP_CERT=/run/ca.pem; fi; \
    python3 -m pip install -q --no-compile --no-deps --require-hashes --target /opt/nvcc -r deploy/nvcc.txt && \
    STEER_TORCH_ROOT=$(deploy/install_dependencies.sh --cuda) && export STEER_TORCH_ROOT && \
    toolkit=/opt/nvcc/nvidia/cu13 && ln -sf libcudart.so.13 $toolkit/lib/libcudart.so && ln -sfn lib $toolkit/lib64 && \
    cmake --preset release -B build/cuda -DSTEER_BUILD_TESTS=OFF -DSTEER_CUDA=ON \
      -DCMAKE_CUDA_COMPILER=$toolkit/bin/nvcc && \
    cmake --build build/cuda --target steer_cuda && \
    plugin=$(find build/cuda -name libsteer_cuda.so) && rm -rf /opt/steer/lib && \
    deploy/collect_libraries.sh "$STEER_TORCH_ROOT" /opt/steer "$plugin" && \
    deploy/sbom.py --libtorch "$STEER_TORCH_ROOT" --libraries /opt/steer/lib > /opt/steer/wheels.cdx.json

FROM base AS runtime-cuda
# What the container toolkit mounts from the host: the driver, and NVML for the metrics of the card.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=build-cuda /opt/steer /opt/steer
CMD ["steerd", "--model", "/data/model", "--store", "/data/directions", "--device", "cuda"]

FROM runtime
