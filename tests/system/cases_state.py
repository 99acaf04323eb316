"""The latest state: status lists and subject records, in force by the next scan."""
import json
import os
import time

from appliance import until
from check import case, expect, expect_equal
from formats import GREEN, PRINTED, RED, YELLOW, status_reference

LIST = "https://status.test/shanghai/1"


def set_list(city, index, value, *more, uri=LIST):
    city.appliance.chengmen("status", "set", "--list", uri, "--index", str(index), "--value", value, *more)
    city.appliance.wait_in_force()


def listed(city, index, uri=LIST, key="shanghai", kind=PRINTED, **change):
    """A code whose state stands in a list; a printed one, since it has no colour of its own."""
    return city.code(key, kind, status=status_reference(index, uri), **change)


def ask(city, code, point="10.77.1.1", **evidence):
    return city.peer(point).ask(code, id_checked=True, **evidence)


@case("a status list sets the colour: valid, suspended, application-specific; invalid is refused")
def values(city):
    set_list(city, 5, "valid", "--issuer", "CN-310000")
    wanted = (("valid", "green", "GREEN"), ("suspended", "yellow", "YELLOW"), ("application", "red", "RED"))
    for value, colour, reason in wanted:
        set_list(city, 5, value)
        answer = ask(city, listed(city, 5))
        expect_equal((answer.colour, answer.reason), (colour, reason), value)
        expect(answer.status_age <= 5, f"status age {answer.status_age}")
    set_list(city, 5, "invalid")
    city.expect_verdict(ask(city, listed(city, 5)), "DENY", "REVOKED")
    city.expect_verdict(ask(city, listed(city, 6)), "ALLOW", "GREEN")


@case("invalid refuses, however fresh the credential")
def revoked_fresh(city):
    set_list(city, 7, "invalid")
    code = city.code(status=status_reference(7, LIST), colour=GREEN, now=int(time.time()) + 3)
    city.expect_verdict(ask(city, code), "DENY", "REVOKED")


@case("of list and credential the fresher decides the colour")
def fresher(city):
    set_list(city, 8, "suspended")
    old = city.code(status=status_reference(8, LIST), colour=GREEN, now=int(time.time()) - 30)
    expect_equal(ask(city, old).colour, "yellow", "list newer than the credential")
    fresh = city.code(status=status_reference(8, LIST), colour=GREEN, now=int(time.time()) + 4)
    expect_equal(ask(city, fresh).colour, "green", "credential newer than the list")


@case("an index out of range, an unknown list, another issuer's list, an expired list")
def list_refusals(city):
    for index in (2 ** 20, 2 ** 32, 2 ** 63):
        city.expect_verdict(ask(city, listed(city, index)), "DENY", "STATUS_INDEX")
    city.expect_verdict(ask(city, listed(city, 2 ** 20 - 1)), "ALLOW", "GREEN")
    city.expect_verdict(ask(city, listed(city, 1, uri="https://status.test/none")), "REFER", "STATUS_LIST_UNKNOWN")
    city.expect_verdict(ask(city, listed(city, 1, key="jiangsu")), "DENY", "STATUS_ISSUER")
    short = "https://status.test/short"
    set_list(city, 1, "valid", "--issuer", "CN-310000", "--life", "1", uri=short)
    until(lambda: ask(city, listed(city, 1, uri=short)).reason == "STATUS_LIST_EXPIRED", 4, "the list expires", 0.2)
    set_list(city, 2, "invalid", uri=short)
    answer = ask(city, listed(city, 2, uri=short))
    city.expect_verdict(answer, "DENY", "REVOKED")


@case("an old list adds an obligation")
def stale(city):
    uri = "https://status.test/stale"
    set_list(city, 1, "valid", "--issuer", "CN-310000", "--ttl", "1", uri=uri)
    answer = ask(city, listed(city, 1, uri=uri))
    city.expect_verdict(answer, "ALLOW", "GREEN")
    answer = until(lambda: (lambda a: a.obligations and a)(ask(city, listed(city, 1, uri=uri))), 6, "staleness", 0.3)
    expect_equal((answer.verdict, answer.obligations), ("ALLOW_WITH_OBLIGATIONS", ["STATUS_STALE"]), "answer")


