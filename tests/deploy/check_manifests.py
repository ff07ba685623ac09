#!/usr/bin/env python3
"""Checks docker-compose*.yml and deploy/k8s: against the schemas, and for the promises that no schema knows.

  tests/deploy/check_manifests.py SOURCE     needs check-jsonschema and kubernetes-validate; ends with 77 without them

STEER_MANIFEST_PACKAGES names a folder that has them: tests/run.sh makes one of manifest_packages.txt.
"""
import json
import os
import pathlib
import sys

if "STEER_MANIFEST_PACKAGES" in os.environ:
    sys.path.insert(0, os.environ["STEER_MANIFEST_PACKAGES"])
try:
    import check_jsonschema
    import jsonschema
    import kubernetes_validate
    import yaml
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

KUBERNETES = "1.31"


def compose_faults(source):
    schema = json.loads((pathlib.Path(check_jsonschema.__file__).parent / "builtin_schemas/vendor/compose-spec.json").read_text())
    checker = jsonschema.validators.validator_for(schema)(schema)
    for path in sorted(source.glob("docker-compose*.yml")):
        for error in checker.iter_errors(yaml.safe_load(path.read_text())):
            yield f"{path.name}: {error.json_path}: {error.message[:200]}"
    services = yaml.safe_load((source / "docker-compose.yml").read_text())["services"]
    for name, service in services.items():
        if service.get("read_only") is not True or service.get("cap_drop") != ["ALL"]:
            yield f"{name}: writable root or capabilities"
        if "no-new-privileges:true" not in service.get("security_opt", []):
            yield f"{name}: may gain privileges"
        if not service.get("mem_limit") or not service.get("pids_limit"):
            yield f"{name}: no limit of memory or processes"
        yield from (f"{name}: port {port} is not on loopback" for port in service.get("ports", []) if not port.startswith("127.0.0.1:"))
        command = [*service.get("command", []), *service.get("entrypoint", [])]
        if any(word in ("sh", "/bin/sh", "bash", "/bin/bash") for word in command):
            yield f"{name}: needs a shell"
        if "--drain-seconds" in command:
            drain = float(command[command.index("--drain-seconds") + 1])
            if float(service["stop_grace_period"].removesuffix("s")) <= drain:
                yield f"{name}: is killed before its drain ends"


def kubernetes_faults(source):
    for path in sorted((source / "deploy/k8s").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            if document["apiVersion"].startswith(("kustomize", "monitoring.")):
                continue
            try:
                kubernetes_validate.validate(document, KUBERNETES, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{path.name}: {error.message[:200]}"
            pod = document.get("spec", {}).get("template", {}).get("spec")
            if pod:
                yield from pod_faults(path.name, pod)
    listed = set(yaml.safe_load((source / "deploy/k8s/kustomization.yaml").read_text())["resources"])
    present = {path.name for path in (source / "deploy/k8s").glob("*.yaml")} - {"kustomization.yaml"}
    yield from (f"kustomization.yaml and the folder differ in {name}" for name in listed ^ present)


def pod_faults(file, pod):
    if not pod["securityContext"].get("runAsNonRoot"):
        yield f"{file}: may be root"
    volumes = {volume["name"] for volume in pod["volumes"]}
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        context = container.get("securityContext", {})
        if not context.get("readOnlyRootFilesystem") or context.get("allowPrivilegeEscalation") is not False or context.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{file}: {container['name']}: writable root, capabilities or privileges"
        if "memory" not in container.get("resources", {}).get("limits", {}):
            yield f"{file}: {container['name']}: no limit of memory"
        unknown = {mount["name"] for mount in container["volumeMounts"]} - volumes - {"directions"}
        yield from (f"{file}: {container['name']}: no volume {name}" for name in unknown)
        command = container["command"]
        if "--drain-seconds" in command and pod["terminationGracePeriodSeconds"] <= float(command[command.index("--drain-seconds") + 1]):
            yield f"{file}: is killed before its drain ends"


def main():
    source = pathlib.Path(sys.argv[1])
    faults = [*compose_faults(source), *kubernetes_faults(source)]
    print("\n".join(faults) or "no fault")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
