"""Releases: kept when they prove themselves, gone back from when not, refused when they are none."""

import base64
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request

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
from vm import Failed, wait

UNIT = "/usr/lib/systemd/system/smart-mining-proxy.service"


def started(name, cleanup, **more):
    machine = appliance(name, **more)
    cleanup.append(machine.cut_power)
    machine.start()
    machine.up()
    machine.mining()
    return machine


@story
def a_good_update_is_kept_and_the_store_goes_with_it(cleanup):
    machine = appliance("update")
    cleanup.append(machine.cut_power)
    farm_around(machine, cleanup)
    folder = fresh(machine, "0.1.1")
    bundle(folder, "0.1.1")
    url, _ = serve(folder, cleanup)
    machine.start()
    machine.up()
    machine.mining()
    wait("shares", 200, lambda: accepted(machine) > 3)
    machine.must("echo before > /data/smart-mining/mark")
    began = time.monotonic()
    install(machine, f"{url}/0.1.1.raucb")
    print(f"     fetched and installed within {time.monotonic() - began:.0f} s, while it mined")
    machine.run("systemctl reboot")
    machine.up()
    expect("version", machine.version(), "0.1.1")
    expect("slot", machine.slot(), "B")
    wait_until_kept(machine, "B")
    expect("the outcome", outcome(machine)["VERSION"], "0.1.1")
    expect("what stood on /data", machine.must("cat /data/smart-mining/mark").strip(), "before")
    wait("shares by the new release", 200, lambda: accepted(machine) > 3)
    store_is_whole(machine)
    # An older one, back over the other slot.
    bundle(folder, "0.1.1", name="old", index=0)
    code, text = machine.run(f"smart-mining-proxy update --no-reboot {url}/old.raucb", 600)
    expect("an older release", code, 1)
    expect_in("why", "rollback index is 0, and this appliance has had 1", text)
    expect_in("the remedy", "--allow-older", text)
    machine.must(f"smart-mining-proxy update --allow-older --no-reboot {url}/old.raucb", 900)


