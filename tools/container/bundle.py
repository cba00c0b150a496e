"""An OCI bundle for crun: a root file system, and how it is run. As strict as Kubernetes' profile
"restricted" is: read-only root, no capability, no new privileges, no root.
"""
import json
import pathlib

MASKED = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"]
READ_ONLY = ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"]


def write(folder, root, image, volumes, environment):
    """`image` is the image's own configuration, `volumes` are {inside: (outside, "rw" or "ro")}."""
    uid, gid = (int(number) for number in image["User"].split(":"))
    mounts = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
         "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
    ]
    for inside, (outside, how) in volumes.items():
        mounts.append({"destination": inside, "type": "bind", "source": str(outside),
                       "options": ["bind", how, "nosuid", "nodev"]})
    config = {
        "ociVersion": "1.0.0",
        "process": {
            "terminal": False,
            "user": {"uid": uid, "gid": gid},
            "args": image["Entrypoint"] + image["Cmd"],
            "env": image["Env"] + [f"{name}={value}" for name, value in environment.items()],
            "cwd": image["WorkingDir"],
            "capabilities": {kind: [] for kind in
                             ("bounding", "effective", "inheritable", "permitted", "ambient")},
            "noNewPrivileges": True,
        },
        "root": {"path": str(root), "readonly": True},
        "hostname": "sidecar",
        "mounts": mounts,
        # No network of its own: a sidecar shares that of its pod, here that of the test.
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")],
            "maskedPaths": MASKED,
            "readonlyPaths": READ_ONLY,
        },
    }
    pathlib.Path(folder, "config.json").write_text(json.dumps(config, indent=1))
