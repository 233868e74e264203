"""A whole farm for the browser: central, pools, miners and the appliance, all real programs."""

import json
import os
import resource
import signal
import socket
import subprocess
import time
import urllib.request

BIN = os.environ["BIN"]
FOLDER = os.environ["PAGE_FOLDER"]
PATIENCE = 40


class Failed(Exception):
    """What a story found not to be so."""


def must(true, what):
    if not true:
        raise Failed(what)


def until(what, wanted, patience=PATIENCE):
    """Ask until it is so. The pause only bounds how often."""
    deadline = time.monotonic() + patience
    last = None
    while time.monotonic() < deadline:
        try:
            last = wanted()
        except OSError as error:
            last = error
        if last and not isinstance(last, Exception):
            return last
        time.sleep(0.1)
    raise Failed(f"{what}: not within {patience} s; at last {last!r}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Farm:
    """Two ranked pools for sha256d and the farm's own for scrypt."""

    def __init__(self):
        self.running = {}
        self.api = free_port()
        self.status = free_port()
        self.sha256d = free_port()
        self.scrypt = free_port()
        self.pools = {"pool-a": free_port(), "pool-b": free_port(), "barn-solo": free_port()}
        self.key = os.path.join(FOLDER, "signing.key")
        self.other_key = os.path.join(FOLDER, "other.key")
        self.public = self._central("keygen", self.key)
        self._central("keygen", self.other_key)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    # --- central ---------------------------------------------------------

    def _central(self, *words, key=None):
        environment = dict(os.environ, SMART_MINING_SIGNING_KEY_FILE=key or self.key)
        if words[0] == "keygen" and os.path.exists(words[1]):
            os.remove(words[1])
        done = subprocess.run(
            [f"{BIN}/smart-mining-aggregator", *words],
            env=environment, capture_output=True, text=True, check=False,
        )
        must(done.returncode == 0, f"aggregator {words}: {done.stderr}")
        return done.stdout.strip()

    def publish(self, usd, key=None):
        """What the pools pay per hash and day."""
        offer = lambda pool: {
            "id": pool, "name": pool,
            "offers": [{"coin": "BTC", "algorithm": "sha256d", "fee": 0.01, "scheme": "FPPS",
                        "url": f"stratum+tcp://127.0.0.1:{self.pools[pool]}"}],
        }
        row = lambda pool: {"coin": "BTC", "pool": pool, "algorithm": "sha256d",
                            "usd_per_hash_day": usd[pool], "margin": 0.01}
        data = {
            "coins": [{"id": "BTC", "name": "Bitcoin"}, {"id": "BCH", "name": "Bitcoin Cash"}],
            "pools": [offer(pool) for pool in usd] + [{
                "id": "pool-c", "name": "pool-c",
                "offers": [{"coin": "BCH", "algorithm": "sha256d", "fee": 0.01, "scheme": "FPPS",
                            "url": "stratum+tcp://127.0.0.1:1"}],
            }],
            "profitability": [row(pool) for pool in usd] + [
                {"coin": "BCH", "pool": "pool-c", "algorithm": "sha256d",
                 "usd_per_hash_day": 3.1e-5, "margin": 0.01}],
        }
        path = os.path.join(FOLDER, "ranking.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(data, file)
        self._central("import", "--replace", path, key=key)

    def start_central(self):
        self.start("api", f"{BIN}/smart-mining-api", "serve", "--listen", f"127.0.0.1:{self.api}")
        until("central answers", lambda: self._is_open(self.api))

    def enrol(self):
        for words in (["enrol", "page"], ["enrol", "page", "--rotate"]):
            done = subprocess.run([f"{BIN}/smart-mining-api", *words], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return done.stdout.strip()
        raise Failed(f"the farm cannot be enrolled: {done.stderr}")

    # --- the farm --------------------------------------------------------

    def start_pool(self, name, algorithm="sha256d"):
        self.start(name, f"{BIN}/smart-mining-farmsim", "pool", "--name", name, "--algorithm", algorithm,
                   "--bind", f"127.0.0.1:{self.pools[name]}")
        until(f"{name} listens", lambda: self._is_open(self.pools[name]))

    def start_appliance(self, token):
        path = os.path.join(FOLDER, "farm.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"""[farm]
name = "north-barn"
[central]
url = "http://127.0.0.1:{self.api}"
token = "{token}"
public_key = "{self.public}"
[store]
path = "farm.sqlite"
[[listener]]
algorithm = "sha256d"
bind = "127.0.0.1:{self.sha256d}"
max_miners = 6000
[[listener]]
algorithm = "scrypt"
bind = "127.0.0.1:{self.scrypt}"
[[account]]
coin = "BTC"
user = "farmer.{{worker}}"
[[pool]]
id = "barn-solo"
algorithm = "scrypt"
coin = "LTC"
url = "stratum+tcp://127.0.0.1:{self.pools["barn-solo"]}"
user = "farmer.{{worker}}"
[routing]
minimum_dwell_seconds = 1
confirmations = 1
return_after_seconds = 1
[status]
bind = "127.0.0.1:{self.status}"
""")
        self.start("appliance", f"{BIN}/smart-mining-proxy", "run", "--config", path)
        until("the appliance answers", self.state)

    def start_miners(self):
        for number, kind in enumerate(("minerd", "bitaxe", "cgminer")):
            self.start(f"miners-{kind}", f"{BIN}/smart-mining-farmsim", "miner", "--pool", f"127.0.0.1:{self.sha256d}",
                       "--name", f"farm.shed{number + 1}-rig", "--personality", kind, "--count", "3")
        self.start("miners-scrypt", f"{BIN}/smart-mining-farmsim", "miner", "--pool", f"127.0.0.1:{self.scrypt}",
                   "--algorithm", "scrypt", "--name", "farm.ltc", "--count", "2")

    def ask(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.status}{path}", timeout=5) as answer:
            return answer.read().decode()

    def say(self):
        return json.loads(self.ask("/api/status"))

    def state(self):
        return self.say()["state"]

    def route(self):
        return (self.say()["algorithms"][0]["route"] or {}).get("pool")

    # --- processes -------------------------------------------------------

    def start(self, name, *words):
        with open(os.path.join(FOLDER, f"{name}.log"), "a", encoding="utf-8") as log:
            self.running[name] = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def stop(self, name, how=signal.SIGTERM):
        process = self.running.pop(name)
        process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def end(self):
        for name in list(self.running):
            self.stop(name)

    @staticmethod
    def _is_open(port):
        with socket.create_connection(("127.0.0.1", port), 1):
            return True


class Crowd:
    """Thousands of miners that log in and then say nothing."""

    def __init__(self, port, count):
        self.sockets = []
        for number in range(count):
            line = socket.create_connection(("127.0.0.1", port), 10)
            worker = f"farm.hall{number // 500 + 1:02}-{number:04}"
            line.sendall(
                b'{"id":1,"method":"mining.subscribe","params":["simulated/1.%d"]}\n'
                b'{"id":2,"method":"mining.authorize","params":["%s","x"]}\n'
                % (number % 7, worker.encode()))
            self.sockets.append(line)

    def leave(self, count):
        for line in self.sockets[:count]:
            line.close()
        del self.sockets[:count]

    def end(self):
        self.leave(len(self.sockets))
