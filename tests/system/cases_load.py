"""The load tester meets a dataplane process over a port: every verdict right, and the counts of both sides agree."""
import contextlib
import json
import os
import subprocess

from check import case, expect, expect_equal
from formats import REASONS

PROFILE = {
    "name": "small", "rules": None, "duration_s": 2, "timeout_ms": 2000,
    "rate": {"shape": "constant", "per_s": 500}, "arrivals": "poisson",
    "repeat": {"share": 0.05, "after_ms": 20},
    "points": {"count": 40, "zipf": 0.8}, "subjects": 20000, "pool": 2000, "issuers": ["CN-310000", "CN-320000"],
    "text_share": 0.1, "confirmable": 0.8,
    "classes": {"dynamic": 0.8, "printed": 0.2}, "colours": {"green": 0.7, "yellow": 0.1, "red": 0.1, "revoked": 0.1},
    "venues": {"load-gate": {"share": 1}},
    "invalid": {"forged": 0.03, "expired": 0.03, "unknown-key": 0.03, "garbage": 0.03, "malformed": 0.03},
    "expect": [
        {"colour": "green", "class": "printed", "verdict": "ALLOW_WITH_OBLIGATIONS", "reason": "PRINTED",
         "obligations": ["CHECK_ID"]},
        {"colour": "green", "verdict": "ALLOW", "reason": "GREEN"},
        {"colour": "yellow", "verdict": "NEED_EVIDENCE", "reason": "YELLOW"},
        {"colour": "red", "verdict": "DENY", "reason": "RED", "obligations": ["ISOLATE"]},
    ],
}
RULES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "load", "profiles", "rules.json")
TARGET = "10.88.0.1"


def load(city, *words, code=0, **environment):
    done = subprocess.run([os.path.join(city.build, "chengmen-load"), *words], capture_output=True, text=True,
                          timeout=120, env={**os.environ, **environment})
    expect_equal(done.returncode, code, f"exit code of chengmen-load {' '.join(words)}: {done.stderr[-1500:]}")
    return done


@contextlib.contextmanager
def target(city, name, port, *pool_words, trusted=("10.64.0.0/10",), **profile):
    """An appliance at that port which knows the profile's load; yields it, the profile's path and its directory."""
    appliance = city.make(name, {"ports": [port], "addresses": [{"address": TARGET + "/8"}], "trusted": list(trusted),
                                 "workers": [0], "point_rate_per_s": 0})
    path = appliance.file("profile.json", {**PROFILE, "rules": RULES, **profile})
    pool = os.path.join(appliance.directory, "pool")
    try:
        appliance.start_control()
        said = load(city, "pool", path, "--out", pool, "--from", "10.64.0.1", *pool_words).stdout
        expect("10.64.0.1 to 10.64.0.40" in said, f"pool said: {said}")
        subprocess.run([os.path.join(pool, "import.sh")], check=True, stdout=subprocess.DEVNULL, timeout=60,
                       env={**os.environ, "CHENGMEN": appliance.program("chengmen"),
                            "CHENGMEN_SOCKET": appliance.socket})
        appliance.start_dataplane()
        yield appliance, path, pool
    finally:
        appliance.stop()


def run(city, appliance, path, port, *words, **more):
    """One run; its result, after every count was compared with the dataplane's."""
    before = appliance.counters()
    result = os.path.join(appliance.directory, "result.json")
    load(city, "run", path, "--to", TARGET, "--port", port, "--json", result, "--quiet", *words, **more)
    after = appliance.counters()
    with open(result, encoding="utf-8") as file:
        result = json.load(file)
    counts = result["counts"]
    expect(counts["due"] > 800, f"requests due: {counts['due']}")
    expect_equal([counts[name] for name in ("answered", "right")], [counts["due"]] * 2, "answered and right")
    for name in ("wrong", "late", "lost", "unsent", "shed", "unmatched", "checksum_bad", "starved"):
        expect_equal(counts[name], 0, f"{name} of {counts}")
    expect(counts["repeated"] > 0, "nothing was sent again")
    grown = {name: after[name] - before[name] for name, _ in REASONS.values() if after[name] != before[name]}
    # One that overtakes its own answer gets none: that answer is under way.
    expect_equal(counts["repeat_answered"] + grown.get("RETRANSMISSION_PENDING", 0), counts["repeated"],
                 "answers to what was sent again")
    for name, number in result["reasons"].items():
        expect_equal(grown.get(name), number, f"{name}, as the dataplane counts it")
    expect_equal(result["codes"], {"2.05": counts["due"] - result["kinds"]["malformed"],
                                   "4.00": result["kinds"]["malformed"]}, "codes")
    return result, grown


