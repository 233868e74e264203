"""An appliance in QEMU: the image as it is shipped, with U-Boot, on a virtual card.

Nothing is added to the image for the tests. What they need to look inside is handed over as
systemd credentials through QEMU's firmware interface, which no Raspberry Pi has.
"""

import base64
import os
import shutil
import socket
import subprocess
import time

SHELL = """\
[Unit]
DefaultDependencies=false
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStartPre=/bin/bash -c 'mkdir -p /run/systemd/system/smart-mining-commit.service.d; printf "[Service]\\nEnvironment=HOLD=%d DEADLINE=%d\\n" > /run/systemd/system/smart-mining-commit.service.d/test.conf; systemctl daemon-reload'
ExecStart=/bin/bash -c 'until [ -c /dev/virtio-ports/test ]; do sleep 0.2; done; exec 0<> /dev/virtio-ports/test 1>&0 2> /dev/null; echo READY; exec bash'
Restart=always
RestartSec=1
"""

# In the place of the image's own tmp.mount, since it is wanted and its name is short enough.
STARTER = """\
[Unit]
Wants=t.service

[Mount]
What=tmpfs
Where=/tmp
Type=tmpfs
Options=mode=1777,size=64m,nosuid,nodev
"""

HOST = "10.0.2.2"


class Failed(Exception):
    pass


def wait(what, seconds, condition):
    """The first true value of `condition`; asked until then, with a limit in real time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.5)
    raise Failed(f"{what}: not within {seconds} s")


class Appliance:
    def __init__(self, folder, disk, hold=20, deadline=900, memory=512):
        self.folder = folder
        self.disk = os.path.join(folder, "card.img")
        self.console = os.path.join(folder, "console.log")
        self.memory = memory
        self.forwards = {}
        # Where its network card leads: outside, with a DHCP server of QEMU's.
        self.lan = None
        self.address = "52:54:00:12:34:56"
        # Another machine than QEMU's own, in its words; such a one has no shell for us.
        self.board = None
        self.process = None
        self.channel = None
        os.makedirs(folder, exist_ok=True)
        subprocess.run(["cp", "--sparse=always", disk, self.disk], check=True)
        # A card is larger than the image.
        os.truncate(self.disk, 3 << 30)
        for name, text in (("t.service", SHELL % (hold, deadline)), ("tmp.mount", STARTER)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)

    def put_on_fat(self, name, text):
        """As a technician does, with the card in another machine."""
        source = os.path.join(self.folder, "put")
        with open(source, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        subprocess.run(["mcopy", "-o", "-i", f"{self.disk}@@4M", source, f"::{name}"], check=True)

    def forward(self, guest):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.forwards[guest] = free.getsockname()[1]

    def start(self, *more):
        path = os.path.join(self.folder, "shell.sock")
        if os.path.exists(path):
            os.unlink(path)
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{host}-:{guest}" for guest, host in self.forwards.items())
        common = ("-nographic", "-monitor", "none", "-netdev", self.lan or f"user,id=lan{forwards}")
        if self.board:
            return self.launch(["qemu-system-aarch64", *self.board, *common, *more])
        command = [
            *("qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-smp", "2", "-m", str(self.memory)),
            *("-bios", "/usr/lib/u-boot/qemu_arm64/u-boot.bin", *common),
            *("-serial", f"file:{self.console}"),
            *("-drive", f"if=none,id=card,file={self.disk},format=raw,cache=writeback"),
            *("-device", "virtio-blk-pci,drive=card"),
            *("-device", f"virtio-net-pci,netdev=lan,romfile=,mac={self.address}"),
            *("-device", "virtio-serial-pci", "-chardev", f"socket,id=shell,path={path},server=on,wait=off"),
            *("-device", "virtserialport,chardev=shell,name=test"),
            *("-device", "i6300esb", "-action", "watchdog=reset"),
        ]
        for name in ("t.service", "tmp.mount"):
            command += ["-fw_cfg", f"name=opt/io.systemd.credentials/systemd.extra-unit.{name},file={self.folder}/{name}"]
        self.launch([*command, *more])
        wait("QEMU", 10, lambda: os.path.exists(path) or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise Failed(f"QEMU ended by itself; see {self.folder}/qemu.log")
        self.channel = socket.socket(socket.AF_UNIX)
        self.channel.connect(path)

    def launch(self, command):
        with open(os.path.join(self.folder, "qemu.log"), "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def cut_power(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
        if self.channel:
            self.channel.close()
            self.channel = None

    def read_line(self, end, what):
        line = b""
        while not line.endswith(b"\n"):
            left = end - time.monotonic()
            if left <= 0:
                raise Failed(what)
            self.channel.settimeout(left)
            try:
                part = self.channel.recv(1)
            except TimeoutError:
                raise Failed(what) from None
            except OSError as error:
                raise Failed(f"{what} ({error})") from None
            if not part:
                raise Failed(f"{what}: QEMU has gone")
            line += part
        return line.decode(errors="replace").strip()

    def up(self, seconds=900):
        """Until the shell inside answers; how long it took. Also after a restart of its own."""
        began = time.monotonic()
        while self.read_line(began + seconds, f"the appliance did not start within {seconds} s") != "READY":
            pass
        return time.monotonic() - began

    def run(self, command, seconds=120):
        """A command inside: its exit code and what it printed."""
        mark = f"<{time.monotonic_ns()}>"
        line = f"out=$({{ {command} ; }} 2>&1 < /dev/null); code=$?; echo \"{mark} $code $(printf '%s' \"$out\" | base64 -w 0)\"\n"
        end = time.monotonic() + seconds
        try:
            self.channel.sendall(line.encode())
        except OSError as error:
            raise Failed(f"the appliance went away before: {command} ({error})") from None
        while True:
            answer = self.read_line(end, f"no answer within {seconds} s to: {command}")
            if answer == "READY":
                raise Failed(f"the appliance started anew during: {command}")
            if answer.startswith(mark):
                _, code, *text = answer.split(" ")
                return int(code), base64.b64decode("".join(text)).decode(errors="replace")

    def must(self, command, seconds=120):
        code, text = self.run(command, seconds)
        if code != 0:
            raise Failed(f"`{command}` ended with {code}: {text}")
        return text

    def mining(self, seconds=600):
        """Until the proxy is ready."""
        began = time.monotonic()
        wait("the proxy", seconds, lambda: self.run("systemctl is-active smart-mining-proxy")[0] == 0)
        return time.monotonic() - began

    def version(self):
        return self.must("sed -n 's/^VERSION=//p' /etc/smart-mining/release").strip()

    def slot(self):
        return self.must("sed -n 's/.*rauc.slot=\\([AB]\\).*/\\1/p' /proc/cmdline").strip()

    def state(self):
        return self.must("fw_printenv").replace("\n", " ")


def tail(path, lines=30):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:])
    except OSError:
        return ""


def clear(folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
