# SPDX-License-Identifier: BSD-3-Clause
"""The files that the checks of the sources look at."""
import os
import subprocess

LAYERS = ("bpf", "dataplane", "classifiers", "tools")


def tracked(root):
    """Paths below root that belong to the project: git's list, else all but builds and caches."""
    git = subprocess.run(["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z"],
                         capture_output=True, check=False)
    if git.returncode == 0 and git.stdout:
        names = git.stdout.decode().split("\0")
        return [n for n in names if n and os.path.exists(os.path.join(root, n))]
    found = []
    for where, folders, names in os.walk(root):
        folders[:] = [f for f in folders
                      if f not in (".git", "__pycache__") and not f.startswith(".build")]
        found += [os.path.relpath(os.path.join(where, n), root) for n in names]
    return sorted(found)


def c_files(root):
    return [n for n in tracked(root) if n.endswith((".c", ".h"))]


def lines(root, name):
    with open(os.path.join(root, name), encoding="utf-8") as f:
        return f.read().split("\n")
