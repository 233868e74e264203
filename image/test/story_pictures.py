"""What docs/flash.md shows, from the running system: `./dev image pictures`."""

import html
import os
import re
import time

from farm import FARM_TOML, FOLDER, POOL_PORT, Running, accepted, appliance, fetch, story
from story_card import answers, on_fat
from vm import wait

OUT = os.path.join(os.path.dirname(FOLDER), "pictures")
SCREEN = "background:#000;color:#ccc;font:20px/1.25 monospace;margin:0;padding:16px"
EDITOR = "background:#fff;color:#000;font:15px/1.4 monospace;margin:0;padding:16px"


def keep(name, text):
    # As a file it has nobody to ask for what changed.
    text = re.sub(r"<script.*?</script>|<noscript>.*?</noscript>", "", text, flags=re.S)
    with open(os.path.join(OUT, f"{name}.html"), "w", encoding="utf-8") as file:
        file.write(text)


def plain(name, style, text):
    keep(name, f"<!doctype html><meta charset=utf-8><body style='{style}'><pre style='margin:0;white-space:pre-wrap'>{html.escape(text)}</pre>")


def screen(machine):
    text = machine.must("fold -w $(stty -F /dev/tty1 size | cut -d ' ' -f 2) /dev/vcs1 | tr -d '\\000'")
    return "\n".join(line.rstrip() for line in text.splitlines()).rstrip() + "\n"


@story
def pictures_for_the_docs(cleanup):
    os.makedirs(OUT, exist_ok=True)
    wrong = FARM_TOML.replace("sha256d", "sha257", 1).replace('user = "test.{worker}"', 'user = ""')
    machine = appliance("pictures", farm_toml=wrong)
    cleanup.append(machine.cut_power)
    machine.start()
    machine.up()
    keep("guide", wait("the guide", 300, lambda: answers(machine, "/")))
    time.sleep(15)
    plain("screen-wrong", SCREEN, screen(machine))
    machine.run("sync")
    machine.cut_power()
    plain("status-wrong", EDITOR, on_fat(machine, "STATUS.TXT"))
    machine.put_on_fat("farm.toml", FARM_TOML.replace('name = "test"', 'name = "north-barn"'))
    cleanup.append(Running(machine.folder, "pool", "pool", "--bind", f"127.0.0.1:{POOL_PORT}").end)
    for number in range(1, 4):
        arguments = ("miner", "--pool", f"127.0.0.1:{machine.forwards[3333]}", "--name", f"rig{number}", "--hashrate", "20000")
        cleanup.append(Running(machine.folder, f"miner{number}", *arguments).end)
    machine.start()
    machine.up()
    wait("shares", 600, lambda: accepted(machine) > 30)
    time.sleep(60)
    keep("page", fetch(machine, "/")[1])
    plain("screen", SCREEN, screen(machine))
    plain("status-right", EDITOR, on_fat(machine, "STATUS.TXT"))


pictures_for_the_docs.on_request = True
