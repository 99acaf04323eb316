"""The store is damaged on disk: what it says no more is REFER with its reason, never ALLOW; the rest goes on; and the
operator is told within a second."""
import contextlib
import json
import os
import struct
import subprocess
import time
import urllib.request

from appliance import until
from cases_control import Daemon
from check import case, expect, expect_equal
from formats import GREEN, PRINTED, Key, post_v, request, status_reference

RECORDS = 3000
PAGE = 4096
FOLD_RECORDS = 1 << 20  # as many changes make a fold due (control/journal.c)
HTTP = "127.0.0.1:8099"
LIST = "https://status.test/damage"
UNAVAILABLE = bytes.fromhex("a104183d")  # the reason alone, NO_GENERATION


def who(number):
    return number.to_bytes(16, "big")


def is_red(number):
    return number % 2 == 0


def write_through(path, offset, change):
    """Replaces 16 bytes of a file by what `change` makes of them, on the disk when this returns."""
    with open(path, "r+b") as file:
        file.seek(offset)
        before = file.read(16)
        file.seek(offset)
        file.write(change(before))
        file.flush()
        os.fsync(file.fileno())


def flip(path, offset):
    write_through(path, offset, lambda before: bytes(byte ^ 0xFF for byte in before))


class Store:
    """The files of an appliance's store."""

    def __init__(self, appliance):
        self.directory = appliance.store

    def one(self, prefix):
        names = [name for name in os.listdir(self.directory) if name.startswith(prefix)]
        expect_equal(len(names), 1, f"files {prefix}*: {sorted(os.listdir(self.directory))}")
        return os.path.join(self.directory, names[0])

    def table(self):
        return self.one("table-")

    def filter(self):
        return self.one("filter-")

    def pages(self):
        """The subjects in each page of the table: a record's occupation is its subject's number here."""
        with open(self.table(), "rb") as file:
            content = file.read()
        pages = []
        for start in range(PAGE, len(content), PAGE):
            count = struct.unpack_from("<I", content, start + 24)[0]
            records = [content[start + 64 * i:start + 64 * i + 64] for i in range(1, count + 1)]
            pages.append([int(record[40:52].rstrip(b"\0")) for record in records])
        expect_equal(sum(map(len, pages)), RECORDS, "records in the table")
        return pages


@contextlib.contextmanager
def folded(city, name, store=None):
    """An appliance whose subject records were folded into a table, and whose control is asked for alarms by HTTP."""
    with city.another(name, {"store_deadline_us": 1000000}, {"http": HTTP}) as a:
        with open(a.config, encoding="utf-8") as file:
            settings = json.load(file)
        settings["control"]["telemetry"] = os.path.join(a.runtime, "dpdk", a.name, "dpdk_telemetry.v2")
        if store:
            settings["store"] = a.store = store
        a.write(a.config, settings)
        a.start_control()
        rows = "".join(json.dumps({"issuer": "CN-310000", "subject": who(n).hex(), "occupation": str(n),
                                   "colour": "red" if is_red(n) else "green"}) + "\n" for n in range(RECORDS))
        a.chengmen("status", "import", "-", stdin=rows.encode())
        a.control.stop()
        status, output, errors = a.command("store", "compact", a.store)
        expect_equal(status, 0, f"store compact: {errors or output}")
        a.start_control()
        city.start_dataplane()
        city.keys = {"shanghai": Key("CN-310000")}
        city.import_keys(*city.keys.values())
        a.chengmen("point", "add", "1", "--venue", "v", "--class", "hospital", "--address", "10.77.1.1")
        city.load_rules()
        a.wait_in_force()
        yield a, Store(a)


@contextlib.contextmanager
def stopped(city, a):
    """Neither daemon runs inside; after it both do."""
    city.note_counters()
    a.dataplane.stop()
    a.control.stop()
    yield
    a.start_control()
    city.start_dataplane()


def ask(city, number):
    """An older green code of that subject, so that the record decides; (verdict, reason)."""
    answer = city.peer().ask(city.code(sub=who(number), colour=GREEN, now=int(time.time()) - 30))
    return answer.verdict, answer.reason


def right(number):
    if number >= RECORDS:
        return "ALLOW", "GREEN"
    return ("DENY", "RED") if is_red(number) else ("ALLOW", "GREEN")


DAMAGED = ("REFER", "STATUS_DAMAGED")


def warnings(a):
    return json.loads(a.chengmen("info", "--json"))["warnings"]


def metric(name):
    """None where the dataplane did not tell control in time, as on a busy machine it may not."""
    text = urllib.request.urlopen(f"http://{HTTP}/metrics", timeout=10).read().decode()
    found = [line for line in text.splitlines() if line.startswith(name + " ")]
    return float(found[0].split()[-1]) if found else None


