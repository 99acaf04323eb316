"""The life of the processes: one dies, one comes back, and what is in force changes under traffic."""
import json
import os
import time

from appliance import until
from check import case, expect, expect_equal
from city import RULES
from formats import Key, credential
from traffic import Traffic


@case("control is killed: verdicts go on; it returns with all that it had acknowledged")
def control_killed(city):
    who = os.urandom(16)
    a = city.appliance
    a.chengmen("status", "set", "--issuer", "CN-310000", "--subject", who.hex(), "--colour", "red")
    before = a.sequence()
    keys = a.chengmen("key", "list", "--json")
    with Traffic(city, lambda _: city.code()) as traffic:
        a.control.kill()
        time.sleep(0.5)
        expect(a.command("info", "--socket", a.socket)[0] == 3, "unreachable is exit 3")
        a.start_control()
        time.sleep(0.2)
    expect_equal((traffic.missed, traffic.refused), (0, []), "unanswered")
    expect(all(answer.reason == "GREEN" for _, answer in traffic.answers) and len(traffic.answers) > 50, "verdicts")
    expect_equal(a.sequence(), before, "sequence after the restart")
    expect_equal(a.chengmen("key", "list", "--json"), keys, "keys after the restart")
    expect_equal(city.peer().ask(city.code(sub=who, now=int(time.time()) - 10)).colour, "red", "colour")
    a.chengmen("status", "set", "--issuer", "CN-310000", "--subject", who.hex(), "--colour", "yellow")
    a.wait_in_force()
    expect_equal(city.peer().ask(city.code(sub=who, now=int(time.time()) - 10)).colour, "yellow", "colour")


@case("control is killed while it writes, many times: what it acknowledged is there")
def control_killed_writing(city):
    a = city.appliance
    who = os.urandom(16)
    acknowledged = 0
    for round_ in range(8):
        for _ in range(5):
            version = int(time.time() * 1e6)
            status, _, _ = a.command("status", "set", "--issuer", "CN-310000", "--subject", who.hex(), "--colour",
                                     ("yellow", "red")[acknowledged % 2], "--version", str(version), "--socket",
                                     a.socket)
            expect(status == 0, "a change is not acknowledged")
            acknowledged += 1
        a.control.kill()
        a.start_control()
        a.wait_in_force()
        wanted = ("yellow", "red")[(acknowledged - 1) % 2]
        answer = city.peer().ask(city.code(sub=who, now=int(time.time()) - 10))
        expect_equal(answer.colour, wanted, f"colour after kill {round_ + 1}")


@case("the dataplane is killed: it returns by itself to the last acknowledged state")
def dataplane_killed(city):
    who = os.urandom(16)
    a = city.appliance
    a.chengmen("status", "set", "--issuer", "CN-310000", "--subject", who.hex(), "--colour", "red")
    city.note_counters()
    a.dataplane.kill()
    until(lambda: not os.path.exists("/proc/sys/net/ipv6/conf/cm0"), 10, "the interface goes with its process")
    city.start_dataplane()
    expect_equal(city.peer().ask(city.code(sub=who, now=int(time.time()) - 10)).colour, "red", "colour")
    city.expect_verdict(city.peer().ask(city.code("retired")), "DENY", "KEY_RETIRED")
    city.alive()


@case("the dataplane is stopped, control is down, the store alone brings it back")
def dataplane_alone(city):
    city.note_counters()
    status = city.appliance.dataplane.stop()
    expect_equal(status, 0, "exit status after SIGTERM")
    city.appliance.control.stop()
    city.start_dataplane()
    city.expect_verdict(until(lambda: (lambda answer: answer)(city.peer().ask(city.code())), 5, "a verdict"),
                        "ALLOW", "GREEN")
    city.appliance.start_control()
    city.appliance.wait_in_force()


