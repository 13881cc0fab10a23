"""Reads meson's log of a suite (testlog.json).

Prints a line `PASSED FAILED SKIPPED`, then a line for each check that failed, followed by what the test told about it
(lines that start with #). A test that prints TAP, or what cmocka prints, counts with each of its checks, any other
one as one.
"""
import json
import os
import re
import sys


def tap_checks(said):
    """The failed checks, each with its remarks, and how many passed and were skipped."""
    passed, skipped, failed = 0, 0, []
    last = None
    for line in said.splitlines():
        check = re.match(r"(ok|not ok)\b[ \d]*(?:- )?(.*)", line)
        if check and re.search(r"# SKIP\b", line, re.I):
            skipped, last = skipped + 1, None
        elif check and check.group(1) == "ok":
            passed, last = passed + 1, None
        elif check:
            last = [check.group(2)]
            failed.append(last)
        elif last and line.startswith("#"):
            last.append(line)
    return passed, failed, skipped


def cmocka_checks(said):
    """The same for cmocka's own words; a failed test is named twice there, and its remarks stand elsewhere."""
    passed = re.findall(r"^\[ +OK +\] \w+", said, re.M)
    skipped = re.findall(r"^\[ +SKIPPED +\] \w+$", said, re.M)
    failed = dict.fromkeys(re.findall(r"^\[ +FAILED +\] (\w+)$", said, re.M))
    remarks = re.findall(r"^\[ +(?:ERROR|LINE) +\].*$", said, re.M)
    return len(passed), [[name] + (["# " + line for line in remarks] if i == 0 else []) for i, name in enumerate(failed)], len(skipped)


def checks_of(test):
    said, errors = test.get("stdout") or "", test.get("stderr") or ""
    if re.search(r"^\[ +RUN +\]", said + errors, re.M):
        return cmocka_checks(said + "\n" + errors)
    return tap_checks(said)


def main(path):
    passed = failed = skipped = 0
    complaints = []
    lines = open(path, encoding="utf-8").read().splitlines() if os.path.exists(path) else []
    for test in map(json.loads, lines):
        if test["result"] == "SKIP":
            skipped += 1
            continue
        good, bad, left_out = checks_of(test)
        if not bad and test["result"] not in ("OK", "EXPECTEDFAIL"):
            bad = [["the test ends well: " + test["result"].lower()]]
        if not good and not bad and not left_out:
            good = 1
        passed += good
        failed += len(bad)
        skipped += left_out
        name = re.split(r" / |:", test["name"])[-1].strip()
        for what, *remarks in bad:
            complaints.append(name + ": " + what)
            complaints.extend(remarks[:80])
    print(passed, failed, skipped)
    print("\n".join(complaints))


main(sys.argv[1])
