"""What is absent, too much or too late: each has its own answer, and none is an ALLOW."""
import contextlib
import os
import subprocess
import time

from appliance import until
from check import Skipped, case, expect, expect_equal
from cases_decisions import scan
from formats import CON, MAX_AGE, POST, Answer, Key, Message, coap, post_v, request
from frames import Packet
from oscore_point import ECHO


def answer_code(city, code=None, source="10.77.1.1"):
    message = city.peer(source).exchange(post_v(city.next_id(), request(1, code or city.code())))
    expect(message is not None, "no answer")
    return message


@case("no store: 5.03 and when to come back; no rules: REFER; then it serves without a restart")
def empty_store(city):
    with city.another("empty") as a:
        a.compile()
        a.start_dataplane(ready=False)
        until(a.counters, 20, "counters")
        city.attach()
        city.keys = {"shanghai": Key("CN-310000")}
        message = answer_code(city)
        expect_equal(message.code, "5.03", "code without a store")
        expect(1 <= int.from_bytes(message.option(MAX_AGE), "big") <= 60, "Max-Age")
        a.start_control()
        city.import_keys(*city.keys.values())
        a.chengmen("point", "add", "1", "--venue", "huashan", "--class", "hospital", "--address", "10.77.1.1")
        a.wait_in_force()
        city.expect_verdict(city.peer().ask(city.code()), "REFER", "RULES_ABSENT")
        city.load_rules()
        a.wait_in_force()
        city.alive()
        soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
        city.load_rules(to=soon)
        a.wait_in_force()
        city.alive()
        until(lambda: city.peer().ask(city.code()).reason != "GREEN", 5, "the rule set ends", 0.2)
        city.expect_verdict(city.peer().ask(city.code()), "REFER", "RULES_EXPIRED")


@case("budgets of a point and of a venue: 4.29 and when to come back; other points and venues are served")
def budgets(city):
    with city.another("budget", {"venue_rate_per_s": 1, "venue_burst": 12}) as a:
        a.start_control()
        city.start_dataplane()
        city.keys = {"shanghai": Key("CN-310000")}
        city.import_keys(*city.keys.values())
        for number, venue in ((1, "huashan"), (2, "huashan"), (3, "ruijin")):
            a.chengmen("point", "add", str(number), "--venue", venue, "--class", "hospital", "--address",
                       f"10.77.1.{number}", "--rate", "1", "--burst", "8")
        city.load_rules()
        a.wait_in_force()
        for point, reason, least, most in ((1, "POINT_BUDGET", 8, 10), (2, "VENUE_BUDGET", 4, 6)):
            served, refused = 0, []
            before = city.settle()
            for _ in range(20):
                message = answer_code(city, source=f"10.77.1.{point}")
                served += message.code == "2.05"
                if message.code != "2.05":
                    refused.append(message)
            after = city.settle()
            expect(least <= served <= most, f"{served} of 20 served at point {point}")
            expect(after[reason] - before[reason] >= 3, f"{reason} was counted {after[reason] - before[reason]} times")
            for message in refused:
                expect_equal(message.code, "4.29", "code")
                expect(1 <= int.from_bytes(message.option(MAX_AGE), "big") <= 60, "Max-Age")
        expect_equal(answer_code(city, source="10.77.1.3").code, "2.05", "another venue")


@case("overload: 5.03 and when to come back, the first in priority is served last of all refused")
def overload(city):
    with city.another("overload", {"overload_per_s": 200}) as a:
        a.start_control()
        city.start_dataplane()
        city.keys = {"shanghai": Key("CN-310000")}
        city.import_keys(*city.keys.values())
        for number in (1, 2):
            a.chengmen("point", "add", str(number), "--venue", f"v{number}", "--class", "hospital", "--address",
                       f"10.77.1.{number}", "--priority", ("0", "3")[number - 1])
        city.load_rules()
        a.wait_in_force()
        frames_ = [city.peer(f"10.77.1.{1 + i % 2}").datagram(post_v(city.next_id(), request(i, city.code())))
                   for i in range(2000)]
        served = {1: 0, 2: 0}
        refused = 0
        for frame in frames_:
            city.link.send(frame)
            time.sleep(0.0002)
        city.settle()
        for frame in city.link.drain():
            packet = Packet(frame)
            message = Message(packet.data)
            if message.code == "2.05":
                served[packet.destination[3]] += 1
            else:
                expect_equal(message.code, "5.03", "code")
                expect(1 <= int.from_bytes(message.option(MAX_AGE), "big") <= 60, "Max-Age")
                refused += 1
        expect(refused > 200, f"only {refused} of 2000 refused")
        expect(served[1] > served[2] > -1, f"served: priority 0 {served[1]}, priority 3 {served[2]}")


