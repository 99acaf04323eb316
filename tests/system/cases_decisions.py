"""Decisions after they were made: explained by their number, made again under other rules; rules that take turns."""
import json
import os
import subprocess

from check import case, expect, expect_equal
from city import RULES
from dated import SHANGHAI, dated, seconds
from formats import GREEN, ROOT, YELLOW, Key, text_of

NOON = "2020-03-06T12:00:00+08:00"


def start(city, a, *points):
    """Shanghai's key, the points, the dataplane."""
    city.keys = {"shanghai": Key("CN-310000")}
    city.import_keys(*city.keys.values())
    for number, venue_class, *more in points:
        a.chengmen("point", "add", str(number), "--venue", f"venue-{number}", "--class", venue_class, "--address",
                   f"10.77.1.{number}", *more)
    city.start_dataplane()


def change_rules(a, version, change, name="changed.json"):
    """Writes the Shanghai rules as another version, changed; returns the path."""
    with open(SHANGHAI, encoding="utf-8") as file:
        rules = json.load(file)
    rules["version"] = version
    change(rules)
    return a.file(name, rules)


def scan(city, number, code, *options):
    """What `chengmen scan --json` prints, through the kernel's sockets."""
    a = city.appliance
    address = f"10.77.1.{number}/16"
    subprocess.run(["ip", "address", "add", address, "dev", city.interface], check=True)
    try:
        status, output, errors = a.command("scan", "--to", "10.77.0.1", "--from", address.split("/")[0], "--point",
                                           str(number), "--json", *options, text_of(code))
        expect(status in (0, 1), lambda: f"scan: {errors}")
        return output
    finally:
        subprocess.run(["ip", "address", "flush", "dev", city.interface], check=True)


@case("an answer is explained by its decision's number: when, by which rules, why, and whether it would be so again")
def explain_answer(city):
    with dated(city, "explain", NOON) as a:
        start(city, a, (1, "hospital"), (2, "estate"))
        a.chengmen("rules", "apply", SHANGHAI)
        a.wait_in_force()

        def explain(*options, stdin=None):
            status, output, errors = a.command("explain", "--store", a.store, *options, stdin=stdin)
            return status, (json.loads(output) if "--json" in options and output else output), errors

        who, at = os.urandom(16), seconds(NOON)
        code = city.code(sub=who, now=at - 1, colour=GREEN)
        text = scan(city, 2, code, "--temperature", "36.5", "--registered")
        path, answer = os.path.join(a.directory, "answer.json"), json.loads(text)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        expect_equal((answer["reason"], answer["rule"], answer["rules_version"]), ("CONSENT_MISSING", "Q26-consent", 1),
                     "answer")

        shown = (text_of(code), "--point", "2", "--temperature", "36.5", "--registered")
        status, told, _ = explain("--answer", path, "--json", *shown)
        expect_equal((status, told["recorded"]["same"], told["recorded"]["differs"]), (0, True, []), "decided again")
        expect_equal((told["decided"]["at"], told["decided"]["number"]), (NOON, answer["decision"]), "when and which")
        expect_equal(told["lacking"], ["evidence.consent"], "lacking")
        expect_equal([step["result"] for step in told["steps"]], ["passed"] * 8 + ["ended"], "steps")
        expect_equal([row["rule"] for row in told["rows"]][-1], "Q26-consent", "row tried last")
        status, told, _ = explain("--decision", str(answer["decision"]), "--json", *shown)
        expect_equal((status, told["rule"], told["decided"]["at"]), (1, "Q26-consent", NOON), "by the number alone")

        # Without the code: the answer in words, with its row; in Chinese as well.
        status, told, _ = explain("--answer", "-", "--json", stdin=text.encode())
        expect_equal((status, told["row"]["id"], told["text"], told["row"]["verdict"]),
                     (1, "Q26-consent", "resident's consent missing", "NEED_EVIDENCE"), "the answer alone")
        status, told, _ = explain("--answer", path, "--lang", "zh")
        expect("需住户同意" in told and "2020-03-06T12:00:00+08:00" in told and "Q26-consent" in told, told)
        status, told, _ = explain("--answer", path, "--lang", "zh", *shown)
        for wanted in ("通过", "到此为止", "不匹配", "匹配", "缺少", "evidence.consent", "与记录的答复一致"):
            expect(wanted in told, f"{wanted} is missing: {told}")
        for english in ("passed", "no match", "lacking", "rows tried"):
            expect(english not in told, f"{english} in Chinese: {told}")

        # Facts instead of the code: what explain recorded is asked of the rows again.
        _, recorded, _ = explain("--at", str(at), "--json", *shown)
        status, told, _ = explain("--answer", "-", "--json", stdin=json.dumps(recorded).encode())
        expect_equal((status, told["recorded"]["same"], told["rows"] == recorded["rows"]), (0, True, True), "from facts")
        recorded["facts"]["evidence.consent"] = True
        status, told, _ = explain("--answer", "-", "--json", stdin=json.dumps(recorded).encode())
        expect_equal((status, told["verdict"], told["recorded"]["differs"]), (1, "ALLOW", ["verdict", "reason", "rule"]),
                     "from facts with the consent given")

        # Other rules later: the answer is explained by those it names, as long as they are held.
        def no_consent(rules):
            rules["venues"]["estate"] = [row for row in rules["venues"]["estate"] if row["id"] != "Q26-consent"]
        a.chengmen("rules", "apply", change_rules(a, 2, no_consent))
        a.wait_in_force()
        status, told, _ = explain("--answer", path, "--json", *shown)
        expect_equal((status, told["rules_version"], told["recorded"]["same"]), (0, 1, True), "by the rules of then")
        status, told, _ = explain("--answer", path, "--rules-version", "2", "--json", *shown)
        expect_equal((status, told["verdict"], told["recorded"]["same"]), (1, "ALLOW", False), "by the rules of now")
        a.chengmen("status", "set", "--issuer", "CN-310000", "--subject", who.hex(), "--colour", "yellow", "--since",
                   str(at + 60))
        status, told, _ = explain("--answer", path, "--json", *shown)
        expect_equal((status, len(told["notes"])), (1, 1), "a state that changed since is noted")
        for version in range(3, 19):
            a.chengmen("rules", "apply", change_rules(a, version, lambda rules: None))
        status, _, errors = explain("--answer", path, *shown)
        expect(status == 1 and "version 1 of the rules is no longer held; held: 3 4" in errors, errors)
        for wrong in ("", "[]", "{}", '{"verdict": 3}', '{"verdict": "ALLOW", "verdict": "DENY"}', "nonsense"):
            status, _, errors = explain("--answer", "-", stdin=wrong.encode())
            expect(status == 1 and errors, f"{wrong!r} is taken for an answer")


