"""The tables of tests/vectors/city, case by case over packets and through `chengmen explain`: both must give what the
table expects. The dataplane's wall clock is the case's date."""
import datetime
import glob
import json
import os

from check import Failed, case, expect, expect_equal
from dated import SHANGHAI, dated, seconds
from formats import (COLOURS, DELEGATED, DYNAMIC, ENTERPRISE, PRINTED, ROOT, VENUE_PASS, Key, credential,
                     status_reference, text_of)

CLASSES = {"dynamic": DYNAMIC, "printed": PRINTED, "delegated": DELEGATED, "enterprise": ENTERPRISE}
ISSUERS = ("CN-310000", "CN-320000", "CN-330000", "CN-340000", "CN-360000", "CN-420000", "CN-440000")
LIST = "https://status.test/city"
START = "2020-01-20T00:00:00+08:00"
UNANSWERED = {16}  # overload is answered before any rule is asked: cases_limits.py
CASES_LEAST = 5
TRANSMISSIONS = 3  # of one message: the machine may be busy with others for seconds
CLAIMS = ("region", "proofing", "needs_id", "arrival", "occupation", "roles")
EVIDENCE_FLAGS = ("consent", "id_checked", "mask", "registered")


def day(text):
    return datetime.date.fromisoformat(text).toordinal() - datetime.date(1970, 1, 1).toordinal()


def tables():
    """Every case of every table, with its table's name."""
    for path in sorted(glob.glob(os.path.join(ROOT, "tests", "vectors", "city", "*.json"))):
        with open(path, encoding="utf-8") as file:
            for one in json.load(file):
                yield os.path.basename(path), one


class Showing:
    """One way to bring a case's facts about: where the colour comes from, the code (or a status list that the case
    names) or the subject's record in the store. "shown" of a case is what no fact says: when the code was issued,
    from the case's time on; its entry in the list; the colour of a code that is refused; claims that nobody knows."""

    def __init__(self, one, stored, index):
        self.one, self.at, self.stored, self.index = one, seconds(one["at"]), stored, index
        self.subject = os.urandom(16)
        self.claimed, self.status, self.shown = one["credential"], one["status"], one.get("shown", {})
        self.kind = CLASSES.get(self.claimed.get("class"))
        self.listed = self.shown.get("listed")
        # What was shown before must be as old as that.
        self.issued = self.at + self.shown.get("issued", -1 - self.claimed.get("seen.age", 0))

    def possible(self):
        """Printed and enterprise codes carry no colour; a colour can be stored for a subject only."""
        if not self.claimed or self.listed:
            return not self.stored
        if self.stored:
            return "colour" in self.status
        differs = "colour" in self.claimed and self.claimed["colour"] != self.status.get("colour")
        only_colour = set(self.status) <= {"colour"}
        return only_colour and not differs and (self.kind in (DYNAMIC, DELEGATED) or not self.status)

    def record(self):
        """The subject's record for `chengmen status import`, or None."""
        if not self.stored:
            return None
        out = {"issuer": self.claimed["issuer"], "subject": self.subject.hex(), "since": self.issued}
        for name, value in self.status.items():
            out[name] = seconds(value) if name in ("since", "until") else value
        return out

    def code(self, keys):
        if not self.claimed:
            return None
        change = {name: self.claimed.get(name) for name in CLAIMS}
        change["arrival"] = day(change["arrival"]) if change["arrival"] else None
        if self.kind in (DYNAMIC, DELEGATED):
            change["colour"] = self.code_colour()
        if self.listed:
            change["status"] = status_reference(self.index, LIST)
        if self.shown.get("extension"):
            change["extension"] = {"a": [1, "b"]}
        return credential(keys[self.claimed["issuer"]], self.kind, now=self.issued, sub=self.subject, **change)

    def code_colour(self):
        colour = self.claimed.get("colour", self.shown.get("colour"))
        if colour is None:
            colour = self.status.get("colour")
            if self.stored:  # what the store says must win
                colour = "green" if colour != "green" else "red"
        return COLOURS.index(colour) if colour else None


class Points:
    """A point for each kind that the tables name."""

    def __init__(self):
        self.numbers = {}

    def number(self, point, another=0):
        kind = tuple(sorted(point.items())) + (("another", another),)
        return self.numbers.setdefault(kind, len(self.numbers) + 1)

    @staticmethod
    def address(number):
        return f"10.77.{2 + number // 200}.{1 + number % 200}"

    def document(self):
        out = []
        for kind, number in self.numbers.items():
            point = {name: value for name, value in kind if name != "another"}
            out.append({"id": number, "venue": f"venue-{number}", "address": self.address(number), **point})
        return out


