"""The list of what is inside, as SPDX 2.3 JSON: Debian's packages with the checksums of
their .debs, and the crates that Cargo.lock names."""

import datetime
import json
import re
import sys
import tomllib
import uuid

DEBIAN = "pkg:deb/debian/{name}@{version}?arch={arch}&distro=trixie"


def spdx_id(*parts):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", "-".join(parts))


def package(identity, name, version, purl, sums, supplier):
    return {
        "SPDXID": identity,
        "name": name,
        "versionInfo": version,
        "supplier": supplier,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "checksums": [{"algorithm": "SHA256", "checksumValue": sum} for sum in sums],
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": purl,
            }
        ],
    }


def debian_packages(files):
    seen = {}
    for file in files:
        with open(file, encoding="utf-8") as lines:
            for line in lines:
                name, arch, version, checksum, _ = line.split()
                purl = DEBIAN.format(name=name, arch=arch, version=version.replace("+", "%2B").replace("~", "%7E"))
                seen[name, arch] = package(
                    spdx_id("deb", name, arch), name, version, purl, [checksum], "Organization: Debian"
                )
    return [seen[key] for key in sorted(seen)]


def crates(lock):
    with open(lock, "rb") as file:
        entries = tomllib.load(file)["package"]
    return [
        package(
            spdx_id("crate", entry["name"], entry["version"]),
            entry["name"],
            entry["version"],
            f"pkg:cargo/{entry['name']}@{entry['version']}",
            [entry["checksum"]] if "checksum" in entry else [],
            "NOASSERTION",
        )
        for entry in entries
    ]


def main(root, boot, lock, version, epoch):
    packages = debian_packages([root, boot]) + crates(lock)
    created = datetime.datetime.fromtimestamp(int(epoch), datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    content = json.dumps([[p["name"], p["versionInfo"], p["checksums"]] for p in packages])
    image = package(
        "SPDXRef-image", "smart-mining-rpi-arm64", version, f"pkg:generic/smart-mining-rpi-arm64@{version}", [], "NOASSERTION"
    )
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"smart-mining-{version}-rpi-arm64",
        "documentNamespace": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}",
        "creationInfo": {"created": created, "creators": ["Tool: image/build/sbom.py"]},
        "packages": [image, *packages],
        "relationships": [
            {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-image"},
            *(
                {"spdxElementId": "SPDXRef-image", "relationshipType": "CONTAINS", "relatedSpdxElement": p["SPDXID"]}
                for p in packages
            ),
        ],
    }
    json.dump(document, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
