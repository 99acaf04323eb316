"""scripts/setup-host, on a machine made of files: what it names, takes and gives back."""
import os
import subprocess

from check import case, expect, expect_equal
from formats import ROOT

NIC, MELLANOX, DISK = "0000:01:00.0", "0000:02:00.0", "0000:03:00.0"


class Machine:
    def __init__(self, directory):
        self.root = os.path.join(directory, "host")
        self.state = os.path.join(directory, "setup-host.state")
        self.pages = "kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
        self.put(self.pages, "7")
        self.put("devices/system/cpu/isolated", "1")
        self.put("devices/system/cpu/nohz_full", "")
        os.makedirs(os.path.join(self.root, "devices/system/cpu/cpu1"), exist_ok=True)
        for address, kind, vendor in ((NIC, "0x020000", "0x8086"), (MELLANOX, "0x020000", "0x15b3"),
                                      (DISK, "0x010802", "0x144d")):
            self.put(f"bus/pci/devices/{address}/class", kind)
            self.put(f"bus/pci/devices/{address}/vendor", vendor)
        os.makedirs(os.path.join(self.root, "bus/pci/drivers/ixgbe"), exist_ok=True)
        os.symlink("../../drivers/ixgbe", os.path.join(self.root, f"bus/pci/devices/{NIC}/driver"))

    def put(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as file:
            file.write(text + "\n")

    def get(self, path):
        with open(os.path.join(self.root, path), encoding="ascii") as file:
            return file.read().strip()

    def setup(self, *arguments):
        environment = {**os.environ, "CHENGMEN_SYSFS": self.root, "CHENGMEN_SETUP_STATE": self.state}
        done = subprocess.run([os.path.join(ROOT, "scripts", "setup-host"), *arguments], env=environment,
                              capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr


@case("hugepages are added to those there are, and given back")
def hugepages(city):
    machine = Machine(os.path.join(city.directory, "host-1"))
    expect_equal(machine.setup("--hugepages", "64")[0], 0, "status")
    expect_equal(machine.get(machine.pages), "39", "pages")
    expect_equal(machine.setup("--undo")[0], 0, "status of --undo")
    expect_equal((machine.get(machine.pages), os.path.exists(machine.state)), ("7", False), "after --undo")


@case("a NIC is bound only when it is named; what is no NIC is refused; Mellanox stays where it is")
def nics(city):
    machine = Machine(os.path.join(city.directory, "host-2"))
    status, output, _ = machine.setup("--nic", NIC, "--dry-run")
    expect_equal(status, 0, "status")
    for wanted in ("modprobe vfio-pci", f"echo vfio-pci > {machine.root}/bus/pci/devices/{NIC}/driver_override",
                   f"echo {NIC} > {machine.root}/bus/pci/devices/{NIC}/driver/unbind",
                   f"echo {NIC} > {machine.root}/bus/pci/drivers_probe"):
        expect(wanted in output, f"{wanted!r} is not among what it would do: {output}")
    expect(not os.path.exists(machine.state), "a dry run left something behind")
    status, output, _ = machine.setup("--nic", MELLANOX, "--dry-run")
    expect(status == 0 and "mlx5" in output and "unbind" not in output, f"Mellanox: {output}")
    for wrong in (DISK, "0000:09:00.0", "eth0", "../../etc"):
        expect(machine.setup("--nic", wrong, "--dry-run")[0] != 0, f"{wrong} is taken for a NIC")
    for nothing in ((), ("--check",)):
        machine.setup(*nothing)
        expect_equal(machine.get(machine.pages), "7", "pages after a run without words")


@case("cores that the kernel does not keep free are told")
def cores(city):
    machine = Machine(os.path.join(city.directory, "host-3"))
    status, output, _ = machine.setup("--check", "--cores", "1")
    expect_equal(status, 1, "status")
    expect("ok   core 1: isolated" in output and "no   core 1: not nohz_full" in output, output)
    machine.put("devices/system/cpu/nohz_full", "1-3")
    expect_equal(machine.setup("--check", "--cores", "1")[0], 0, "status when all is well")
    expect(machine.setup("--check", "--cores", "1;reboot")[0] != 0, "a list of cores that is none")
