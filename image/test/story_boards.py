"""The same image on a board of the Raspberry Pi family, as far as QEMU has one. Slow, so only on
request: `./dev image test raspi3b`."""

import glob
import os
import time

from farm import FARM_TOML, FOLDER, accepted, appliance, expect, expect_in, farm_around, page, story
from vm import tail, wait


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