def waves(city, a, counted):
    """Sends ever more at once until all the reasons were counted; every answer is a verdict, or says when to ask again."""
    a.start_control()
    city.start_dataplane()
    city.keys = {"shanghai": Key("CN-310000")}
    city.import_keys(*city.keys.values())
    for number in range(1, 41):
        a.chengmen("point", "add", str(number), "--venue", "v", "--class", "hospital", "--address", f"10.77.1.{number}")
    city.load_rules()
    a.wait_in_force()
    before = city.settle()
    for wave in range(8):
        code = city.code()
        frames_ = [city.peer(f"10.77.1.{1 + i % 40}", port=30000 + wave).datagram(post_v(i, request(i, code)))
                   for i in range(4000 << wave // 2)]
        for frame in frames_:
            city.link.send(frame)
        after = city.settle()
        for frame in city.link.drain():
            message = Message(Packet(frame).data)
            expect(message.code in ("2.05", "5.03"), f"code {message.code}")
            if message.code == "5.03":
                expect(1 <= int.from_bytes(message.option(MAX_AGE), "big") <= 60, "Max-Age")
        count = {name: after[name] - before[name] for name in counted}
        if all(count.values()):
            break
    expect(all(count.values()), f"counted {count}")
    expect_equal(answer_code(city, source="10.77.1.3").code, "2.05", "afterwards")


@case("what waited past its deadline is told so, unjudged")
def waited(city):
    with city.another("waited", {"reply_deadline_us": 100}) as a:
        waves(city, a, ("DEADLINE", "GREEN"))


@case("more than can be judged: some are told so, the rest is dropped unheard, and the books balance")
def too_much(city):
    with city.another("too-much", {"reply_deadline_us": 10000000}) as a:
        waves(city, a, ("OVERLOAD", "UNHEARD", "GREEN"))


@case("under attack a plain source is asked for an Echo, shows it once, and is served; chengmen scan does so too")
def source_echo(city):
    with city.another("echo") as a:
        a.start_control()
        city.start_dataplane()
        city.keys = {"shanghai": Key("CN-310000")}
        city.import_keys(*city.keys.values())
        for number in (1, 2):
            a.chengmen("point", "add", str(number), "--venue", "v", "--class", "hospital", "--address",
                       f"10.77.1.{number}")
        city.load_rules()
        a.wait_in_force()
        expect_equal(answer_code(city).code, "2.05", "before")
        attack = [city.peer(f"10.77.2.{1 + i % 250}", port=20000 + i % 999).datagram(
            post_v(i, request(i, b"x"), token=i.to_bytes(4, "big"))) for i in range(4000)]
        peer = city.peer("10.77.1.1")
        for _ in range(20):  # unknown addresses of the trusted prefix, more than 1,000 a second
            before = city.settle()
            for frame in attack:
                city.link.send(frame)
            data = post_v(city.next_id(), request(1, city.code()), token=b"challeng")
            city.link.drain()
            challenge = peer.exchange(data)
            if challenge and challenge.code == "4.01":
                break
        expect_equal(challenge.code, "4.01", "code under attack")
        expect(len(challenge.raw) <= len(data), "more bytes out than in")
        echo = challenge.option(ECHO)
        expect_equal(len(echo), 8, "Echo")
        wrong = post_v(city.next_id(), request(1, city.code()), more=[(ECHO, bytes(8))])
        short = post_v(city.next_id(), b"")
        for message, size in ((peer.exchange(wrong), len(wrong)), (peer.exchange(short), len(short))):
            expect_equal(message.code, "4.01", "code without the Echo")
            expect(len(message.raw) <= size, "more bytes out than in")
        met = coap(CON, POST, city.next_id(), b"again", [(11, b"v"), (12, bytes([60])), (ECHO, echo)],
                   request(1, city.code()))
        expect_equal(peer.exchange(met).code, "2.05", "code with the Echo")
        expect_equal(answer_code(city).code, "2.05", "code of the next")
        for frame in attack:
            city.link.send(frame)
        expect("ALLOW" in scan(city, 2, city.code()), "the client's answer")
        after = city.settle()
        expect(after["SOURCE_ECHO"] - before["SOURCE_ECHO"] >= 4, "not counted")


@case("two workers: every request is answered by one of them, a retransmission with the identical bytes")
def two_workers(city):
    with city.another("two", {"workers": [0, 1]}) as a:
        a.start_control()
        city.start_dataplane()
        city.keys = {"shanghai": Key("CN-310000")}
        city.import_keys(*city.keys.values())
        a.chengmen("point", "add", "1", "--venue", "v", "--class", "hospital", "--address", "10.77.1.1")
        city.load_rules()
        a.wait_in_force()
        expect_equal(a.info()["workers"], 2, "workers")
        for port in range(42000, 42100):
            peer = city.peer(port=port)
            data = post_v(city.next_id(), request(1, city.code()))
            first = peer.exchange(data)
            expect_equal(Answer(first.payload).reason, "GREEN", "reason")
            expect_equal(peer.exchange(data).raw, first.raw, "answer to a retransmission")


RECORDS = 50_000


@contextlib.contextmanager
def with_table(city, name, dataplane):
    """An appliance whose subject records lie in a table on disk, and the subjects, all red."""
    with city.another(name, dataplane) as a:
        people = [i.to_bytes(16, "big") for i in range(RECORDS)]
        a.start_control()
        rows = "".join('{"issuer":"CN-310000","subject":"%s","colour":"red"}\n' % who.hex() for who in people)
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
        yield a, people


def of(city, who):
    """An older code of that subject, so that the record decides."""
    return city.code(sub=who, colour=0, now=int(time.time()) - 30)


@case("records in a table on disk: found, in a flood refused as busy, and never allowed")
def table(city):
    with with_table(city, "table", {"store_deadline_us": 1000000, "overload_per_s": 10000000}) as (a, people):
        for who in people[::RECORDS // 40]:
            city.expect_verdict(city.peer().ask(of(city, who)), "DENY", "RED")
        city.expect_verdict(city.peer().ask(of(city, b"\xff" * 16)), "ALLOW", "GREEN")
        subprocess.run(["ip", "link", "set", city.interface, "txqueuelen", "20000"], check=True)
        before = city.settle()
        for round_ in range(5):
            flood = [city.peer().datagram(post_v(i & 0xFFFF, request(i, of(city, who)), token=b"\5%d" % round_))
                     for i, who in enumerate(people[round_::RECORDS // 4000])]
            for frame in flood:
                city.link.send(frame)
            after = city.settle()
            for frame in city.link.drain():
                message = Message(Packet(frame).data)
                if message.code == "2.05":
                    answer = Answer(message.payload)
                    expect(answer.verdict in ("DENY", "REFER"), f"{answer}")
            if after["STATUS_BUSY"] > before["STATUS_BUSY"]:
                return
        raise Skipped("the disk kept up with a flood of 20,000")


@case("a record that is not read in time: REFER; a damaged table: REFER; never allowed")
def late_and_damaged(city):
    with with_table(city, "late", {"store_deadline_us": 50}) as (a, people):
        answers = [city.peer().ask(of(city, who)) for who in people[:300]]
        expect(all(answer.verdict in ("REFER", "DENY") for answer in answers), "a red subject is allowed in")
        expect(any(answer.reason == "STATUS_TIMEOUT" for answer in answers), f"no record was late within 50 us: {answers[0]}")
    with with_table(city, "damaged", {"store_deadline_us": 1000000}) as (a, people):
        tables = [name for name in os.listdir(a.store) if "table" in name]
        expect(tables, f"no table in {os.listdir(a.store)}")
        for name in tables:
            path = os.path.join(a.store, name)
            size = os.path.getsize(path)
            with open(path, "r+b") as file:
                for page in range(1, size // 4096):
                    file.seek(page * 4096 + 100)
                    file.write(b"\xa5" * 8)
                os.fsync(file.fileno())
        answers = [city.peer().ask(of(city, who)) for who in people[:100]]
        expect(all(answer.verdict in ("REFER", "DENY") for answer in answers), "a red subject is allowed in")
        expect(any(answer.reason == "STATUS_DAMAGED" for answer in answers), f"no damage was seen: {answers[0]}")
