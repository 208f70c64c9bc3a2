"""A BMC made of pyghmi, the library that VirtualBMC is made of. It ends with its standard input."""

import os
import sys
import threading

from pyghmi.ipmi import bmc


class Machine(bmc.Bmc):
    power = "off"
    device = "network"

    def get_power_state(self):
        return self.power

    def power_on(self):
        self.power = "on"

    def power_off(self):
        self.power = "off"

    def get_boot_device(self):
        return self.device

    def set_boot_device(self, bootdevice):
        self.device = bootdevice


def end_with_input():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_input, daemon=True).start()
Machine({"admin": "secret"}, port=int(sys.argv[1]), address="127.0.0.1").listen()
