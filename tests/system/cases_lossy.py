"""A bad network: a relay between points and the appliance loses, doubles, delays, reorders, bends, replays and
cross-wires what it carries, by a seed. LOSSY_SECONDS and LOSSY_SEED in the environment make the run longer or another."""
import heapq
import os
import random
import time

from cases_oscore_life import Point, provision
from check import case, expect, expect_equal
from formats import Answer, Message
from frames import Packet

LOSS, TWICE, BENT, REPLAYED, CROSSED = 0.3, 0.2, 0.05, 0.05, 0.05
DELAY_S = 0.03
POINTS = 6
RETRANSMIT_S = 0.08
TRANSMISSIONS = 40  # all of them are lost by two in ten million


class Relay:
    """Datagrams in both directions, each with the number of the point that it is of or for."""

    def __init__(self, city, points, seed):
        self.city, self.points, self.random = city, points, random.Random(seed)
        self.waiting, self.count, self.carried = [], 0, []
        self.numbers = {(p.peer.source, p.peer.port): i for i, p in enumerate(points)}
        self.answers = {}  # (point, head): the appliance's protected answers, before anything befalls them

    def chance(self, share):
        return self.random.random() < share

    def bend(self, data):
        data = bytearray(data)
        data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
        return bytes(data)

    def carry(self, upward, number, data):
        """What becomes of one datagram."""
        self.carried = (self.carried + [(upward, number, data)])[-200:]
        for _ in range(1 + self.chance(TWICE)):
            if self.chance(LOSS):
                continue
            to = self.random.randrange(POINTS) if self.chance(CROSSED) else number
            self.later(upward, to, self.bend(data) if self.chance(BENT) else data)
        if self.chance(REPLAYED):
            self.later(*self.random.choice(self.carried))

    def later(self, upward, number, data):
        self.count += 1
        heapq.heappush(self.waiting, (time.monotonic() + self.random.random() * DELAY_S, self.count, upward, number, data))

    def step(self):
        """Carries on for a moment; the datagrams that have come to points, as (point's number, bytes)."""
        arrived = []
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            _, _, upward, number, data = heapq.heappop(self.waiting)
            if upward:
                frame = self.points[number].peer.datagram(data)
                # A bent frame is as often caught by its checksum as not.
                self.city.link.send(frame if self.chance(0.95) else frame[:30] + self.bend(frame[30:]))
            else:
                arrived.append((number, data))
        frame = self.city.link.receive(0.002)
        while frame is not None:
            packet = Packet(frame)
            number = self.numbers.get((packet.destination, packet.destination_port))
            if number is not None:
                self.note(number, packet.data)
                self.carry(False, number, packet.data)
            frame = self.city.link.receive(0)
        return arrived

    def note(self, number, data):
        message = Message(data)
        if message.code == "2.04":
            self.answers.setdefault((number, message.id, message.token), set()).add(data)


class Asker:
    """One point with one request under way: sent again until there is a verdict or a refusal."""

    def __init__(self, number, point, relay):
        self.number, self.point, self.relay = number, point, relay
        self.verdicts, self.refusals, self.made, self.decisions = 0, [], 0, set()
        self.datagram = None

    def ask(self):
        self.datagram, self.piv = self.point.protect()
        self.made += 1
        self.sent = 0
        self.transmit()

    def transmit(self):
        expect(self.sent < TRANSMISSIONS, f"point {self.number}: no end after {self.sent} transmissions")
        self.sent += 1
        self.next_s = time.monotonic() + RETRANSMIT_S
        self.relay.carry(True, self.number, self.datagram)

    def take(self, data):
        try:
            message = Message(data)
        except ValueError:
            return  # bent
        if self.datagram is None or (message.id, message.token) != (self.point.number, self.point.token):
            return
        inner = self.point.context.unprotect(message, self.piv)
        if inner is not None:
            answer = Answer(inner.payload)
            expect_equal((inner.code, answer.id, answer.reason), ("2.05", self.point.number, "GREEN"), "verdict")
            expect(answer.decision not in self.decisions, "one decision for two requests")
            self.decisions.add(answer.decision)
            self.verdicts += 1
        elif message.option(9) is None and message.code[0] in "45":
            self.refusals.append(message.code)  # in the open: the gate stays closed, and the point asks anew
        else:
            return  # bent, or another's
        self.datagram = None


@case("at 30 % loss, with copies, delays, bent bits, replays and crossed wires each request ends once")
def lossy(city):
    seed, seconds = int(os.environ.get("LOSSY_SEED", "1")), float(os.environ.get("LOSSY_SECONDS", "8"))
    points = []
    for i in range(POINTS):
        point = Point(city, provision(city, 730 + i, 24 if i == 0 else 10))
        point.peer = city.peer(f"10.{80 + i}.3.3", port=46000 + i)
        point.synchronise()
        points.append(point)
    before = city.settle()
    relay = Relay(city, points, seed)
    askers = [Asker(i, point, relay) for i, point in enumerate(points)]
    end = time.monotonic() + seconds
    while time.monotonic() < end or any(asker.datagram for asker in askers):
        for number, data in relay.step():
            askers[number].take(data)
        for asker in askers:
            if asker.datagram is None and time.monotonic() < end:
                asker.ask()
            elif asker.datagram is not None and time.monotonic() >= asker.next_s:
                asker.transmit()
    while relay.waiting:
        relay.step()
    after = city.settle()
    count = {name: after[name] - before[name] for name in after if isinstance(after[name], int)}
    made, verdicts = sum(asker.made for asker in askers), sum(asker.verdicts for asker in askers)
    refusals = [code for asker in askers for code in asker.refusals]
    expect_equal(verdicts + len(refusals), made, f"requests ended, seed {seed}")
    expect(verdicts > made / 2 and verdicts > 20, f"{verdicts} verdicts of {made} requests, seed {seed}")
    expect(verdicts <= count["GREEN"] <= made, f"{count['GREEN']} computed of {made}, {verdicts} answered, seed {seed}")
    for name in ("RETRANSMISSION", "OSCORE_REPLAY", "OSCORE_PROTECTION"):
        expect(count[name] > 0, f"{name} never happened, seed {seed}")
    for key, answers in relay.answers.items():
        expect_equal(len(answers), 1, f"different answers to one message {key}, seed {seed}")
