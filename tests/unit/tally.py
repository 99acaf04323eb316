"""Counts the cases in meson's testlog.json (cmocka writes TAP). Prints failed cases, then `N passed, N failed, N skipped`.

A program that ends badly without naming a failed case (a crash, a time limit) counts as one failed case.
"""
import json
import re
import sys

CASE = re.compile(r"^(not )?ok \d+(?: - (\S+))?(.*)$", re.M)


def main(path):
    passed = failed = skipped = 0
    for line in open(path, encoding="utf-8"):
        test = json.loads(line)
        output = test.get("stdout", "")
        bad = 0
        seen = 0
        for refused, name, rest in CASE.findall(output):
            seen += 1
            if refused:
                bad += 1
                print(f"FAILED  {test['name']}: {name or rest.strip()}")
            elif "SKIP" in rest.upper():
                skipped += 1
            else:
                passed += 1
        ended_well = test["result"] in ("OK", "EXPECTEDFAIL")
        if test["result"] == "SKIP":
            skipped += seen == 0
        elif not ended_well and bad == 0:
            bad = 1
            print(f"FAILED  {test['name']}: {test['result']}")
        elif ended_well and seen == 0:
            passed += 1
        if bad:
            tail = (output + test.get("stderr", "")).splitlines()[-40:]
            print("\n".join("        " + row for row in tail))
        failed += bad
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return failed != 0


sys.exit(main(sys.argv[1]))
