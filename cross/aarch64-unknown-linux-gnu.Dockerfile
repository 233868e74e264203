# For cross: it brings its own Rust into this, so only what links, compiles C and runs tests is here.
FROM debian:trixie-slim

COPY packages /tmp/packages
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        $(awk '($1 == "any" || $1 == "aarch64") && $2 != "host" { print $3 }' /tmp/packages) \
    && rm -rf /var/lib/apt/lists/* /tmp/packages

ENV CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64-static -L /usr/aarch64-linux-gnu" \
    CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc \
    AR_aarch64_unknown_linux_gnu=aarch64-linux-gnu-ar