@case("chengmen-load over memif: all verdicts right, both sides count the same")
def memif(city):
    path = os.path.join(city.directory, "memif.sock")
    port = f"net_memif0,role=%s,socket={path},socket-abstract=no"
    with target(city, "memif", port % "server") as (appliance, profile, _):
        result, grown = run(city, appliance, profile, port % "client")
        for name in ("forged", "expired", "unknown-key", "garbage", "malformed"):
            expect(result["kinds"][name] > 5, f"{name}: {result['kinds']}")
        expect_equal(grown["SIGNATURE"], result["kinds"]["forged"], "signatures refused")
        report = os.path.join(appliance.directory, "report.html")
        load(city, "report", os.path.join(appliance.directory, "result.json"), "--html", report)
        expect(2000 < os.path.getsize(report) < 500_000, f"the report has {os.path.getsize(report)} bytes")


@case("chengmen-load under OSCORE: every answer opened; a dataplane that restarts is met with its Echo")
def oscore(city):
    path = os.path.join(city.directory, "oscore.sock")
    port = f"net_memif0,role=%s,socket={path},socket-abstract=no"
    with target(city, "oscore", port % "server", "--oscore", trusted=()) as (appliance, profile, pool):
        contexts = os.path.join(pool, "contexts.json")
        first, grown = run(city, appliance, profile, port % "client", "--contexts", contexts)
        challenged = first["counts"]["challenged"]
        expect(10 < challenged < first["counts"]["due"], f"challenged: {challenged}")
        expect_equal(grown["OSCORE_ECHO"], challenged, "challenges, as the dataplane counts them")
        second, _ = run(city, appliance, profile, port % "client", "--contexts", contexts)
        expect(second["counts"]["challenged"] < 20, f"challenged again: {second['counts']}")  # points not heard before
        appliance.dataplane.stop()
        appliance.start_dataplane()
        third, _ = run(city, appliance, profile, port % "client", "--contexts", contexts)
        expect(third["counts"]["challenged"] > 10, "the restart was not noticed")
        exported = appliance.file("exported.json", json.loads(appliance.chengmen("point", "export", "1")))
        done = load(city, "run", profile, "--to", TARGET, "--port", port % "client", "--contexts", exported, code=2)
        expect("no context of point 2" in done.stderr, done.stderr[-300:])
        done = load(city, "run", profile, "--to", TARGET, "--port", port % "client", "--quiet", code=1)
        wrong = [line for line in done.stdout.splitlines() if line.startswith("wrong ")]
        expect(wrong and all(line.endswith("got 4.01 POINT_UNKNOWN") for line in wrong),
               f"plain requests, which nobody trusts: {done.stdout[-500:]}")
        expect_equal(done.stdout.splitlines()[-1].split()[0::2], ["failed:", "wrong"], "last line")


@case("chengmen-load over a veth pair (af_packet)")
def veth(city):
    subprocess.run(["ip", "link", "add", "cmload0", "type", "veth", "peer", "name", "cmload1"], check=True)
    try:
        for name in ("cmload0", "cmload1"):
            with open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "w", encoding="ascii") as file:
                file.write("1\n")
            subprocess.run(["ip", "link", "set", name, "up"], check=True)
        with target(city, "veth", "net_af_packet0,iface=cmload0") as (appliance, profile, _):
            run(city, appliance, profile, "net_af_packet0,iface=cmload1")
    finally:
        subprocess.run(["ip", "link", "del", "cmload0"], check=True)


@case("chengmen-load over vhost-user and virtio-user; another seed's codes are refused, and the run says so")
def vhost(city):
    path = os.path.join(city.directory, "vhost.sock")
    with target(city, "vhost", f"net_vhost0,iface={path}") as (appliance, profile, _):
        run(city, appliance, profile, f"net_virtio_user0,path={path}")
        done = load(city, "run", profile, "--to", TARGET, "--port", f"net_virtio_user0,path={path}", "--seed", "2",
                    "--quiet", code=1)
        expect("wrong verdict" in done.stdout and "KEY_UNKNOWN" in done.stdout, done.stdout[-500:])