def ask(city, points, showing, code, number):
    """Shows the code over packets; where the table says that it was seen before, there first."""
    one, given = showing.one, dict(showing.one["evidence"])
    if given.pop("pass", False):
        given["pass"] = venue_pass(city, showing, number)
    age = showing.claimed.get("seen.age")
    if age is not None:
        before = points.number({**one["point"], "zone": showing.claimed["seen.zone"]}, another=1)
        city.clock.set(showing.at - age)
        city.peer(points.address(before)).ask(code, transmissions=TRANSMISSIONS)
    city.clock.set(showing.at)
    return city.peer(points.address(number)).ask(code, transmissions=TRANSMISSIONS, **given), given


def venue_pass(city, showing, number):
    key = city.keys["CN-310000"]
    return credential(key, VENUE_PASS, now=showing.at - 86400, venue=f"venue-{number}")


def question_of(points, showing, code, number, given):
    """The same for `chengmen explain --questions`."""
    out = {"point": number, "at": showing.at, "code": text_of(code) if code else "",
           "evidence": {name: value for name, value in given.items() if name != "pass"}}
    if "pass" in given:
        out["pass"] = text_of(given["pass"])
    if "seen.age" in showing.claimed:
        out["seen"] = {"zone": showing.claimed["seen.zone"], "age": showing.claimed["seen.age"]}
    return out


def explain(a, questions, *options):
    """What the operator's command tells of each question."""
    text = "".join(json.dumps(one) + "\n" for one in questions)
    status, output, errors = a.command("explain", "--questions", "-", "--store", a.store, *options, stdin=text.encode())
    expect(status == 0, lambda: f"explain: {errors}")
    return [json.loads(row) for row in output.splitlines()]


def same_answer(answer, told):
    """What came back and what was explained, member by member."""
    until = seconds(told["until"]) if "until" in told else None
    return ((answer.verdict, answer.colour, answer.reason, answer.obligations, answer.until, answer.rule or "",
             answer.ruleset, answer.status_age),
            (told["verdict"], told["colour"], told["reason"], told["obligations"], until, told.get("rule", ""),
             told["rules_version"], told["status_age_s"]))


def expected(one):
    want = one["expect"]
    return (want["verdict"], one["status"].get("colour", "unknown"), want["reason"], want.get("obligations", []),
            seconds(want["until"]) if "until" in want else None, want["rule"])


@case("the tables of the city's questions, over packets and through explain")
def tables_over_packets(city):
    points, showings, counts = Points(), [], {}
    for table, one in tables():
        ways = [Showing(one, stored, len(showings)) for stored in (False, True)]
        ways = [way for way in ways if way.possible()]
        expect(ways, f"{table}: {one['name']}: cannot be shown")
        showings += [(table, way) for way in ways]
        for question in one["questions"]:
            counts[question] = counts.get(question, 0) + 1
        points.number(one["point"])
        if "seen.age" in one["credential"]:
            points.number({**one["point"], "zone": one["credential"]["seen.zone"]}, another=1)
    showings.sort(key=lambda item: item[1].at)
    with dated(city, "tables", START) as a:
        city.keys = {issuer: Key(issuer) for issuer in ISSUERS}
        city.import_keys(*city.keys.values())
        a.chengmen("rules", "apply", SHANGHAI)
        a.chengmen("point", "import", a.file("points.json", points.document()))
        records = [way.record() for _, way in showings]
        rows = "".join(json.dumps(record) + "\n" for record in records if record)
        a.chengmen("status", "import", "-", stdin=rows.encode())
        for _, way in showings:
            if way.listed:
                a.chengmen("status", "set", "--list", LIST, "--issuer", "CN-310000", "--index", str(way.index), "--value",
                           way.listed)
        city.start_dataplane()
        answers, questions, wrong = [], [], []
        for table, way in showings:
            code, number = way.code(city.keys), points.number(way.one["point"])
            name = f"{table}: {way.one['name']}{' (stored)' if way.stored else ''}"
            try:
                answer, given = ask(city, points, way, code, number)
            except Failed as error:
                wrong.append(f"{name}: {error}")
                continue
            answers.append((name, way, answer))
            questions.append(question_of(points, way, code, number, given))
            expect_equal(answer.decision >> 28, way.at, f"second in the decision's number of {name}")
        for (name, way, answer), told in zip(answers, explain(a, questions), strict=True):
            found, explained = same_answer(answer, told)
            if found[:6] != expected(way.one):
                wrong.append(f"{name}: answered {found[:6]}, expected {expected(way.one)}")
            if found != explained:
                wrong.append(f"{name}: answered {found}, explained {explained}")
        numbers = [answer.decision for _, _, answer in answers]
        expect_equal(len(set(numbers)), len(numbers), "decision numbers that differ")
        expect(not wrong, lambda: f"{len(wrong)} of {len(showings)}:\n" + "\n".join("        " + row for row in wrong))
    few = [question for question in range(1, 45)
           if question not in UNANSWERED and counts.get(question, 0) < CASES_LEAST]
    expect(not few, f"questions with fewer than {CASES_LEAST} cases: {few}")
    print(f"        {sum(1 for _ in tables())} cases of {len(counts)} questions, shown {len(showings)} times")
