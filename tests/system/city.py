"""The small city that the packet tests run in: one appliance on a TAP, issuers, points, rules, and what was counted."""
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time

import frames
from appliance import Appliance, until
from check import Failed, expect, expect_equal
from formats import CON, REASONS, Answer, Key, Message, credential, post_v, request
from link import Link, dropped

INTERFACE = "cm0"
PEER_MAC = frames.mac("02:00:00:00:00:99")
OWN4, OWN6 = frames.address("10.77.0.1"), frames.address("fd00:77::1")
VLAN = 7
VLAN_OWN4, VLAN_OWN6 = frames.address("10.78.0.1"), frames.address("fd00:78::1")

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "rules.json"), encoding="utf-8") as file:
    RULES = file.read()

DATAPLANE = {
    "ports": [f"net_tap0,iface={INTERFACE}"],
    "addresses": [{"address": "10.77.0.1/16"}, {"address": "fd00:77::1/64"},
                  {"address": "10.78.0.1/16", "vlan": VLAN}, {"address": "fd00:78::1/64", "vlan": VLAN}],
    "trusted": ["10.77.0.0/16", "fd00:77::/64", "10.78.0.0/16", "fd00:78::/64"],
    "point_rate_per_s": 0,
}

# number, class, venue, address, further options of `chengmen point add`
POINTS = [
    (1, "hospital", "huashan", "10.77.1.1", ()),
    (2, "office", "tower", "10.77.1.2", ()),
    (3, "estate", "garden", "10.77.1.3", ()),
    (4, "subway", "people-square", "10.77.1.4", ()),
    (5, "government-hall", "hall", "10.77.1.5", ()),
    (6, "office", "advisory-tower", "10.77.1.6", ("--mode", "advisory")),
    (7, "hospital", "six", "fd00:77::1:7", ()),
    (8, "hospital", "seven", "10.78.1.8", ()),
    (9, "hospital", "eight", "fd00:78::1:9", ()),
    (10, "museum", "no-rows", "10.77.1.10", ()),
]


class Peer:
    """A scanning point as seen on the wire: an address of either family, perhaps in a VLAN."""

    def __init__(self, city, source, port=40000, vlan=None):
        self.city, self.source, self.port, self.vlan = city, frames.address(source), port, vlan
        four = len(self.source) == 4
        if vlan is None:
            self.destination = OWN4 if four else OWN6
        else:
            self.destination = VLAN_OWN4 if four else VLAN_OWN6
        self.ethertype = frames.ETHERTYPE_IPV4 if four else frames.ETHERTYPE_IPV6

    def frame(self, packet):
        return frames.ethernet(self.city.mac, PEER_MAC, self.ethertype, packet, self.vlan)

    def packet(self, protocol, payload, **more):
        return self.frame(frames.ip(self.source, self.destination, protocol, payload, **more))

    def datagram(self, data, **more):
        return self.packet(frames.UDP, frames.udp(self.source, self.destination, self.port, 5683, data, **more))

    def exchange(self, data, wait_s=2.0):
        """Sends CoAP bytes; the answer as a Message after every check of its headers, or None."""
        packet = self.city.link.exchange(self.datagram(data), wait_s)
        if packet is None:
            return None
        expect_equal(packet.destination_mac, PEER_MAC, "answer's destination MAC")
        expect_equal(packet.source_mac, self.city.mac, "answer's source MAC")
        expect_equal(packet.vlan, self.vlan, "answer's VLAN")
        expect_equal((packet.source, packet.source_port), (self.destination, 5683), "answer's source")
        expect_equal((packet.destination, packet.destination_port), (self.source, self.port), "answer's destination")
        message = Message(packet.data)
        message.raw = packet.data
        return message

    def ask(self, code, number=None, kind=CON, transmissions=1, **evidence):
        """Shows a code; the verdict as an Answer. The message around it is checked."""
        message_id = self.city.next_id()
        number = message_id if number is None else number
        token = os.urandom(4)
        data = post_v(message_id, request(number, code, **evidence), kind, token)
        message = None
        for _ in range(transmissions):
            message = message or self.exchange(data)
        expect(message is not None, "no answer")
        expect_equal(message.code, "2.05", "code of the answer")
        expect_equal(message.token, token, "token of the answer")
        expect_equal(message.option(12), b"\x3c", "content format of the answer")
        if kind == CON:
            expect_equal((message.kind, message.id), (2, message_id), "type and id of the answer")
        else:
            expect_equal(message.kind, 1, "type of the answer")
        answer = Answer(message.payload)
        expect_equal(answer.id, number, "id in the answer")
        return answer


