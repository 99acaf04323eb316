"""A small runner: cases register themselves, run in order, and are counted."""
import sys
import time
import traceback

CASES = []


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def case(what):
    """Registers a function of one argument, the city, as a case."""
    def register(function):
        CASES.append((function.__module__, what, function))
        return function
    return register


def expect(condition, what):
    if not condition:
        raise Failed(what() if callable(what) else what)


def expect_equal(found, wanted, what):
    if found != wanted:
        raise Failed(f"{what}: {found!r}, not {wanted!r}")


def run(city, selected):
    """Runs the cases whose module or text holds one of the selected words; returns (passed, failed, skipped)."""
    passed = failed = skipped = 0
    for module, what, function in CASES:
        name = f"{module}: {what}"
        if selected and not any(word in name for word in selected):
            continue
        began = time.monotonic()
        try:
            function(city)
            passed += 1
            print(f"ok      {name} ({time.monotonic() - began:.1f} s)")
        except Skipped as reason:
            skipped += 1
            print(f"skipped {name}: {reason}")
        except Exception as error:
            failed += 1
            print(f"FAILED  {name}: {error or type(error).__name__}")
            if not isinstance(error, Failed):
                for row in traceback.format_exc().splitlines():
                    print("        " + row)
            city.explain_failure()
            city.recover()
        sys.stdout.flush()
    return passed, failed, skipped
