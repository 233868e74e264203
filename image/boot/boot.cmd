# U-Boot: which slot starts. Read from the FAT as boot.scr; @NAMES@ come from image/settings.
#
# The slots' state is one sector, twice: BOOT_ORDER, BOOT_A_LEFT and BOOT_B_LEFT, which RAUC
# writes too, and BOOT_GOOD, the slot that was last kept. 9 tries left: good, and not counted.
# RAUC writes the first copy; the second is brought up to it here, and serves when a power cut
# tore the first.

${devtype} dev ${devnum}
setexpr initrd ${kernel_addr_r} + 0x4000000
setexpr copy1 ${kernel_addr_r} + 0x6000000
setexpr copy2 ${kernel_addr_r} + 0x6001000
setenv state "BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT BOOT_GOOD"

setenv BOOT_ORDER "A B"
setenv BOOT_A_LEFT @GOOD@
setenv BOOT_B_LEFT 0
setenv BOOT_GOOD A

setenv have none
${devtype} read ${copy1} @SECTOR_1@ 1
${devtype} read ${copy2} @SECTOR_2@ 1
if env import -c ${copy1} 0x200 ${state}; then
    setenv have first
elif env import -c ${copy2} 0x200 ${state}; then
    setenv have second
    echo "smart_mining: the first copy of the state of the slots is damaged, using the second"
else
    echo "smart_mining: both copies of the state of the slots are damaged, starting with slot A"
fi

setenv write_state "env export -c -s 0x200 ${copy1} ${state}; ${devtype} write ${copy1} @SECTOR_1@ 1; ${devtype} write ${copy1} @SECTOR_2@ 1"
if test ${have} = first; then
    if cmp.b ${copy1} ${copy2} 0x200; then
        echo "smart_mining: both copies of the state of the slots agree"
    else
        ${devtype} write ${copy1} @SECTOR_2@ 1
    fi
else
    run write_state
fi

if test "${board}" = qemu-arm; then
    setenv console "console=tty1 console=ttyAMA0,115200"
else
    setenv console "console=ttyS1,115200 console=tty1"
fi

# Comes back only if the slot's files cannot be read.
setenv start 'echo "smart_mining: starting slot ${slot}, tries left: A ${BOOT_A_LEFT}, B ${BOOT_B_LEFT}"; setenv bootargs "root=PARTUUID=@DISK_ID@-0${part} rauc.slot=${slot} ${console} panic=10 quiet loglevel=4 systemd.show_status=no"; ext4load ${devtype} ${devnum}:${part} ${kernel_addr_r} /boot/vmlinuz && ext4load ${devtype} ${devnum}:${part} ${initrd} /boot/initrd.img && booti ${kernel_addr_r} ${initrd}:${filesize} ${fdt_addr}; echo "smart_mining: slot ${slot} cannot be read"'

for slot in ${BOOT_ORDER}; do
    if test ${slot} = A; then
        setenv part 2
        if test ${BOOT_A_LEFT} -ge @GOOD@; then
            run start
        elif test ${BOOT_A_LEFT} -gt 0; then
            setexpr BOOT_A_LEFT ${BOOT_A_LEFT} - 1
            run write_state
            run start
        fi
    elif test ${slot} = B; then
        setenv part 3
        if test ${BOOT_B_LEFT} -ge @GOOD@; then
            run start
        elif test ${BOOT_B_LEFT} -gt 0; then
            setexpr BOOT_B_LEFT ${BOOT_B_LEFT} - 1
            run write_state
            run start
        fi
    fi
done

# No tries anywhere: the slot that was kept last, uncounted, and then the other.
echo "smart_mining: no slot has tries left, starting slot ${BOOT_GOOD}"
if test "${BOOT_GOOD}" = B; then
    setenv slot B
    setenv part 3
    run start
    setenv slot A
    setenv part 2
    run start
else
    setenv slot A
    setenv part 2
    run start
    setenv slot B
    setenv part 3
    run start
fi
reset
