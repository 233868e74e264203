"""Miners, and the door that is open to them and to nobody else."""

import re
import time

from farm import Looked, accepted, appliance, expect, expect_in, farm_around, fetch, has_a_job, page, story
from vm import Failed, wait


@story(quick=True)
def a_miner_hashes_through_it_and_after_a_power_cut_again(cleanup):
    machine = appliance("mining")
    cleanup.append(machine.cut_power)
    farm_around(machine, cleanup)
    for start in ("first start", "start after a power cut"):
        began = time.monotonic()
        machine.start()
        wait(f"a job for a miner, {start}", 900, lambda: has_a_job(machine))
        first = time.monotonic() - began
        machine.up()
        wait(f"shares that the pool accepted, {start}", 120, lambda: accepted(machine) > 3)
        expect("state", page(machine)["state"], "mining")
        expect("failed units", machine.must("systemctl --failed --no-legend --plain").strip(), "")
        expect("slot", machine.slot(), "A")
        print(f"     {start}: the first job for a miner {first:.0f} s after power-on; {machine.must('systemd-analyze time | head -n 1').strip()}")
        machine.cut_power()


@story(quick=True)
def the_system_is_closed_and_read_only(cleanup):
    machine = Looked.at()
    expect("writing to the root", machine.run("touch /x")[0], 1)
    expect("accounts with a password", machine.must("cut -d : -f 2 /etc/shadow | sort -u"), "!*")
    size = int(machine.must("findmnt -bno SIZE /data"))
    if size < 1 << 30:
        raise Failed(f"/data has {size} bytes of a card of 3 GiB")
    expect("swap on the card", machine.must("swapon --noheadings --show=NAME"), "/dev/zram0")
    listening = machine.must("ss -Hltn | sed 's/.*:\\([0-9]*\\) .*:\\*.*/\\1/' | sort -nu | tr '\\n' ' '").strip()
    # 53 is resolved's, on this machine's own address alone.
    open_ports = machine.must("nft -j list set inet farm open_ports")
    expect("open ports", sorted(map(int, re.findall(r"\b(\d+)\b", open_ports.split('"elem"')[1]))), [80, 3333])
    others = machine.must("ss -Hltn | grep -v -e 127.0.0 -e '\\[::1\\]' | sed 's/.*:\\([0-9]*\\) .*/\\1/' | sort -nu | tr '\\n' ' '").split()
    expect("what listens beyond this machine", set(others) - {"5355"}, {"80", "3333"})
    print(f"     /data {size >> 20} MiB, listening on {listening}")
    exposure = machine.must("systemd-analyze security smart-mining-proxy --no-pager | tail -n 1").strip()
    print(f"     {exposure}")
    if float(re.search(r": ([0-9.]+) ", exposure)[1]) > 5.0:
        raise Failed(f"not OK: {exposure}")
    name = machine.must("cat /proc/sys/kernel/hostname").strip()
    if not re.fullmatch(r"smart-mining-[0-9a-f]{4}", name):
        raise Failed(f"the name is {name}")


@story(quick=True)
def a_frozen_proxy_is_started_anew(cleanup):
    machine = Looked.at()
    before = machine.must("systemctl show -P MainPID smart-mining-proxy")
    machine.must("systemctl kill --signal=SIGSTOP smart-mining-proxy")
    began = time.monotonic()
    wait(
        "another proxy",
        300,
        lambda: machine.must("systemctl show -P MainPID smart-mining-proxy") not in (before, "0")
        and machine.run("systemctl is-active smart-mining-proxy")[0] == 0,
    )
    print(f"     ready again {time.monotonic() - began:.0f} s after it froze")


@story
def a_frozen_system_is_reset_by_the_watchdog(cleanup):
    machine = appliance("watchdog")
    cleanup.append(machine.cut_power)
    machine.start()
    machine.up()
    machine.mining()
    expect_in("the hardware's watchdog", "/dev/watchdog0", machine.must("ls /dev/watchdog*"))
    began = time.monotonic()
    # systemd itself stands still: nobody feeds the hardware's watchdog any more.
    machine.run("(bash -c 'sleep 1; echo 1 > /sys/fs/cgroup/init.scope/cgroup.freeze' > /dev/null 2>&1 &)")
    machine.up(900)
    print(f"     up again {time.monotonic() - began:.0f} s after systemd froze")
    machine.mining()


@story(quick=True)
def what_it_says_to_people(cleanup):
    machine = Looked.at()
    expect_in("the screen", "http://smart-mining-", machine.must("head -c 2000 /dev/vcs1 | tr -d '\\000'"))
    # A folder stands for the light, which QEMU's board has not: a pipe keeps what is written to it.
    machine.must(
        "mkdir -p /tmp/light/ACT && mkfifo /tmp/light/ACT/brightness && touch /tmp/light/ACT/trigger && "
        "echo 3 words > /tmp/state"
    )
    shown = machine.must(
        "exec 3<> /tmp/light/ACT/brightness; LIGHTS=/tmp/light STATE=/tmp/state /usr/lib/smart-mining/light > /dev/null & "
        "light=$!; head -c 44 <&3 | tr -d '\\n'; kill $light; cat /tmp/light/ACT/trigger; rm -r /tmp/light /tmp/state",
        180,
    )
    # On while it starts; then three blinks and a pause, again and again.
    expect("the light", shown.strip(), "1" + "0101010" * 3 + "none")
    # No pool is there in this story. The address comes when it comes.
    wait("the state", 200, lambda: machine.must("/usr/lib/smart-mining/state").strip() == "5 no pool can be reached")
    wait("the state in its file", 60, lambda: machine.must("cat /run/smart-mining/state").startswith("5 "))
    expect("the page", fetch(machine, "/healthz")[0], 200)
    # What is left after a power cut.
    machine.must("systemctl start smart-mining-journal")
    expect_in("the journal on the card", "smart-mining-proxy", machine.must("cat /data/journal/now.log"))
    machine.must("systemctl start smart-mining-journal")
    twice = int(machine.must("sort /data/journal/now.log | uniq -d | grep -c 'Started smart-mining-proxy' || true"))
    expect("lines that were kept twice", twice, 0)

