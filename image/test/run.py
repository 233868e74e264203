"""The image, booted: `./dev image test`. With words: only the stories whose names hold one of them;
"quick": those that are run with each change.
"""

import importlib
import os
import subprocess
import sys
import time
import traceback

from farm import FOLDER, STORIES, WORDS, Looked
from vm import Failed, tail

for name in ("contents", "mining", "card", "network", "updates", "power", "boards", "pictures"):
    importlib.import_module(f"story_{name}")


def chosen(story):
    if not WORDS:
        return not getattr(story, "on_request", False)
    return any(word in story.__name__ or (word == "quick" and story.quick) for word in WORDS)


def main():
    failed = []
    passed = 0
    for story in filter(chosen, STORIES):
        cleanup, began = [], time.monotonic()
        print(f"{story.__name__} ...", flush=True)
        try:
            story(cleanup)
            passed += 1
            print(f"  ok, {time.monotonic() - began:.0f} s", flush=True)
        # A fault of a story's own is no reason to leave out those after it.
        except Exception as error:  # pylint: disable=broad-exception-caught
            if not isinstance(error, (Failed, OSError, subprocess.CalledProcessError)):
                traceback.print_exc(file=sys.stdout)
            failed.append(story.__name__)
            print(f"  FAILED after {time.monotonic() - began:.0f} s: {error}", flush=True)
            if isinstance(error, subprocess.CalledProcessError):
                print((error.stderr or b"").decode(errors="replace"))
            for folder in sorted(os.listdir(FOLDER)):
                console = os.path.join(FOLDER, folder, "console.log")
                if os.path.exists(console) and os.path.getmtime(console) > time.time() - 60:
                    print(f"  the last of {console}:\n{tail(console)}")
            # What is left of it may be what failed.
            Looked.end()
        finally:
            for end in reversed(cleanup):
                end()
    Looked.end()
    print(f"{passed} passed, {len(failed)} failed {' '.join(failed)}")
    sys.exit(1 if failed or not passed else 0)


main()
