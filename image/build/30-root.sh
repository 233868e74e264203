#!/usr/bin/env bash
# The system of a slot: the packages, what their scripts would have done, ours on top, and
# without what an appliance never reads.
. "$(dirname "$0")/lib.sh"

root=$WORK/root
rm -rf "$root"
cp -a "$CACHE/image/root" "$root"
kernel=$(kernel_version)

# --- what an appliance never reads ---------------------------------------------
rm -rf "$root"/usr/share/{man,info,locale,lintian,bash-completion,bug,zsh,initramfs-tools,perl5,debconf} \
    "$root"/usr/share/{dracut,vim,gdb,gcc,mime,doc-base,i18n,applications,pixmaps} \
    "$root"/etc/{apt,dpkg,init.d,rc?.d,cron.*,update-motd.d,initramfs-tools,kernel,ifplugd,network,skel,adduser.conf,deluser.conf,debconf.conf} \
    "$root"/usr/lib/{apt,dpkg,dracut,klibc*,mime,initcpio,kernel} "$root"/usr/lib/systemd/boot "$root"/usr/lib/udev/hwdb.d \
    "$root"/usr/share/{perl,snmp,misc/pci.ids*,keepalived,dbus-1/interfaces} "$root"/usr/lib/*/perl{,-base,5} "$root"/usr/bin/perl* "$root"/etc/{perl,snmp} \
    "$root"/boot/{config,System.map}-* "$root"/var/{cache,lib,log,backups,mail,local,opt}/* "$root"/lib64/klibc*
find "$root/usr/share/doc" -type f ! -name copyright -delete
find "$root/usr/share/doc" -type l -delete
find "$root/usr/share/doc" -type d -empty -delete
# What looks at each start for things that this card never has.
rm -f "$root"/usr/lib/systemd/system-generators/systemd-{gpt-auto,hibernate-resume,rc-local,ssh,system-update,sysv,tpm2,getty}-generator
# They would write into /etc.
rm -f "$root"/usr/lib/tmpfiles.d/{etc,credstore,debian,legacy,provision,systemd-pstore}.conf
for program in adduser addgroup deluser delgroup update-initramfs mkinitramfs lsinitramfs unmkinitramfs debconf dpkg-preconfigure dpkg-reconfigure; do
    rm -f "$root"/usr/{bin,sbin}/"$program"
done

# --- drivers of machines that this one is not -----------------------------------
modules=$root/usr/lib/modules/$kernel
for folder in sound drivers/{accessibility,ata,bluetooth,gpu,infiniband,iio,media,message,mtd,nvdimm,nvme,platform,scsi,soundwire,staging,target,ufs,hwtracing,isdn,fpga,edac,hid,input,crypto,net/can,net/fddi,net/wwan,net/wan,net/hamradio,net/ieee802154,net/dsa,net/hippi,net/plip} \
    fs/{afs,bcachefs,btrfs,ceph,coda,f2fs,gfs2,jfs,nfs,nfsd,ocfs2,orangefs,reiserfs,smb,ubifs,xfs,9p,dlm,nilfs2,udf,hfs,hfsplus,ufs,minix} net/{bluetooth,ceph,sctp,tipc,sunrpc,9p,batman-adv,can,nfc,rds,smc,ieee802154,mac802154,6lowpan,openvswitch,netrom,rose,ax25,x25,atm,dccp,appletalk,l2tp,mptcp}; do
    rm -rf "${modules:?}/kernel/$folder"
done
for family in ethernet wireless; do
    find "$modules/kernel/drivers/net/$family" -mindepth 1 -maxdepth 1 ! -name broadcom -exec rm -rf {} +
done
find "$root/usr/lib/firmware" -mindepth 1 -maxdepth 1 ! -name brcm ! -name cypress ! -name 'regulatory.db*' -exec rm -rf {} +
# Wi-Fi chips that are on no Pi.
find "$root/usr/lib/firmware/brcm" -type f ! -name 'brcmfmac43430*' ! -name 'brcmfmac43436*' ! -name 'brcmfmac43455*' ! -name 'brcmfmac43456*' -delete
find "$root/usr/lib/firmware/cypress" -type f ! -name 'cyfmac43430*' ! -name 'cyfmac43455*' -delete 2>/dev/null || true
find -L "$root/usr/lib/firmware" -type l -delete
# The package's scripts would have chosen one of two.
for name in regulatory.db regulatory.db.p7s; do
    [ ! -e "$root/usr/lib/firmware/$name-upstream" ] || ln -sf "$name-upstream" "$root/usr/lib/firmware/$name"
done
depmod -b "$root" "$kernel"

# --- ours, on top ------------------------------------------------------------------
cp -r --no-preserve=mode,ownership "$IMAGE/rootfs/." "$root/"
chmod 755 "$root"/usr/lib/smart-mining/* "$root"/usr/sbin/smart-mining-update
install -m 755 "$WORK/smart-mining-proxy" "$root/usr/bin/smart-mining-proxy"
mkdir -p "$root"/{data,boot,srv,home,proc,sys,dev,run,tmp,var,root,mnt} "$root/etc/rauc" "$root/etc/smart-mining"
fill() {
    sed "s/@COMPATIBLE@/$COMPATIBLE/g; s/@GOOD@/$TRIES_GOOD/g; s/@FRESH@/$TRIES_FRESH/g; s/@OFFSET@/$(printf '0x%x' $((STATE_SECTOR_1 * 512)))/g" "$1"
}
fill "$IMAGE/rauc/system.conf" > "$root/etc/rauc/system.conf"
fill "$IMAGE/rauc/fw_env.config" > "$root/etc/fw_env.config"
cp "$KEYS/bundle.ca.pem" "$root/etc/rauc/keyring.pem"
cat > "$root/etc/smart-mining/release" <<RELEASE
VERSION=$VERSION
BOARD=$BOARD
ROLLBACK_INDEX=$ROLLBACK_INDEX
KEYS=$(cat "$KEYS/kind")
RELEASE
# popen() of C needs it: keepalived asks for the version of ip that way, and does not expect to fail.
ln -sf bash "$root/usr/bin/sh"
ln -sf vmlinuz-"$kernel" "$root/boot/vmlinuz"
ln -sf /run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
ln -sf /proc/self/mounts "$root/etc/mtab"
ln -sf /usr/share/zoneinfo/Etc/UTC "$root/etc/localtime"
# A bind mount puts the card's own over it.
: > "$root/etc/machine-id"
# systemd moves a clock that is before this.
touch -d "@$SOURCE_DATE_EPOCH" "$root/usr/lib/clock-epoch"

# --- what the packages' scripts would have done --------------------------------------
cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
# No password opens anything: "!*" is none that can be typed.
cut -d : -f 1 "$root/etc/passwd" | sed 's/$/:!*:1::::::/' > "$root/etc/shadow"
cut -d : -f 1 "$root/etc/group" | sed 's/$/:*::/' > "$root/etc/gshadow"
chmod 640 "$root"/etc/{shadow,gshadow}
chgrp 42 "$root"/etc/{shadow,gshadow}
systemd-sysusers --root="$root"
rm -f "$root"/etc/{passwd,group,shadow,gshadow}- "$root"/etc/.pwd.lock
sed -i 's/^root:[^:]*:/root:!*:/' "$root/etc/shadow"
sed -i 's/^\([^:]*\):\*:/\1:x:/' "$root/etc/passwd"
cat "$root"/usr/share/ca-certificates/mozilla/*.crt > "$root/etc/ssl/certs/ca-certificates.crt"
chmod 4755 "$root/usr/bin/su" 2>/dev/null && rm -f "$root"/usr/bin/{su,chfn,chsh,newgrp,gpasswd,passwd,chage,expiry}
if dbus_helper=$(find "$root/usr/lib/dbus-1.0" -name dbus-daemon-launch-helper 2>/dev/null) && [ -n "$dbus_helper" ]; then
    chgrp "$(gawk -F : '$1 == "messagebus" { print $3 }' "$root/etc/group")" "$dbus_helper"
    chmod 4754 "$dbus_helper"
fi

# --- what starts ---------------------------------------------------------------------
systemctl --root="$root" --quiet enable systemd-networkd.service systemd-resolved.service systemd-timesyncd.service nftables.service
systemctl --root="$root" --quiet enable smart-mining-{proxy,guide,provision,network,gateway,wifi,ssh,pair,zram,grow,commit,state,screen,light,journal-end}.service \
    smart-mining-{clock,journal,update}.timer smart-mining-{update,asked}.path
systemctl --root="$root" --quiet set-default multi-user.target
# Nobody logs in, and no package of a later release may open a door.
systemctl --root="$root" --quiet mask getty@.service serial-getty@.service console-getty.service container-getty@.service \
    ssh.service ssh.socket sshd.service dropbear.service keepalived.service emergency.service rescue.service debug-shell.service
# Slow on a small board, and of no use where the root is read-only.
systemctl --root="$root" --quiet mask ldconfig.service systemd-update-done.service systemd-hwdb-update.service \
    systemd-journal-catalog-update.service systemd-networkd-wait-online.service systemd-firstboot.service \
    e2scrub_reap.service e2scrub_all.timer wpa_supplicant.service systemd-pstore.service systemd-machine-id-commit.service \
    dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount \
    modprobe@drm.service modprobe@fuse.service systemd-logind.service systemd-random-seed.service apt-daily.timer

same_dates "$root"
say "root: $(du -sm "$root" | cut -f 1) MB"
