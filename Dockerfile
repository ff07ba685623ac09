# steer on CPU: steerd, steerctl and steer-planted with the five libraries of libtorch that a CPU needs.
FROM docker.io/library/debian:bookworm-slim AS build
WORKDIR /src
COPY deploy/packages.txt deploy/libtorch-cpu.txt deploy/install_dependencies.sh deploy/
ENV STEER_CACHE=/opt/steer-cache
# The secret is optional: a CA bundle for machines whose package registries stand behind one of their own.
RUN --mount=type=secret,id=ca,target=/run/ca.pem,required=false \
    if [ -s /run/ca.pem ]; then export PIP_CERT=/run/ca.pem; fi; \
    deploy/install_dependencies.sh && rm -rf /var/lib/apt/lists/*
COPY . .
RUN STEER_TORCH_ROOT=$(deploy/install_dependencies.sh) && export STEER_TORCH_ROOT && \
    cmake --preset release -DSTEER_BUILD_TESTS=OFF && cmake --build build/release && \
    cmake --install build/release --prefix /opt/steer --strip && \
    mkdir -p /opt/steer/lib && cp "$STEER_TORCH_ROOT"/torch/lib/libtorch_cpu.so "$STEER_TORCH_ROOT"/torch/lib/libc10.so "$STEER_TORCH_ROOT"/torch/lib/libgomp.so.1 \
       "$STEER_TORCH_ROOT"/nvidia/cu13/lib/libcudart.so.13 "$STEER_TORCH_ROOT"/nvidia/cu13/lib/libcupti.so.13 /opt/steer/lib/ && \
    cp -r deploy/plans /opt/steer/plans

FROM docker.io/library/debian:bookworm-slim
COPY deploy/packages-runtime.txt /tmp/packages.txt
RUN apt-get update -qq && grep -v '^#' /tmp/packages.txt | DEBIAN_FRONTEND=noninteractive xargs apt-get install -y -qq --no-install-recommends && \
    rm -rf /var/lib/apt/lists/* /tmp/packages.txt && \
    useradd --uid 65532 --create-home steer && mkdir -p /data/model /data/directions /data/runs && chown -R steer:steer /data
COPY --from=build /opt/steer /opt/steer
ENV PATH=/opt/steer/bin:$PATH OMP_WAIT_POLICY=passive
USER 65532
VOLUME ["/data"]
EXPOSE 50051 9464
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s CMD ["steerd", "--healthcheck", "--listen", "127.0.0.1:50051"]
CMD ["steerd", "--model", "/data/model", "--store", "/data/directions"]
