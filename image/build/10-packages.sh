#!/usr/bin/env bash
# The system, the Pi's firmware and the tools, each unpacked into a folder of the cache.
. "$(dirname "$0")/lib.sh"

export DEBIAN_ARCHIVES=$CACHE/archives
for place in tools root boot; do
    arch=arm64
    [ "$place" != tools ] || arch=$(dpkg --print-architecture)
    # shellcheck disable=SC2046 # one word a package
    DEBIAN_ARCHES=$arch "$IMAGE/../cross/debian-root" "$CACHE/image/$place" "$IMAGE/sources" \
        $(awk -v place="$place" '$1 == place { print $2 }' "$IMAGE/packages")
    say "$place: $(wc -l < "$CACHE/image/$place.packages") packages"
done
