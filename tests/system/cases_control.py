"""The control daemon as its operator meets it: the command, the socket, a kill at any moment."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

from appliance import sanitizer_options, until
from check import case, expect, expect_equal

RULES = {"version": 1, "issued": "2020-03-06T00:00:00+08:00", "home": ["CN-310000"],
         "city": [{"id": "C-1", "when": {"===": [{"var": "status.colour"}, "red"]}, "verdict": "DENY", "reason": "RED"}],
         "venues": {"hospital": [{"id": "H-1", "when": True, "verdict": "ALLOW", "reason": "GREEN"}]}}
COLOURS = ("green", "yellow", "red")
SUBJECT = "00112233445566778899aabbccddeeff"


class Daemon:
    """A chengmen-control of the case's own; no dataplane."""

    def __init__(self, city, http=None):
        self.build = city.build
        self.directory = tempfile.mkdtemp(prefix="chengmen-control-")
        self.socket = os.path.join(self.directory, "control.sock")
        self.config = os.path.join(self.directory, "chengmen.json")
        with open(self.config, "w") as file:
            json.dump({"store": os.path.join(self.directory, "store"),
                       "control": {"socket": self.socket, "http": http,
                                   "telemetry": os.path.join(self.directory, "none")}}, file)
        self.process = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.directory)

    def start(self):
        self.process = subprocess.Popen([os.path.join(self.build, "chengmen-control"), "--config", self.config],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        env={**os.environ, **sanitizer_options()})
        until(lambda: self.connects() or self.process.poll() is not None, 30, "chengmen-control to listen")
        expect(self.process.poll() is None, lambda: self.process.stderr.read().decode())

    def connects(self):
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(self.socket) == 0

    def stop(self, number=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(30)
        if self.process:
            self.process.stderr.close()

    def run(self, *words, code=0, text=None):
        done = subprocess.run([os.path.join(self.build, "chengmen"), *words], input=text, capture_output=True,
                              text=True, timeout=60, env={**os.environ, "CHENGMEN_SOCKET": self.socket})
        if code is not None:
            expect_equal(done.returncode, code, f"exit code of {words}: {done.stderr}")
        return done

    def ask(self, *words):
        return json.loads(self.run(*words, "--json").stdout)

    def path(self, name, content=None):
        path = os.path.join(self.directory, name)
        if content is not None:
            with open(path, "w") as file:
                file.write(content if isinstance(content, str) else json.dumps(content))
        return path

    def lines(self, *lines):
        """Sends lines as they are; what came back until the other side had answered or hung up."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(self.socket)
            client.sendall(b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n"
                                    for line in lines))
            client.shutdown(socket.SHUT_WR)
            answer = b""
            while True:
                more = client.recv(65536)
                if not more:
                    return [json.loads(line) for line in answer.splitlines()]
                answer += more


def call(method, params=None, number=1):
    return {"jsonrpc": "2.0", "id": number, "method": method, **({"params": params} if params is not None else {})}


@case("what was acknowledged outlives a kill")
def restart(city):
    with Daemon(city) as daemon:
        daemon.run("key", "generate", "--out", daemon.path("key.jwk"), "--issuer", "CN-310000")
        public = daemon.path("public.jwk", {name: value for name, value in
                                            json.load(open(daemon.path("key.jwk"))).items() if name != "d"})
        daemon.run("key", "import", public)
        daemon.run("point", "add", "7", "--venue", "Ruijin", "--class", "hospital", "--address", "10.0.0.7", "--oscore")
        daemon.run("rules", "apply", daemon.path("rules.json", RULES))
        daemon.run("status", "set", "--list", "https://s/1", "--index", "5", "--value", "invalid",
                   "--issuer", "CN-310000")
        daemon.run("status", "set", "--issuer", "CN-310000", "--subject", SUBJECT, "--colour", "red")
        questions = [("key", "list"), ("point", "list"), ("point", "export", "7"), ("rules", "show"),
                     ("status", "get", "--list", "https://s/1", "--index", "5"),
                     ("status", "get", "--issuer", "CN-310000", "--subject", SUBJECT)]
        before = [daemon.ask(*words) for words in questions]
        daemon.stop(signal.SIGKILL)
        daemon.start()
        after = [daemon.ask(*words) for words in questions]
        for old, new in zip(before, after):
            for answer in (old, new):
                if isinstance(answer, dict):
                    answer.pop("age", None)
            expect_equal(new, old, "state after the restart")
        expect_equal(after[4]["value"], "invalid", "status of entry 5")
        expect_equal(after[5]["colour"], "red", "colour of the subject")
        expect_equal(os.stat(daemon.path("key.jwk")).st_mode & 0o777, 0o600, "mode of the private key")
        expect_equal(os.stat(daemon.socket).st_mode & 0o777, 0o600, "mode of the socket")


def resident_mb(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        row = next(row for row in status if row.startswith("VmHWM:"))
    return int(row.split()[1]) / 1024


@case("a million changes in one import: a wrong line is named and nothing is in force; without it all are, in bounded memory")
def million(city):
    count, wrong = 1_000_000, 777_777
    with Daemon(city) as daemon:
        def rows():
            for number in range(count):
                yield '{"issuer":"CN-310000","subject":"%032x","colour":"%s"}\n' % (number, COLOURS[number % 3])
        path = daemon.path("changes")
        with open(path, "w", encoding="ascii") as file:
            file.writelines(row.replace("subject", "subjekt") if number == wrong else row
                            for number, row in enumerate(rows(), 1))
        command = [os.path.join(city.build, "chengmen"), "status", "import", path, "--socket", daemon.socket]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        expect_equal(done.returncode, 1, "exit code with a wrong line")
        expect(f"{path}:{wrong}: " in done.stderr and "subjekt" in done.stderr, f"it said: {done.stderr}")
        expect_equal(done.stdout, "0 changes\n", "said to be in force")
        expect_equal(daemon.ask("info")["counts"]["subject_changes"], 0, "changes in force after a wrong line")
        with open(path, "w", encoding="ascii") as file:
            file.writelines(rows())
        before, began = resident_mb(daemon.process), time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        took = time.monotonic() - began
        expect_equal((done.returncode, done.stdout), (0, f"{count} changes\n"), f"import: {done.stderr}")
        grown = resident_mb(daemon.process) - before
        print(f"        a million changes in {took:.1f} s, control grew by {grown:.0f} MB")
        with open(os.path.join(city.build, "chengmen-control"), "rb") as program:
            sanitized = b"__asan_init" in program.read()
        if not sanitized:  # its own memory would be measured
            expect(grown < 200, f"control grew by {grown:.0f} MB for a million changes")
        expect_equal(daemon.ask("info")["counts"]["subject_changes"], count, "changes in force")
        for number in (0, 1, 2, wrong - 1, count - 1):
            told = daemon.ask("status", "get", "--issuer", "CN-310000", "--subject", f"{number:032x}")
            expect_equal(told["colour"], COLOURS[number % 3], f"colour of subject {number}")


@case("a kill in the middle of an import loses nothing that was acknowledged")
def kill_during_import(city):
    with Daemon(city) as daemon:
        acknowledged = []

        def import_points():
            try:
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(daemon.socket)
                    answers = client.makefile("rb")
                    for number in range(1, 100000):
                        point = {"id": number, "venue": "v", "class": "mall"}
                        client.sendall(json.dumps(call("point.import", {"document": [point]})).encode() + b"\n")
                        if "result" in json.loads(answers.readline()):
                            acknowledged.append(number)
            except (OSError, ValueError):
                pass

        importer = threading.Thread(target=import_points)
        importer.start()
        until(lambda: len(acknowledged) > 200, 30, "points to be acknowledged")
        daemon.stop(signal.SIGKILL)
        importer.join(30)
        daemon.start()
        held = {point["id"] for point in daemon.ask("point", "list")}
        expect(set(acknowledged) <= held, lambda: f"lost: {sorted(set(acknowledged) - held)[:10]}")
        expect(len(held) <= len(acknowledged) + 1, "points that nobody sent")


@case("malformed calls are refused and harm nobody")
def refusals(city):
    with Daemon(city) as daemon:
        expected = [
            (b"{\n", -32700), (b"\xff\n", -32700), (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"info"}\n', -32700),
            (b"7\n", -32600), (b"[]\n", -32600), ({"id": 1, "method": "info"}, -32600),
            ({"jsonrpc": "2.0", "id": 1, "method": "info", "more": 1}, -32600),
            ({"jsonrpc": "2.0", "id": [1], "method": "info"}, -32600), (call("nothing"), -32601),
            (call("info", []), -32602), (call("info", {"x": 1}), -32602), (call("key.retire", {"kid": "00"}), -32602),
            (call("key.retire", {"kid": "0" * 16}), -32000), (call("point.remove", {"id": 1}), -32000),
            (call("status.get", {"list": "x", "index": 0}), -32000),
            (call("status.set_list", {"list": "x", "index": 1 << 20, "value": "valid"}), -32602),
            (call("status.import_list", {"token": "00"}), -32000), (call("rules.rollback"), -32000),
        ]
        answers = daemon.lines(*[line for line, _ in expected])
        expect_equal([answer["error"]["code"] for answer in answers], [code for _, code in expected], "error codes")
        expect_equal(daemon.lines({"jsonrpc": "2.0", "method": "info"}), [], "answer to a notification")
        batch = daemon.lines([call("key.list", None, "a"), call("nothing", None, 2), {"jsonrpc": "2.0", "method": "info"}])
        expect_equal([answer["id"] for answer in batch[0]], ["a", 2], "answers to a batch")
        try:
            expect_equal(daemon.lines(b"x" * (17 << 20)), [], "answer to a line without end")
        except (BrokenPipeError, ConnectionResetError):
            pass  # hung up before all was sent
        expect_equal(daemon.ask("info")["log"]["last"], 0, "records after refusals")


@case("a call is taken whole or not at all")
def whole_or_not(city):
    with Daemon(city) as daemon:
        points = [{"id": number, "venue": "v", "class": "mall"} for number in range(1, 11)]
        points[9]["mode"] = "open"
        answer = daemon.lines(call("point.import", {"document": points}))[0]
        expect_equal(answer["error"]["data"]["pointer"], "/document/9/mode", "pointer of the problem")
        expect_equal(daemon.ask("point", "list"), [], "points after the refusal")
        failed = daemon.run("point", "import", daemon.path("points.jsonl", "\n".join(map(json.dumps, points))), code=1)
        expect("points.jsonl:10: /mode:" in failed.stderr, failed.stderr)
        failed = daemon.run("point", "import", daemon.path("points.json", points), code=1)
        expect("points.json: /9: /mode:" in failed.stderr, failed.stderr)


@case("no two points have one address or one context")
def points_apart(city):
    with Daemon(city) as daemon:
        def add(*points):
            answer = daemon.lines(call("point.import", {"document": [
                {"id": number, "venue": "v", "class": "mall", **members} for number, members in points]}))[0]
            return answer.get("error")

        def refused(error, pointer, *words):
            expect(error and error["data"]["pointer"] == pointer and all(word in error["message"] for word in words), error)

        at = [{"address": f"10.0.0.{number}"} for number in range(10)]
        context = {"oscore": {"point_id": "01", "id_context": "37cb"}}
        expect_equal(add((1, at[1]), (2, at[2]), (3, context)), None, "points apart")
        refused(add((4, at[4]), (5, at[1])), "/document/1/address", "10.0.0.1", "point 1 ", "point 5 ")
        refused(add((2, at[1])), "/document/0/address", "point 1 ", "point 2 ")
        refused(add((6, at[6]), (7, at[6])), "/document/1/address", "point 6 ", "point 7 ")
        refused(add((8, context)), "/document/0/oscore", "point 3 ", "point 8 ")
        # Each record is taken for itself: point 2 still has its address when point 1 would take it.
        refused(add((1, at[2]), (2, at[1])), "/document/0/address", "point 2 ", "point 1 ")
        expect_equal([point["id"] for point in daemon.ask("point", "list")], [1, 2, 3], "points after the refusals")
        expect_equal(add((1, at[9]), (2, at[1]), (3, {})), None, "an address that was given up before")
        refused(add((8, context)), "/document/0/oscore", "point 3 ", "point 8 ")
        expect_equal(add((8, {"oscore": {"point_id": "01"}})), None, "another id context")
        failed = daemon.run("point", "add", "9", "--venue", "v", "--class", "mall", "--address", "10.0.0.1", code=1)
        expect("point 2 " in failed.stderr and "point 9 " in failed.stderr, failed.stderr)
        daemon.run("point", "revoke", "3")
        expect_equal(add((9, context)), None, "a context after it was revoked")


@case("many clients at once are all served")
def clients(city):
    with Daemon(city) as daemon:
        failures = []

        def work(number):
            calls = [call("point.import", {"document": [{"id": number * 100 + i, "venue": "v", "class": "mall"}]}, i)
                     for i in range(1, 51)]
            answers = daemon.lines(*calls)
            if [answer.get("id") for answer in answers] != list(range(1, 51)) or any("error" in a for a in answers):
                failures.append(answers)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 41)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        expect_equal(failures, [], "answers")
        expect_equal(len(daemon.ask("point", "list")), 2000, "points")


@case("keys stay what they are")
def keys(city):
    with Daemon(city) as daemon:
        first = json.loads(daemon.run("key", "generate", "--kid", "0011223344556677").stdout)
        second = json.loads(daemon.run("key", "generate", "--kid", "0011223344556677").stdout)
        daemon.run("key", "import", daemon.path("a.jwk", first))
        failed = daemon.run("key", "import", daemon.path("b.jwk", second), code=1)
        expect("another key's" in failed.stderr, failed.stderr)
        failed = daemon.run("key", "import", daemon.path("c.jwk", {"keys": [{**first, "d": "AAAA"}]}), code=1)
        expect("c.jwk: /keys/0/d: private" in failed.stderr, failed.stderr)
        daemon.run("key", "retire", "0011223344556677")
        daemon.run("key", "import", daemon.path("a.jwk"), code=1)
        expect_equal([key["retired"] for key in daemon.ask("key", "list")], [True], "retired keys")


@case("a key that others made comes in, and one that is kept is not written over")
def key_files(city):
    with Daemon(city) as daemon:
        path = daemon.path("key.jwk")
        public = json.loads(daemon.run("key", "generate", "--out", path).stdout)
        kept = open(path).read()
        expect_equal(os.stat(path).st_mode & 0o777, 0o600, "mode of the private key")
        done = daemon.run("key", "generate", "--out", path, code=1)
        expect(path in done.stderr and "exists" in done.stderr and not done.stdout, done.stderr)
        expect_equal(open(path).read(), kept, "the private key")
        foreign = {**public, "use": "sig", "key_ops": ["verify"], "ext": True, "x5c": ["AAAA"]}
        other = {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "web-1"}
        done = daemon.run("key", "import", daemon.path("set.jwks", {"keys": [other, foreign], "more": 1}))
        expect("/keys/0: key web-1" in done.stderr and "/more" in done.stderr, done.stderr)
        expect_equal([(key["kid"], key["use"]) for key in daemon.ask("key", "list")], [(public["kid"], "credential")],
                     "keys in force")


@case("rules go forward by version and back by rollback")
def rules(city):
    with Daemon(city) as daemon:
        daemon.run("rules", "show", code=1)
        daemon.run("rules", "apply", daemon.path("1.json", RULES))
        later = {**RULES, "version": 2, "city": []}
        expect_equal(daemon.ask("rules", "apply", "--dry-run", daemon.path("2.json", later))["applied"], False, "applied")
        expect_equal(daemon.ask("rules", "show")["version"], 1, "version after the dry run")
        daemon.run("rules", "apply", daemon.path("2.json"))
        daemon.run("rules", "apply", daemon.path("1.json"), code=1)
        daemon.run("rules", "rollback")
        shown = daemon.ask("rules", "show")
        expect_equal((shown["version"], json.loads(shown["text"])), (1, RULES), "rules after the rollback")
        expect_equal([row["version"] for row in shown["history"]], [1, 2, 1], "history")


@case("a rollback never goes forward, and a file that is applied twice is one set")
def rollbacks(city):
    with Daemon(city) as daemon:
        def versions():
            return [row["version"] for row in daemon.ask("rules", "show")["history"]]

        for version in 1, 2, 3:
            daemon.run("rules", "apply", daemon.path(f"{version}.json", {**RULES, "version": version}))
        again = daemon.run("rules", "apply", daemon.path("3.json"))
        expect("nothing changes" in again.stdout, again.stdout)
        expect_equal(daemon.ask("rules", "apply", daemon.path("3.json"))["applied"], False, "applied")
        expect_equal(versions(), [1, 2, 3], "history after the same file twice")
        expect("version 2 applied in place of version 3" in daemon.run("rules", "rollback").stdout, "rollback")
        failed = daemon.run("rules", "apply", daemon.path("3.json"), code=1)
        expect("version 3 was applied before" in failed.stderr, failed.stderr)
        daemon.run("rules", "rollback")
        expect_equal(versions(), [1, 2, 3, 2, 1], "history after two rollbacks")
        failed = daemon.run("rules", "rollback", code=1)
        expect("before version 1" in failed.stderr, failed.stderr)
        daemon.run("rules", "apply", daemon.path("4.json", {**RULES, "version": 4}))
        daemon.run("rules", "rollback")
        expect_equal(versions()[-1], 1, "the set before the fourth")
        # Sets that a rollback passed fall out of the history: what is left there may not be gone back to.
        for version in range(5, 25):
            daemon.run("rules", "apply", daemon.path("n.json", {**RULES, "version": version}))
        seen = [24]
        while daemon.run("rules", "rollback", code=None).returncode == 0:
            seen.append(versions()[-1])
        expect(seen == list(range(24, 24 - len(seen), -1)) and len(seen) >= 8, seen)


@case("a rule set that waits, and one that has ended, are told from the one in force")
def waiting(city):
    with Daemon(city, http="127.0.0.1:9081") as daemon:
        def metric(name):
            with urllib.request.urlopen("http://127.0.0.1:9081/metrics", timeout=10) as answer:
                return next(line.split()[1] for line in answer.read().decode().splitlines() if line.startswith(name + " "))

        later = daemon.path("later.json", {**RULES, "version": 1, "from": "2098-01-01T00:00:00+08:00"})
        applied = daemon.run("rules", "apply", later).stdout
        expect("applied; waits until 2098-01-01T00:00:00+08:00" in applied, applied)
        info = daemon.ask("info")
        expect("in_force" not in info["rules"] and info["rules"]["state"] == "waits", info["rules"])
        expect(any("waits until 2098" in line for line in info["warnings"]), info["warnings"])
        expect_equal(metric("chengmen_rules_version_in_force"), "0", "version in force, of none")
        daemon.run("rules", "apply", daemon.path("now.json", {**RULES, "version": 2}))
        daemon.run("rules", "apply", daemon.path("2099.json", {**RULES, "version": 3, "from": "2099-01-01T00:00:00+08:00"}))
        info = daemon.ask("info")
        expect_equal((info["rules"]["version"], info["rules"]["in_force"]["version"], info["rules"]["waits_until"]),
                     (3, 2, "2099-01-01T00:00:00+08:00"), "rules of info")
        expect(not any("rules" in line for line in info["warnings"]), info["warnings"])
        expect_equal((metric("chengmen_rules_version"), metric("chengmen_rules_version_in_force")), ("3", "2"), "metrics")
        ended = daemon.path("ended.json", {**RULES, "version": 4, "to": "2021-01-01T00:00:00+08:00"})
        warned = daemon.run("rules", "check", ended, code=1)
        expect("/to: warning: the set has ended" in warned.stdout + warned.stderr, warned)
        expect("ended at 2021-01-01T00:00:00+08:00" in daemon.run("rules", "apply", ended).stderr, "a warning")
        info = daemon.ask("info")
        expect("in_force" not in info["rules"] and any("the rules ended at 2021" in line for line in info["warnings"]), info)
        expect_equal(metric("chengmen_rules_version_in_force"), "0", "version in force, of one that ended")


@case("a dump that is cut, or none, makes no store and is named")
def cut_dumps(city):
    with Daemon(city) as daemon:
        daemon.run("point", "add", "1", "--venue", "v", "--class", "mall")
        store, dump, copy = (os.path.join(daemon.directory, name) for name in ("store", "dump", "copy"))
        daemon.run("store", "dump", store, "--output", dump)
        with open(dump, "rb") as file:
            whole = file.read()
        cut = daemon.path("cut")
        with open(cut, "wb") as file:
            file.write(whole[:-9])
        failed = daemon.run("store", "restore", copy, "--input", cut, code=1)
        expect(f"{cut}: the dump ends early" in failed.stderr, failed.stderr)
        expect(not os.path.exists(copy), "a store of half a dump")
        failed = daemon.run("store", "restore", copy, "--input", daemon.path("text", "x" * 4096), code=1)
        expect("text: this is no dump of a store" in failed.stderr, failed.stderr)
        expect(not os.path.exists(copy), "a store of a text")
        daemon.run("store", "restore", copy, "--input", dump)


@case("contexts are exported, rotated and revoked")
def contexts(city):
    with Daemon(city) as daemon:
        daemon.run("point", "add", "8", "--venue", "Tower", "--class", "office", "--oscore")
        first = daemon.ask("point", "export", "8")
        expect_equal((first["point"], first["alg"], first["sender_id"]), (8, 10, "00000008"), "context")
        daemon.run("point", "add", "8", "--venue", "Tower 2", "--class", "office")
        expect_equal(daemon.ask("point", "export", "8"), first, "context after another `point add`")
        daemon.run("point", "rotate", "8")
        second = daemon.ask("point", "export", "8")
        expect(second["master_secret"] != first["master_secret"], "the secret stayed")
        expect("master" not in daemon.run("point", "list", "--json").stdout, "a listing shows secrets")
        daemon.run("point", "revoke", "8")
        daemon.run("point", "export", "8", code=1)
        daemon.run("point", "rotate", "8", code=1)


@case("subject changes come in by the line")
def subjects(city):
    with Daemon(city) as daemon:
        lines = [{"issuer": "CN-310000", "subject": f"{number:032x}", "colour": "yellow"} for number in range(5000)]
        done = daemon.run("status", "import", "-", "--json", text="\n".join(map(json.dumps, lines)) + "\n\n")
        expect_equal(json.loads(done.stdout), {"count": 5000}, "changes")
        ask = ("status", "get", "--issuer", "CN-310000", "--subject", f"{4999:032x}")
        expect_equal(daemon.ask(*ask)["colour"], "yellow", "colour")
        done = daemon.run("status", "set", *ask[2:], "--colour", "red", "--version", "1")
        expect("an older version: nothing changed" in done.stdout, done.stdout)
        older = daemon.ask("status", "set", *ask[2:], "--colour", "red", "--version", "1")
        expect_equal((older["count"], older["older"], older["status"]), (0, True, daemon.ask(*ask)), "an older version")
        expect_equal(daemon.ask(*ask)["colour"], "yellow", "colour after an older version")
        newer = daemon.ask("status", "set", *ask[2:], "--colour", "red")
        expect_equal((newer["count"], newer["older"], newer["status"]), (1, False, daemon.ask(*ask)), "a later version")
        daemon.run("status", "set", *ask[2:], "--remove")
        daemon.run(*ask, code=1)
        failed = daemon.run("status", "import", "-", text='{"issuer":"a"}\n', code=1)
        expect("-:1: /" in failed.stderr and "nothing of it is in force" in failed.stderr, failed.stderr)
        done = daemon.run("status", "set", *ask[2:], "--colour", "red", "--version", "1")
        expect("nothing changed" in done.stdout, f"after a later removal: {done.stdout}")
        failed = daemon.run("status", "import", daemon.path("none"), code=1)
        expect(daemon.path("none") in failed.stderr and "No such file" in failed.stderr, failed.stderr)


@case("only one daemon writes a store, and none is reached where none is")
def alone(city):
    with Daemon(city) as daemon:
        other = subprocess.run([os.path.join(city.build, "chengmen-control"), "--config", daemon.config],
                               capture_output=True, text=True, timeout=30,
                               env={**os.environ, **sanitizer_options()})
        expect_equal(other.returncode, 1, "exit code of a second daemon")
        expect_equal(daemon.ask("info")["log"]["last"], 0, "log of the first")
        daemon.stop()
        daemon.run("info", code=3)
        daemon.run("info", "--sockets", "x", code=2)


@case("metrics and the page are served, and only read")
def http(city):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        where = "127.0.0.1:%d" % probe.getsockname()[1]
    with Daemon(city, where) as daemon:
        daemon.run("point", "add", "7", "--venue", "Ruijin", "--class", "hospital")
        metrics = urllib.request.urlopen(f"http://{where}/metrics", timeout=10).read().decode()
        expect("\nchengmen_points 1\n" in metrics and "\nchengmen_dataplane_up 0\n" in metrics, metrics)
        for line in metrics.splitlines():
            expect(line.startswith("#") or len(line.rsplit(" ", 1)) == 2 and line.rsplit(" ", 1)[1].isdigit(), line)
        page = urllib.request.urlopen(f"http://{where}/", timeout=10)
        expect("default-src 'none'" in page.headers["Content-Security-Policy"], "no content security policy")
        state = json.loads(urllib.request.urlopen(f"http://{where}/state", timeout=10).read())
        expect(state["counts"]["points"] == 1 and any("dataplane" in text for text in state["warnings"]), state)
        for request in (urllib.request.Request(f"http://{where}/", data=b"x", method="POST"),
                        urllib.request.Request(f"http://{where}/../etc/passwd")):
            try:
                urllib.request.urlopen(request, timeout=10)
                expect(False, "answered")
            except urllib.error.HTTPError as error:
                expect(error.code in (404, 405), error.code)


# RFC 8032 section 7.1, tests 1 and 2.
EMPTY = {"pk": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "msg": "",
         "sig": "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595"
                "bbe24655141438e7a100b"}
ONE = {"pk": "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "msg": "72",
       "sig": "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302"
              "aeeb00d291612bb0c00"}


@case("what is wrong is told with the option, the file and the place")
def places(city):
    with Daemon(city) as daemon:
        rules = daemon.path("rules.json", RULES)
        for words, code, said in (
                (("explain", "--point", "1", "--lang", "fr", ""), 2, '--lang: "fr"'),
                (("explain", "--point", "1", "--at", "yesterday", ""), 2, '--at: "yesterday"'),
                (("explain", "--point=1", "--at=yesterday", ""), 2, '--at: "yesterday"'),
                (("explain", "--point", "1", "--store", daemon.directory, ""), 1,
                 f"there is no store in {daemon.directory}"),
                (("explain", "--point", "1", "--store", "/none", ""), 1, "there is no store in /none"),
                (("rules", "apply", "--dry-run", "--replay", daemon.path("records", '\n{"verdict":7}\n'), rules), 1,
                 "records: line 2: /verdict"),
                (("config", "check", "/none.json"), 1, "chengmen: /none.json: No such file"),
                (("status", "import-list", daemon.path("list.cwt", "no list")), 1, "list.cwt: ")):
            done = daemon.run(*words, code=code)
            expect(said in done.stderr, f"{words} said: {done.stderr}")
        daemon.run("rules", "apply", rules)
        other = daemon.path("other.json", {**RULES, "home": ["CN-320000"]})
        expect(f"{other}: /version: version 1" in daemon.run("rules", "apply", other, code=1).stderr, "rules apply")


@case("keys and subjects are listed whole, with dates")
def listings(city):
    with Daemon(city) as daemon:
        public = json.loads(daemon.run("key", "generate").stdout)
        daemon.run("key", "import", daemon.path("a.jwk", {**public, "nbf": 1583020800, "exp": 1614556800,
                                                          "classes": ["printed"]}))
        line = daemon.run("key", "list").stdout
        expect("classes printed  from 2020-03-01T08:00:00+08:00 to 2021-03-01T08:00:00+08:00\n" in line, line)
        who = ("--issuer", "CN-310000", "--subject", SUBJECT)
        daemon.run("status", "set", *who, "--colour", "red", "--since", "1583020800", "--until", "1583107200",
                   "--arrival", "2020-02-29", "--key-region", "--occupation", "driver")
        told = daemon.run("status", "get", *who).stdout
        for row in ("since        2020-03-01T08:00:00+08:00", "until        2020-03-02T08:00:00+08:00",
                    "arrival      2020-02-29"):
            expect(row in told.splitlines(), told)
        expect("  since 2020-03-01T08:00:00+08:00  until 2020-03-02T08:00:00+08:00  arrival 2020-02-29  key region"
               "  occupation driver\n" in daemon.run("status", "get", *who, "--history").stdout, "history")


@case("every program and script tells its usage and its version, and does nothing else")
def usages(city):
    scripts = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts")
    for words in ([os.path.join(city.build, "chengmen-load"), word, "--help"] for word in
                  ("run", "pool", "search", "self-test", "report", "profiles")):
        done = subprocess.run(words, capture_output=True, text=True, timeout=30)
        expect(done.returncode == 0 and "chengmen-load pool" in done.stdout and not done.stderr, f"{words}: {done}")
    for name in ("test", "tidy", "demo", "fuzz"):
        done = subprocess.run([os.path.join(scripts, name), "--help"], capture_output=True, text=True, timeout=30,
                              cwd="/")
        expect(done.returncode == 0 and 0 < done.stdout.count("\n") < 12 and "#" not in done.stdout and not done.stderr,
               f"{name}: {done}")
    for name in ("chengmen", "chengmen-control", "chengmen-dataplane", "chengmen-load"):
        done = subprocess.run([os.path.join(city.build, name), "--version"], capture_output=True, text=True, timeout=30)
        expect(done.returncode == 0 and done.stdout.split()[0] == name and done.stdout.count(".") == 2, f"{name}: {done}")


@case("JSON is printed wherever it is asked for")
def json_output(city):
    with Daemon(city) as daemon:
        done = daemon.run("rules", "eval", "--json", "--batch", "-", text='{"logic":{"var":"a"},"data":{"a":7}}\n')
        expect_equal(done.stdout, "7\n", "rules eval --json")
        expect_equal(daemon.ask("config", "check", daemon.config), {"ok": True, "problems": []}, "config check --json")
        for content, pointer in (({"stor": 1}, "/stor"), ("{", "")):
            done = daemon.run("config", "check", "--json", daemon.path("bad.json", content), code=1)
            told = json.loads(done.stdout)
            expect_equal((told["ok"], [p["pointer"] for p in told["problems"]]), (False, [pointer]), done.stdout)


@case("a scan without a way to the appliance says unreachable")
def no_way(city):
    scan = ["unshare", "--net", os.path.join(city.build, "chengmen"), "scan", "--point", "1", "--to", "10.1.2.3"]
    for more, code, said in (([], 3, "Network is unreachable"), (["--from", "10.9.9.9"], 3, "cannot send"),
                             (["--from", "x"], 2, "not an address"), (["--oscore", "/none"], 2, "")):
        if "--oscore" in more:
            scan[scan.index("10.1.2.3")] = "127.0.0.1"
            scan[0:2] = []
        done = subprocess.run([*scan, *more, ""], capture_output=True, text=True, timeout=30)
        expect(done.returncode == code and said in done.stderr, f"{more}: {done}")


@case("verify-raw says accept or reject for each line, in order")
def verify_raw(city):
    with Daemon(city) as daemon:
        lines = [(EMPTY, "accept"), (ONE, "accept"), ({**ONE, "msg": "73"}, "reject"), ({**ONE, "msg": "7"}, "reject"),
                 ({**ONE, "pk": ONE["pk"][:-2]}, "reject"), ({**ONE, "sig": ONE["sig"] + "00"}, "reject"),
                 ({**ONE, "sig": "x" * 128}, "reject"), ({**ONE, "pk": ONE["pk"].upper()}, "accept")] * 300
        text = "\n".join(json.dumps(line) for line, _ in lines)
        wanted = "".join(word + "\n" for _, word in lines)
        here = os.path.dirname(os.path.abspath(__file__))
        with open(os.path.join(here, "../vectors/ed25519-published.json")) as file:
            published = json.load(file)
        for case_ in published:
            text += "\n" + json.dumps({name: case_[name] for name in ("pk", "msg", "sig")})
            wanted += ("accept" if case_["valid"] else "reject") + "\n"
        with open("/proc/cpuinfo") as file:
            flags = file.read().split()
        vector = [engine for engine, flag in (("avx2", "avx2"), ("avx512", "avx512ifma")) if flag in flags]
        for engine in ["auto", "portable", "sodium", *vector]:
            expect_equal(daemon.run("verify-raw", "--engine", engine, "-", text=text).stdout, wanted, engine)
        for bad in ("", "{}", "[]", json.dumps({**ONE, "more": 1}), json.dumps({**ONE, "sig": 7}), "nonsense"):
            done = daemon.run("verify-raw", "-", text=f"{json.dumps(ONE)}\n{bad}\n{json.dumps(ONE)}\n", code=1)
            expect_equal(done.stdout, "accept\n", f"output before {bad!r}")
            expect("-:2: " in done.stderr, done.stderr)
        daemon.run("verify-raw", "--engine", "gpu", "-", text="", code=2)


@case("credentials of every class are issued so that they are accepted, and wrong ones so that they are not")
def issue(city):
    with Daemon(city) as daemon:
        key = daemon.path("key.jwk")
        daemon.run("key", "import", daemon.path("public.jwk", daemon.run("key", "generate", "--out", key).stdout))
        daemon.run("point", "add", "7", "--venue", "venue", "--class", "hospital")
        daemon.run("rules", "apply", daemon.path("rules.json", RULES))
        store = os.path.join(daemon.directory, "store")

        def explained(*options, code=0):
            text = daemon.run("issue", "--key", key, *options).stdout.strip()
            return json.loads(daemon.run("explain", "--store", store, "--point", "7", "--json", text, code=code).stdout)

        for name in ("dynamic", "printed", "delegated", "enterprise"):
            expect_equal(explained("--class", name)["verdict"], "ALLOW", f"verdict for class {name}")
        wrong = [(("--iat", "+3600"), "FUTURE"), (("--iat", "-3600"), "EXPIRED"), (("--life", "61"), "LIFETIME"),
                 (("--issuer", "CN-320000"), "SCOPE_ISSUER"), (("--kid", "00" * 8), "KEY_UNKNOWN"),
                 (("--claim", "7="), "CREDENTIAL_CLAIMS"), (("--claim", "2=ff"), "CREDENTIAL_FORM"),
                 (("--status-uri", "https://s/none"), "STATUS_LIST_UNKNOWN"), (("--colour", "red"), "RED")]
        for options, reason in wrong:
            expect_equal(explained(*options, code=1)["reason"], reason, f"reason for {options}")
        answer = daemon.ask("issue", "--key", key, "--class", "venue-pass", "--venue", "x", "--cti", "0102030405060708",
                            "--qr", daemon.path("code.png"), "--cbor", daemon.path("code.cbor"))
        expect_equal(open(daemon.path("code.cbor"), "rb").read().hex(), answer["cose"], "raw message")
        expect(open(daemon.path("code.png"), "rb").read().startswith(b"\x89PNG"), "no PNG")
        daemon.run("issue", "--class", "dynamic", code=2)
        daemon.run("issue", "--key", daemon.path("public.jwk"), code=1)
