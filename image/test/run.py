"""The image, booted: `./dev image test`, or with words: only the tests whose names hold them.

Each test starts from a fresh card. The closing line says what passed.
"""

import functools
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request

from vm import HOST, Appliance, Failed, clear, tail, wait

WORK, KEYS, FARMSIM, *ONLY = sys.argv[1:]
DISK = os.path.join(WORK, "disk.img")
FOLDER = os.path.join(WORK, "test")
POOL_PORT = 13333

FARM_TOML = f"""\
[farm]
name = "test"

[[listener]]
algorithm = "sha256d"

[[pool]]
id = "pool-a"
algorithm = "sha256d"
coin = "BTC"
url = "stratum+tcp://{HOST}:{POOL_PORT}"
user = "test.{{worker}}"

[status]
bind = "0.0.0.0:80"
"""

TESTS = []


def test(function):
    TESTS.append(function)
    return function


def appliance(name, farm_toml=FARM_TOML, **more):
    folder = os.path.join(FOLDER, name)
    clear(folder)
    machine = Appliance(folder, DISK, **more)
    machine.forward(3333)
    machine.forward(80)
    # As Windows writes it.
    machine.put_on_fat("farm.toml", "\ufeff" + farm_toml.replace("\n", "\r\n"))
    return machine


class Running:
    """A simulated pool or miner; ended with the test."""

    def __init__(self, folder, name, *arguments):
        self.log = open(os.path.join(folder, f"{name}.log"), "ab")
        self.process = subprocess.Popen([FARMSIM, *arguments], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def end(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


def page(machine):
    with urllib.request.urlopen(f"http://127.0.0.1:{machine.forwards[80]}/api/status", timeout=10) as answer:
        return json.load(answer)


def accepted(machine):
    """Shares that the pool accepted, as the appliance's own metrics count them."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{machine.forwards[80]}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    except OSError:
        return 0
    return sum(
        float(value)
        for value in re.findall(r'^smart_mining_shares_total\{[^}]*verdict="accepted"[^}]*\} ([0-9.e+]+)$', text, re.M)
    )


def expect(what, value, wanted):
    if value != wanted:
        raise Failed(f"{what}: {value!r} instead of {wanted!r}")


@test
def a_miner_hashes_through_it_and_after_a_power_cut_again(cleanup):
    machine = appliance("mining")
    cleanup.append(machine.cut_power)
    for name, arguments in (
        ("pool", ("pool", "--bind", f"127.0.0.1:{POOL_PORT}")),
        ("miner", ("miner", "--pool", f"127.0.0.1:{machine.forwards[3333]}")),
    ):
        cleanup.append(Running(machine.folder, name, *arguments).end)
    for start in ("first start", "start after a power cut"):
        machine.start()
        up = machine.up()
        ready = machine.mining()
        print(f"     {start}: a shell after {up:.0f} s, the proxy {ready:.0f} s later")
        wait(f"shares that the pool accepted, {start}", 120, lambda: accepted(machine) > 3)
        expect("failed units", machine.must("systemctl --failed --no-legend --plain").strip(), "")
        expect("slot", machine.slot(), "A")
        machine.cut_power()


@test
def the_system_is_closed_and_read_only(cleanup):
    machine = appliance("closed")
    cleanup.append(machine.cut_power)
    machine.start()
    machine.up()
    machine.mining()
    expect("writing to the root", machine.run("touch /x")[0], 1)
    expect("accounts with a password", machine.must("cut -d : -f 2 /etc/shadow | sort -u"), "!*")
    size = int(machine.must("findmnt -bno SIZE /data"))
    if size < 1 << 30:
        raise Failed(f"/data has {size} bytes of a card of 3 GiB")
    listening = machine.must("ss -Hltn | sed 's/.*:\\([0-9]*\\) .*:\\*.*/\\1/' | sort -nu | tr '\\n' ' '")
    print(f"     /data {size >> 20} MiB, listening on {listening}")
    exposure = machine.must("systemd-analyze security smart-mining-proxy --no-pager | tail -n 1")
    print(f"     {exposure.strip()}")


@test
def a_frozen_proxy_is_started_anew(cleanup):
    machine = appliance("frozen")
    cleanup.append(machine.cut_power)
    machine.start()
    machine.up()
    machine.mining()
    before = machine.must("systemctl show -P MainPID smart-mining-proxy")
    machine.must("systemctl kill --signal=SIGSTOP smart-mining-proxy")
    began = time.monotonic()
    wait(
        "another proxy",
        150,
        lambda: machine.must("systemctl show -P MainPID smart-mining-proxy") not in (before, "0")
        and machine.run("systemctl is-active smart-mining-proxy")[0] == 0,
    )
    print(f"     ready again {time.monotonic() - began:.0f} s after it froze")


def fresh(machine, version, change=""):
    """A bundle of this image's root with another version, and a fault if one is asked for."""
    folder = os.path.join(machine.folder, version)
    os.makedirs(f"{folder}/in")
    root = f"{folder}/in/rootfs.ext4"
    subprocess.run(["cp", "--sparse=always", f"{WORK}/rootfs.ext4", root], check=True)
    with open(f"{folder}/release", "w", encoding="utf-8") as file:
        file.write(f"VERSION={version}\nROLLBACK_INDEX=1\nKEYS=development\n")
    commands = f"rm /etc/smart-mining/release\nwrite {folder}/release /etc/smart-mining/release\n{change}"
    subprocess.run(["debugfs", "-w", "-f", "-", root], input=commands.encode(), check=True, capture_output=True)
    return folder


def bundle(folder, version, index=1):
    with open(f"{folder}/in/manifest.raucm", "w", encoding="utf-8") as file:
        file.write(
            f"[update]\ncompatible=smart-mining-rpi-arm64\nversion={version}\n\n[bundle]\nformat=verity\n\n"
            f"[image.rootfs]\nfilename=rootfs.ext4\n\n[meta.smart-mining]\nrollback-index={index}\n"
        )
    subprocess.run(
        [
            *("rauc", f"--cert={KEYS}/bundle.cert.pem", f"--key={KEYS}/bundle.key.pem", f"--keyring={KEYS}/bundle.ca.pem"),
            *("bundle", "--mksquashfs-args=-comp zstd -Xcompression-level 1", f"{folder}/in", f"{folder}/{version}.raucb"),
        ],
        check=True,
        capture_output=True,
    )
    return f"{folder}/{version}.raucb"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def serve(folder, cleanup):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    cleanup.append(server.shutdown)
    return f"http://{HOST}:{server.server_port}"


@test
def a_good_update_is_kept_and_an_older_one_refused(cleanup):
    machine = appliance("update")
    cleanup.append(machine.cut_power)
    folder = fresh(machine, "0.1.1")
    bundle(folder, "0.1.1")
    url = serve(folder, cleanup)
    machine.start()
    machine.up()
    machine.mining()
    began = time.monotonic()
    machine.must(f"smart-mining-update --no-reboot {url}/0.1.1.raucb", 400)
    print(f"     fetched and installed within {time.monotonic() - began:.0f} s")
    machine.run("systemctl reboot")
    machine.up()
    expect("version", machine.version(), "0.1.1")
    expect("slot", machine.slot(), "B")
    wait("the slot to be kept", 200, lambda: "BOOT_B_LEFT=9" in machine.state())
    wait("its name to be noted", 60, lambda: "BOOT_GOOD=B" in machine.state())
    bundle(folder, "old", index=0)
    code, text = machine.run(f"smart-mining-update --no-reboot {url}/old.raucb", 300)
    if code == 0 or "rollback index is 0" not in text:
        raise Failed(f"an older release was not refused: {code} {text}")


@test
def power_cut_during_an_install_leaves_the_running_release(cleanup):
    machine = appliance("cut")
    cleanup.append(machine.cut_power)
    folder = fresh(machine, "0.1.1")
    bundle(folder, "0.1.1")
    url = serve(folder, cleanup)
    machine.start()
    machine.up()
    machine.mining()
    machine.must(f"nohup smart-mining-update --no-reboot {url}/0.1.1.raucb > /tmp/update.log 2>&1 &")
    wait("the install to write", 200, lambda: "Copying" in machine.run("rauc status --detailed; journalctl -u rauc --no-pager")[1] or "installing" in machine.run("cat /tmp/update.log")[1])
    time.sleep(8)
    machine.cut_power()
    machine.start()
    machine.up()
    expect("version", machine.version(), "0.1.0")
    expect("slot", machine.slot(), "A")
    machine.mining()


@test
def a_release_that_cannot_start_goes_back(cleanup):
    machine = appliance("broken")
    cleanup.append(machine.cut_power)
    folder = fresh(machine, "0.1.2", "rm /usr/lib/systemd/systemd\n")
    bundle(folder, "0.1.2")
    url = serve(folder, cleanup)
    machine.start()
    machine.up()
    machine.mining()
    machine.must(f"smart-mining-update --no-reboot {url}/0.1.2.raucb", 400)
    machine.run("systemctl reboot")
    took = machine.up(600)
    expect("version", machine.version(), "0.1.0")
    expect("slot", machine.slot(), "A")
    if "BOOT_B_LEFT=0" not in machine.state():
        raise Failed(f"slot B still has tries: {machine.state()}")
    print(f"     back on the old release after {took:.0f} s")
    machine.mining()


def wrong_clock(name, date):
    def run(cleanup):
        machine = appliance(name)
        cleanup.append(machine.cut_power)
        machine.start("-rtc", f"base={date}")
        machine.up()
        machine.mining()
        year = int(machine.must("date +%Y"))
        built = int(machine.must("date -d @$(stat -c %Y /usr/lib/clock-epoch) +%Y"))
        print(f"     the board says {date[:4]}, the appliance {year}")
        if year < built:
            raise Failed(f"the clock says {year}, before the release's own year {built}")

    run.__name__ = name
    return run


TESTS.append(wrong_clock("mines_though_the_clock_says_1970", "1970-01-02T00:00:00"))
TESTS.append(wrong_clock("mines_though_the_clock_says_2037", "2037-12-31T00:00:00"))


def main():
    passed = failed = 0
    for case in TESTS:
        if ONLY and not any(word in case.__name__ for word in ONLY):
            continue
        cleanup, began = [], time.monotonic()
        print(f"{case.__name__} ...", flush=True)
        try:
            case(cleanup)
            passed += 1
            print(f"  ok, {time.monotonic() - began:.0f} s", flush=True)
        except (Failed, OSError, subprocess.CalledProcessError) as error:
            failed += 1
            print(f"  FAILED after {time.monotonic() - began:.0f} s: {error}", flush=True)
            for folder in sorted(os.listdir(FOLDER)):
                console = os.path.join(FOLDER, folder, "console.log")
                if os.path.exists(console) and os.path.getmtime(console) > time.time() - 60:
                    print(f"  the last of {console}:\n{tail(console)}")
        finally:
            for end in reversed(cleanup):
                end()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


main()