@case("recorded decisions are made again by rules that are not in force yet: rules apply --dry-run --replay")
def replay(city):
    with dated(city, "replay", NOON) as a:
        start(city, a, (1, "hospital"), (2, "restaurant"))
        a.chengmen("rules", "apply", SHANGHAI)
        a.wait_in_force()
        at, rows = seconds(NOON), []
        for i in range(40):
            colour, point = (GREEN, YELLOW)[i % 4 == 0], 1 + i % 2
            rows.append({"point": point, "code": text_of(city.code(now=at - 1, colour=colour)), "at": at,
                         "evidence": {"temperature": 3650} if i % 3 else {}})
        rows.append({"point": 1, "code": "SC1:NONSENSE", "at": at})
        questions = "".join(json.dumps(row) + "\n" for row in rows)
        status, output, errors = a.command("explain", "--questions", "-", "--store", a.store, stdin=questions.encode())
        expect_equal((status, len(output.splitlines())), (0, len(rows)), f"questions: {errors}")
        # What was recorded is what the appliance answers.
        for row, told in zip(rows, map(json.loads, output.splitlines())):
            given = row.get("evidence", {})
            answer = city.peer(f"10.77.1.{row['point']}").ask(row["code"], **given)
            expect_equal((answer.verdict, answer.reason, answer.rule or ""),
                         (told["verdict"], told["reason"], told.get("rule", "")), "answer")
        path = os.path.join(a.directory, "decisions.jsonl")
        with open(path, "w", encoding="utf-8") as file:
            file.write(output)

        def dry(rules):
            return json.loads(a.chengmen("rules", "apply", "--dry-run", "--replay", path, "--json", rules))["replay"]
        before = a.sequence()
        told = dry(change_rules(a, 2, lambda rules: None))
        expect_equal((told["decisions"], told["changed"], told["without_facts"]), (40, 0, 1), "the same rules")

        def yellow_denied(rules):
            for row in rules["venues"]["restaurant"]:
                if row["id"] == "Q34-temperature":
                    row["verdict"] = "REFER"
        told = dry(change_rules(a, 2, yellow_denied))
        want = sum(1 for row in rows[:40] if row["point"] == 2 and not row["evidence"])
        expect_equal((told["changed"], told["verdict_changed"]), (want, want), "rules that refer where they asked")
        expect(want > 3 and "Q34-temperature" in told["changes"][0], told["changes"])
        expect_equal(a.sequence(), before, "sequence after dry runs")
        answer = city.peer("10.77.1.2").ask(city.code(now=at - 1))
        expect_equal((answer.verdict, answer.ruleset), ("NEED_EVIDENCE", 1), "a dry run changes nothing")
        words = a.chengmen("rules", "apply", "--dry-run", "--replay", path, change_rules(a, 2, yellow_denied))
        expect("of 40 recorded decisions" in words and "not applied" in words, words)
        for wrong in ("{}", "nonsense", output + "{", '{"verdict":"ALLOW","reason":"GREEN","facts":{"no.such":1}}'):
            with open(path, "w", encoding="utf-8") as file:
                file.write(wrong)
            status, _, errors = a.command("rules", "apply", "--dry-run", "--replay", path, SHANGHAI, "--socket", a.socket)
            expect(status == 1 and errors, f"{wrong[-40:]!r} is taken for recorded decisions")