class City:
    def __init__(self, build):
        self.build = build
        self.directory = tempfile.mkdtemp(prefix="chengmen-test-")
        os.chmod(self.directory, 0o755)
        self.produced = {}
        self.appliances = []
        self._id = int.from_bytes(os.urandom(2), "big")
        self.keys = {}
        self.rules_version = 0
        self.appliance = self.make("city", DATAPLANE)
        self.interface, self.link, self.mac = INTERFACE, None, None

    def next_id(self):
        self._id = (self._id + 1) & 0xFFFF
        return self._id

    def make(self, name, dataplane, control=None):
        name = f"chengmen-{os.getpid()}-{name}"
        appliance = Appliance(self.build, os.path.join(self.directory, name), name, dataplane, control)
        self.appliances.append(appliance)
        return appliance

    # The life of the appliance under test

    def start(self):
        self.appliance.start_control()
        self.start_dataplane()
        self.load_keys()
        self.load_points()
        self.load_rules()
        self.appliance.wait_in_force()

    def start_dataplane(self):
        self.appliance.start_dataplane()
        self.attach()

    @contextlib.contextmanager
    def another(self, name, dataplane=None, control=None):
        """A second appliance with other settings, which the cases' helpers mean while it runs. Nothing is loaded.
        Sanitizers and its neighbour make it slow to start; keep such cases few."""
        kept = self.appliance, self.interface, self.link, self.mac, self.keys
        self.interface = f"cm-{name}"
        try:
            self.appliance = self.make(name, {**DATAPLANE, "ports": [f"net_tap0,iface={self.interface}"],
                                              **(dataplane or {})}, control)
            yield self.appliance
            if self.appliance.dataplane.running():
                self.expect_balance()
                self.note_counters()
        finally:
            self.appliance.stop()
            self.appliance, self.interface, self.link, self.mac, self.keys = kept

    def attach(self):
        """Takes the TAP as it is: no addresses, so that only what a test sends arrives."""
        until(lambda: os.path.exists(f"/proc/sys/net/ipv6/conf/{self.interface}"), 10, f"interface {self.interface}")
        with open(f"/proc/sys/net/ipv6/conf/{self.interface}/disable_ipv6", "w", encoding="ascii") as file:
            file.write("1\n")
        subprocess.run(["ip", "link", "set", self.interface, "up"], check=True)
        self.link = Link(self.interface)
        Link.sent[self.interface] = 0
        # The appliance's MAC is what it answers ARP with.
        ask = frames.ethernet(b"\xff" * 6, PEER_MAC, frames.ETHERTYPE_ARP,
                              frames.arp(1, PEER_MAC, frames.address("10.77.9.9"), b"\0" * 6, OWN4))
        packet = until(lambda: self.link.exchange(ask, 0.2), 10, "ARP is answered")
        self.mac = packet.source_mac
        self.settle()

    def settle(self):
        """Waits until all that was sent has been counted to its end; returns the counters."""
        end = time.monotonic() + 2
        last = None
        while True:
            now = self.appliance.counters()
            arrived = now["received"] >= Link.sent.get(self.interface, 0) - dropped(self.interface)
            if now == last and not now["parked_now"] and (arrived or time.monotonic() > end):
                return now
            last = now
            time.sleep(0.004)

    def note_counters(self):
        """Adds what this dataplane has counted to what was produced; called before it ends."""
        counters = self.appliance.counters()
        self.note(counters)

    def note(self, counters):
        for name, _ in REASONS.values():
            self.produced[name] = self.produced.get(name, 0) + counters.get(name, 0)

    def close(self):
        for appliance in self.appliances:
            with contextlib.suppress(Exception):
                appliance.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def explain_failure(self, started_badly=False):
        for daemon in (self.appliance.dataplane, self.appliance.control):
            if daemon.process is not None and (started_badly or not daemon.running()):
                state = "runs" if daemon.running() else f"ended with {daemon.process.returncode}"
                print(f"        {daemon.name} {state} and said:")
                print("".join(f"        {row}\n" for row in daemon.said().splitlines()[-40:]), end="")

    def recover(self):
        """After a failed case: what it stopped runs again, so that the cases after it are not hurt."""
        with contextlib.suppress(Failed, OSError):
            if not self.appliance.control.running():
                self.appliance.start_control()
            if not self.appliance.dataplane.running():
                self.start_dataplane()

    # What is loaded

    def load_keys(self):
        now = int(time.time())
        self.keys = {
            "shanghai": Key("CN-310000", regions=[310000]),
            "jiangsu": Key("CN-320000"),
            "zhejiang": Key("CN-330000"),
            "anhui": Key("CN-340000"),
            "hubei": Key("CN-420000"),
            "beijing": Key("CN-110000"),
            "retired": Key("CN-310000"),
            "not_yet": Key("CN-310000", nbf=now + 86400),
            "expired": Key("CN-310000", exp=now - 60),
            "lists": Key("CN-310000", use="status"),
            "printed_only": Key("CN-310000", classes=["printed"]),
        }
        self.import_keys(*self.keys.values())
        self.appliance.chengmen("key", "retire", self.keys["retired"].kid.hex())

    def import_keys(self, *keys):
        path = self.appliance.file("keys.json", {"keys": [key.jwk() for key in keys]})
        self.appliance.chengmen("key", "import", path)

    def load_points(self):
        for number, venue_class, venue, address, more in POINTS:
            self.appliance.chengmen("point", "add", str(number), "--venue", venue, "--class", venue_class,
                                    "--address", address, *more)

    def load_rules(self, **members):
        """Applies the tests' rules under the next version, with further members of the set; returns the version."""
        self.rules_version += 1
        rules = json.loads(RULES)
        rules.update(members, version=self.rules_version)
        self.appliance.chengmen("rules", "apply", self.appliance.file("rules.json", rules))
        return self.rules_version

    # Helpers of the cases

    def code(self, key="shanghai", *arguments, **change):
        return credential(self.keys[key], *arguments, **change)

    def peer(self, source="10.77.1.1", **more):
        return Peer(self, source, **more)

    @contextlib.contextmanager
    def counted(self, **wanted):
        """What happens inside is counted under exactly these names, and nothing else is."""
        before = self.settle()
        yield
        until(lambda: self.appliance.counters()["received"] - before["received"] >= sum(wanted.values()), 5,
              f"{sum(wanted.values())} frames received")
        after = self.settle()
        names = [name for name, _ in REASONS.values()]
        found = {name: after[name] - before[name] for name in names if after[name] != before[name]}
        expect_equal(found, wanted, "counted")
        self.expect_balance(after)

    def expect_balance(self, counters=None):
        """A burst is counted step by step, so what does not balance yet may do so in a moment."""
        for _ in range(100):
            counters = counters or self.settle()
            ended = sum(counters[name] for name, _ in REASONS.values())
            answered = sum(counters[name] for name, ending in REASONS.values() if ending != "DROP")
            went_out = counters["sent"] + counters["send_failed"]
            if counters["received"] == ended + counters["parked_now"] and went_out == answered:
                return
            counters = None
            time.sleep(0.01)
        raise Failed(f"counters do not balance: received {ended} of them ended, {answered} answered, {went_out} sent")

    def expect_dropped(self, frame, reason):
        """The frame is counted under that name and nothing comes back."""
        with self.counted(**{reason: 1}):
            self.link.drain()
            self.link.send(frame)
        expect_equal(self.link.receive(0), None, f"answer to a frame that is {reason}")

    def expect_verdict(self, answer, verdict, reason):
        expect_equal((answer.verdict, answer.reason), (verdict, reason), "verdict")

    def alive(self):
        """The appliance answers a good request."""
        answer = self.peer().ask(self.code())
        self.expect_verdict(answer, "ALLOW", "GREEN")
