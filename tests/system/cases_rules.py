"""Regions, rules and modes, as they come out of the appliance."""
import os
import time

from check import case, expect, expect_equal
from city import RULES
from formats import DELEGATED, ENTERPRISE


@case("mutual recognition: equal, pending until registered, not accepted")
def regions(city):
    for key in ("jiangsu", "zhejiang", "anhui"):
        city.expect_verdict(city.peer().ask(city.code(key)), "ALLOW", "GREEN")
    answer = city.peer().ask(city.code("hubei"))
    city.expect_verdict(answer, "NEED_EVIDENCE", "REGION_PENDING")
    expect_equal(answer.obligations, ["REGISTER"], "obligations")
    city.expect_verdict(city.peer().ask(city.code("hubei"), registered=False), "NEED_EVIDENCE", "REGION_PENDING")
    city.expect_verdict(city.peer().ask(city.code("hubei"), registered=True), "ALLOW", "GREEN")
    for evidence in ({}, {"registered": True}):
        city.expect_verdict(city.peer().ask(city.code("beijing"), **evidence), "REFER", "REGION_NOT_ACCEPTED")


@case("the first row that matches decides, the city's before the venue's")
def order(city):
    red = city.peer().ask(city.code(colour=2), form="F-1")
    expect_equal((red.verdict, red.reason, red.obligations, red.rule), ("DENY", "RED", ["ISOLATE"], "C-RED"), "red")
    none = city.peer().ask(None)
    expect_equal((none.verdict, none.reason, none.colour), ("NEED_EVIDENCE", "CODE_MISSING", "unknown"), "no code")
    form = city.peer().ask(None, form="F-1")
    expect_equal((form.verdict, form.obligations), ("ALLOW_WITH_OBLIGATIONS", ["CHECK_ID", "REGISTER"]), "form")
    for kind in (DELEGATED, ENTERPRISE):
        change = {} if kind == DELEGATED else {"colour": 0}
        city.expect_verdict(city.peer().ask(city.code("shanghai", kind, **change)), "ALLOW", "GREEN")


@case("no row for the venue, a row that cannot be computed")
def no_answer(city):
    city.expect_verdict(city.peer("10.77.1.10").ask(city.code()), "REFER", "RULES_NO_MATCH")
    subway = city.peer("10.77.1.4")
    answer = subway.ask(city.code())
    city.expect_verdict(answer, "REFER", "RULE_ERROR")
    expect_equal(answer.rule, "S-FEVER", "rule")
    city.expect_verdict(subway.ask(city.code(), temperature=3650), "ALLOW", "NOT_REQUIRED")
    city.expect_verdict(subway.ask(city.code(), temperature=3731), "DENY", "FEVER")
    city.expect_verdict(subway.ask(city.code(), temperature=3730), "ALLOW", "NOT_REQUIRED")


@case("advisory: the colour is shown, the verdict is REFER; what the city denies stands")
def advisory(city):
    peer = city.peer("10.77.1.6")
    answer = peer.ask(city.code())
    city.expect_verdict(answer, "REFER", "ADVISORY")
    expect_equal(answer.colour, "green", "colour")
    city.expect_verdict(peer.ask(city.code(colour=2)), "DENY", "RED")


@case("until carries the date")
def until(city):
    answer = city.peer("10.77.1.3").ask(city.code())
    expect_equal(answer.obligations, ["OBSERVE_UNTIL"], "obligations")
    expect(abs(answer.until - time.time() - 14 * 86400) < 5, f"until {answer.until}")


@case("what a point says of itself: its direction and its clock are facts")
def said(city):
    rows = [{"id": "OUT", "when": {"===": [{"var": "point.direction"}, "out"]}, "verdict": "ALLOW", "reason": "NOT_REQUIRED"},
            {"id": "CLOCK", "when": {"!": [{"<=": [-300, {"if": [{"var": "point.skew"}, {"var": "point.skew"}, 0]}, 300]}]},
             "verdict": "REFER", "reason": "OTHER"},
            {"id": "IN", "when": {"===": [{"var": "point.direction"}, "in"]}, "verdict": "DENY", "reason": "OTHER"},
            {"id": "NOT-SAID", "when": True, "verdict": "NEED_EVIDENCE", "reason": "OTHER"}]
    city.load_rules(venues={"hospital": rows})
    try:
        city.appliance.wait_in_force()
        peer, now = city.peer(), int(time.time())
        said = [({"direction": 1}, "OUT"), ({"direction": 0}, "IN"), ({}, "NOT-SAID"), ({"time_s": now}, "NOT-SAID"),
                ({"time_s": now + 250}, "NOT-SAID"), ({"time_s": now - 250}, "NOT-SAID"), ({"time_s": now + 400}, "CLOCK"),
                ({"time_s": now - 400}, "CLOCK"), ({"time_s": 0}, "CLOCK"), ({"time_s": 2 ** 64 - 1}, "CLOCK"),
                ({"time_s": 0, "direction": 1}, "OUT")]
        for members, rule in said:
            expect_equal(peer.ask(city.code(), **members).rule, rule, f"rule for {members}")
    finally:
        city.load_rules()
        city.appliance.wait_in_force()


@case("a rule set that is not valid is refused and changes nothing")
def refused(city):
    a = city.appliance
    text = RULES.replace('"version": 1,', '"version": 1000,')
    before = a.sequence()
    for wrong in (text + "x", text.replace('"version": 1000,', '"version": 1000, "version": 2,'), text[:-3],
                  text.replace("status.colour", "status.color", 1), text.replace('"ALLOW"', '"PERMIT"', 1),
                  text.replace('"===":', '"====":', 1), text.encode().replace(b"hospital", b"hosp\xfftal"),
                  text.replace('"version": 1000', '"version": 0'), "", "[]", "{}", "null", text.replace('"home"', '"homes"')):
        path = os.path.join(a.directory, "wrong.json")
        with open(path, "wb") as file:
            file.write(wrong if isinstance(wrong, bytes) else wrong.encode())
        status, output, errors = a.command("rules", "apply", path, "--socket", a.socket)
        expect_equal(status, 1, f"exit status for {wrong[:60]!r}")
        expect(errors or output, "a refusal says why")
    expect_equal(a.sequence(), before, "sequence")
    city.alive()
