"""What is absent, too much or too late: each has its own answer, and none is an ALLOW."""
import time

from appliance import until
from check import case, expect, expect_equal
from formats import MAX_AGE, post_v, request


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
        city.keys = {"shanghai": __import__("formats").Key("CN-310000")}
        message = answer_code(city)
        expect_equal(message.code, "5.03", "code without a store")
        expect(1 <= int.from_bytes(message.option(MAX_AGE), "big") <= 60, "Max-Age")
        a.start_control()
        city.import_keys(*city.keys.values())
        a.chengmen("point", "add", "1", "--venue", "huashan", "--class", "hospital", "--address", "10.77.1.1")
        a.wait_in_force()
        city.expect_verdict(city.peer().ask(city.code()), "REFER", "RULES_ABSENT")
        city.load_rules("rules.json")
        a.wait_in_force()
        city.alive()
        soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
        rules = open(__file__.replace("cases_limits.py", "rules.json"), encoding="utf-8").read()
        path = a.directory + "/ending.json"
        with open(path, "w", encoding="utf-8") as file:
            file.write(rules.replace('"version": 1,', f'"version": 2, "to": "{soon}",'))
        a.chengmen("rules", "apply", path)
        a.wait_in_force()
        city.alive()
        until(lambda: city.peer().ask(city.code()).reason != "GREEN", 5, "the rule set ends", 0.2)
        city.expect_verdict(city.peer().ask(city.code()), "REFER", "RULES_EXPIRED")
