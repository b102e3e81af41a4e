# ptrun as a container: targets cpu (default) and cuda. The programs run as nobody in particular, on a read-only root file
# system, without a network: docs/containers.md.
#
#   docker build -t ptrun .                                 # packages are built from this source
#   docker build -t ptrun --build-arg PACKAGES=context .    # packages/*.deb of `cpack -G DEB` are taken
#   docker build -t ptrun:cuda --target cuda .
ARG BASE=debian:bookworm-slim
ARG CUDA_BUILD_BASE=nvidia/cuda:13.0.2-devel-ubuntu24.04
ARG CUDA_BASE=nvidia/cuda:13.0.2-base-ubuntu24.04
ARG PACKAGES=build

FROM ${BASE} AS packages-build
COPY . /src
ENV PTRUN_DEPS=/deps
RUN cd /src && scripts/setup/packages.sh && apt-get install -y --no-install-recommends dpkg-dev && \
    scripts/setup/libtorch.sh && cmake --preset package && cmake --build --preset package && \
    (cd build/package && cpack -G DEB) && mkdir /packages && mv build/package/*.deb /packages && rm -rf /src /deps

FROM ${BASE} AS packages-context
COPY packages/*.deb /packages/

FROM packages-${PACKAGES} AS packages

FROM ${BASE} AS cpu
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ptrun" \
      org.opencontainers.image.description="Runs trained image models saved as PyTorch .pt files" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# No header, no compiler, no OpenCV: only what runs. apt's own traces go in the same layer.
RUN --mount=type=bind,from=packages,source=/packages,target=/packages \
    apt-get update && \
    apt-get install -y --no-install-recommends /packages/ptrun_*.deb && \
    apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/* && \
    useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin ptrun && \
    ptrun --version
USER 10001:10001
WORKDIR /work
ENTRYPOINT ["/usr/bin/ptrun"]
CMD ["--help"]

# The libraries of CUDA that LibTorch needs come with it, from the wheels that scripts/setup/libtorch.sh --cuda brings;
# from the base only what is in every CUDA image, from the host the driver.
FROM ${CUDA_BUILD_BASE} AS cuda-build
COPY . /src
ENV PTRUN_DEPS=/deps
RUN cd /src && scripts/setup/packages.sh && scripts/setup/libtorch.sh --cuda && \
    cmake --preset package -DPTRUN_WITH_CUDA=ON -DPTRUN_LIBTORCH_RPATH=/opt/libtorch/torch/lib \
      -DPTRUN_BUNDLE_LIBTORCH=OFF -DPTRUN_WITH_OPENCV=OFF && \
    cmake --build --preset package && cmake --install build/package --prefix /opt/ptrun --component runtime --strip && \
    mkdir -p /opt/libtorch/torch && mv /deps/libtorch-*/torch/lib /opt/libtorch/torch/ && \
    mv /deps/libtorch-*/nvidia /opt/libtorch/ && rm -rf /src /deps

FROM ${CUDA_BASE} AS cuda
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ptrun" \
      org.opencontainers.image.description="Runs trained image models saved as PyTorch .pt files, on NVIDIA GPUs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN apt-get update && \
    apt-get install -y --no-install-recommends libgif7 libjpeg-turbo8 libpng16-16t64 libssl3t64 libtiff6 libwebp7 \
      libwebpdemux2 zlib1g && \
    apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/apt/* && \
    useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin ptrun
COPY --from=cuda-build /opt/libtorch /opt/libtorch
COPY --from=cuda-build /opt/ptrun /usr
RUN ptrun --version
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001:10001
WORKDIR /work
ENTRYPOINT ["/usr/bin/ptrun"]
CMD ["--help"]

# The last stage is what a build without --target gives.
FROM cpu
