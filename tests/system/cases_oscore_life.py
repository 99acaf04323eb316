"""Only known points are heard, in secret: OSCORE on the wire, from an implementation of its own."""
import json
import os
import pwd
import subprocess
import time

from appliance import until
from cases_capture import capture, tshark
from check import case, expect, expect_equal
from city import DATAPLANE
from formats import ACK, OSCORE, Answer, Message, request, text_of
from oscore_point import ECHO, Context

# In no trusted prefix: who comes from there is known by its context only.
STRANGER = "10.79.3.3"
ALGORITHMS = {10: "AES-CCM-16-64-128", 24: "ChaCha20/Poly1305"}


def provision(city, number, alg=10):
    a = city.appliance
    a.chengmen("point", "add", str(number), "--venue", "huashan", "--class", "hospital", "--oscore", "--oscore-alg",
               ALGORITHMS[alg])
    return export(city, number)


def export(city, number):
    document = json.loads(city.appliance.chengmen("point", "export", str(number)))
    city.appliance.wait_in_force()
    return document


class Point:
    """A point with a context, and what it saw of the wire."""

    def __init__(self, city, document):
        self.city, self.context, self.peer = city, Context(document), city.peer(STRANGER, port=45000)
        self.packets = []

    def send(self, datagram):
        frame = self.peer.datagram(datagram)
        answer = self.city.link.exchange(frame, 2)
        self.packets.append((time.time(), frame))
        if answer is None:
            return None
        message = Message(answer.data)
        message.raw = answer.data
        return message

    def protect(self, **more):
        self.token = os.urandom(6)
        self.number = self.city.next_id()
        return self.context.protect(self.number, request(self.number, self.city.code(), temperature=3650), self.token,
                                    **more)

    def inner(self, message, piv):
        expect(message is not None, "no answer")
        expect_equal((message.kind, message.id, message.token), (ACK, self.number, self.token), "head of the answer")
        inner = self.context.unprotect(message, piv)
        expect(inner is not None, f"{message.code} {message.payload.hex()} is not a protected answer")
        expect_equal(message.code, "2.04", "outer code")
        return inner

    def synchronise(self):
        """Meets the challenge that a start of the appliance begins with; the Partial IV of the challenge's own."""
        datagram, piv = self.protect()
        message = self.send(datagram)
        inner = self.inner(message, piv)
        expect_equal(inner.code, "4.01", "code of the challenge")
        own = message.option(OSCORE)
        expect(own and own[0] & 7, "the challenge has no Partial IV of its own")
        datagram, piv = self.protect(echo=inner.option(ECHO))
        expect_equal(self.inner(self.send(datagram), piv).code, "2.05", "code after the challenge")
        return own

    def ask(self):
        datagram, piv = self.protect()
        message = self.send(datagram)
        inner = self.inner(message, piv)
        expect_equal((inner.code, inner.option(12)), ("2.05", b"\x3c"), "inner answer")
        answer = Answer(inner.payload)
        expect_equal(answer.id, self.number, "id in the answer")
        return answer


@case("a point with a context is challenged once, then heard, by either algorithm, from anywhere")
def heard(city):
    for number, alg in ((701, 10), (702, 24)):
        point = Point(city, provision(city, number, alg))
        with city.counted(OSCORE_ECHO=1, GREEN=6):
            point.synchronise()
            for _ in range(5):
                city.expect_verdict(point.ask(), "ALLOW", "GREEN")


@case("a retransmission gets the identical bytes; a replay with another message id is refused; no number counts twice")
def replayed(city):
    point = Point(city, provision(city, 703))
    point.synchronise()
    datagram, piv = point.protect()
    with city.counted(GREEN=1, RETRANSMISSION=2):
        first = point.send(datagram)
        point.inner(first, piv)
        for _ in range(2):
            expect_equal(point.send(datagram).raw, first.raw, "answer to a retransmission")
    with city.counted(OSCORE_REPLAY=1):
        other = bytearray(datagram)
        other[2] ^= 0x80
        message = point.send(bytes(other))
        expect_equal((message.code, message.option(OSCORE)), ("4.01", None), "answer to a replay")
    with city.counted(GREEN=2):
        late = point.context.sequence
        point.context.sequence += 3
        point.ask()
        datagram, piv = point.protect(sequence=late)  # reordered, within the window
        point.inner(point.send(datagram), piv)


