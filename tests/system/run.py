"""tests/system/run.py [--build DIR] [--frames N] [WORD…]: the tests over packets; cases whose name holds a WORD only.

Runs as root in a network namespace of its own, so that nothing of this machine's network is touched, and nothing is
left behind. --frames says how many frames the garbage case sends (300,000 unless told). Closes with the counts.
"""
import argparse
import importlib
import os
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = ["cases_formats", "cases_frames", "cases_coap", "cases_credentials", "cases_oscore", "cases_oscore_life",
           "cases_lossy", "cases_rules", "cases_city", "cases_decisions", "cases_seen",
           "cases_state", "cases_capture", "cases_limits", "cases_control", "cases_disk", "cases_damage", "cases_faults",
           "cases_load", "cases_life", "cases_garbage", "cases_host", "cases_reasons"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.path.join(HERE, "..", "..", "build"))
    parser.add_argument("--frames", type=int, default=300_000)
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    if os.environ.get("CHENGMEN_NAMESPACE") != "own":
        os.environ["CHENGMEN_NAMESPACE"] = "own"
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
    os.system("ip link set lo up")

    sys.path.insert(0, HERE)
    import check
    from city import City
    for name in MODULES:
        importlib.import_module(name)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    city = City(os.path.abspath(options.build))
    city.frames, city.selected = options.frames, options.words
    try:
        city.start()
        passed, failed, skipped = check.run(city, options.words)
    except Exception as error:
        print(f"FAILED  start: {type(error).__name__} {error}")
        city.explain_failure(started_badly=True)
        passed, failed, skipped = 0, 1, 0
    finally:
        city.close()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return failed != 0


sys.exit(main())