def set_subject(city, subject, colour, *more, issuer="CN-310000"):
    city.appliance.chengmen("status", "set", "--issuer", issuer, "--subject", subject.hex(), "--colour", colour, *more)
    city.appliance.wait_in_force()


@case("a subject's record decides over an older credential; its issuer's namesake is not meant")
def subject(city):
    who = os.urandom(16)
    past = int(time.time()) - 20
    code = lambda key="shanghai": city.code(key, sub=who, colour=GREEN, now=past)
    city.expect_verdict(ask(city, code()), "ALLOW", "GREEN")
    for colour in ("yellow", "red", "green"):
        set_subject(city, who, colour)
        expect_equal(ask(city, code()).colour, colour, "colour after a change")
        expect_equal(ask(city, code("jiangsu")).colour, "green", "colour of another issuer's subject")
    set_subject(city, who, "red")
    city.appliance.chengmen("status", "set", "--issuer", "CN-310000", "--subject", who.hex(), "--remove")
    city.appliance.wait_in_force()
    expect_equal(ask(city, code()).colour, "green", "colour after the record was removed")


@case("an older version of a record changes nothing")
def version(city):
    who = os.urandom(16)
    set_subject(city, who, "red")
    city.appliance.command("status", "set", "--issuer", "CN-310000", "--subject", who.hex(), "--colour", "green",
                           "--version", "5", "--socket", city.appliance.socket)
    city.appliance.wait_in_force()
    expect_equal(ask(city, city.code(sub=who, now=int(time.time()) - 20)).colour, "red", "colour")


@case("ten thousand changes in one import are in force together")
def many(city):
    people = [os.urandom(16) for _ in range(10_000)]
    rows = "".join('{"issuer":"CN-310000","subject":"%s","colour":"red"}\n' % who.hex() for who in people)
    city.appliance.chengmen("status", "import", "-", stdin=rows.encode())
    city.appliance.wait_in_force()
    past = int(time.time()) - 20
    for who in people[::500]:
        expect_equal(ask(city, city.code(sub=who, now=past)).colour, "red", "colour")
    city.alive()


@case("a subject's history: every change with its record, times, colour and reason, until the log is folded")
def history(city):
    who = os.urandom(16)
    ids = ("--issuer", "CN-310000", "--subject", who.hex())
    get = lambda *more: city.appliance.chengmen("status", "get", *ids, "--history", *more)
    expect("no change since record" in get(), "a subject without a record")
    set_subject(city, who, "yellow", "--reason", "7", "--since", "1583420400", "--until", "1583507000")
    set_subject(city, who, "red", "--reason", "9", "--version", "12")  # older than what is in force
    city.appliance.chengmen("status", "set", *ids, "--remove")
    told = json.loads(get("--json"))
    changes = told["changes"]
    expect_equal([c.get("colour") for c in changes], ["yellow", "red", None], "colours")
    expect_equal([c.get("reason") for c in changes], [7, 9, None], "reasons")
    expect_equal((changes[0]["since"], changes[0]["until"], changes[1]["version"]), (1583420400, 1583507000, 12), "times")
    expect(changes[0]["sequence"] < changes[1]["sequence"] < changes[2]["sequence"], "sequences")
    expect_equal((changes[2]["removed"], told["in_force"]), (True, None), "removal")
    lines = get().splitlines()
    expect_equal(len(lines), 3, "lines")
    expect("yellow" in lines[0] and "reason 7" in lines[0] and "2020-03-05T23:00:00+08:00" in lines[0], lines[0])
    expect("removed" in lines[2], lines[2])
    status, _, errors = city.appliance.command("status", "get", "--history", "--socket", city.appliance.socket)
    expect(status == 2 and "--history" in errors, "usage")
