//! The documents of a small but complete BMC, which the fuzzer's bytes damage.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A BMC's documents by path.
pub fn redfish() -> BTreeMap<&'static str, Value> {
    let link = |path: &str| json!({"@odata.id": path});
    let one = |path: &str| json!({"Members": [{"@odata.id": path}]});
    BTreeMap::from([
        (
            "/redfish/v1/",
            json!({"Systems": link("/s"), "Managers": link("/m"), "Chassis": link("/c"),
            "UpdateService": link("/u"), "ProtocolFeaturesSupported": {"ExpandQuery": {"NoLinks": false}}}),
        ),
        ("/s", one("/s/1")),
        (
            "/s/1",
            json!({"Id": "1", "PowerState": "On", "Boot": {"BootSourceOverrideTarget": "Pxe",
            "BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget@Redfish.AllowableValues": ["Pxe", "Hdd", "Cd"]},
            "Actions": {"#ComputerSystem.Reset": {"target": "/a", "@Redfish.ActionInfo": "/i"}},
            "Processors": link("/p"), "Memory": link("/p"), "Storage": link("/d"), "EthernetInterfaces": link("/n"),
            "LogServices": link("/l"), "Bios": link("/b"), "SecureBoot": link("/b"), "VirtualMedia": link("/v"),
            "IndicatorLED": "Off", "Links": {"Chassis": [link("/c/1")], "ManagedBy": [link("/m/1")]}}),
        ),
        (
            "/i",
            json!({"Parameters": [{"Name": "ResetType", "AllowableValues": ["On", "ForceOff", "ForceRestart"]}]}),
        ),
        ("/p", one("/p/1")),
        (
            "/p/1",
            json!({"Id": "CPU1", "TotalCores": 8, "MaxSpeedMHz": 3000, "CapacityMiB": 4096}),
        ),
        ("/d", one("/d/1")),
        ("/d/1", json!({"Drives": [link("/d/2")]})),
        ("/d/2", json!({"Id": "Disk1", "CapacityBytes": 1e12})),
        ("/n", one("/n/1")),
        (
            "/n/1",
            json!({"Id": "NIC1", "MACAddress": "02:00:00:00:00:01", "SpeedMbps": 1000}),
        ),
        ("/l", one("/l/1")),
        (
            "/l/1",
            json!({"Id": "SEL", "LogEntryType": "SEL", "Entries": link("/l/2"),
            "Actions": {"#LogService.ClearLog": {"target": "/a"}}}),
        ),
        (
            "/l/2",
            json!({"Members": [{"@odata.id": "/l/3", "Id": "1", "Created": "2026-01-01T00:00:00Z",
            "Severity": "OK", "Message": "It began."}], "Members@odata.nextLink": "/l/4"}),
        ),
        (
            "/l/4",
            json!({"Members": [{"@odata.id": "/l/5", "Id": "2", "Message": "It went on."}]}),
        ),
        (
            "/b",
            json!({"Attributes": {"Cores": 4, "SMT": true}, "@Redfish.Settings": {"SettingsObject": link("/b/2")}}),
        ),
        ("/b/2", json!({"Attributes": {"Cores": 2}})),
        ("/v", one("/v/1")),
        (
            "/v/1",
            json!({"Id": "CD", "MediaTypes": ["CD"], "Inserted": true, "Image": "http://h/x",
            "Actions": {"#VirtualMedia.InsertMedia": {"target": "/a"}, "#VirtualMedia.EjectMedia": {"target": "/a"}}}),
        ),
        ("/c", one("/c/1")),
        (
            "/c/1",
            json!({"Thermal": link("/t"), "Power": link("/t"), "Sensors": link("/x"), "ThermalSubsystem": link("/t")}),
        ),
        (
            "/t",
            json!({"Temperatures": [{"Name": "CPU", "ReadingCelsius": 40.5, "Status": {"Health": "OK"}}],
            "Fans": [{"Name": "Fan", "Reading": 4000, "ReadingUnits": "RPM"}], "ThermalMetrics": link("/t")}),
        ),
        (
            "/x",
            json!({"Members": [{"@odata.id": "/x/1", "Name": "Inlet", "Reading": 20, "ReadingUnits": "Cel"}]}),
        ),
        ("/m", one("/m/1")),
        (
            "/m/1",
            json!({"ManagerType": "BMC", "FirmwareVersion": "1", "EthernetInterfaces": link("/n"),
            "LogServices": link("/l"), "VirtualMedia": link("/v")}),
        ),
        ("/u", json!({"FirmwareInventory": link("/p")})),
    ])
}

/// The documents of a BMC with OpenBMC's older REST API only.
pub fn rest() -> BTreeMap<&'static str, Value> {
    let data = |value: Value| json!({"data": value, "status": "ok"});
    BTreeMap::from([
        ("/login", data(json!("User 'admin' logged in"))),
        (
            "/xyz/openbmc_project/state/chassis0",
            data(json!({"CurrentPowerState": "xyz.openbmc_project.State.Chassis.PowerState.On"})),
        ),
        (
            "/xyz/openbmc_project/control/host0/boot",
            data(json!({"BootMode": "x.Regular", "BootSource": "x.Disk"})),
        ),
        (
            "/xyz/openbmc_project/control/host0/boot/one_time",
            data(json!({"BootMode": "x.Regular", "BootSource": "x.Network", "Enabled": true})),
        ),
        (
            "/xyz/openbmc_project/led/groups/enclosure_identify",
            data(json!({"Asserted": 1})),
        ),
        (
            "/xyz/openbmc_project/sensors/enumerate",
            data(
                json!({"/xyz/openbmc_project/sensors/temperature/inlet": {"Unit": "x.DegreesC", "Value": 23_500,
                "Scale": -3, "WarningAlarmHigh": false, "CriticalAlarmHigh": true, "Functional": true}}),
            ),
        ),
        (
            "/xyz/openbmc_project/logging/entry/enumerate",
            data(
                json!({"/xyz/openbmc_project/logging/entry/1": {"Id": 1, "Timestamp": 1_700_000_000_000_u64,
                "Severity": "x.Error", "Message": "x.PowerLost", "AdditionalData": ["A=1", "B=2"]}}),
            ),
        ),
        (
            "/xyz/openbmc_project/inventory/enumerate",
            data(
                json!({"/xyz/openbmc_project/inventory/system": {"Manufacturer": "M", "Model": "X", "SerialNumber": "S1", "UUID": "u"},
                "/xyz/openbmc_project/inventory/system/chassis/motherboard/cpu0": {"Present": true, "PrettyName": "CPU"},
                "/xyz/openbmc_project/inventory/system/chassis/motherboard/dimm0": {"Present": 1, "MemorySizeInKB": 4096},
                "/xyz/openbmc_project/inventory/system/chassis/motherboard/ethernet0": {"MACAddress": "02:00:00:00:00:01"}}),
            ),
        ),
        (
            "/xyz/openbmc_project/software/enumerate",
            data(
                json!({"/xyz/openbmc_project/software/1": {"Version": "2.7", "Purpose": "x.BMC", "Activation": "x.Active"}}),
            ),
        ),
    ])
}