def expect_alarm(a, seconds, name, at_least, words):
    """Both that metric and the operator's `info` tell of it in that time."""
    began = time.monotonic()
    until(lambda: (metric(name) or 0) >= at_least, seconds, f"{name} rises to {at_least}")
    until(lambda: any(words in warning for warning in warnings(a)), seconds, f"a warning of \"{words}\"")
    took = time.monotonic() - began
    expect(took <= seconds, f"the alarm took {took:.2f} s")


def expect_no_alarm(a):
    expect_equal([warning for warning in warnings(a) if "damage" in warning], [], "warnings of a sound store")


@case("one page of the table is damaged under way: REFER for its subjects, all others are served, the alarm within 1 s")
def page(city):
    with folded(city, "page") as (a, store):
        pages = store.pages()
        number = len(pages) // 2
        for subject in pages[number]:
            expect_equal(ask(city, subject), right(subject), f"subject {subject} before")
        expect_no_alarm(a)
        until(lambda: metric('chengmen_requests_total{reason="STATUS_DAMAGED"}') == 0, 5, "no damaged look-up before")
        flip(store.table(), (number + 1) * PAGE + 64 * 5)
        expect_equal(ask(city, pages[number][0]), DAMAGED, "first look-up after the damage")
        expect_alarm(a, 1, 'chengmen_requests_total{reason="STATUS_DAMAGED"}', 1, "damaged")
        for subject in pages[number]:
            expect_equal(ask(city, subject), DAMAGED, f"subject {subject} in the damaged page")
        expect_alarm(a, 1, 'chengmen_requests_total{reason="STATUS_DAMAGED"}', 1 + len(pages[number]), "damaged")
        after = pages[number + 1] if number + 1 < len(pages) else []
        for subject in after:  # those that did not fit the damaged page stand here and are found through it
            expect(ask(city, subject) in (right(subject), DAMAGED), f"subject {subject} in the page behind it")
        others = [subject for i, content in enumerate(pages) if i not in (number, number + 1) for subject in content]
        for subject in others[::7]:
            expect_equal(ask(city, subject), right(subject), f"subject {subject} in another page")
        healed = next(subject for subject in pages[number] if not is_red(subject))
        a.chengmen("status", "set", "--issuer", "CN-310000", "--subject", who(healed).hex(), "--colour", "red")
        a.wait_in_force()
        expect_equal(ask(city, healed), ("DENY", "RED"), "a change that is newer than the damaged page")
        status, output, errors = a.command("store", "verify", a.store)
        expect(status == 1 and f"page {number}: damaged" in output, f"store verify, {status}: {output}{errors}")