@case("what is not authentic is refused in the open, and never computed")
def forged(city):
    document = provision(city, 704)
    point = Point(city, document)
    point.synchronise()
    with city.counted(OSCORE_PROTECTION=4):
        for at in (-1, -8, -9, -60):
            datagram = bytearray(point.protect()[0])
            datagram[at] ^= 1
            expect_equal(point.send(bytes(datagram)).code, "4.00", "answer to a bent request")
    stranger = Point(city, {**document, "sender_id": "00ffff01"})
    stranger.peer = city.peer("10.79.4.4")
    with city.counted(OSCORE_CONTEXT=1):
        expect_equal(stranger.send(stranger.protect()[0]).code, "4.01", "answer to an unknown kid")
    with city.counted(OSCORE_FORM=1):
        datagram = bytearray(stranger.protect()[0])
        at = datagram.index(stranger.context.option(b"\1"))
        datagram[at] |= 0x80
        expect_equal(stranger.send(bytes(datagram)).code, "4.02", "answer to a reserved bit")
    city.expect_verdict(point.ask(), "ALLOW", "GREEN")


@case("a flood of forgeries gets few answers, and the point is heard all the while")
def flood(city):
    point = Point(city, provision(city, 705))
    point.synchronise()
    before = city.settle()
    for _ in range(300):
        datagram = bytearray(point.protect()[0])
        datagram[-1] ^= 1
        city.link.send(point.peer.datagram(bytes(datagram)))
        time.sleep(0.0005)
    after = city.settle()
    refused = after["OSCORE_PROTECTION"] - before["OSCORE_PROTECTION"]
    dropped = after["SOURCE_BUDGET"] - before["SOURCE_BUDGET"]
    expect_equal(refused + dropped, 300, "forgeries")
    expect(refused < 60, f"{refused} of 300 forgeries were answered")
    city.expect_verdict(point.ask(), "ALLOW", "GREEN")


@case("after the dataplane is killed nothing from before is heard, and no number of its own comes again")
def restarted(city):
    point = Point(city, provision(city, 706))
    first = point.synchronise()
    old, old_piv = point.protect()
    point.inner(point.send(old), old_piv)
    city.note_counters()
    city.appliance.dataplane.kill()
    until(lambda: not os.path.exists("/proc/sys/net/ipv6/conf/cm0"), 10, "the interface goes with its process")
    city.start_dataplane()
    with city.counted(OSCORE_ECHO=1):
        inner = point.context.unprotect(point.send(old), old_piv)
        expect_equal(inner and inner.code, "4.01", "answer to a request from before the restart")
    second = point.synchronise()
    expect(second[1:] > first[1:] or len(second) > len(first), f"Partial IV {second.hex()} after {first.hex()}")
    with city.counted(OSCORE_REPLAY=1):
        other = bytearray(old)
        other[2] ^= 0x80
        expect_equal(point.send(bytes(other)).code, "4.01", "answer to a replay")
    city.expect_verdict(point.ask(), "ALLOW", "GREEN")


@case("a rotated context replaces the old one at once, and a revoked one is refused within 10 ms")
def rotated(city):
    old = Point(city, provision(city, 707))
    old.synchronise()
    city.appliance.chengmen("point", "rotate", "707")
    new = Point(city, export(city, 707))
    expect_equal(old.send(old.protect()[0]).code, "4.00", "answer to the old secret")
    new.synchronise()
    city.appliance.chengmen("point", "revoke", "707")
    done = time.monotonic()
    message = new.send(new.protect()[0])
    if message.code == "2.04":
        expect(time.monotonic() - done < 0.010, "a revoked point is heard")
        time.sleep(0.010)
        message = new.send(new.protect()[0])
    expect_equal(message.code, "4.01", "answer to a revoked point")


@case("tshark decrypts what a point and the appliance say, with the context given")
def decrypted(city):
    document = provision(city, 708)
    point = Point(city, document)
    packets = []
    for echo in (None, True, None):
        datagram, piv = point.protect(echo=inner.option(ECHO) if echo else None)
        frame = point.peer.datagram(datagram)
        city.link.drain()
        packets.append((time.time(), frame))
        city.link.send(frame)
        answer = city.link.receive(2)
        packets.append((time.time(), answer))
        inner = point.context.unprotect(Message(answer[42:]), piv)
    path = os.path.join(city.appliance.directory, "oscore.pcap")
    capture(path, packets)
    fields = (document["sender_id"], document["recipient_id"], document["master_secret"], document["master_salt"],
              document.get("id_context", ""), "AES-CCM-16-64-128 (CCM*)")
    table = "uat:oscore_contexts:" + ",".join(f'"{field}"' for field in fields)
    text = tshark(path, "-o", table, "-V")
    expect_equal(text.count("[Decrypted Authentication Tag: "), 6, "messages decrypted")
    expect_equal(text.count("Code: 2.05 Content (69)"), 2, "verdicts in what tshark decrypted")


