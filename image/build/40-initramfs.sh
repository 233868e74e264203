#!/usr/bin/env bash
# A small initramfs: busybox, the drivers that find a card, and our init.
. "$(dirname "$0")/lib.sh"

tree=$WORK/initramfs
rm -rf "$tree"
kernel=$(kernel_version)
from=$WORK/root/usr/lib/modules/$kernel
mkdir -p "$tree"/{bin,dev,proc,sys,run,root,lib/modules/"$kernel"}
install -m 755 "$CACHE/image/root/usr/bin/busybox" "$tree/bin/busybox"
install -m 755 "$IMAGE/initramfs/init" "$tree/init"

grep -v '^#' "$IMAGE/initramfs/modules" > "$WORK/initramfs.wanted"
while read -r line; do
    [ -e "$from/$line" ] || fail "the kernel $kernel has no $line; correct image/initramfs/modules"
    find "$from/$line" -name '*.ko*' -printf "$line/%P\n" | sed 's|/$||'
done < "$WORK/initramfs.wanted" > "$WORK/initramfs.named"
# modules.dep: "FILE: WHAT IT NEEDS..."
gawk 'NR == FNR { sub(/:$/, "", $1); for (i = 2; i <= NF; i++) needs[$1] = needs[$1] " " $i; next }
     { print; n = split(needs[$1], more, " "); for (i = 1; i <= n; i++) print more[i] }' \
    "$from/modules.dep" "$WORK/initramfs.named" | sort -u > "$WORK/initramfs.modules"
while read -r file; do
    install -D -m 644 "$from/$file" "$tree/lib/modules/$kernel/$file"
    # busybox reads no .xz; the archive as a whole is compressed.
    case $file in *.xz) xz -d "$tree/lib/modules/$kernel/$file" ;; esac
done < "$WORK/initramfs.modules"
cp "$from"/modules.{order,builtin,builtin.modinfo} "$tree/lib/modules/$kernel/"
depmod -b "$tree" "$kernel"
same_dates "$tree"
(cd "$tree" && find . -print0 | sort -z | cpio --null --create --format=newc --reproducible --owner=0:0 --quiet) |
    zstd -q -19 -T1 -f -o "$WORK/initrd.img"
install -m 644 "$WORK/initrd.img" "$WORK/root/boot/initrd.img"
touch -d "@$SOURCE_DATE_EPOCH" "$WORK/root/boot/initrd.img" "$WORK/root/boot"
say "initramfs: $(stat -c %s "$WORK/initrd.img") bytes, $(wc -l < "$WORK/initramfs.modules") drivers"
