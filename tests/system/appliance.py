"""Starts and stops the two daemons in the namespace this program runs in, and talks to them as an operator would."""
import contextlib
import ctypes
import glob
import json
import os
import signal
import socket
import subprocess
import time

from check import Failed, expect

PR_SET_PDEATHSIG = 1


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def until(condition, seconds, what, pause=0.01):
    """Waits for a true value and returns it."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"not within {seconds} s: {what}")
        time.sleep(pause)


def sanitizer_options():
    """LeakSanitizer looks at a process by ptrace, which both daemons forbid for themselves."""
    options = os.environ.get("ASAN_OPTIONS")
    return {"ASAN_OPTIONS": options + ":detect_leaks=0"} if options else {}


class Daemon:
    def __init__(self, name, arguments, log, environment=None):
        self.name, self.arguments, self.log_path = name, arguments, log
        self.environment = {**os.environ, **(environment or {})}
        self.process = None

    def start(self):
        self.log = open(self.log_path, "ab")
        self.log_start = self.log.tell()
        self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        env=self.environment, preexec_fn=die_with_parent)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def end(self, how, seconds):
        """Sends the signal and waits; returns the exit status, negative for a signal."""
        if not self.running():
            return self.process.returncode if self.process else None
        self.process.send_signal(how)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failed(f"{self.name} did not end on signal {how.name} within {seconds} s")
        self.log.close()
        return status

    def kill(self):
        return self.end(signal.SIGKILL, 10)

    def stop(self):
        return self.end(signal.SIGTERM, 20)

    def said(self):
        with open(self.log_path, "rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")


class Appliance:
    """One store, one control, one dataplane. `dataplane` and `control` are members of the configuration file."""

    def __init__(self, build, directory, name, dataplane, control=None):
        self.build, self.directory, self.name = build, directory, name
        self.acknowledged = 0
        os.makedirs(directory, mode=0o755, exist_ok=True)
        self.store = os.path.join(directory, "store")
        self.runtime = os.path.join(directory, "run")
        os.makedirs(self.runtime, mode=0o700, exist_ok=True)
        self.socket = os.path.join(directory, "control.sock")
        self.config = os.path.join(directory, "chengmen.json")
        self.compiled = os.path.join(directory, "dataplane.cbor")
        eal = ["--no-pci", "--no-huge", "-m", "512", "--no-shconf", "--file-prefix", name]
        self.write(self.config, {
            "store": self.store,
            "control": {"socket": self.socket, "http": None, **(control or {})},
            "dataplane": {"eal": eal, "workers": [1], "table_memory_mb": 64, "replay_entries": 65536,
                          "answers_per_worker": 4096, **dataplane},
        })
        self.control = Daemon("chengmen-control", [self.program("chengmen-control"), "--config", self.config],
                              os.path.join(directory, "control.log"), sanitizer_options())
        self.dataplane = Daemon("chengmen-dataplane", [self.program("chengmen-dataplane"), self.compiled],
                                os.path.join(directory, "dataplane.log"),
                                {"RUNTIME_DIRECTORY": self.runtime, **sanitizer_options()})

    def program(self, name):
        return os.path.join(self.build, name)

    @staticmethod
    def write(path, document):
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1, ensure_ascii=False)

    def file(self, name, document):
        path = os.path.join(self.directory, name)
        self.write(path, document)
        return path

    # The operator's command

    def command(self, *arguments, stdin=None):
        """Runs `chengmen …`; returns (status, output, errors)."""
        done = subprocess.run([self.program("chengmen"), *arguments], input=stdin, capture_output=True, timeout=60)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def chengmen(self, *arguments, stdin=None):
        """Runs a command against the daemon that must succeed; returns its output."""
        status, output, errors = self.command(*arguments, "--socket", self.socket, stdin=stdin)
        if status != 0:
            raise Failed(f"chengmen {' '.join(arguments)} ended with {status}: {errors or output}")
        return output

    # Processes

    def compile(self):
        status, output, errors = self.command("config", "compile", self.config, "--output", self.compiled)
        expect(status == 0, f"config compile: {errors or output}")

    def start_control(self):
        self.control.start()
        until(lambda: os.path.exists(self.socket) and self.command("info", "--socket", self.socket)[0] == 0
              or not self.control.running(), 20, "control answers")
        expect(self.control.running(), lambda: "control does not start: " + self.control.said()[-2000:])

    def start_dataplane(self, ready=True):
        self.compile()
        for path in self.telemetry_sockets():  # of one that was killed
            os.remove(path)
        self.dataplane.start()
        until(lambda: self.telemetry_sockets() or not self.dataplane.running(), 40, "the dataplane's telemetry")
        expect(self.dataplane.running(), lambda: "the dataplane does not start: " + self.dataplane.said()[-2000:])
        if ready:
            until(self.answers, 40, "the dataplane's counters")
            self.wait_in_force()

    def stop(self):
        for daemon in (self.dataplane, self.control):
            if daemon.process is not None:
                daemon.end(signal.SIGTERM, 20)

    # Telemetry

    def telemetry_sockets(self):
        paths = glob.glob(os.path.join(self.runtime, "**", "dpdk_telemetry.v2*"), recursive=True)
        paths += glob.glob(f"/var/run/dpdk/{self.name}/dpdk_telemetry.v2*")
        return paths

    def telemetry(self, command):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.settimeout(10)
            connection.connect(self.telemetry_sockets()[0])
            size = json.loads(connection.recv(4096))["max_output_len"]
            connection.send(command.encode())
            return json.loads(connection.recv(size))[command.split(",")[0]]

    def counters(self):
        return self.telemetry("/chengmen/counters")

    def answers(self):
        """Whether telemetry answers: its socket has a name before anybody listens there."""
        with contextlib.suppress(OSError):
            return self.counters() is not None

    def info(self):
        return self.telemetry("/chengmen/info")

    def sequence(self):
        """The last record that control has acknowledged."""
        self.acknowledged = json.loads(self.chengmen("info", "--json"))["log"]["durable"]
        return self.acknowledged

    def wait_in_force(self):
        """Waits until the dataplane has taken all that control has acknowledged."""
        wanted = self.sequence() if self.control.running() else self.acknowledged
        until(lambda: self.info()["sequence"] >= wanted, 20, f"record {wanted} in force at the dataplane")