def other_keys(folder):
    """A release signed by somebody else."""
    keys = os.path.join(folder, "other-keys")
    os.makedirs(keys)
    run = lambda *arguments: subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=keys)
    for name in ("ca", "bundle"):
        run("genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{name}.key.pem")
    span = ("-not_before", "19700101000000Z", "-not_after", "20991231235959Z")
    run("req", "-x509", "-new", "-key", "ca.key.pem", "-subj", "/CN=somebody else", *span, "-out", "bundle.ca.pem",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    run("req", "-new", "-key", "bundle.key.pem", "-subj", "/CN=somebody", "-out", "bundle.csr")
    run("x509", "-req", "-in", "bundle.csr", "-CA", "bundle.ca.pem", "-CAkey", "ca.key.pem", "-set_serial", "1", *span,
        "-out", "bundle.cert.pem")
    return keys


@story
def what_is_no_release_for_it_changes_nothing_and_says_why(cleanup):
    machine = started("refused", cleanup)
    folder = fresh(machine, "0.1.1")
    good = bundle(folder, "0.1.1")
    bundle(folder, "0.1.1", name="board", compatible="some-other-board")
    bundle(folder, "0.1.1", name="stranger", keys=other_keys(machine.folder))
    with open(good, "rb") as file:
        content = bytearray(file.read())
    with open(f"{folder}/short.raucb", "wb") as file:
        file.write(content[: len(content) * 2 // 3])
    # One bit in the middle of the payload: verity finds it while it is written.
    middle = len(content) // 2
    content[middle] ^= 1
    with open(f"{folder}/flipped.raucb", "wb") as file:
        file.write(content)
    with open(f"{folder}/noise.raucb", "wb") as file:
        file.write(os.urandom(100_000))
    url, server = serve(folder, cleanup)
    before = machine.state()
    for name, says in (
        ("noise", "not a bundle that this appliance accepts"),
        ("short", "not a bundle that this appliance accepts"),
        ("stranger", "not a bundle that this appliance accepts"),
        ("board", "this release is for some-other-board, and this is smart-mining-rpi-arm64"),
        ("missing", "could not be fetched"),
    ):
        code, text = machine.run(f"smart-mining-update --no-reboot {url}/{name}.raucb", 900)
        expect(f"{name}: the exit code", code, 1)
        expect_in(f"{name}: why", says, text)
        expect(f"{name}: the slots' state", machine.state(), before)
        print(f"     {name}: {text.strip().splitlines()[-1][:150]}")
    code, text = machine.run(f"smart-mining-update --no-reboot {url}/flipped.raucb", 900)
    expect("flipped: the exit code", code, 1)
    expect_in("flipped: why", "could not be installed, the running one goes on", text)
    expect_in("flipped: the running slot", "BOOT_A_LEFT=9", machine.state())
    expect("nothing is left behind", machine.must("ls /data/update | grep -c raucb || true").strip(), "0")
    expect("the proxy", machine.must("systemctl is-active smart-mining-proxy").strip(), "active")
    # A card that is nearly full.
    machine.must("fallocate -l $(($(df --output=avail -B 1 /data | tail -n 1) - 60000000)) /data/filler")
    code, text = machine.run(f"smart-mining-update --no-reboot {url}/0.1.1.raucb", 600)
    expect("without room: the exit code", code, 1)
    expect_in("without room: why", "stay free; nothing was changed", text)
    print(f"     without room: {text.strip().splitlines()[-1]}")
    machine.must("rm /data/filler")

    def wants(digest):
        size = os.path.getsize(good)
        text = f"VERSION=0.1.1\\nURL={url}/0.1.1.raucb\\nSHA256={digest}\\nSIZE={size}\\nROLLBACK_INDEX=1\\n"
        # As the proxy does it, which is not root.
        machine.must(
            "cd /data/smart-mining && setpriv --reuid=smart-mining --regid=smart-mining --clear-groups "
            f"bash -c 'printf \"{text}\" > wanted.new; mv wanted.new wanted'"
        )

    # Central wants it, and says something wrong of it.
    wants("0" * 64)
    wait("the refusal", 600, lambda: outcome(machine).get("OUTCOME") == "refused")
    expect_in("why", "another sha256 than central said", outcome(machine)["REASON"])
    wait("the updater to be done", 60, lambda: machine.run("systemctl is-active smart-mining-update")[0] != 0)
    code, text = machine.run("/usr/sbin/smart-mining-update --wanted")
    expect("a second try", code, 0)
    expect_in("a second try", "was tried", text)
    # What fails is no end: after all of them the right one is taken. Its fetch was cut before, by a power
    # cut for instance, and goes on where it was.
    machine.must(
        f"rm /data/device/outcome; curl -s {url}/0.1.1.raucb | head -c 20000000 > /data/update/bundle.part; "
        f"echo {url}/0.1.1.raucb > /data/update/bundle.part.of",
        300,
    )
    with open(good, "rb") as file:
        wants(hashlib.file_digest(file, "sha256").hexdigest())
    # It starts anew by itself.
    machine.up(1800)
    expect("where the second fetch began", server.resumed, [20_000_000])
    expect("version", machine.version(), "0.1.1")
    wait_until_kept(machine, "B")


def goes_back(name, change, reason, cleanup, **more):
    machine = started(name, cleanup, **more)
    folder = fresh(machine, "0.1.2", change)
    bundle(folder, "0.1.2")
    url, _ = serve(folder, cleanup)
    install(machine, f"{url}/0.1.2.raucb")
    began = time.monotonic()
    machine.run("systemctl reboot")
    # Each try shows a shell, if the release gets that far.
    while True:
        machine.up(1800)
        if machine.version() == "0.1.0":
            break
    print(f"     back on the old release after {time.monotonic() - began:.0f} s")
    expect("slot", machine.slot(), "A")
    expect_in("slot B has no tries", "BOOT_B_LEFT=0", machine.state())
    machine.mining()
    wait("the outcome", 120, lambda: outcome(machine).get("OUTCOME") == "rolled-back")
    expect("whose", outcome(machine)["VERSION"], "0.1.2")
    expect_in("why", reason, outcome(machine)["REASON"])
    print(f"     reason: {outcome(machine)['REASON']}")
    store_is_whole(machine)


@story
def a_release_that_cannot_start_goes_back(cleanup):
    goes_back("no-init", "rm /usr/lib/systemd/systemd\n", "did not start", cleanup)


@story
def a_release_whose_proxy_exits_goes_back(cleanup):
    goes_back("no-proxy", "rm /usr/bin/smart-mining-proxy\n", "the proxy does not run", cleanup, hold=20, deadline=90)


@story
def what_the_operator_asks_for_is_done_with_the_password_alone(cleanup):
    machine = appliance("operator")
    cleanup.append(machine.cut_power)
    folder = fresh(machine, "0.1.1")
    bundle(folder, "0.1.1")
    url, _ = serve(folder, cleanup)
    machine.start()
    machine.up()
    machine.mining()

    def asks(action, password, **more):
        request = urllib.request.Request(
            f"http://127.0.0.1:{machine.forwards[80]}/api/actions/{action}",
            json.dumps(more).encode(),
            {"Authorization": f"Basic {base64.b64encode(f'operator:{password}'.encode()).decode()}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    expect("before anybody set a password", asks("reboot", "")[0], 403)
    # The first visitor sets it: the form's page gives a cookie, and the form a token.
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    page = f"http://127.0.0.1:{machine.forwards[80]}/operator"
    form = browser.open(page, timeout=60).read().decode()
    fields = dict(re.findall(r'<input type="?hidden"? name="?(\w+)"? value="?(\w+)"?', form))
    [path] = set(re.findall(r'action="?(/operator/[\w-]*password[\w-]*)', form))
    given = {**fields, "password": "correct horse", "again": "correct horse"}
    browser.open(page.removesuffix("/operator") + path, urllib.parse.urlencode(given).encode(), timeout=60)
    expect("a wrong password", asks("reboot", "correct mule")[0], 401)
    status, made = asks("support-bundle", "correct horse")
    expect("the support bundle", status, 200)
    with tarfile.open(fileobj=io.BytesIO(made)) as archive:
        text = b"".join(archive.extractfile(member).read() for member in archive if member.isfile())
    expect("a secret in it", b"a-secret-of-the-pool" in text or b"argon2" in text, False)
    print(f"     support bundle: {len(made)} bytes")
    boot = machine.must("cat /proc/sys/kernel/random/boot_id")
    expect("a restart", asks("reboot", "correct horse")[0], 200)
    machine.up()
    expect("it is another start", machine.must("cat /proc/sys/kernel/random/boot_id") != boot, True)
    machine.mining()
    # The password is the store's, and stays.
    status, answer = asks("update", "correct horse", url=f"{url}/0.1.1.raucb")
    expect(f"an update ({answer})", status, 200)
    machine.up(1800)
    expect("version", machine.version(), "0.1.1")
    wait_until_kept(machine, "B")