@case("chengmen-load refuses what it cannot do, and names the place")
def refusals(city):
    port = "net_memif0,role=client,socket=/nowhere"
    broken = os.path.join(city.directory, "broken.json")
    with open(broken, "w", encoding="utf-8") as file:
        json.dump({**PROFILE, "rules": RULES, "expect": [{"verdict": "ALLOW", "reason": "GREAN"}]}, file)
    for words, code, said in (
            (["run", "no-such", "--to", TARGET, "--port", port], 2, "no-such.json"),
            (["run", broken, "--to", TARGET, "--port", port], 2, "/expect/0/reason"),
            (["run", "constant", "--to", "224.0.0.1", "--port", port], 2, "not a unicast address"),
            (["run", "constant", "--to", "255.255.255.255", "--port", port], 2, "not a unicast address"),
            (["run", "constant", "--to", "127.0.0.1", "--port", port], 2, "not a unicast address"),
            (["run", "constant", "--to", "10.64.0.9", "--port", port], 2, "one of the points'"),
            (["run", "constant", "--to", "10.0.0.1:0", "--port", port], 2, "1 to 65535"),
            (["run", "constant", "--to", "fd00::1", "--port", port], 2, "IPv4"),
            (["run", "constant", "--to", TARGET], 2, "--port"),
            (["run", "constant", "--to", TARGET, "--port", "net_null0", "--cores", "0@0,1@0,2@1"], 2, "--cores"),
            (["run", "constant", "--to", TARGET, "--port", "net_null0", "--cores", "0@0"], 2, "--cores"),
            (["run", "storm", "--to", TARGET, "--port", port, "--seconds", "3"], 2, "--seconds"),
            (["run", "constant", "--to", TARGET, "--port", "net_none0"], 3, "net_none0"),
            (["run", "constant", "--to", TARGET, "--port", port], 3, "net_memif0"),
            (["pool", "constant"], 2, "--out"), (["dance"], 2, "dance"),
            (["report", "/nonexistent.json", "--html", "/tmp/x"], 2, "/nonexistent.json")):
        done = load(city, *words, code=code)
        expect(said in done.stderr, f"chengmen-load {' '.join(words)} said: {done.stderr[-500:]}")
    pool = os.path.join(city.directory, "twice")
    small = os.path.join(city.directory, "small.json")
    with open(small, "w", encoding="utf-8") as file:
        json.dump({**PROFILE, "rules": RULES}, file)
    load(city, "pool", small, "--out", pool)
    with open(os.path.join(pool, "keys.jwks"), encoding="utf-8") as file:
        kept = file.read()
    open(os.path.join(pool, "list-99.cwt"), "wb").close()
    done = load(city, "pool", small, "--out", pool, "--seed", "2", code=1)
    expect("holds a pool already" in done.stderr, done.stderr)
    with open(os.path.join(pool, "keys.jwks"), encoding="utf-8") as file:
        expect_equal(file.read(), kept, "keys of the pool that is there")
    load(city, "pool", small, "--out", pool, "--seed", "2", "--force")
    expect(not os.path.exists(os.path.join(pool, "list-99.cwt")), "another pool's status list stayed")
    listed = load(city, "profiles").stdout
    for name in ("shanghai-rush-hour", "xian-surge", "nation", "commuter", "storm", "retry-storm"):
        expect(name in listed, f"{name} is not listed")


@case("chengmen-load finds nobody at the address: exit code 3, and it ends")
def nobody(city):
    subprocess.run(["ip", "link", "add", "cmnone0", "type", "veth", "peer", "name", "cmnone1"], check=True)
    try:
        for name in ("cmnone0", "cmnone1"):
            subprocess.run(["ip", "link", "set", name, "up"], check=True)
        profile = os.path.join(city.directory, "nobody.json")
        with open(profile, "w", encoding="utf-8") as file:
            json.dump({**PROFILE, "rules": RULES}, file)
        done = load(city, "run", profile, "--to", TARGET, "--port", "net_af_packet0,iface=cmnone0", code=3)
        expect("ARP" in done.stderr, done.stderr[-500:])
    finally:
        subprocess.run(["ip", "link", "del", "cmnone0"], check=True)
