#!/usr/bin/env bash
# The card: partition table, the slots' state twice, FAT, slot A, an empty slot B, /data.
. "$(dirname "$0")/lib.sh"

disk=$WORK/disk.img
mib=2048
root_a=$((FAT_START + FAT_SIZE))
root_b=$((root_a + ROOT_SIZE))
data=$((root_b + ROOT_SIZE))
rm -f "$disk"
truncate -s "$((data + DATA_SIZE))M" "$disk"
sfdisk --quiet "$disk" <<TABLE
label: dos
label-id: 0x$DISK_ID
start=$((FAT_START * mib)), size=$((FAT_SIZE * mib)), type=c, bootable
start=$((root_a * mib)), size=$((ROOT_SIZE * mib)), type=83
start=$((root_b * mib)), size=$((ROOT_SIZE * mib)), type=83
start=$((data * mib)), size=$((DATA_SIZE * mib)), type=83
TABLE
put() { dd if="$1" of="$disk" bs=1M seek="$2" conv=notrunc,sparse status=none; }
put "$WORK/fat.img" "$FAT_START"
put "$WORK/rootfs.ext4" "$root_a"

rm -f "$WORK/data.ext4"
truncate -s "${DATA_SIZE}M" "$WORK/data.ext4"
mke2fs -q -F -t ext4 -m 1 -L data -b 4096 -U "$DATA_UUID" -E "hash_seed=$DATA_UUID,lazy_itable_init=0,lazy_journal_init=0" "$WORK/data.ext4"
put "$WORK/data.ext4" "$data"

# Slot A is good; B holds nothing yet, and has no tries.
printf 'BOOT_ORDER=A B\nBOOT_A_LEFT=%s\nBOOT_B_LEFT=0\nBOOT_GOOD=A\n' "$TRIES_GOOD" | mkenvimage -s 512 -p 0 -o "$WORK/state" -
for sector in "$STATE_SECTOR_1" "$STATE_SECTOR_2"; do
    dd if="$WORK/state" of="$disk" bs=512 seek="$sector" conv=notrunc status=none
done
say "disk: $((data + DATA_SIZE)) MB, grows to the card's size at the first start"
