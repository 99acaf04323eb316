"""Control and dataplane over a file system whose transfers fail or fall short where it is told to."""
import contextlib
import errno
import os
import shutil
import subprocess
import tempfile

from appliance import die_with_parent, until
from cases_control import SUBJECT
from cases_damage import DAMAGED, RECORDS, ask, folded, is_red, right, who
from cases_disk import DaemonOn
from check import Skipped, case, expect, expect_equal

ALWAYS = 1_000_000_000


class FaultyDisk:
    """A directory seen through faulty_fs (tests/system/faulty_fs.c)."""

    def __init__(self, city):
        self.program = os.path.join(city.build, "tests", "system", "faulty_fs")
        self.directory = tempfile.mkdtemp(prefix="chengmen-faults-")
        os.chmod(self.directory, 0o755)
        self.mounted = os.path.join(self.directory, "mounted")
        self.process = None

    def __enter__(self):
        kept = os.path.join(self.directory, "kept")
        os.mkdir(kept)
        os.mkdir(self.mounted)
        self.process = subprocess.Popen([self.program, kept, self.mounted], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=die_with_parent)
        until(lambda: os.path.ismount(self.mounted) or self.process.poll() is not None, 10, "the mount")
        if self.process.poll() is not None:
            said = self.process.stderr.read().decode().strip()
            shutil.rmtree(self.directory)
            raise Skipped(f"no FUSE can be mounted here: {said}")
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.mounted], check=False, capture_output=True)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()
        shutil.rmtree(self.directory)

    def arm(self, operation, error, prefix, times=1):
        with open(os.path.join(self.mounted, ".faults"), "wb", buffering=0) as file:
            file.write(f"{operation} {error} {prefix} {times}".encode())

    def disarm(self):
        self.arm("none", 0, "-", 0)

    def happened(self):
        with open(os.path.join(self.mounted, ".faults"), "rb", buffering=0) as file:
            return int(file.read(32))


@case("one write or sync of the log fails: control acknowledges nothing more and says why; what it acknowledged is there")
def log_fails(city):
    for operation, error in (("write", errno.EIO), ("sync", errno.EIO), ("write", errno.ENOSPC)):
        what = f"{operation} with {errno.errorcode[error]}"
        with FaultyDisk(city) as disk, DaemonOn(city, disk) as daemon:
            for number in range(10):
                expect_equal(daemon.set_colour(number, "red")[0], 0, f"exit code of a change before a {what}")
            disk.arm(operation, error, "log-")  # once: the next one would succeed
            expect(daemon.set_colour(10, "red")[0] != 0, f"a change is acknowledged in spite of a {what}")
            expect_equal(disk.happened(), 1, f"{what}, times")
            until(lambda: daemon.process.poll() is not None, 10, f"control ends after a {what}")
            said = daemon.process.stderr.read().decode()
            expect_equal(daemon.process.returncode, 1, "exit code of control")
            expect("log-" in said and os.strerror(error) in said, f"control said after a {what}: {said}")
            daemon.process.stderr.close()
            daemon.start()
            for number in range(10):
                expect_equal(daemon.colour(number), "red", f"colour of subject {number} after a {what}")
            expect_equal(daemon.set_colour(0, "green")[0], 0, "exit code of a change after the restart")
            expect_equal(daemon.colour(0), "green", "colour after the restart")
            daemon.stop()
            daemon.run("store", "verify", daemon.store)


@case("every read of the store falls short: it is verified, started from and looked up in as before")
def short(city):
    """Short writes are the simulated disk's: Linux turns one by FUSE into EIO before a ring sees it."""
    with FaultyDisk(city) as disk, DaemonOn(city, disk) as daemon:
        rows = "".join('{"issuer":"CN-310000","subject":"%032x","colour":"red"}\n' % number for number in range(2000))
        daemon.run("status", "import", "-", text=rows)
        daemon.stop()
        disk.arm("read", 0, "-", ALWAYS)
        daemon.run("store", "compact", daemon.store)
        daemon.run("store", "verify", daemon.store)
        daemon.start()
        expect(disk.happened() > 20, f"only {disk.happened()} reads fell short")
        expect_equal(daemon.set_colour(1, "green")[0], 0, "exit code of a change")
        disk.arm("read", 0, "table-", 3)
        for number in (0, 1, 2, 1999):
            expect_equal(daemon.colour(number), "green" if number == 1 else "red", f"colour of subject {number}")
        expect_equal(disk.happened(), 3, "short reads of the table")
        disk.disarm()
        daemon.stop()
        daemon.run("store", "verify", daemon.store)


