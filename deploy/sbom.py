#!/usr/bin/env python3
"""Writes a CycloneDX 1.5 list of what an image is made of.

  deploy/sbom.py --libtorch ROOT --libraries DIR     the wheels whose files lie in DIR (run while building)
  deploy/sbom.py --status FILE [--wheels FILE]       Debian's packages from a dpkg status file, with the list above
"""
import argparse
import json
import pathlib
import re
import sys


def wheels(root, libraries):
    kept = {path.name for path in pathlib.Path(libraries).iterdir()}
    for folder in sorted(pathlib.Path(root).glob("*.dist-info")):
        record = (folder / "RECORD").read_text().splitlines()
        if not kept & {line.split(",")[0].rsplit("/", 1)[-1] for line in record}:
            continue
        fields = dict(re.findall(r"^(Name|Version|License-Expression|License): (.+)$", (folder / "METADATA").read_text(), re.M))
        yield component(fields["Name"], fields["Version"], f"pkg:pypi/{fields['Name'].lower()}@{fields['Version']}",
                        fields.get("License-Expression", fields.get("License")))


def packages(status):
    for block in pathlib.Path(status).read_text().split("\n\n"):
        fields = dict(re.findall(r"^(Package|Version|Architecture|Status): (.+)$", block, re.M))
        if fields.get("Status", "").endswith(" installed"):
            yield component(fields["Package"], fields["Version"],
                            f"pkg:deb/debian/{fields['Package']}@{fields['Version']}?arch={fields['Architecture']}&distro=debian-12", None)


def component(name, version, purl, licence):
    made = {"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl}
    if licence:
        made["licenses"] = [{"license": {"name": licence}}]
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--libtorch")
    parser.add_argument("--libraries")
    parser.add_argument("--status")
    parser.add_argument("--wheels")
    flags = parser.parse_args()
    if bool(flags.libtorch) != bool(flags.libraries) or bool(flags.libtorch) == bool(flags.status):
        parser.error("give --libtorch with --libraries, or --status")
    components = []
    if flags.libtorch:
        components += wheels(flags.libtorch, flags.libraries)
    if flags.status:
        components += packages(flags.status)
    if flags.wheels:
        components += json.loads(pathlib.Path(flags.wheels).read_text())["components"]
    json.dump({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": components}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
