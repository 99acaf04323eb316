"""The latest state: status lists and subject records, in force by the next scan."""
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
