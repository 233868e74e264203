"""What a technician writes on the card, and what the card and the page say to it."""

import base64
import subprocess

from farm import FARM_TOML, Looked, appliance, expect, expect_in, fetch, page, story
from vm import Failed, wait

SMALL = FARM_TOML.partition("[status]")[0]

# What stands on the card, and what STATUS.TXT must say of it.
MISTAKES = [
    ("", "farm — missing"),
    ("name = \"barn\"\n", "unknown key"),
    ("[farm]\nname = \"barn\n", "farm.toml:2"),
    (SMALL.replace("sha256d", "sha257", 1), "\"sha257\""),
    (SMALL.replace("user = \"test.{worker}\"", "user = \"\""), "pool[1].user"),
    (SMALL.replace("stratum+tcp://", "http://"), "pool[1].url"),
    (SMALL.replace("[[listener]]", "[[listner]]"), "listner"),
    (SMALL + "[status]\nbind = \"0.0.0.0\"\n", "status.bind"),
    (SMALL + "[network]\naddress = \"192.168.1.20\"\ngateway = \"192.168.1.1\"\n", "192.168.1.20/24"),
    (SMALL + "[network]\naddress = \"192.168.1.20/24\"\n", "gateway is missing"),
    (SMALL + "[network]\naddress = \"192.168.1.20/24\"\ngateway = \"192.168.2.1\"\n", "network.gateway"),
    (SMALL + "[network]\nwifi_ssid = \"Barn\"\n", "wifi_country"),
    (SMALL + "[network]\nwifi_ssid = \"Barn\"\nwifi_country = \"DE\"\nwifi_password = \"short\"\n", "wifi_password"),
    (SMALL + "[network]\nhostname = \"my farm\"\n", "not a host name"),
    (SMALL + "[ssh]\nkeys = [\"-----BEGIN OPENSSH PRIVATE KEY-----\"]\n", "a private key"),
    (SMALL + "[pair]\naddress = \"192.168.1.50\"\n", "pair.rank — missing"),
    (SMALL + "[central]\nurl = \"https://central.example\"\n", "central."),
    ("\x00\x01\x02" * 50, "farm.toml"),
    ("x" * 300_000, "longer than any farm.toml"),
]


class Card:
    """The FAT partition of a machine that runs: what another computer would do to it, and then a start."""

    def __init__(self, machine):
        self.machine = machine
        machine.must("mkdir -p /tmp/card && mount -t vfat /run/smart-mining/fat /tmp/card")

    def pull_out(self):
        self.machine.must("umount /tmp/card")

    def started_with(self, name, text):
        """What STATUS.TXT says after a start with such a file, and what is in force then."""
        if len(text) > 10_000:
            # A line to the shell is not endless.
            content = f"head -c {len(text)} /dev/zero | tr '\\000' x"
        else:
            content = f"base64 -d <<< '{base64.b64encode(text.encode()).decode()}'"
        told = self.machine.must(
            f"rm -f /tmp/card/farm.t* && {content} > /tmp/card/{name} && systemctl restart smart-mining-provision && "
            "cat /tmp/card/STATUS.TXT && sha256sum < /data/smart-mining/farm.toml"
        )
        told, _, in_force = told.strip().rpartition("\n")
        return told, in_force


@story(quick=True)
def each_mistake_on_the_card_has_its_message(cleanup):
    machine = Looked.at()
    card = Card(machine)
    before = machine.must("sha256sum < /data/smart-mining/farm.toml").strip()
    for text, says in MISTAKES:
        told, in_force = card.started_with("farm.toml", text)
        expect_in(f"STATUS.TXT of {text[-60:]!r}", says, told)
        expect_in("STATUS.TXT", "NOT taken", told)
        expect_in("STATUS.TXT", "goes on with the farm.toml that it took before", told)
        expect("the one in force", in_force.strip(), before)
    expect("the state", machine.must("/usr/lib/smart-mining/state").split()[0], "3")
    # As a browser's download folder leaves it, and as Notepad hides it.
    told, _ = card.started_with("farm.toml.txt", "\ufeff" + FARM_TOML.replace("\n", "\r\n"))
    expect_in("STATUS.TXT", "has no mistake and is in force", told)
    expect_in("the card's file", "kept-on-the-appliance", machine.must("cat /tmp/card/farm.toml.txt"))
    leaks = machine.must("grep -l a-secret-of-the-pool /tmp/card/* || true").strip()
    expect("files of the card with the secret in them", leaks, "")
    expect_in("the one in force", "a-secret-of-the-pool", machine.must("cat /data/smart-mining/farm.toml"))
    machine.must("mv /tmp/card/farm.toml.txt /tmp/card/farm.toml")
    card.pull_out()
    print(f"     {len(MISTAKES)} mistakes, each with its message")


@story(quick=True)
def an_empty_then_a_wrong_then_a_right_farm_toml(cleanup):
    machine = appliance("first-card", farm_toml="")
    cleanup.append(machine.cut_power)
    machine.start()
    machine.up()
    wait("the page", 300, lambda: machine.run("systemctl is-active smart-mining-guide")[0] == 0)
    text = wait("what is missing", 120, lambda: answers(machine, "/"))
    expect_in("the page", "add a section [farm]", text)
    expect("state", page(machine)["state"], "no configuration")
    expect("healthz", fetch(machine, "/healthz")[0], 503)
    expect("failed units", machine.must("systemctl --failed --no-legend --plain").strip(), "")
    machine.run("sync")
    machine.cut_power()
    expect_in("STATUS.TXT on the card", "serves no miner", on_fat(machine, "STATUS.TXT"))
    machine.put_on_fat("farm.toml", FARM_TOML.replace("sha256d", "sha", 1))
    machine.start()
    machine.up()
    text = wait("the mistake", 300, lambda: answers(machine, "/"))
    expect_in("the page", "listener[1].algorithm", text)
    machine.cut_power()
    machine.put_on_fat("farm.toml", FARM_TOML)
    machine.start()
    machine.up()
    machine.mining()
    expect("the farm", page(machine)["farm"], "test")
    expect("outcome", page(machine)["provisioning"]["outcome"], "taken")
    if "a-secret-of-the-pool" in on_fat(machine, "farm.toml"):
        raise Failed("the secret is still on the card")


@story
def the_name_that_imager_was_given(cleanup):
    machine = appliance("imager")
    cleanup.append(machine.cut_power)
    machine.put_on_fat(
        "custom.toml",
        'config_version = 1\n[system]\nhostname = "north-barn"\n[user]\nname = "pi"\npassword = "x"\n'
        '[wlan]\nssid = "Barn \\"7\\""\npassword = "long enough"\ncountry = "DE"\n',
    )
    machine.start()
    machine.up()
    expect("the name", machine.must("cat /proc/sys/kernel/hostname").strip(), "north-barn")
    # There is no radio here; wpa_supplicant reads the file, and then finds no card.
    radio = machine.run("timeout 20 wpa_supplicant -D none -i lo -c /data/device/wpa_supplicant.conf")[1]
    if "onfiguration" in radio or "Line" in radio:
        raise Failed(f"wpa_supplicant does not read its file: {radio}")
    expect_in("what wpa_supplicant says", "wpa_supplicant", radio)
    expect("accounts of people", machine.must("grep -c -E ':/home/' /etc/passwd || true").strip(), "0")


def answers(machine, path):
    try:
        return fetch(machine, path, 5)[1]
    except OSError:
        return None


def on_fat(machine, name):
    return subprocess.run(
        ["mtype", "-i", f"{machine.disk}@@4M", f"::{name}"], check=True, capture_output=True
    ).stdout.decode()