@case("two rule sets side by side: the switch comes at its second; expired, absent and gone-back rules do as they should")
def switch(city):
    with dated(city, "switch", NOON) as a:
        start(city, a, (1, "hospital"))
        now = seconds(NOON)

        def ask(at):
            city.clock.set(at)
            answer = city.peer().ask(city.code(now=at - 1))
            return answer.verdict, answer.reason, answer.ruleset

        def apply(version, **members):
            rules = json.loads(RULES)
            rules.update(members, version=version)
            a.chengmen("rules", "apply", a.file("rules.json", rules))
            a.wait_in_force()

        def date(at):
            return subprocess.run(["date", "-u", "-d", f"@{at}", "+%Y-%m-%dT%H:%M:%SZ"], capture_output=True, text=True,
                                  check=True).stdout.strip()

        closed = {"hospital": [{"id": "SHUT", "when": True, "verdict": "DENY", "reason": "OTHER"}]}
        expect_equal(ask(now), ("REFER", "RULES_ABSENT", 0), "no rules at all")
        apply(1, **{"from": date(now + 10)})
        expect_equal(ask(now + 9), ("REFER", "RULES_ABSENT", 0), "none that has begun")
        expect_equal(ask(now + 10), ("ALLOW", "GREEN", 1), "begun")
        apply(2, **{"from": date(now + 100), "to": date(now + 200), "venues": closed})
        expect_equal(ask(now + 99), ("ALLOW", "GREEN", 1), "the second before the switch")
        expect_equal(ask(now + 100), ("DENY", "OTHER", 2), "the switch")
        expect_equal(ask(now + 199), ("DENY", "OTHER", 2), "the last second")
        expect_equal(ask(now + 200), ("REFER", "RULES_EXPIRED", 2), "expired: what it replaced does not come back")
        expect_equal(ask(now + 50), ("ALLOW", "GREEN", 1), "a clock that is put back finds the first")

        # Gone back to the first, by the command and over packets; the second waits no more.
        shown = a.chengmen("rules", "show", "--history")
        expect("version 1" in shown and "version 2" in shown, shown)
        expect('"SHUT"' in a.chengmen("rules", "show"), "show: the set applied last")
        # Control's own clock is today's.
        apply(3, **{"from": date(now + 100), "to": date(4102444800), "venues": closed})
        apply(4, **{"from": date(4070908800)})
        shown = a.chengmen("rules", "show", "--history").splitlines()
        wanted = ["replaced, from", "replaced, from", "in force, from", "waits, from 2099-01-01T08:00:00+08:00"]
        expect(len(shown) == 4 and all(state in row for state, row in zip(wanted, shown)), shown)
        a.chengmen("rules", "rollback", "--sequence", str(next(
            row for row in json.loads(a.chengmen("rules", "show", "--json"))["history"] if row["version"] == 2)["sequence"]))
        expect(a.chengmen("rules", "show", "--history").splitlines()[-1].split(": ")[1].startswith("expired"), "expired")
        a.wait_in_force()
        expect_equal(ask(now + 200), ("REFER", "RULES_EXPIRED", 2), "gone back to an expired set")
        first = next(row for row in json.loads(a.chengmen("rules", "show", "--json"))["history"] if row["version"] == 1)
        a.chengmen("rules", "rollback", "--sequence", str(first["sequence"]))
        a.wait_in_force()
        expect_equal(ask(now + 201), ("ALLOW", "GREEN", 1), "after the rollback")
        expect('"SHUT"' not in a.chengmen("rules", "show"), "show after the rollback")
        expect_equal(ask(now + 150), ("ALLOW", "GREEN", 1), "nor does the second come back")
        status, _, errors = a.command("rules", "rollback", "--socket", a.socket)
        expect(status == 1 and "before version 1" in errors, "a rollback never goes forward")
        second = next(row for row in json.loads(a.chengmen("rules", "show", "--json"))["history"] if row["version"] == 2)
        a.chengmen("rules", "rollback", "--sequence", str(second["sequence"]))
        a.wait_in_force()
        expect_equal(ask(now + 150), ("DENY", "OTHER", 2), "forward again, by the sequence")
        status, _, errors = a.command("rules", "rollback", "--sequence", "999999", "--socket", a.socket)
        expect(status == 1 and errors, "a rollback to what never was")

        # A restart takes all of it from the log again.
        a.dataplane.stop()
        city.start_dataplane()
        expect_equal(ask(now + 99), ("ALLOW", "GREEN", 1), "after a restart, before the switch")
        expect_equal(ask(now + 150), ("DENY", "OTHER", 2), "after a restart")
        expect_equal(ask(now + 200), ("REFER", "RULES_EXPIRED", 2), "after a restart, expired")
