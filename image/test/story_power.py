"""Power cuts at any moment, damaged sectors, clocks that are wrong."""

import os
import random
import time

from farm import (
    accepted,
    appliance,
    bundle,
    expect,
    expect_in,
    farm_around,
    fresh,
    install,
    outcome,
    serve,
    store_is_whole,
    story,
    wait_until_kept,
)
from vm import Failed, tail, wait

SECTORS = (1024, 4096)


def console(machine):
    return tail(machine.console, 400)


def noise(machine, *sectors):
    with open(machine.disk, "r+b") as card:
        for sector in sectors:
            card.seek(sector * 512)
            card.write(os.urandom(512))


@story
def damaged_copies_of_the_slots_state_are_survived(cleanup):
    machine = appliance("sectors")
    cleanup.append(machine.cut_power)
    machine.start()
    machine.up()
    machine.mining()
    machine.run("sync")
    machine.cut_power()
    for sectors, says in (
        (SECTORS[:1], "the first copy of the state of the slots is damaged, using the second"),
        (SECTORS[1:], None),
        (SECTORS, "both copies of the state of the slots are damaged, starting with slot A"),
    ):
        noise(machine, *sectors)
        os.unlink(machine.console)
        machine.start()
        machine.up()
        if says:
            expect_in(f"U-Boot's words with noise in {sectors}", says, console(machine))
        expect("slot", machine.slot(), "A")
        expect_in("the state", "BOOT_A_LEFT=9", machine.state())
        machine.cut_power()
        with open(machine.disk, "rb") as card:
            copies = []
            for sector in SECTORS:
                card.seek(sector * 512)
                copies.append(card.read(512))
        expect("both copies are whole again and agree", copies[0] == copies[1], True)


@story
def without_tries_in_either_slot_the_one_that_was_kept_starts(cleanup):
    machine = appliance("no-tries")
    cleanup.append(machine.cut_power)
    folder = fresh(machine, "0.1.1")
    bundle(folder, "0.1.1")
    url, _ = serve(folder, cleanup)
    machine.start()
    machine.up()
    machine.mining()
    install(machine, f"{url}/0.1.1.raucb")
    machine.run("systemctl reboot")
    machine.up()
    wait_until_kept(machine, "B")
    for kept in ("B", "A"):
        machine.must(f"fw_setenv BOOT_A_LEFT 0; fw_setenv BOOT_B_LEFT 0; fw_setenv BOOT_GOOD {kept}; sync")
        machine.cut_power()
        machine.start()
        machine.up()
        expect("slot", machine.slot(), kept)
        expect_in("U-Boot's words", f"no slot has tries left, starting slot {kept}", console(machine))
        machine.mining()


def cut_while(machine, rng, least, most):
    time.sleep(rng.uniform(least, most))
    machine.cut_power()


def boots_whole(machine, versions=("0.1.0",)):
    machine.start()
    machine.up()
    machine.mining()
    version = machine.version()
    if version not in versions:
        raise Failed(f"release {version} was started")
    expect("failed units", machine.must("systemctl --failed --no-legend --plain").strip(), "")
    store_is_whole(machine)
    return version


@story
def power_cuts_at_random_moments_of_mining(cleanup):
    rng = random.Random(int(os.environ.get("SEED", "1")))
    machine = appliance("cuts-mining")
    cleanup.append(machine.cut_power)
    farm_around(machine, cleanup)
    cuts = int(os.environ.get("CUTS", "10"))
    for cut in range(cuts):
        machine.start()
        # Anywhere from the firmware on; 40 s is about when the first share comes.
        cut_while(machine, rng, 1, 90)
    boots_whole(machine)
    wait("shares after the last cut", 300, lambda: accepted(machine) > 0)
    print(f"     {cuts} cuts between 1 and 90 s after power-on")


@story
def power_cuts_at_random_moments_of_an_install(cleanup):
    rng = random.Random(int(os.environ.get("SEED", "2")))
    machine = appliance("cuts-install")
    cleanup.append(machine.cut_power)
    folder = fresh(machine, "0.1.1")
    bundle(folder, "0.1.1")
    url, _ = serve(folder, cleanup)
    cuts = int(os.environ.get("CUTS", "10"))
    seen = []
    for cut in range(cuts):
        seen.append(boots_whole(machine, ("0.1.0", "0.1.1")))
        machine.run(f"(smart-mining-update --no-reboot {url}/0.1.1.raucb > /dev/null 2>&1 &)")
        cut_while(machine, rng, 0.5, 60)
    seen.append(boots_whole(machine, ("0.1.0", "0.1.1")))
    print(f"     {cuts} cuts within 60 s after an install began; started: {' '.join(seen)}")


def wrong_clock(name, date):
    def run(cleanup):
        machine = appliance(name, hold=20)
        cleanup.append(machine.cut_power)
        farm_around(machine, cleanup)
        folder = fresh(machine, "0.1.1")
        bundle(folder, "0.1.1")
        url, _ = serve(folder, cleanup)
        machine.start("-rtc", f"base={date}")
        machine.up()
        machine.mining()
        wait("shares", 200, lambda: accepted(machine) > 3)
        year = int(machine.must("date +%Y"))
        built = int(machine.must("date -d @$(stat -c %Y /usr/lib/clock-epoch) +%Y"))
        print(f"     the board says {date[:4]}, the appliance {year}")
        if not built <= year < built + 15:
            raise Failed(f"the clock says {year}, and the release is of {built}")
        install(machine, f"{url}/0.1.1.raucb")
        machine.run("systemctl reboot")
        machine.up()
        expect("version", machine.version(), "0.1.1")
        wait_until_kept(machine, "B")

    run.__name__ = name
    return run


story(wrong_clock("mines_and_updates_though_the_clock_says_1970", "1970-01-02T00:00:00"))
story(wrong_clock("mines_and_updates_though_the_clock_says_2040", "2040-06-01T00:00:00"))