@case("the table is cut short or gone at the start: REFER for every subject, never ALLOW, and the alarm says so")
def table(city):
    with folded(city, "table") as (a, store):
        path = store.table()
        sample = list(range(0, RECORDS, RECORDS // 20)) + [1, 3, 5]

        def whole():
            for number in sample:
                expect_equal(ask(city, number), right(number), f"subject {number} of a sound table")

        def damaged(what):
            for number in (*sample, RECORDS + 1):
                expect_equal(ask(city, number), DAMAGED, f"subject {number} with a table that is {what}")
            expect_alarm(a, 1, "chengmen_dataplane_table_damaged", 1, "table")
            expect_alarm(a, 1, 'chengmen_requests_total{reason="STATUS_DAMAGED"}', len(sample), "damaged")

        whole()
        with stopped(city, a):
            os.rename(path, path + ".kept")
            with open(path + ".kept", "rb") as kept, open(path, "wb") as cut:
                cut.write(kept.read()[:os.path.getsize(path + ".kept") // PAGE // 2 * PAGE])
        damaged("cut short")
        with stopped(city, a):
            os.remove(path)
        damaged("gone")
        a.chengmen("status", "set", "--issuer", "CN-310000", "--subject", who(2).hex(), "--colour", "red")
        a.wait_in_force()
        expect(ask(city, 2)[0] in ("DENY", "REFER"), "a red change over no table")
        with stopped(city, a):
            os.rename(path + ".kept", path)
        whole()
        expect_no_alarm(a)


@case("the filter is damaged or gone: the table is read for everyone, verdicts are right, and the alarm says so")
def filter_(city):
    with folded(city, "filter") as (a, store):
        path = store.filter()
        size = os.path.getsize(path)

        def served(what):
            for number in [*range(0, RECORDS, RECORDS // 40), *range(1, 60, 7), *range(RECORDS, RECORDS + 40)]:
                expect_equal(ask(city, number), right(number), f"subject {number} with a filter that is {what}")

        flip(path, size // 2)
        served("damaged under way")  # it is in memory
        for what, change in (("damaged", lambda: None), ("of wrong header", lambda: flip(path, 16)),
                             ("cut short", lambda: os.truncate(path, size // 2)), ("gone", lambda: os.remove(path))):
            with stopped(city, a):
                change()
            expect_equal(a.info()["table_damaged"], 0, "table")
            expect_alarm(a, 1, "chengmen_dataplane_filter_damaged", 1, "filter")
            served(what)


@case("a fold meets a damaged page: control goes on, nothing has changed, and the operator is told")
def fold(city):
    with Daemon(city, HTTP) as daemon:
        store = os.path.join(daemon.directory, "store")
        line = '{"issuer":"CN-310000","subject":"%032x","colour":"red"}\n'
        daemon.run("status", "import", "-", text="".join(line % number for number in range(RECORDS)))
        daemon.stop()
        daemon.run("store", "compact", store)
        daemon.start()
        expect_equal(metric("chengmen_fold_failed"), 0, "folds that failed before")
        name = next(name for name in os.listdir(store) if name.startswith("table-"))
        flip(os.path.join(store, name), 10 * PAGE + 100)
        path = daemon.path("changes", "".join(line % number for number in range(RECORDS, RECORDS + FOLD_RECORDS)))
        done = subprocess.run([os.path.join(city.build, "chengmen"), "status", "import", path, "--socket",
                               daemon.socket], capture_output=True, text=True, timeout=240)
        expect_equal(done.returncode, 0, f"import: {done.stderr}")
        told = until(lambda: [warning for warning in daemon.ask("info")["warnings"] if "fold" in warning], 60,
                     "a warning of the fold that failed", 0.1)
        wanted = f"table {name.removeprefix('table-')} is damaged at page 9"
        expect(wanted in told[0], f"the warning: {told}")
        expect_equal(metric("chengmen_fold_failed"), 1, "the last fold failed")
        daemon.run("status", "set", "--issuer", "CN-310000", "--subject", f"{RECORDS:032x}", "--colour", "green")
        told = daemon.ask("status", "get", "--issuer", "CN-310000", "--subject", f"{RECORDS:032x}")
        expect_equal(told["colour"], "green", "a change after the fold that failed")
        expect(os.path.exists(os.path.join(store, name)), "the table stays")
        daemon.stop()


def listed(city, index):
    answer = city.peer().ask(city.code("shanghai", PRINTED, status=status_reference(index, LIST)))
    return answer.verdict, answer.reason


def expect_control_stops(a, place):
    """Control does not start on that store, and says where the damage is."""
    a.control.start()
    until(lambda: not a.control.running(), 20, "control ends")
    expect_equal(a.control.process.returncode, 1, "exit code of control")
    for word in place:
        expect(word in a.control.said(), f"control said: {a.control.said()}")


@case("a status list in the log is damaged: control stops and names the place; the dataplane keeps what it has, or has none")
def status_list(city):
    for behind in (3, 0):  # changes that the log holds behind the damaged one
        with folded(city, f"list{behind}") as (a, store):
            def set_entry(index):
                a.chengmen("status", "set", "--list", LIST, "--index", str(index), "--value", "invalid", "--issuer",
                           "CN-310000")
            set_entry(7)
            sequence = a.sequence()
            for index in range(behind):
                set_entry(10 + index)
            a.wait_in_force()
            expect_equal(listed(city, 7), ("DENY", "REVOKED"), "a revoked one before")
            a.control.kill()
            log = max(name for name in os.listdir(a.store) if name.startswith("log-"))
            with open(os.path.join(a.store, log), "rb") as file:
                place = file.read().find(LIST.encode())  # the list itself comes first, its changes after it
            expect(place > 0, f"the list is in {log}")
            flip(os.path.join(a.store, log), place)
            expect_control_stops(a, [f"record {sequence} is damaged", f"segment {log}", "offset"])
            for index, wanted in ((7, ("DENY", "REVOKED")), (8, ("ALLOW", "GREEN"))):
                expect_equal(listed(city, index), wanted, f"entry {index} at a dataplane that goes on")
            expect_equal(ask(city, 2), ("DENY", "RED"), "a red subject at a dataplane that goes on")
            city.note_counters()
            a.dataplane.kill()
            until(lambda: not os.path.exists(f"/proc/sys/net/ipv6/conf/{city.interface}"), 10, "the interface goes")
            a.start_dataplane(ready=False)
            until(a.answers, 40, "the dataplane's counters")
            city.attach()
            said = until(lambda: a.info()["store_error"], 10, "the dataplane says what is wrong with the store")
            expect(f"record {sequence} is damaged" in said and log in said, f"the dataplane said: {said}")
            expect_equal((a.info()["store_reading"], a.info()["generations"]), (0, 0), "half a state")
            for number in range(4):
                data = post_v(city.next_id(), request(number, city.code(sub=who(number), colour=GREEN)))
                answer = city.peer().exchange(data)
                expect_equal((answer.code, answer.payload), ("5.03", UNAVAILABLE), "answer without a state")
            flip(os.path.join(a.store, log), place)
            a.start_control()
            a.wait_in_force()
            expect_equal(listed(city, 7), ("DENY", "REVOKED"), "a revoked one after the repair")
            city.alive()
