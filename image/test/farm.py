"""What the stories share: the farm.toml, a pool and a miner outside, bundles, a machine to look at."""

import functools
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request

from vm import HOST, Appliance, Failed, clear, wait

WORK, KEYS, FARMSIM, *WORDS = sys.argv[1:]
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
password = "a-secret-of-the-pool"

[status]
bind = "0.0.0.0:80"
"""

STORIES = []


def story(function=None, quick=False):
    """A test. `quick`: also where time is short."""
    if function is None:
        return functools.partial(story, quick=quick)
    function.quick = quick
    STORIES.append(function)
    return function


def release():
    """What the image that was built says of itself."""
    with open(os.path.join(WORK, "root/etc/smart-mining/release"), encoding="utf-8") as file:
        return dict(line.strip().split("=", 1) for line in file)


def appliance(name, farm_toml=FARM_TOML, ports=(80, 3333), **more):
    folder = os.path.join(FOLDER, name)
    clear(folder)
    machine = Appliance(folder, DISK, **more)
    for port in ports:
        machine.forward(port)
    if farm_toml is not None:
        # As Windows writes it.
        machine.put_on_fat("farm.toml", "\ufeff" + farm_toml.replace("\n", "\r\n"))
    return machine


class Looked:
    """One machine for the stories that change nothing that outlasts them."""

    machine = None

    @classmethod
    def at(cls):
        if cls.machine is None:
            cls.machine = appliance("looked-at")
            cls.machine.start()
            cls.machine.up()
            cls.machine.mining()
        return cls.machine

    @classmethod
    def end(cls):
        if cls.machine:
            cls.machine.cut_power()
            cls.machine = None


class Running:
    """A simulated pool or miner; ended with the story."""

    def __init__(self, folder, name, *arguments):
        self.path = os.path.join(folder, f"{name}.log")
        self.log = open(self.path, "ab")
        self.process = subprocess.Popen([FARMSIM, *arguments], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def end(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


def farm_around(machine, cleanup):
    for name, arguments in (
        ("pool", ("pool", "--bind", f"127.0.0.1:{POOL_PORT}")),
        ("miner", ("miner", "--pool", f"127.0.0.1:{machine.forwards[3333]}")),
    ):
        cleanup.append(Running(machine.folder, name, *arguments).end)


def has_a_job(machine):
    """A miner that is quick to give up: QEMU's own door takes a connection long before the guest does,
    and a patient miner would sit there."""
    import socket

    ask = b'{"id":1,"method":"mining.subscribe","params":["knock/1"]}\n{"id":2,"method":"mining.authorize","params":["knock.1","x"]}\n'
    try:
        with socket.create_connection(("127.0.0.1", machine.forwards[3333]), timeout=2) as miner:
            miner.sendall(ask)
            heard = b""
            while b"mining.notify" not in heard:
                part = miner.recv(4096)
                if not part:
                    return False
                heard += part
            return True
    except OSError:
        return False


def fetch(machine, path, patience=60):
    """What the page's port answers outside: status and text."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{machine.forwards[80]}{path}", timeout=patience) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def page(machine):
    return json.loads(fetch(machine, "/api/status")[1])


def accepted(machine):
    """Shares that the pool accepted, as the appliance's own metrics count them."""
    try:
        text = fetch(machine, "/metrics", 10)[1]
    except OSError:
        return 0
    return sum(
        float(value)
        for value in re.findall(r'^smart_mining_shares_total\{[^}]*verdict="accepted"[^}]*\} ([0-9.e+]+)$', text, re.M)
    )


def expect(what, value, wanted):
    if value != wanted:
        raise Failed(f"{what}: {value!r} instead of {wanted!r}")


def expect_in(what, part, whole):
    if part not in whole:
        raise Failed(f"{what}: {part!r} does not stand in: {whole}")


def store_is_whole(machine):
    """Read by another program than the one that writes it, from a copy."""
    copy = os.path.join(machine.folder, "store.sqlite")
    for suffix in ("", "-wal"):
        code, text = machine.run(f"cat /data/smart-mining/farm.sqlite{suffix} | base64 -w 0", 300)
        if code == 0:
            import base64

            with open(copy + suffix, "wb") as file:
                file.write(base64.b64decode(text))
    import sqlite3

    with sqlite3.connect(copy) as db:
        expect("the store's quick_check", db.execute("PRAGMA quick_check").fetchone()[0], "ok")
        return db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]


# --- releases ------------------------------------------------------------------------------------


def fresh(machine, version, change="", index=None):
    """This image's root as another release, with a fault if one is asked for."""
    folder = os.path.join(machine.folder, version)
    os.makedirs(f"{folder}/in")
    root = f"{folder}/in/rootfs.ext4"
    subprocess.run(["cp", "--sparse=always", f"{WORK}/rootfs.ext4", root], check=True)
    own = release() | {"VERSION": version}
    if index is not None:
        own["ROLLBACK_INDEX"] = str(index)
    with open(f"{folder}/release", "w", encoding="utf-8") as file:
        file.writelines(f"{key}={value}\n" for key, value in own.items())
    commands = f"rm /etc/smart-mining/release\nwrite {folder}/release /etc/smart-mining/release\n{change}"
    subprocess.run(["debugfs", "-w", "-f", "-", root], input=commands.encode(), check=True, capture_output=True)
    return folder


def bundle(folder, version, name=None, index=1, compatible="smart-mining-rpi-arm64", keys=KEYS):
    with open(f"{folder}/in/manifest.raucm", "w", encoding="utf-8") as file:
        file.write(
            f"[update]\ncompatible={compatible}\nversion={version}\n\n[bundle]\nformat=verity\n\n"
            f"[image.rootfs]\nfilename=rootfs.ext4\n\n[meta.smart-mining]\nrollback-index={index}\n"
        )
    path = f"{folder}/{name or version}.raucb"
    subprocess.run(
        [
            *("rauc", f"--cert={keys}/bundle.cert.pem", f"--key={keys}/bundle.key.pem", f"--keyring={keys}/bundle.ca.pem"),
            *("bundle", "--mksquashfs-args=-comp zstd -Xcompression-level 1", f"{folder}/in", path),
        ],
        check=True,
        capture_output=True,
    )
    return path


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files, with ranges: a fetch that was cut goes on."""

    def log_message(self, *_):
        pass

    def send_head(self):
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        path = self.translate_path(self.path)
        if not asked or not os.path.isfile(path):
            return super().send_head()
        size, first = os.path.getsize(path), int(asked[1])
        if first >= size:
            self.send_error(416)
            return None
        file = open(path, "rb")
        file.seek(first)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{size - 1}/{size}")
        self.send_header("Content-Length", str(size - first))
        self.end_headers()
        self.server.resumed.append(first)
        return file


class Patient(http.server.ThreadingHTTPServer):
    """Whose visitors may lose their power."""

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def serve(folder, cleanup):
    server = Patient(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    server.resumed = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    cleanup.append(server.shutdown)
    return f"http://{HOST}:{server.server_port}", server


def install(machine, source, seconds=900):
    machine.must(f"smart-mining-update --no-reboot {source}", seconds)


def outcome(machine):
    return dict(line.split("=", 1) for line in machine.run("cat /data/device/outcome")[1].splitlines() if "=" in line)


def wait_until_kept(machine, slot, seconds=600):
    wait("the slot to be kept", seconds, lambda: f"BOOT_{slot}_LEFT=9" in machine.state())
    wait("its name to be noted", 60, lambda: f"BOOT_GOOD={slot}" in machine.state())
    wait("the outcome", 60, lambda: outcome(machine).get("OUTCOME") == "kept")
