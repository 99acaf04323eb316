"""Every reason of reasons.def is produced, and stands at the end of the books."""
import os

from check import Skipped, case, expect_equal
from formats import REASONS

@case("every reason that the appliance itself gives was produced at least once")
def complete(city):
    if city.selected:
        raise Skipped("only when all cases run")
    city.note_counters()
    never = [name for _, (name, ending) in sorted(REASONS.items())
             if ending != "RULE" and not city.produced.get(name)]
    expect_equal(never, [], "never produced")
