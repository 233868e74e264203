#!/usr/bin/env bash
# The FAT partition: the Pi's firmware, its device trees, U-Boot, our boot script, farm.toml.
. "$(dirname "$0")/lib.sh"

fat=$WORK/fat
firmware=$CACHE/image/boot/usr/lib/raspi-firmware
rm -rf "$fat"
mkdir -p "$fat/overlays"
for name in bootcode.bin start.elf start_cd.elf start4.elf start4cd.elf fixup.dat fixup_cd.dat fixup4.dat fixup4cd.dat; do
    cp "$firmware/$name" "$fat/"
done
cp "$CACHE/image/boot/usr/lib/u-boot/rpi_arm64/u-boot.bin" "$fat/u-boot.bin"
trees=$(dirname "$(find "$CACHE/image/root" -name bcm2837-rpi-3-b.dtb)")
for board in 2837-rpi-3-a-plus 2837-rpi-3-b 2837-rpi-3-b-plus 2837-rpi-zero-2-w 2837-rpi-cm3-io3 2711-rpi-4-b 2711-rpi-400 2711-rpi-cm4-io; do
    cp "$trees/bcm$board.dtb" "$fat/"
done
# The name by which the firmware asks for it.
cp "$trees/bcm2837-rpi-zero-2-w.dtb" "$fat/bcm2710-rpi-zero-2-w.dtb"
rmdir "$fat/overlays"

cp "$IMAGE"/boot/{config.txt,READ-ME.TXT,farm.toml} "$fat/"
sed "s/@GOOD@/$TRIES_GOOD/g; s/@SECTOR_1@/$(printf '0x%x' $STATE_SECTOR_1)/g; s/@SECTOR_2@/$(printf '0x%x' $STATE_SECTOR_2)/g; s/@DISK_ID@/$DISK_ID/g" \
    "$IMAGE/boot/boot.cmd" > "$WORK/boot.cmd"
mkimage -A arm64 -O linux -T script -C none -n smart_mining -d "$WORK/boot.cmd" "$fat/boot.scr" > /dev/null
find "$fat" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +

rm -f "$WORK/fat.img"
truncate -s "${FAT_SIZE}M" "$WORK/fat.img"
mkfs.vfat -F 32 -S 512 -s 1 -n SMARTMINING -i "$FAT_ID" --invariant "$WORK/fat.img" > /dev/null
(cd "$fat" && printf '%s\0' * | sort -z | xargs -0 -I{} mcopy -m -i "$WORK/fat.img" {} "::{}")
say "FAT: $(du -sm "$fat" | cut -f 1) MB of $FAT_SIZE"