@case("keys, points and rules are replaced under traffic: no request is lost, no generations are mixed")
def replaced(city):
    a = city.appliance
    prefix = {}
    plain = json.loads(RULES)["venues"]
    first = city.load_rules()
    a.wait_in_force()
    prefix[first] = "C-GREEN"
    with Traffic(city, lambda _: city.code(), pause=0.001) as traffic:
        end = time.monotonic() + 4
        number = 0
        while time.monotonic() < end:
            number += 1
            name = f"C{number}-GREEN"
            version = city.load_rules(venues=json.loads(json.dumps(plain).replace("C-GREEN", name)))
            prefix[version] = name
            city.import_keys(Key("CN-310000"))
            a.chengmen("point", "add", str(9000 + number), "--venue", "new", "--class", "office", "--address",
                       f"10.77.2.{number}")
    expect_equal((traffic.missed, traffic.refused), (0, []), "unanswered")
    versions = set()
    for _, answer in traffic.answers:
        expect_equal((answer.verdict, answer.reason), ("ALLOW", "GREEN"), "verdict")
        expect_equal(answer.rule, prefix[answer.ruleset], f"rule of rule set {answer.ruleset}")
        versions.add(answer.ruleset)
    expect(len(versions) > 5, f"only {len(versions)} rule sets were seen")
    for old in range(1, number + 1):
        a.chengmen("point", "remove", str(9000 + old))
    city.load_rules()
    a.wait_in_force()


@case("a key that is retired under traffic is refused from then on, and never before")
def retired(city):
    a = city.appliance
    key = Key("CN-310000")
    city.import_keys(key)
    a.wait_in_force()
    with Traffic(city, lambda _: credential(key), pause=0.001) as traffic:
        time.sleep(0.3)
        asked = time.monotonic()
        a.chengmen("key", "retire", key.kid.hex())
        done = time.monotonic()
        time.sleep(0.3)
    expect_equal((traffic.missed, traffic.refused), (0, []), "unanswered")
    for sent, answer in traffic.answers:
        if sent < asked - 0.01:
            expect_equal(answer.reason, "GREEN", "reason before the retirement")
        elif sent > done + 0.010:
            expect_equal(answer.reason, "KEY_RETIRED", f"reason {1000 * (sent - done):.1f} ms after acknowledgement")


@case("SIGKILL of both at once, and both return")
def both_killed(city):
    city.note_counters()
    city.appliance.control.kill()
    city.appliance.dataplane.kill()
    until(lambda: not os.path.exists("/proc/sys/net/ipv6/conf/cm0"), 10, "the interface goes with its process")
    city.appliance.start_control()
    city.start_dataplane()
    city.alive()


@case("every answer has its own decision number, also across restarts")
def decisions(city):
    seen = set()
    for _ in range(200):
        answer = city.peer().ask(city.code())
        expect(answer.decision is not None and answer.decision not in seen, f"decision {answer.decision} again")
        expect(not seen or answer.decision > max(seen), "decision numbers go back")
        seen.add(answer.decision)
    city.note_counters()
    city.appliance.dataplane.kill()
    until(lambda: not os.path.exists("/proc/sys/net/ipv6/conf/cm0"), 10, "the interface goes with its process")
    city.start_dataplane()
    expect(city.peer().ask(city.code()).decision > max(seen), "decision numbers go back after a restart")


@case("a change behind an import of many keys does not wait for their signature tables; the keys are in force too")
def behind_keys(city):
    who = os.urandom(16)
    a = city.appliance
    keys = [Key("CN-310000") for _ in range(40)]
    past = int(time.time()) - 10
    city.import_keys(*keys)
    a.chengmen("status", "set", "--issuer", "CN-310000", "--subject", who.hex(), "--colour", "red")
    acknowledged = time.monotonic()
    until(lambda: city.peer().ask(city.code(sub=who, now=past)).colour == "red", 5, "the change", 0.001)
    took = time.monotonic() - acknowledged
    expect(took < 0.3, f"in force after {took:.3f} s: {len(keys)} tables take longer")
    for key in keys[::8]:
        answer = city.peer().ask(credential(key))
        expect_equal(answer.reason, "GREEN", "by a key whose tables may not be there yet")
    for key in keys:
        a.chengmen("key", "retire", key.kid.hex())
