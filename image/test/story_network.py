"""Addresses, names, who may log in, and two appliances that stand in for each other."""

import os
import re
import subprocess
import time

from farm import FARM_TOML, appliance, expect, expect_in, story
from vm import Failed, wait


@story
def a_gateway_that_is_silent_brings_dhcp_and_the_address_stays(cleanup):
    settings = '[network]\naddress = "10.0.2.77/24"\ngateway = "10.0.2.99"\nhostname = "barn-7"\n'
    machine = appliance("static", FARM_TOML + settings)
    cleanup.append(machine.cut_power)
    machine.start()
    machine.up()
    addresses = lambda: machine.must("ip -4 -brief address show scope global")
    wait("the static address", 200, lambda: "10.0.2.77/24" in addresses())
    expect("the name", machine.must("cat /proc/sys/kernel/hostname").strip(), "barn-7")
    began = time.monotonic()
    wait("an address by DHCP", 400, lambda: "10.0.2.15/24" in addresses())
    print(f"     an address by DHCP {time.monotonic() - began:.0f} s later")
    expect_in("addresses", "10.0.2.77/24", addresses())
    expect_in("the notice", "10.0.2.99 does not answer", machine.must("cat /run/smart-mining/network-notice"))
    # The gateway shows up, as after a power cut of the whole farm: here it is another of QEMU's addresses.
    machine.must("echo 10.0.2.2 > /data/device/gateway; sed -i s/10.0.2.99/10.0.2.2/ /data/device/10-static.network")
    machine.must("systemctl restart smart-mining-network smart-mining-gateway; networkctl reload; networkctl reconfigure $(ls /sys/class/net | grep -v lo)")
    wait("the static address alone", 120, lambda: "10.0.2.15" not in addresses())
    time.sleep(100)
    expect_in("addresses while the gateway answers", "10.0.2.77/24", addresses())
    if "10.0.2.15" in addresses():
        raise Failed("DHCP was asked though the gateway answers")


@story
def without_a_dhcp_server_it_gives_itself_an_address(cleanup):
    machine = appliance("no-dhcp", ports=())
    cleanup.append(machine.cut_power)
    machine.lan = "socket,id=lan,udp=127.0.0.1:18111,localaddr=127.0.0.1:18112"
    machine.start()
    machine.up()
    began = time.monotonic()
    wait("an address of its own", 400, lambda: "169.254." in machine.must("ip -4 -brief address"))
    print(f"     169.254.x.x {time.monotonic() - began:.0f} s after the shell")
    expect("failed units", machine.must("systemctl --failed --no-legend --plain").strip(), "")
    machine.mining()


@story
def only_a_key_of_farm_toml_opens_the_door(cleanup):
    machine = appliance("ssh", ports=(22, 80, 3333))
    cleanup.append(machine.cut_power)
    key = os.path.join(machine.folder, "key")
    other = os.path.join(machine.folder, "other")
    for path in (key, other):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    with open(f"{key}.pub", encoding="utf-8") as file:
        public = file.read().strip()

    def login(which):
        return subprocess.run(
            [
                *("ssh", "-i", which, "-p", str(machine.forwards[22]), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"),
                *("-o", f"UserKnownHostsFile={machine.folder}/known", "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=30"),
                *("-F", "none", "root@127.0.0.1", "cat /etc/smart-mining/release"),
            ],
            capture_output=True,
            timeout=120,
        )

    machine.start()
    machine.up()
    machine.mining()
    expect("SSH without a key in farm.toml", machine.run("systemctl is-active smart-mining-ssh")[1].strip(), "inactive")
    if login(key).returncode == 0:
        raise Failed("somebody logged in though farm.toml names no key")
    machine.run("sync")
    machine.cut_power()
    machine.put_on_fat("farm.toml", f'{FARM_TOML}[ssh]\nkeys = ["{public}"]\n')
    machine.start()
    machine.up()
    wait("SSH", 200, lambda: machine.run("systemctl is-active smart-mining-ssh")[0] == 0)
    inside = wait("a login with the key", 120, lambda: login(key).stdout.decode())
    expect_in("what it reads", "VERSION=", inside)
    refused = login(other)
    expect_in("another key", "Permission denied (publickey)", refused.stderr.decode())


@story
def two_appliances_stand_in_for_each_other(cleanup):
    machines = []
    for number, rank in ((1, "first"), (2, "second")):
        settings = (
            f'[network]\naddress = "192.168.9.{number}/24"\ngateway = "192.168.9.254"\nhostname = "barn-{number}"\n'
            f'[pair]\naddress = "192.168.9.50"\nrank = "{rank}"\n'
        )
        machine = appliance(f"pair-{number}", FARM_TOML + settings, ports=())
        cleanup.append(machine.cut_power)
        here, there = 18120 + number, 18123 - number
        machine.lan = f"socket,id=lan,udp=127.0.0.1:{there},localaddr=127.0.0.1:{here}"
        machine.address = f"52:54:00:12:34:0{number}"
        machine.start()
        machines.append(machine)
    for machine in machines:
        machine.up()
        machine.mining()
    first, second = machines
    has_it = lambda machine: "192.168.9.50/32" in machine.must("ip -4 address")
    wait("the first to have the address", 120, lambda: has_it(first))
    wait("the second not to have it", 60, lambda: not has_it(second))
    # What a miner does, from the other's place: its own LAN has no third machine.
    expect("the port behind the address", second.run("timeout 5 bash -c '< /dev/tcp/192.168.9.50/3333'")[0], 0)
    # The name on the LAN.
    expect_in("the first's name on the LAN", "192.168.9.1", second.must("resolvectl query -4 barn-1.local", 60))
    began = time.monotonic()
    first.must("systemctl stop smart-mining-proxy")
    wait("the second to take over from a proxy that stopped", 60, lambda: has_it(second))
    print(f"     taken over {time.monotonic() - began:.1f} s after the proxy stopped")
    first.must("systemctl start smart-mining-proxy")
    wait("the first to have it back", 120, lambda: has_it(first))
    began = time.monotonic()
    first.cut_power()
    wait("the second to take over from a machine without power", 60, lambda: has_it(second))
    print(f"     taken over {time.monotonic() - began:.1f} s after a power cut")
    expect("the port behind the address", second.run("timeout 5 bash -c '< /dev/tcp/192.168.9.50/3333'")[0], 0)