@case("chengmen scan --oscore gets its verdict through the kernel's sockets, and keeps its numbers")
def command(city):
    a = city.appliance
    path = os.path.join(a.directory, "point-709.json")
    provision(city, 709)
    a.chengmen("point", "export", "--out", path, "709")
    a.wait_in_force()
    subprocess.run(["ip", "address", "add", "10.77.222.1/16", "dev", city.interface], check=True)
    try:
        for transmissions in (2, 1):
            status, output, errors = a.command("scan", "--to", "10.77.0.1", "--point", "709", "--oscore", path,
                                               "--deadline", "10", "--json", text_of(city.code()))
            expect_equal(status, 0, f"exit status: {output} {errors}")
            answer = json.loads(output)
            expect_equal((answer["verdict"], answer["protected"], answer["opens"]), ("ALLOW", True, True), "answer")
            expect_equal(answer["transmissions"], transmissions, "transmissions")
        status, _, errors = a.command("scan", "--to", "10.77.0.1", "--point", "1", "--oscore", path, "SC1:")
        expect_equal(status, 2, f"another point's context: {errors}")
        a.chengmen("point", "revoke", "709")
        a.wait_in_force()
        status, output, _ = a.command("scan", "--to", "10.77.0.1", "--point", "709", "--oscore", path, "--deadline",
                                      "10", "--json", text_of(city.code()))
        expect_equal((status, json.loads(output)["reason"]), (1, "OSCORE_CONTEXT"), "a revoked point")
    finally:
        subprocess.run(["ip", "address", "flush", "dev", city.interface], check=True)


@case("no secret stands in the store, in a log, in telemetry or in what a process says")
def secrets(city):
    document = provision(city, 710)
    secret = document["master_secret"]
    a = city.appliance
    said = a.control.said() + a.dataplane.said() + json.dumps(a.counters()) + a.chengmen("point", "list", "--json")
    expect(secret not in said.lower(), "a master secret is shown")
    files = 0
    for folder, _, names in os.walk(a.store):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.isfile(path):  # the dataplane's wake-up is a socket
                continue
            with open(path, "rb") as file:
                files += 1
                expect(bytes.fromhex(secret) not in file.read(), f"a master secret stands open in {name}")
    expect(files > 2, "no store was searched")
    expect_equal(os.stat(a.store + ".key").st_mode & 0o7737, 0o600, "mode of the seal's key")
    with open(f"/proc/{a.dataplane.process.pid}/limits", encoding="ascii") as file:
        row = next(row for row in file if row.startswith("Max core file size"))
    expect_equal(row.split()[4:6], ["0", "0"], "core file size of the dataplane")


@case("workers have no capability and a filter of their own, as the kernel tells it")
def confined(city):
    pid = city.appliance.dataplane.process.pid
    threads = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as file:
            status = dict(row.rstrip("\n").split(":\t", 1) for row in file if ":\t" in row)
        threads[status["Name"]] = (status["CapEff"].strip("0"), int(status["Seccomp_filters"]), status["NoNewPrivs"])
    workers = [seen for name, seen in threads.items() if "worker" in name]
    expect(workers, f"no worker among the threads {sorted(threads)}")
    expect(all(seen == ("", 2, "1") for seen in workers), f"workers: {workers}")
    expect(all(seen[1] >= 1 for seen in threads.values()), f"threads without a filter: {threads}")


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return dict(row.rstrip("\n").split(":\t", 1) for row in file if ":\t" in row)


@case("both daemons become their user: no capability, a filter, and control still hears the dataplane")
def other_user(city):
    nobody = pwd.getpwnam("nobody")
    a = city.make("users", {**DATAPLANE, "ports": ["net_tap0,iface=cm-users"], "user": "nobody"}, {"user": "nobody"})
    settings = json.load(open(a.config, encoding="utf-8"))
    settings["control"]["telemetry"] = os.path.join(a.runtime, "dpdk", a.name, "dpdk_telemetry.v2")
    a.write(a.config, settings)
    os.chown(a.directory, nobody.pw_uid, nobody.pw_gid)
    os.chmod(a.runtime, 0o711)
    try:
        a.start_control()
        a.start_dataplane()
        for daemon in (a.control, a.dataplane):
            status = status_of(daemon.process.pid)
            expect_equal(status["Uid"].split(), [str(nobody.pw_uid)] * 4, f"users of {daemon.name}")
            expect_equal([int(status[which], 16) for which in ("CapPrm", "CapEff")], [0, 0],
                         f"capabilities of {daemon.name}")
            expect_equal((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"), f"filter of {daemon.name}")
        until(lambda: json.loads(a.chengmen("info", "--json"))["dataplane"]["reachable"], 10, "control hears the dataplane")
    finally:
        a.stop()
