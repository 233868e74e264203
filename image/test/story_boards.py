"""The same image on a board of the Raspberry Pi family, as far as QEMU has one. Slow, so only on
request: `./dev image test raspi3b`."""

import glob
import os
import subprocess
import time

from farm import FARM_TOML, FOLDER, WORK, accepted, appliance, expect, expect_in, farm_around, page, story
from vm import Failed, tail, wait


def without_watchdog(machine):
    """To start the board's watchdog is to write to a register that QEMU takes for "reset now": the
    system would start anew for ever. The only thing that is not as shipped."""
    with open(f"{WORK}/boot.cmd", encoding="utf-8") as file:
        text = file.read().replace(" quiet ", " quiet systemd.watchdog_sec=0 ", 1)
    if "watchdog_sec" not in text:
        raise Failed("the boot script sets no bootargs that this story knows")
    source, made = f"{machine.folder}/boot.cmd", f"{machine.folder}/boot.scr"
    with open(source, "w", encoding="utf-8") as file:
        file.write(text)
    run = lambda *command: subprocess.run(command, check=True, capture_output=True)
    run("mkimage", "-A", "arm64", "-O", "linux", "-T", "script", "-C", "none", "-n", "smart_mining", "-d", source, made)
    run("mcopy", "-o", "-i", f"{machine.disk}@@4M", made, "::boot.scr")


@story
def raspi3b_starts_through_its_own_u_boot_and_mines(cleanup):
    machine = appliance("raspi3b", FARM_TOML)
    cleanup.append(machine.cut_power)
    # A card of its emulated reader has a size that is a power of two.
    os.truncate(machine.disk, 4 << 30)
    boot = f"{os.environ['CACHE']}/image/boot"
    [tree] = glob.glob(f"{os.environ['CACHE']}/image/root/usr/lib/linux-image-*/broadcom/bcm2837-rpi-3-b.dtb")
    machine.board = [
        *("-M", "raspi3b", "-kernel", f"{boot}/usr/lib/u-boot/rpi_arm64/u-boot.bin", "-dtb", tree),
        *("-drive", f"if=sd,file={machine.disk},format=raw,cache=writeback"),
        *("-device", "usb-net,netdev=lan"),
        # The second port is the one that the firmware gives to the console.
        *("-serial", f"file:{machine.console}.pl011", "-serial", f"file:{machine.console}"),
    ]
    without_watchdog(machine)
    farm_around(machine, cleanup)
    began = time.monotonic()
    machine.start()
    try:
        wait("a share that the pool accepted", 1800, lambda: accepted(machine) > 0)
    finally:
        print("".join(f"     | {line}\n" for line in tail(machine.console, 12).splitlines()), end="")
    print(f"     the first accepted share {time.monotonic() - began:.0f} s after power-on")
    expect("state", page(machine)["state"], "mining")
    expect_in("U-Boot's words", "smart_mining: starting slot A", tail(machine.console, 2000))


raspi3b_starts_through_its_own_u_boot_and_mines.on_request = True
