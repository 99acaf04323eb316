"""Every reason of reasons.def is produced, and stands at the end of the books."""
import os

from check import Skipped, case, expect, expect_equal
from formats import REASONS, ROOT


# What no virtual port here can make happen, or not for certain, and the unit test that does.
ELSEWHERE = {"FRAME_SEGMENTED": "test_net.c", "STATUS_BUSY": "test_worker.c"}


@case("every reason that the appliance itself gives was produced at least once")
def complete(city):
    if city.selected:
        raise Skipped("only when all cases run")
    city.note_counters()
    never = [name for _, (name, ending) in sorted(REASONS.items())
             if ending != "RULE" and not city.produced.get(name) and name not in ELSEWHERE]
    for name, test in ELSEWHERE.items():
        with open(os.path.join(ROOT, "tests", "unit", test), encoding="utf-8") as file:
            expect(name in file.read(), f"{test} does not produce {name}")
    expect_equal(never, [], "never produced")
