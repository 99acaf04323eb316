"""The same code shown twice, over packets and two workers: `credential.seen` and what rules make of it."""
import contextlib

from check import case, expect, expect_equal
from dated import SHANGHAI, dated, seconds
from formats import DELEGATED, Answer, Key, post_v, request

NOON = seconds("2020-03-06T12:00:00+08:00")
ENTRIES = 1024


class Stale(Exception):
    pass


# number, zone
POINTS = [(1, 3), (2, 3), (3, 4), (4, 0)]


def load(city, a, rules):
    city.keys = {"shanghai": Key("CN-310000")}
    city.import_keys(*city.keys.values())
    for number, zone in POINTS:
        more = ("--zone", str(zone)) if zone else ()
        a.chengmen("point", "add", str(number), "--venue", f"venue-{number}", "--class", "hospital", "--address",
                   f"10.77.1.{number}", *more)
    a.chengmen("rules", "apply", rules)
    city.start_dataplane()


def photo_rules(a):
    """Any second showing that is told of: compare the photo; at the same point not before 10 s are over."""
    seen = {"id": "SEEN", "when": {"var": "credential.seen.zone"},
            "verdict": "ALLOW_WITH_OBLIGATIONS", "reason": "SEEN_ELSEWHERE", "obligations": ["COMPARE_PHOTO"]}
    green = {"id": "GREEN", "when": True, "verdict": "ALLOW", "reason": "GREEN"}
    return a.file("photo.json", {"version": 2, "issued": "2020-03-06T00:00:00+08:00", "home": ["CN-310000"],
                                 "same_point_s": 10, "city": [seen], "venues": {"hospital": [green]}})


@case("a code shown again: same message, same point, same zone, another zone, after a while; on two workers")
def seen(city):
    with dated(city, "seen", "2020-03-06T12:00:00+08:00", {"workers": [0, 1]}) as a:
        load(city, a, SHANGHAI)
        met = set()

        def ask(code, point, at, port):
            """The verdict at that second; Stale where the worker had read the clock before it was set."""
            city.clock.set(at)
            answer = city.peer(f"10.77.1.{point}", port=port).ask(code, transmissions=3)
            if answer.decision >> 28 != at:
                raise Stale
            met.add(answer.decision & 31)
            return answer.verdict, answer.reason, answer.obligations

        green = ("ALLOW", "GREEN", [])
        photo = ["COMPARE_PHOTO"]

        def showings(noon, port):
            # At the first point on one port, at the next on another: the workers share what they saw.
            other = 44000 + port * 7 % 97
            code = city.code(now=noon)
            expect_equal(ask(code, 1, noon, port), green, "shown first")
            expect_equal(ask(code, 1, noon + 5, other), green, "the same point after 5 s")
            expect_equal(ask(code, 2, noon + 8, port), green, "another point of the zone")
            expect_equal(ask(code, 3, noon + 27, other), ("DENY", "SEEN_ELSEWHERE", photo), "another zone after 19 s")
            peer, data = city.peer("10.77.1.2", port=port), post_v(city.next_id(), request(9, code))
            city.clock.set(noon + 47)
            first = peer.exchange(data)
            if Answer(first.payload).decision >> 28 != noon + 47:
                raise Stale
            expect_equal(Answer(first.payload).verdict, "REFER", "and back after 20 s")
            city.clock.set(noon + 49)
            expect_equal(peer.exchange(data).raw, first.raw, "the same message: the same answer")
            child = city.code("shanghai", DELEGATED, now=noon)
            expect_equal(ask(child, 1, noon + 50, port)[1], "DELEGATED", "a delegated code")
            expect_equal(ask(child, 3, noon + 51, other), ("DENY", "SEEN_ELSEWHERE", photo), "a delegated code elsewhere")

        done = tries = 0
        while done < 16 and tries < 64:
            tries += 1
            with contextlib.suppress(Stale):
                showings(NOON + 100 * tries, 43000 + tries)
                done += 1
        expect_equal(done, 16, "codes shown without a clock that lags")
        expect_equal(met, {0, 1}, "workers that decided")

        # What the seconds of the same point are, the rule set says.
        a.chengmen("rules", "apply", photo_rules(a))
        a.wait_in_force()
        later = NOON + 100 * 65
        code = city.code(now=later)
        told = ("ALLOW_WITH_OBLIGATIONS", "SEEN_ELSEWHERE", photo)
        expect_equal(ask(code, 1, later + 20, 45000), green, "shown first")
        expect_equal(ask(code, 1, later + 30, 45001), green, "the same point after 10 s")
        expect_equal(ask(code, 1, later + 41, 45002), told, "the same point after 11 s")
        expect_equal(ask(code, 2, later + 42, 45003), told, "another point")
        other_issue = city.code(now=later, sub=b"\x01" * 16)
        expect_equal(ask(other_issue, 2, later + 43, 45004), green, "another code")


@case("flooded with codes the table forgets the oldest first, and says so")
def flood(city):
    with dated(city, "flood", "2020-03-06T12:00:00+08:00", {"replay_entries": ENTRIES}) as a:
        load(city, a, SHANGHAI)
        # Buckets of four see twenty each: one flood in 10,000 leaves one of the first 32 codes in its place.
        codes = [city.code(now=NOON) for _ in range(5 * ENTRIES)]
        expect_equal(a.counters()["replay_forgotten"], 0, "forgotten before the flood")
        peer, elsewhere = city.peer("10.77.1.1"), city.peer("10.77.1.3")
        for i, code in enumerate(codes):
            city.clock.set(NOON + i * 33 // len(codes))
            city.expect_verdict(peer.ask(code, transmissions=3), "ALLOW", "GREEN")
        forgotten = a.counters()["replay_forgotten"]
        expect(len(codes) - ENTRIES <= forgotten < len(codes) - ENTRIES // 4, f"{forgotten} forgotten")
        reasons = [elsewhere.ask(code, transmissions=3).reason for code in codes[-32:] + codes[:32]]
        kept = [sum(1 for reason in part if reason == "SEEN_ELSEWHERE") for part in (reasons[:32], reasons[32:])]
        expect(kept[0] >= 30 and kept[1] == 0, f"known of the last and the first 32: {kept}")
