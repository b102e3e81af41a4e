# ptrun as a container: targets cpu (default) and cuda. The programs run as nobody in particular, on a read-only root file
# system, without a network: docs/containers.md.
#
#   docker build -t ptrun .                                 # packages are built from this source
#   docker build -t ptrun --build-arg PACKAGES=context .    # packages/*.deb of `cpack -G DEB` are taken
#   docker build -t ptrun:cuda --target cuda .
#
# BASE: a Debian or an Ubuntu that scripts/setup knows; for cuda too, as LibTorch brings CUDA's libraries and the host
# the driver. CMAKE_OPTIONS: further options of the build, such as -DPTRUN_WERROR=ON.
ARG BASE=debian:bookworm-slim
ARG PACKAGES=build

# The cache keeps LibTorch and compiled files for the next build; nothing of it is in the image.
FROM ${BASE} AS packages-build
ARG CMAKE_OPTIONS=
COPY . /src
RUN --mount=type=cache,target=/cache,sharing=locked \
    HOME=/cache /src/scripts/container/packages.sh /packages ${CMAKE_OPTIONS} && rm -rf /src

FROM ${BASE} AS cuda-packages-build
ARG CMAKE_OPTIONS=
COPY . /src
RUN --mount=type=cache,target=/cache,sharing=locked \
    HOME=/cache /src/scripts/container/packages.sh --cuda /packages ${CMAKE_OPTIONS} && rm -rf /src

FROM ${BASE} AS packages-context
COPY packages/*.deb /packages/
FROM packages-context AS cuda-packages-context

FROM packages-${PACKAGES} AS packages
FROM cuda-packages-${PACKAGES} AS cuda-packages

# What both images have in common.
FROM ${BASE} AS system
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ptrun" \
      org.opencontainers.image.description="Runs trained image models saved as PyTorch .pt files" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin ptrun
WORKDIR /work
ENTRYPOINT ["/usr/bin/ptrun"]
CMD ["--help"]

# No header, no compiler, no OpenCV: only what runs. apt's own traces go in the same layer.
FROM system AS cuda
RUN --mount=type=bind,from=cuda-packages,source=/packages,target=/packages \
    apt-get update && \
    apt-get install -y --no-install-recommends /packages/ptrun_*.deb /packages/ptrun-cuda_*.deb && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/* && ptrun --version
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001:10001

# The last stage is what a build without --target gives.
FROM system AS cpu
RUN --mount=type=bind,from=packages,source=/packages,target=/packages \
    apt-get update && \
    apt-get install -y --no-install-recommends /packages/ptrun_*.deb && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/* && ptrun --version
USER 10001:10001
