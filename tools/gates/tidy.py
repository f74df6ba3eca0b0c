#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Clang 19's warnings over all our C++, and clang-tidy 19 over what is not a test.

  tidy.py DATABASE   (a build directory of preset 'warnings': only its compile_commands.json is used)

Most of the time goes into headers that every file includes. So files with the same flags are read
together, a batch as one translation unit; a batch that does not compile as one (two files may use
the same name) is halved until it does. The verdict on a file does not depend on its batch but for
one thing: Clang says "unused function" of the unit's own file alone. GCC's build says that of all.
"""
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

BATCH = 8
# A unit includes the files it is made of: that alone is no mistake.
NEVER = ["bugprone-suspicious-include"]


def flags_of(entry):
    """The command without compiler, input and output."""
    words, flags, skip = shlex.split(entry["command"])[1:], [], False
    for word in words:
        if skip or word == "-c":
            skip = False
        elif word == "-o":
            skip = True
        elif word != entry["file"]:
            flags.append(word)
    return tuple(flags)


def groups(database, root):
    """{(tidied, flags): files}, tests and plugins that misbehave on purpose read but not tidied."""
    with open(os.path.join(database, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    kept = set(subprocess.run(["git", "-C", root, "ls-files", "*.cc"], check=True, text=True,
                              capture_output=True).stdout.split())
    found, seen = {}, set()
    for entry in entries:
        name = os.path.relpath(entry["file"], root)
        if name not in kept or name in seen:
            continue
        seen.add(name)
        tidied = not name.endswith("_test.cc")
        # A folder's files share names less often than files of different ones do.
        found.setdefault((tidied, flags_of(entry), os.path.dirname(name)), []).append(entry["file"])
    return found, kept - seen


class Gate:
    def __init__(self, directory):
        self.directory, self.count, self.units, self.failed = directory, 0, 0, []
        self.tidy = ["clang-tidy-19", "--quiet", "--warnings-as-errors=*",
                     "--checks=" + ",".join("-" + name for name in NEVER)]

    def run(self, command):
        return subprocess.run(command, text=True, capture_output=True)

    def unit(self, files):
        if len(files) == 1:
            return files[0]
        self.count += 1
        path = os.path.join(self.directory, f"{self.count}-{os.path.basename(files[0])}")
        with open(path, "w", encoding="utf-8") as out:
            out.writelines(f'#include "{name}"\n' for name in files)
        return path

    def judge(self, tidied, flags, files):
        unit = self.unit(files)
        compiled = self.run(["clang++-19", *flags, "-fsyntax-only", unit])
        if compiled.returncode and len(files) > 1:
            half = len(files) // 2
            self.judge(tidied, flags, files[:half])
            self.judge(tidied, flags, files[half:])
            return
        self.units += 1
        if compiled.returncode:
            self.failed.append(compiled.stderr)
        elif tidied:
            checked = self.run([*self.tidy, unit, "--", *flags])
            if checked.returncode:
                self.failed.append(checked.stdout or checked.stderr)


def main():
    if len(sys.argv) != 2 or not os.path.isfile(os.path.join(sys.argv[1], "compile_commands.json")):
        sys.exit("usage: tidy.py DATABASE, the directory of a compile_commands.json")
    root = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
    directory = os.path.join(sys.argv[1], "tidy")
    os.makedirs(directory, exist_ok=True)
    found, left_out = groups(sys.argv[1], root)
    gate = Gate(directory)
    batches = [(tidied, flags, files[at:at + BATCH])
               for (tidied, flags, _), files in sorted(found.items(), reverse=True)
               for at in range(0, len(files), BATCH)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(lambda batch: gate.judge(*batch), batches):
            pass
    for text in gate.failed:
        print(text)
    read = sum(len(files) for files in found.values())
    tidied = sum(len(files) for (tidied, *_), files in found.items() if tidied)
    print(f"tidy: {read} files read by Clang, {tidied} by clang-tidy, in {gate.units} units")
    if left_out:
        print("not in this build: " + " ".join(sorted(left_out)))
    sys.exit(1 if gate.failed or tidied == 0 else 0)


if __name__ == "__main__":
    main()
