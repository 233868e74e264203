"""What Raspberry Pi Imager reads (`rpi-imager --repo URL`): one entry, one image."""

import datetime
import hashlib
import json
import os
import sys

# As Imager names them. The Pi 5 is not among them: see image/README.md.
DEVICES = ["pi3-64bit", "pi4-64bit"]


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(disk, packed, version, epoch, downloads):
    json.dump(
        {
            "os_list": [
                {
                    "name": f"smart_mining {version}",
                    "description": "Keeps a mining farm on its best pool. For Pi 3, 4, 400, CM4 and Zero 2 W",
                    "url": f"{downloads}/{os.path.basename(packed)}",
                    "release_date": datetime.datetime.fromtimestamp(int(epoch), datetime.UTC).strftime("%Y-%m-%d"),
                    "extract_size": os.path.getsize(disk),
                    "extract_sha256": sha256(disk),
                    "image_download_size": os.path.getsize(packed),
                    "image_download_sha256": sha256(packed),
                    "devices": DEVICES,
                    "init_format": "none",
                }
            ]
        },
        sys.stdout,
        indent=1,
    )
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
