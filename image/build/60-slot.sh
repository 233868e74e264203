#!/usr/bin/env bash
# The root file system as one image: slot A of the card, and what a bundle carries.
. "$(dirname "$0")/lib.sh"

rm -f "$WORK/rootfs.ext4"
truncate -s "${ROOT_USED}M" "$WORK/rootfs.ext4"
# U-Boot reads it, so nothing that it does not know; without a journal, for it is never written.
mke2fs -q -F -t ext4 -O '^has_journal,^metadata_csum_seed,^orphan_file,^resize_inode' -m 0 -L root -N 16384 -b 4096 \
    -U "$ROOT_UUID" -E "hash_seed=$ROOT_UUID,lazy_itable_init=0" -d "$WORK/root" "$WORK/rootfs.ext4" ||
    fail "the root does not fit into $ROOT_USED MB; raise ROOT_USED in image/settings, up to $ROOT_SIZE"
say "rootfs.ext4: $(dumpe2fs -h "$WORK/rootfs.ext4" 2>/dev/null | gawk -F : '/^Free blocks/ { f = $2 } /^Block count/ { c = $2 } END { printf "%d of %d MB used", (c - f) / 256, c / 256 }')"