@case("a fold fails at any file that it writes: it says why, nothing has changed, and the next one is done")
def fold_fails(city):
    with FaultyDisk(city) as disk, DaemonOn(city, disk) as daemon:
        rows = "".join('{"issuer":"CN-310000","subject":"%032x","colour":"red"}\n' % number for number in range(2000))
        daemon.run("status", "import", "-", text=rows)
        daemon.stop()
        for operation, error, prefix in (("write", errno.EIO, "table"), ("write", errno.ENOSPC, "table"),
                                         ("sync", errno.EIO, "table"), ("write", errno.EIO, "filter"),
                                         ("sync", errno.EIO, "filter"), ("read", errno.EIO, "log-"),
                                         ("sync", errno.EIO, "store")):
            what = f"{operation} of {prefix} with {errno.errorcode[error]}"
            disk.arm(operation, error, prefix)
            done = daemon.run("store", "compact", daemon.store, code=1)
            expect_equal(disk.happened(), 1, f"{what}, times")
            expect(os.strerror(error) in done.stderr, f"compact said after a {what}: {done.stderr}")
            disk.disarm()
            daemon.run("store", "verify", daemon.store)
        daemon.run("store", "compact", daemon.store)
        expect(any(name.startswith("table-") for name in os.listdir(daemon.store)), "a table after all")
        daemon.start()
        for number in (0, 1, 1999):
            expect_equal(daemon.colour(number), "red", f"colour of subject {number}")
        daemon.stop()


@contextlib.contextmanager
def over_faults(city, name):
    """An appliance with a table whose store is on a faulty disk."""
    with FaultyDisk(city) as disk, folded(city, name, os.path.join(disk.mounted, "store")) as (a, _):
        yield disk, a


@case("the log can no longer be written: verdicts go on; when control is back its first change is in force")
def readers_go_on(city):
    with over_faults(city, "faultw") as (disk, a):
        sample = list(range(0, RECORDS, RECORDS // 20)) + [1, 3]
        disk.arm("sync", errno.EIO, "log-")
        status, _, _ = a.command("status", "set", "--issuer", "CN-310000", "--subject", SUBJECT, "--colour", "red",
                                 "--socket", a.socket)
        expect(status != 0, "a change is acknowledged in spite of a failed sync")
        until(lambda: not a.control.running(), 10, "control ends")
        for number in sample:
            expect_equal(ask(city, number), right(number), f"subject {number} without control")
        a.start_control()
        a.chengmen("status", "set", "--issuer", "CN-310000", "--subject", who(1).hex(), "--colour", "red")
        a.wait_in_force()
        expect_equal(ask(city, 1), ("DENY", "RED"), "the first change after control's return")


@case("the table cannot be read: REFER, never ALLOW; short reads are read on; it is served again when it can be read")
def table_reads(city):
    with over_faults(city, "faultr") as (disk, a):
        sample = list(range(0, RECORDS, RECORDS // 20)) + [1, 3]
        disk.arm("read", errno.EIO, "table-", ALWAYS)
        for number in sample:
            expect_equal(ask(city, number), DAMAGED, f"subject {number} of a table that cannot be read")
        expect(disk.happened() >= len(sample), f"reads that failed: {disk.happened()}")
        for number in sample:
            disk.arm("read", 0, "table-", 3)
            expect_equal(ask(city, number), right(number), f"subject {number} after short reads")
            expect_equal(disk.happened(), 3, "short reads")
        disk.arm("read", 0, "table-", ALWAYS)
        for number in filter(is_red, sample):
            expect_equal(ask(city, number), DAMAGED, f"subject {number} whose page never comes whole")
        disk.disarm()
        for number in sample:
            expect_equal(ask(city, number), right(number), f"subject {number} with a disk that is well again")
