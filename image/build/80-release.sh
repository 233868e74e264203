#!/usr/bin/env bash
# What is published: the compressed image with its block map, checksum and signature, the update
# bundle, the list of what is inside (SPDX), and what Raspberry Pi Imager reads.
. "$(dirname "$0")/lib.sh"

name=smart-mining-$VERSION-rpi-arm64
rm -f "$OUT/$name"*
python3 "$IMAGE/build/bmap.py" "$WORK/disk.img" > "$OUT/$name.bmap"
zstd -q -12 -T0 -f "$WORK/disk.img" -o "$OUT/$name.img.zst"
python3 "$IMAGE/build/sbom.py" "$CACHE/image/root.packages" "$CACHE/image/boot.packages" "$IMAGE/../Cargo.lock" \
    "$VERSION" "$SOURCE_DATE_EPOCH" > "$OUT/$name.spdx.json"
python3 "$IMAGE/build/os_list.py" "$WORK/disk.img" "$OUT/$name.img.zst" "$VERSION" "$SOURCE_DATE_EPOCH" \
    "${SMART_MINING_DOWNLOADS:-https://downloads.example.invalid}" > "$OUT/$name.os_list.json"

bundle=$WORK/bundle
rm -rf "$bundle"
mkdir -p "$bundle"
ln "$WORK/rootfs.ext4" "$bundle/rootfs.ext4" 2>/dev/null || cp --sparse=always "$WORK/rootfs.ext4" "$bundle/"
sed "s/@COMPATIBLE@/$COMPATIBLE/; s/@VERSION@/$VERSION/; s/@BUILD@/$SOURCE_DATE_EPOCH/; s/@INDEX@/$ROLLBACK_INDEX/" \
    "$IMAGE/rauc/manifest.raucm" > "$bundle/manifest.raucm"
# zstd packs tighter than gzip, and the kernel of the appliance unpacks it.
rauc --cert="$KEYS/bundle.cert.pem" --key="$KEYS/bundle.key.pem" --keyring="$KEYS/bundle.ca.pem" \
    bundle --mksquashfs-args="-comp zstd -Xcompression-level 15 -quiet -no-progress" "$bundle" "$OUT/$name.raucb" > "$WORK/rauc.log" 2>&1 ||
    { cat "$WORK/rauc.log" >&2; fail "rauc could not make the bundle"; }
rm -rf "$bundle"

(cd "$OUT" && sha256sum "$name".{img.zst,raucb,bmap,spdx.json,os_list.json} > "$name.sha256")
openssl pkeyutl -sign -rawin -inkey "$KEYS/image.key.pem" -in "$OUT/$name.sha256" -out "$OUT/$name.sha256.sig"
openssl pkey -in "$KEYS/image.key.pem" -pubout -out "$OUT/$name.pub.pem"
for file in img.zst raucb bmap spdx.json os_list.json sha256 sha256.sig; do
    say "$(stat -c '%s bytes' "$OUT/$name.$file")  $name.$file"
done
say "image: $(sha256sum "$WORK/disk.img" | cut -c -64)"
[ "$(cat "$KEYS/kind")" != development ] ||
    say "SIGNED WITH A DEVELOPMENT KEY made on this machine: not for farms. SMART_MINING_KEYS names a folder with real ones (image/README.md)"
