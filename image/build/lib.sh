# What every step starts with: `. "$(dirname "$0")/lib.sh"`. ./dev image and build/run set
# CACHE, WORK (this build's folder), OUT, KEYS, VERSION and SOURCE_DATE_EPOCH.
set -euo pipefail
IMAGE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=image/settings
. "$IMAGE/settings"
: "${CACHE:?}" "${WORK:?}" "${OUT:?}" "${KEYS:?}" "${VERSION:?}" "${SOURCE_DATE_EPOCH:?}"
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
umask 022

say() { printf '   %s\n' "$*" >&2; }
fail() { printf 'image: %s\n' "$*" >&2; exit 1; }

# Everything in the folder gets the build's date at most, so that two builds are the same.
same_dates() { find "$1" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }

kernel_version() { basename "$(echo "$CACHE"/image/root/usr/lib/modules/*)"; }
