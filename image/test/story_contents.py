"""The image against its own list: every file is from a package that the SPDX file names, as that
package has it, or one of ours."""

import fnmatch
import glob
import hashlib
import json
import os
import re
import subprocess
import tarfile

from farm import FOLDER, WORK, expect, story
from vm import Failed, clear

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# What the build makes. Everything else is as Debian, or as image/rootfs, has it.
MADE = [
    "boot/initrd.img",
    "etc/fw_env.config",
    "etc/group",
    "etc/gshadow",
    "etc/machine-id",
    "etc/passwd",
    "etc/shadow",
    "etc/rauc/keyring.pem",
    "etc/rauc/system.conf",
    "etc/smart-mining/release",
    "etc/ssl/certs/ca-certificates.crt",
    "usr/bin/smart-mining-proxy",
    "usr/lib/clock-epoch",
    "usr/lib/modules/*/modules.*",
]


def digest(file):
    return hashlib.file_digest(file, "sha256").hexdigest()


def from_packages():
    """Every file of the packages that the list names, by path; checked against the list's own sums."""
    cache = os.environ["CACHE"]
    with open(glob.glob(f"{WORK}/out/*.spdx.json")[0], encoding="utf-8") as file:
        named = {}
        for package in json.load(file)["packages"]:
            if package["SPDXID"].startswith("SPDXRef-deb-"):
                arch = re.search(r"arch=([^&]*)", package["externalRefs"][0]["referenceLocator"])[1]
                named[package["name"], arch] = package["checksums"][0]["checksumValue"]
    files = {}
    with open(f"{cache}/image/root.packages", encoding="utf-8") as lines:
        for line in lines:
            name, arch, _, _, deb = line.split()
            path = f"{cache}/archives/{deb}"
            with open(path, "rb") as file:
                expect(f"sha256 of {deb} in the SPDX file", named.get((name, arch)), digest(file))
            with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", path], stdout=subprocess.PIPE) as unpacked:
                with tarfile.open(fileobj=unpacked.stdout, mode="r|") as archive:
                    for member in archive:
                        if member.isfile():
                            inner = re.sub(r"^(lib|bin|sbin|lib64)/", r"usr/\1/", member.name.removeprefix("./"))
                            files.setdefault(inner, set()).add(digest(archive.extractfile(member)))
                        elif member.islnk():
                            files.setdefault(member.name.removeprefix("./"), set()).update(
                                files.get(member.linkname.removeprefix("./"), set())
                            )
    return files


@story(quick=True)
def the_image_holds_what_its_list_says_and_nothing_else(_):
    packaged = from_packages()
    folder = os.path.join(FOLDER, "contents")
    clear(folder)
    # From the file system that is shipped, not from the folder that it was made of.
    subprocess.run(["debugfs", "-R", f"rdump / {folder}", f"{WORK}/rootfs.ext4"], check=True, capture_output=True)
    strangers, changed, count = [], [], 0
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            inner = os.path.relpath(path, folder)
            if os.path.islink(path) or any(fnmatch.fnmatch(inner, made) for made in MADE):
                continue
            with open(path, "rb") as file:
                found = digest(file)
            ours = os.path.join(HERE, "rootfs", inner)
            if os.path.isfile(ours):
                with open(ours, "rb") as file:
                    if digest(file) != found:
                        changed.append(inner)
            elif inner not in packaged:
                strangers.append(inner)
            elif found not in packaged[inner]:
                changed.append(inner)
            count += 1
    clear(folder)
    if strangers or changed:
        raise Failed(f"from no package: {strangers[:20]}; not as packaged: {changed[:20]}")
    print(f"     {count} files, each as a package or image/rootfs has it, and {len(MADE)} that the build makes")


@story(quick=True)
def what_is_published_can_be_checked(_):
    """As somebody does who fetched it."""
    out = f"{WORK}/out"
    [sums] = glob.glob(f"{out}/*.sha256")
    name = sums.removesuffix(".sha256")
    run = lambda *arguments: subprocess.run(arguments, check=True, capture_output=True, cwd=out)
    run("sha256sum", "--check", "--strict", sums)
    run("openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", f"{name}.pub.pem", "-in", sums, "-sigfile", f"{sums}.sig")
    with open(f"{name}.os_list.json", encoding="utf-8") as file:
        offer = json.load(file)["os_list"][0]
    image = hashlib.sha256()
    size = 0
    with subprocess.Popen(["zstd", "-dc", f"{name}.img.zst"], stdout=subprocess.PIPE) as unpacked:
        while block := unpacked.stdout.read(1 << 20):
            image.update(block)
            size += len(block)
    expect("the image's size in the offer to Imager", offer["extract_size"], size)
    expect("its sha256 there", offer["extract_sha256"], image.hexdigest())
    expect("the download's size there", offer["image_download_size"], os.path.getsize(f"{name}.img.zst"))
    check_bmap(f"{name}.bmap", f"{WORK}/disk.img")


def check_bmap(bmap, disk):
    """What bmaptool reads: the sums of the ranges, and that nothing but zeros is left out."""
    import xml.etree.ElementTree as tree

    root = tree.parse(bmap).getroot()
    block = int(root.findtext("BlockSize"))
    expect("the image's size in the .bmap", int(root.findtext("ImageSize")), os.path.getsize(disk))
    at = 0
    with open(disk, "rb") as file:
        for item in root.find("BlockMap"):
            first, _, last = item.text.strip().partition("-")
            first, last = int(first), int(last or first)
            must_be_zeros(file, at * block, first * block)
            file.seek(first * block)
            content = file.read((last + 1 - first) * block)
            expect(f"the sum of blocks {first} to {last}", item.get("chksum"), hashlib.sha256(content).hexdigest())
            at = last + 1
        must_be_zeros(file, at * block, os.path.getsize(disk))


def must_be_zeros(file, start, end):
    file.seek(start)
    while start < end:
        content = file.read(min(1 << 22, end - start))
        if content.strip(b"\0"):
            raise Failed(f"the .bmap leaves out data near byte {start}")
        start += len(content)
