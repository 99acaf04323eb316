"""The disk under control fails for real: an ext4 of the case's own on a loop device is shut down as by a crash of the
machine, or has no space left."""
import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

from appliance import until
from cases_control import Daemon, call
from check import Skipped, case, expect, expect_equal

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2  # what was not synced is lost, as in a crash
LIST_BYTES = 256 << 10


class Disk:
    """An ext4 in a file, mounted in a directory of its own."""

    def __init__(self, megabytes):
        self.directory = tempfile.mkdtemp(prefix="chengmen-disk-")
        self.image = os.path.join(self.directory, "image")
        self.mounted = os.path.join(self.directory, "mounted")
        os.mkdir(self.mounted)
        with open(self.image, "wb") as image:
            image.truncate(megabytes << 20)

    def __enter__(self):
        try:
            subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", self.image], check=True, capture_output=True)
            self.mount()
        except (OSError, subprocess.CalledProcessError) as error:
            shutil.rmtree(self.directory)
            reason = getattr(error, "stderr", None) or error
            raise Skipped(f"no ext4 can be made and mounted here: {reason}")
        return self

    def __exit__(self, *_):
        self.unmount()
        shutil.rmtree(self.directory)

    def mount(self):
        subprocess.run(["mount", "-o", "loop", self.image, self.mounted], check=True, capture_output=True)

    def unmount(self):
        subprocess.run(["umount", self.mounted], check=False, capture_output=True)

    def crash(self):
        directory = os.open(self.mounted, os.O_RDONLY)
        try:
            fcntl.ioctl(directory, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(directory)


class DaemonOn(Daemon):
    """Control whose store is on that disk."""

    def __init__(self, city, disk):
        super().__init__(city)
        self.store = os.path.join(disk.mounted, "store")
        with open(self.config) as file:
            config = json.load(file)
        config["store"] = self.store
        with open(self.config, "w") as file:
            json.dump(config, file)

    def set_colour(self, number, colour):
        """The exit status and what was said."""
        words = ("status", "set", "--issuer", "CN-310000", "--subject", f"{number:032x}", "--colour", colour)
        done = subprocess.run([os.path.join(self.build, "chengmen"), *words], capture_output=True, text=True,
                              timeout=60, env={**os.environ, "CHENGMEN_SOCKET": self.socket})
        return done.returncode, done.stderr

    def colour(self, number):
        return self.ask("status", "get", "--issuer", "CN-310000", "--subject", f"{number:032x}")["colour"]


@case("the machine crashes under control: what was acknowledged is there, nothing more is acknowledged, and it says why")
def crash(city):
    with Disk(320) as disk, DaemonOn(city, disk) as daemon:
        for number in range(40):
            expect_equal(daemon.set_colour(number, "red")[0], 0, "exit code of a change")
        disk.crash()
        for number in range(40, 45):
            expect(daemon.set_colour(number, "red")[0] != 0, "a change is acknowledged by a dead disk")
        until(lambda: daemon.process.poll() is not None, 10, "control ends: it can write no more")
        said = daemon.process.stderr.read().decode()
        expect_equal(daemon.process.returncode, 1, "exit code of control")
        expect("segment" in said and "Input/output error" in said, f"control said: {said}")
        daemon.process.stderr.close()
        done = subprocess.run([os.path.join(city.build, "chengmen"), "store", "verify", daemon.store],
                              capture_output=True, text=True, timeout=60)
        expect(done.returncode != 0, "the store is read from a dead disk")
        disk.unmount()
        disk.mount()
        daemon.start()
        for number in range(40):
            expect_equal(daemon.colour(number), "red", f"colour of subject {number} after the crash")
        expect_equal(daemon.set_colour(0, "green")[0], 0, "exit code of a change after the crash")
        expect_equal(daemon.colour(0), "green", "colour")
        daemon.run("store", "verify", daemon.store)
        daemon.stop()


@case("readers go on where the disk is dead: verdict after verdict from what was read")
def reads_without_disk(city):
    with Disk(320) as disk, DaemonOn(city, disk) as daemon:
        for number in range(3):
            expect_equal(daemon.set_colour(number, "red")[0], 0, "exit code of a change")
        disk.crash()
        for _ in range(3):
            expect_equal(daemon.colour(1), "red", "control answers what it knows")
        daemon.stop(signal.SIGKILL)


def put_lists(daemon, first, count):
    """New lists, a record of 256 KiB each; returns how many were acknowledged and the first refusal."""
    taken, refusal = 0, None
    for start in range(first, first + count, 32):
        batch = [call("status.set_list", {"list": f"https://s/{number}", "index": 1, "value": "invalid",
                                          "issuer": "CN-310000"}, number) for number in range(start, start + 32)]
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(daemon.socket)
            client.sendall(json.dumps(batch).encode() + b"\n")
            answers = json.loads(client.makefile().readline())
        for answer in answers:
            if "result" in answer:
                taken += 1
            elif refusal is None:
                refusal = answer["error"]["message"]
    return taken, refusal


@case("the disk fills up: it is told before, refused when it is full, and all that was taken stays")
def full(city):
    with Disk(300) as disk, DaemonOn(city, disk) as daemon:
        filler = os.path.join(disk.mounted, "filler")
        space = os.statvfs(disk.mounted)
        with open(filler, "wb") as file:  # control has its first segment and the one after it
            os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_bsize - (30 << 20))
        total, warned_at, refusal = 0, None, None
        while refusal is None:
            expect(total < 600, "the log is full at last")
            taken, refusal = put_lists(daemon, total, 32)
            total += taken
            if warned_at is None and any("disk space" in warning for warning in daemon.ask("info")["warnings"]):
                warned_at = total
        expect(warned_at is not None and warned_at <= total - 100, f"warned after {warned_at} lists of {total}")
        expect("no space" in refusal, f"refusal: {refusal}")
        lists = len(daemon.ask("status", "get"))
        expect_equal(lists, total, "lists that were acknowledged")
        daemon.stop(signal.SIGKILL)
        daemon.start()
        expect_equal(len(daemon.ask("status", "get")), total, "lists after a restart on the full disk")
        os.remove(filler)
        until(lambda: not any("disk space" in warning for warning in daemon.ask("info")["warnings"]), 10,
              "the space that came back is reserved", 0.5)
        expect_equal(put_lists(daemon, total, 32), (32, None), "with space again")
        daemon.stop()
