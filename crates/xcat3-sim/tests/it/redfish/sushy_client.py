"""A client of a Redfish service by OpenStack's sushy: one command a line on standard input, as JSON, one
answer a line on standard output."""

import json
import sys

import sushy


def connect(url, user, password, ca):
    return sushy.Sushy(url, username=user, password=password, verify=ca)


class Client:
    def __init__(self, url, user, password, ca):
        self.root = connect(url, user, password, ca)

    def system(self):
        system = self.root.get_system_collection().get_members()[0]
        system.refresh(force=True)
        return system

    def manager(self):
        return self.root.get_manager_collection().get_members()[0]

    def medium(self):
        media = self.manager().virtual_media
        media.refresh(force=True)
        for medium in media.get_members():
            medium.refresh(force=True)
            if sushy.VirtualMediaType.CD in (medium.media_types or []):
                return medium
        raise LookupError("no drive takes a CD")

    def state(self):
        system = self.system()
        led = system.indicator_led
        return {
            "power": system.power_state.value,
            "target": system.boot["target"].value if system.boot["target"] else None,
            "enabled": system.boot["enabled"].value if system.boot["enabled"] else None,
            "mode": system.boot["mode"].value if system.boot["mode"] else None,
            "uuid": system.uuid,
            "serial": system.serial_number,
            "manufacturer": system.manufacturer,
            "led": led.value if led else None,
        }

    def resets(self):
        return sorted(kind.value for kind in self.system().get_allowed_reset_system_values())

    def reset(self, kind):
        self.system().reset_system(sushy.ResetType(kind))

    def boot(self, target, enabled, mode=None):
        options = {"target": sushy.BootSource(target), "enabled": sushy.BootSourceOverrideEnabled(enabled)}
        if mode:
            options["mode"] = sushy.BootSourceOverrideMode(mode)
        self.system().set_system_boot_options(**options)

    def led(self, value):
        self.system().set_indicator_led(sushy.IndicatorLED(value))

    def hardware(self):
        system = self.system()
        return {
            "macs": sorted(system.ethernet_interfaces.summary),
            "gib": system.memory_summary.size_gib,
            "processors": system.processors.summary.count,
            "drives": sorted(system.storage.drives_sizes_bytes),
            "secure_boot": system.secure_boot.enabled,
            "firmware": sorted(
                one.version for one in self.root.get_update_service().firmware_inventory.get_members()
            ),
        }

    def sensors(self):
        chassis = self.root.get_chassis_collection().get_members()[0]
        return {
            "temperatures": {one.name: one.reading_celsius for one in chassis.thermal.temperatures},
            "fans": {one.name: one.reading for one in chassis.thermal.fans},
        }

    def bios(self):
        bios = self.system().bios
        bios.refresh(force=True)
        bios._pending_settings_resource.refresh(force=True)
        return {"attributes": bios.attributes, "pending": bios.pending_attributes}

    def set_bios(self, **attributes):
        self.system().bios.set_attributes(attributes)

    def medium_state(self):
        medium = self.medium()
        return {"image": medium.image, "inserted": medium.inserted}

    def insert(self, url):
        self.medium().insert_media(url)

    def eject(self):
        self.medium().eject_media()

    def reconnect(self, url, user, password, ca):
        """Whether somebody with these credentials is let in."""
        try:
            connect(url, user, password, ca).get_system_collection().get_members()
        except sushy.exceptions.AccessError as error:
            return str(type(error).__name__)
        return "welcome"


def main():
    client = Client(*sys.argv[1:])
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        named = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
        try:
            answer = {"ok": getattr(client, name)(*arguments, **named)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
