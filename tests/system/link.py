"""A raw socket on one interface: whole frames in and out, VLAN tags put back where the kernel takes them off."""
import select
import socket
import struct
import time

from frames import Packet

SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 263, 8, 23
SO_RCVBUFFORCE = 33
TP_STATUS_VLAN_VALID = 1 << 4


class Link:
    sent = {}  # by interface, by all links together

    def __init__(self, interface):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.socket.bind((interface, 3))
        self.socket.setblocking(False)
        self.interface = interface

    def send(self, frame):
        while True:
            try:
                self.socket.send(frame)
                Link.sent[self.interface] = Link.sent.get(self.interface, 0) + 1
                return
            except (BlockingIOError, OSError) as error:
                if error.errno not in (11, 105):
                    raise
                time.sleep(0.0002)

    def receive(self, wait_s=1.0):
        """The next frame as bytes, or None where none came in time."""
        ready, _, _ = select.select([self.socket], [], [], wait_s)
        if not ready:
            return None
        data, ancillary, _, _ = self.socket.recvmsg(65536, 256)
        for level, kind, value in ancillary:
            if level == SOL_PACKET and kind == PACKET_AUXDATA:
                status, _, _, _, _, tag, tpid = struct.unpack("=IIIHHHH", value[:20])
                if status & TP_STATUS_VLAN_VALID:
                    data = data[:12] + struct.pack(">HH", tpid or 0x8100, tag) + data[12:]
        return data

    def drain(self):
        frames = []
        while True:
            frame = self.receive(0)
            if frame is None:
                return frames
            frames.append(frame)

    def exchange(self, frame, wait_s=1.0):
        """Sends one frame; the answer taken apart and checked, or None."""
        self.drain()
        self.send(frame)
        answer = self.receive(wait_s)
        return Packet(answer) if answer is not None else None


def dropped(interface):
    """Frames that the interface did not take, because its queue was full."""
    with open("/proc/net/dev", encoding="ascii") as file:
        for row in file:
            name, _, numbers = row.partition(":")
            if name.strip() == interface:
                return int(numbers.split()[11])
    return 0
