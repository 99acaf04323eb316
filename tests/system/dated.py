"""An appliance whose dataplane takes the date that a test sets: the same dataplane, linked with clock_file.c."""
import contextlib
import datetime
import mmap
import os
import struct

from formats import ROOT

SHANGHAI = os.path.join(ROOT, "control", "examples", "shanghai.json")


def seconds(text):
    if "T" not in text:
        text += "T00:00:00+08:00"
    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


class Clock:
    """The wall clock of tests/system/clock_file.c."""

    def __init__(self, path):
        with open(path, "wb") as file:
            file.write(bytes(8))
        os.chmod(path, 0o644)
        self.path, file = path, open(path, "r+b")
        self.page = mmap.mmap(file.fileno(), 8)

    def set(self, now_s):
        self.page[:] = struct.pack("=Q", now_s)


@contextlib.contextmanager
def dated(city, name, start, dataplane=None):
    """Control runs and nothing is loaded; the dataplane is started by city.start_dataplane(). city.clock is the clock."""
    with city.another(name, dataplane) as a:
        city.clock = Clock(os.path.join(a.directory, "clock"))
        city.clock.set(seconds(start))
        a.dataplane.arguments[0] = a.program("tests/system/dataplane-with-clock")
        a.dataplane.environment["CHENGMEN_CLOCK"] = city.clock.path
        a.start_control()
        yield a
