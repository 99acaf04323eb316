"""Steady requests in a thread, each answered or missed, while a case changes what is in force."""
import os
import threading
import time

from formats import CON, Answer, Message, post_v, request
from link import Link


class Traffic:
    """`with Traffic(city, …) as traffic:` sends a request every `pause` seconds; afterwards `traffic.answers` holds
    (when it was sent, Answer) of each, and `traffic.missed` the number that got none."""

    def __init__(self, city, make, pause=0.002, port=41000):
        self.city, self.make, self.pause = city, make, pause
        self.peer = city.peer(port=port)
        self.answers, self.refused, self.missed = [], [], 0
        self.waiting = {}
        self.stopping = threading.Event()

    def __enter__(self):
        self.link = Link(self.city.link.interface)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
        end = time.monotonic() + 2
        while self.waiting and time.monotonic() < end:
            self.collect(0.05)
        self.missed = len(self.waiting)
        self.link.socket.close()

    def run(self):
        number = 0
        while not self.stopping.is_set():
            number = number + 1 & 0xFFFF
            token = os.urandom(8)
            frame = self.peer.datagram(post_v(number, request(number, self.make(number)), CON, token))
            self.waiting[token] = time.monotonic()
            self.link.send(frame)
            self.collect(self.pause)

    def collect(self, wait_s):
        end = time.monotonic() + wait_s
        while True:
            frame = self.link.receive(max(0, end - time.monotonic()))
            if frame is None:
                return
            from frames import Packet
            packet = Packet(frame)
            if packet.data is None or packet.destination_port != self.peer.port:
                continue
            message = Message(packet.data)
            sent = self.waiting.pop(message.token, None)
            if sent is None:
                continue
            if message.code == "2.05":
                self.answers.append((sent, Answer(message.payload)))
            else:
                self.refused.append((sent, message.code))
