# For cross: it brings its own Rust into this, so only what links, compiles C and runs tests is here.
FROM debian:trixie-slim

COPY packages /tmp/packages
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        $(awk '($1 == "any" || $1 == "armv7") && $2 != "host" { print $3 }' /tmp/packages) \
    && rm -rf /var/lib/apt/lists/* /tmp/packages

ENV CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_LINKER=arm-linux-gnueabihf-gcc \
    CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_RUNNER="qemu-arm-static -L /usr/arm-linux-gnueabihf" \
    CC_armv7_unknown_linux_gnueabihf=arm-linux-gnueabihf-gcc \
    AR_armv7_unknown_linux_gnueabihf=arm-linux-gnueabihf-ar
